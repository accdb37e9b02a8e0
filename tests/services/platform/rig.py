"""The engine `process` for tests: nothing is left of its units; and an application that does what it is told."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import http.server
import os
import shutil
import signal
import socket
import tempfile
import textwrap
import uuid
from pathlib import Path
from random import Random
from urllib.parse import quote, urlsplit

import msgspec
import pytest
from sqlalchemy import select

from apifold import Deployment, lasting_process
from apifold.settings import Settings
from apifold_services.platform.core.engines.engine import Unit
from apifold_services.platform.core.engines.process import Process
from apifold_services.platform.core.options import Options
from apifold_services.platform.core.plan_file import Artifact
from apifold_services.platform.core.platform import MIGRATIONS
from apifold_services.platform.core.tables import ports

IS_ROOT = os.geteuid() == 0
WALLS = shutil.which("bwrap") is not None
NEEDS_ROOT = pytest.mark.skipif(not IS_ROOT, reason="only root gives users to units")
NEEDS_WALLS = pytest.mark.skipif(not WALLS, reason="bubblewrap is missing (Debian: apt-get install bubblewrap)")
NEEDS_NODE = pytest.mark.skipif(not shutil.which("npm"), reason="Node.js is missing (Debian: apt-get install npm)")
SECRET = "the-server's-secret"

PORTS, FIRST, LAST = 20, 10_000, 20_000
"""Ports of each engine, and of all. So many users go with them: whoever else had these would kill what runs here."""

held: set[int] = set()
locks = os.open(
    Path(tempfile.gettempdir()) / f"apifold-ports-{os.geteuid()}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
)


def reserved_ports() -> int:
    """The first of some ports that no other test of this machine has, whoever runs it."""
    while True:
        first = Random().randrange(FIRST, LAST, PORTS)
        with contextlib.suppress(OSError):
            fcntl.lockf(locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, first)
            if first not in held:
                held.add(first)
                return first


APP = """
import http.server, os, signal, subprocess, sys, time
from urllib.parse import parse_qs, urlsplit

print("begins", flush=True)
well = True

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global well
        parts = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        status = 200
        if parts.path == "/sh":
            done = subprocess.run(["sh", "-c", given["command"]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            answer = done.stdout
        elif parts.path == "/slow":
            time.sleep(float(given["seconds"]))
            answer = os.environ["INSTANCE"].encode()
        elif parts.path == "/big":
            answer = b"x" * int(given["bytes"])
        elif parts.path == "/crash":
            os._exit(7)
        elif parts.path == "/sick":
            well, answer = False, b"sick"
        elif parts.path == "/health":
            answer, status = b"", 200 if well else 503
        else:
            answer = os.environ["INSTANCE"].encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self):
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.send_header("Upgrade", "echo")
            self.end_headers()
            self.close_connection = True
            while piece := self.connection.recv(100):
                self.connection.sendall(piece.upper())
            return
        left, total = int(self.headers["Content-Length"]), 0
        while left and (piece := self.rfile.read(min(left, 65536))):
            left, total = left - len(piece), total + len(piece)
        answer = str(total).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, text, *arguments):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 100

Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
"""Does what it is asked for; `/sh` runs a command where the application runs."""

QUIET = "import time\nprint('I listen nowhere', flush=True)\ntime.sleep(600)\n"


def never() -> bool:
    return False


