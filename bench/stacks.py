"""What is compared: each stack, the packages it needs, and how its documentation says to serve it with one worker."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
APPS, WORK = HERE / "apps", HERE / "work"
BIN = Path(sys.executable).parent
(WORK / "tokens.yaml").chmod(0o600)
ENVIRONMENT = {"PYTHONPATH": f"{WORK}:{APPS}", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True)
class Stack:
    """One stack.

    Attributes:
        name: in the tables.
        line: its command; `{bin}` is the folder of its own environment's programs, `{port}` the port.
        packages: from PyPI, for an environment of its own; the benchmark's own where there are none.
        kind: `limit`, `ours` or `peer`.
    """

    name: str
    line: tuple[str, ...]
    packages: tuple[str, ...] = ()
    kind: str = "peer"

    def command(self, home: Path) -> list[str]:
        """The command, with its programs' folder filled in."""
        folder = home / self.name.replace(" ", "-") / "bin" if self.packages else BIN
        return [part.replace("{bin}", str(folder)).replace("{state}", str(home / "state")) for part in self.line]

    def install(self, home: Path) -> str:
        """Make its environment where it is missing; the versions of the packages it names."""
        if not self.packages:
            return ""
        folder = home / self.name.replace(" ", "-")
        if not (folder / "installed").exists():
            print(f"installing {self.name}", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([folder / "bin/pip", "install", "-q", *self.packages], check=True, stderr=subprocess.DEVNULL)
            (folder / "installed").touch()
        found = subprocess.run(
            [folder / "bin/pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
        ).stdout
        wanted = {_normal(package.partition("[")[0]) for package in self.packages}
        versions = dict(line.split("==") for line in found.split() if "==" in line)
        return ", ".join(f"{name} {version}" for name, version in versions.items() if _normal(name) in wanted)


def _normal(name: str) -> str:
    """A package's name as all its spellings have it (PEP 503)."""
    return name.lower().replace("_", "-").replace(".", "-")


def uvicorn(module: str) -> tuple[str, ...]:
    return ("{bin}/uvicorn", f"{module}:app", "--port", "{port}", "--log-level", "warning", "--no-access-log")


def gunicorn(module: str) -> tuple[str, ...]:
    return ("{bin}/gunicorn", f"{module}:app", "--bind", "127.0.0.1:{port}", "--workers", "1", "--log-level", "error")


SERVE = (
    *("{bin}/apifold", "serve", str(WORK / "apis"), "--listen", "127.0.0.1:{port}", "--workers", "1"),
    *("--auth", "tokens", "--tokens", str(WORK / "tokens.yaml"), "--state", "{state}"),
)

RAW = Stack("raw protocol", ("{bin}/python", str(APPS / "raw.py"), "{port}"), kind="limit")
OURS = Stack("apifold", (*SERVE, "--no-access-log"), kind="ours")
LOGGED = Stack("apifold, access log on", (*SERVE, "--access-log"), kind="ours")
ALL = (
    RAW,
    OURS,
    LOGGED,
    Stack("apifold on uvicorn", uvicorn("with_apifold"), kind="ours"),
    Stack(
        "apifold on granian",
        (
            "{bin}/granian",
            "--interface",
            "asgi",
            "--workers",
            "1",
            "--port",
            "{port}",
            "--log-level",
            "warning",
            "with_apifold:app",
        ),
        kind="ours",
    ),
    Stack("Falcon, tuned", uvicorn("with_falcon"), ("falcon", "orjson", "jsonschema-rs", "uvicorn[standard]")),
    Stack("Litestar", uvicorn("with_litestar"), ("litestar[standard]", "uvicorn[standard]")),
    Stack("BlackSheep", uvicorn("with_blacksheep"), ("blacksheep", "pydantic", "uvicorn[standard]")),
    Stack("Starlette", uvicorn("with_starlette"), ("starlette", "jsonschema-rs", "uvicorn[standard]")),
    Stack("FastAPI", uvicorn("with_fastapi"), ("fastapi", "uvicorn[standard]")),
    Stack("Connexion", uvicorn("with_connexion"), ("connexion[flask,uvicorn]", "uvicorn[standard]")),
    Stack("Flask-RESTful", gunicorn("with_flask_restful"), ("flask-restful", "voluptuous", "gunicorn")),
    Stack("Django REST framework", gunicorn("with_drf"), ("django", "djangorestframework", "gunicorn")),
    Stack("Pecan", gunicorn("with_pecan"), ("pecan", "voluptuous", "flask-restful", "gunicorn")),
)
