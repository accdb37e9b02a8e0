"""How light it is: installed size, import, first answer and memory, beside peers doing the same one thing.

    python bench/light.py

Each gets a virtual environment of its own, with what its documentation says to install, and serves one endpoint,
`GET /hello/{name}`, from one worker process. Times are medians of five.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.request
from pathlib import Path

from memory import family, proportional

ROOT = Path(__file__).parent.parent
PORT = 29871
RUNS = 5

OPENAPI = """
openapi: 3.0.0
info: {title: T, version: "1"}
paths:
  /hello/{name}:
    get:
      operationId: app.hello
      parameters: [{name: name, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: ok, content: {application/json: {schema: {type: object}}}}}
"""

STACKS = {
    "apifold": {
        "install": [str(ROOT)],
        "files": {"spec.yaml": OPENAPI, "app.py": "def hello(name):\n    return {'hello': name}\n"},
        "import": "import apifold.cli.serve, apifold.cli.main",
        "serve": [
            "apifold",
            "serve",
            "spec.yaml",
            "--listen",
            f"127.0.0.1:{PORT}",
            "--workers",
            "1",
            "--no-access-log",
        ],
    },
    "FastAPI (uvicorn)": {
        "install": ["fastapi", "uvicorn[standard]"],
        "files": {
            "app.py": "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/hello/{name}')\ndef hello(name: str):\n    return {'hello': name}\n"
        },
        "import": "import fastapi, uvicorn",
        "serve": ["uvicorn", "app:app", "--port", str(PORT), "--log-level", "warning"],
    },
    "Connexion (uvicorn)": {
        "install": ["connexion[flask,swagger-ui,uvicorn]"],
        "files": {
            "spec.yaml": OPENAPI,
            "app.py": "def hello(name):\n    return {'hello': name}\n",
            "main.py": "import connexion\napp = connexion.FlaskApp(__name__)\napp.add_api('spec.yaml')\n",
        },
        "import": "import connexion, uvicorn",
        "serve": ["uvicorn", "main:app", "--port", str(PORT), "--log-level", "warning"],
    },
    "Django + DRF (gunicorn)": {
        "install": ["django", "djangorestframework", "gunicorn"],
        "files": {
            "app.py": textwrap.dedent(
                """
                import django
                from django.conf import settings
                settings.configure(ROOT_URLCONF="app", ALLOWED_HOSTS=["*"], SECRET_KEY="x", INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"])
                django.setup()
                from django.core.wsgi import get_wsgi_application
                from django.urls import path
                from rest_framework.decorators import api_view
                from rest_framework.response import Response
                @api_view()
                def hello(request, name):
                    return Response({"hello": name})
                urlpatterns = [path("hello/<str:name>", hello)]
                application = get_wsgi_application()
                """
            )
        },
        "import": "import django.core.handlers.wsgi, rest_framework, gunicorn.app.wsgiapp",
        "serve": ["gunicorn", "app", "--bind", f"127.0.0.1:{PORT}", "--workers", "1", "--log-level", "warning"],
    },
}


def measure(name: str, stack: dict) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        subprocess.run([sys.executable, "-m", "venv", home / "v"], check=True)
        packages = home / "v" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        before = size(packages)
        subprocess.run([home / "v/bin/pip", "install", "-q", *stack["install"]], check=True, stderr=subprocess.DEVNULL)
        count = len(
            [path for path in packages.glob("*.dist-info") if not path.name.startswith(("pip-", "setuptools-"))]
        )
        for file, text in stack["files"].items():
            (home / file).write_text(text)
        run(home, ["python", "-c", stack["import"]])  # so that every file is compiled and in the page cache
        imports = [run(home, ["python", "-c", stack["import"]]) for _ in range(RUNS)]
        bare = [run(home, ["python", "-c", "pass"]) for _ in range(RUNS)]
        serve(home, stack["serve"])
        answers, memory = zip(*(serve(home, stack["serve"]) for _ in range(RUNS)), strict=True)
        return [
            name,
            str(count),
            f"{(size(packages) - before) / 1e6:.0f} MB",
            f"{(statistics.median(imports) - statistics.median(bare)) * 1000:.0f} ms",
            f"{statistics.median(answers) * 1000:.0f} ms",
            f"{statistics.median(memory) / 1e6:.0f} MB",
        ]


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def run(home: Path, line: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([home / "v/bin" / line[0], *line[1:]], cwd=home, check=True)
    return time.perf_counter() - began


def serve(home: Path, line: list[str]) -> tuple[float, int]:
    """Seconds to the first answer, and bytes of memory (proportional set size) of all processes."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [home / "v/bin" / line[0], *line[1:]],
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/hello/ada", timeout=5) as answer:
                    assert b"ada" in answer.read()
                    break
            except OSError:
                if time.perf_counter() - began > 30:
                    raise
                time.sleep(0.005)
        took = time.perf_counter() - began
        return took, sum(proportional(pid) for pid in family(process.pid))
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


def main() -> None:
    print("| | packages | installed | import | first answer | memory |")
    print("|---|---|---|---|---|---|")
    for name, stack in STACKS.items():
        print(f"| {' | '.join(measure(name, stack))} |", flush=True)


if __name__ == "__main__":
    main()