class Rig:
    """An engine, and a folder with what it builds."""

    def __init__(self, home: Path, **settings) -> None:
        self.first = first = reserved_ports()
        self.home, self.sources = home / "units", home / "sources"
        self.home.mkdir()
        self.home.chmod(0o711)
        self.sources.mkdir()
        own = {
            "folder": str(self.home),
            "ports": f"{first}-{first + PORTS - 1}",
            "start_seconds": 20,
            "stop_seconds": 3,
        }
        services = {
            name: settings.pop(name) for name in ("folders", "build_seconds", "max_archive_size") if name in settings
        }
        outgoing = settings.pop("outgoing", ("127.0.0.1",))
        self.state = home / "state"
        self.deployment = Deployment(Settings(state=str(self.state), outgoing=outgoing))
        self.deployment.tables("platform", MIGRATIONS)
        options = Options(**{"folders": (str(self.sources),), "build_seconds": 60.0, **services})
        self.engine = Process(self.deployment, {**own, **settings}, options)
        self.ids: list[str] = []

    def source(self, **files) -> Path:
        """A folder with some files; `__` in names is a slash, `_x` at the end makes it one that may be run."""
        folder = self.sources / uuid.uuid4().hex
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).lstrip().encode())
        return folder

    def unit(self, content=None, **more) -> Unit:
        """A unit of a folder, an address, or of files by name."""
        own = {name: more.pop(name) for name in ("instances", "variables", "key", "pack", "package") if name in more}
        if isinstance(content, dict):
            content = self.source(**content)
        if isinstance(content, Path):
            content = f"file://{content}"
        said = {"href": content} if isinstance(content, str) else more.pop("held")
        artifact = msgspec.convert({"name": "web", "content": said, **more}, Artifact)
        id = str(uuid.uuid4())
        self.ids.append(id)
        return Unit(id=id, assembly_id=str(uuid.uuid4()), name="web", artifact=artifact, **own)

    def app(self, procfile="web: python3 app.py", files=None, **more) -> Unit:
        """A unit of the application that does what it is asked for."""
        return self.unit({"app.py": APP, "Procfile": procfile, **(files or {})}, **more)

    def made(self, unit: Unit) -> dict:
        """What is known once it was fetched, tested and built."""
        known = self.engine.prepare(unit, never)
        self.engine.test(unit, never)
        return {**known, **self.engine.build(unit, never)}

    def run(self, unit: Unit) -> str:
        """Its address, once it answers."""
        self.made(unit)
        address = self.engine.start(unit)
        self.engine.settle(unit, never)
        return address

    def supervisor(self, unit: Unit) -> int:
        with lasting_process(self.home / unit.id / "supervisor.pid") as process:
            return process.number if process else 0

    def log(self, unit: Unit, name="application") -> str:
        return self.engine.log(unit.id, name, 100_000)

    def listening(self) -> list[int]:
        """The ports of this rig that somebody listens on."""
        found = []
        for port in range(self.engine.ports.first, self.engine.ports.last + 1):
            with contextlib.closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    found.append(port)
        return found

    def rows(self) -> list:
        with self.deployment.database().reading() as connection:
            return list(connection.execute(select(ports)))

    def leftovers(self) -> list:
        """What there is of any unit."""
        processes = [pid for id in self.ids for pid in marked(id)]
        return [*processes, *self.home.iterdir(), *self.listening(), *self.rows(), *self.of_our_users()]

    def of_our_users(self) -> list[str]:
        """Processes of the users that units get."""
        first = self.engine.first_user + self.engine.ports.first
        users = range(first, first + PORTS)
        return [f"{pid} {command_of(pid)}" for pid in pids() if IS_ROOT and user_of(pid) in users and command_of(pid)]

    def is_ours(self, pid: int) -> bool:
        own = any(f"APIFOLD_UNIT={id}\0" in environment_of(pid) for id in self.ids)
        return own or str(self.home) in command_of(pid) or f"/{self.home.parent.name}/" in place_of(pid)

    def close(self) -> None:
        """Remove everything, and see that nothing is left."""
        try:
            for id in self.ids:
                self.engine.remove(id)
            assert self.leftovers() == []
        finally:
            for pid in filter(self.is_ours, pids()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.deployment.close()
            fcntl.lockf(locks, fcntl.LOCK_UN, 1, self.first)
            held.remove(self.first)


@contextlib.contextmanager
def opened_rigs():
    """Makes engines, each with a folder of its own that anybody may enter; nothing is left of their units at the end."""
    with contextlib.ExitStack() as stack:

        def make(**settings):
            home = Path(tempfile.mkdtemp(prefix="apifold-process-"))
            home.chmod(0o711)
            stack.callback(shutil.rmtree, home, ignore_errors=True)
            made = Rig(home, **settings)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def rigs():
    with opened_rigs() as make:
        yield make


@pytest.fixture
def rig(rigs):
    return rigs()


@pytest.fixture(params=[pytest.param("walls", marks=NEEDS_WALLS), "bare"])
def walls(request, tmp_path, monkeypatch):
    """With bubblewrap, and on a machine that has none."""
    if request.param == "bare":
        folder = tmp_path / "bin"
        folder.mkdir()
        for path in os.environ["PATH"].split(":"):
            for program in Path(path).iterdir() if os.path.isdir(path) else ():
                if program.name != "bwrap" and not (folder / program.name).exists():
                    (folder / program.name).symlink_to(program)
        monkeypatch.setenv("PATH", str(folder))
    return request.param


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def environment_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    return ""


def command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ")
    return ""


def place_of(pid: int) -> str:
    """The folder that a process is in."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/cwd")
    return ""


def user_of(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("Uid:"):
                return int(line.split()[1])
    return -1


def marked(id: str) -> list[int]:
    """The processes that carry a unit's mark."""
    return [pid for pid in pids() if f"APIFOLD_UNIT={id}\0" in environment_of(pid)]


def get(address: str, path: str = "/", timeout: float = 10):
    parts = urlsplit(address)
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")


def sh(address: str, command: str) -> str:
    """What a command says that the application runs."""
    status, said = get(address, f"/sh?command={quote(command)}", timeout=30)
    assert status == 200
    return said
