"""The engine `process`, by calls: small applications that are really built, run, and made to misbehave."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import io
import itertools
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tarfile
import tempfile
import textwrap
import threading
import time
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from urllib.parse import quote, urlsplit

import msgspec
import pytest
from sqlalchemy import select

from apifold import Deployment, Limits, SettingsError, lasting_process, run_confined
from apifold.settings import Settings
from apifold_services.platform.core.engines.builders import recipe_for
from apifold_services.platform.core.engines.engine import EngineFailed, Unit
from apifold_services.platform.core.engines.process import Process
from apifold_services.platform.core.options import Options
from apifold_services.platform.core.plan_file import Artifact
from apifold_services.platform.core.platform import MIGRATIONS
from apifold_services.platform.core.tables import ports
from tests.servers import until

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="it is for Linux")

IS_ROOT = os.geteuid() == 0
WALLS = shutil.which("bwrap") is not None
NEEDS_ROOT = pytest.mark.skipif(not IS_ROOT, reason="only root gives users to units")
NEEDS_WALLS = pytest.mark.skipif(not WALLS, reason="bubblewrap is missing (Debian: apt-get install bubblewrap)")
NEEDS_NODE = pytest.mark.skipif(not shutil.which("npm"), reason="Node.js is missing (Debian: apt-get install npm)")
SECRET = "the-server's-secret"

first_ports = itertools.count(10_000 + 20 * Random().randrange(480), 20)

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
        first = next(first_ports)
        self.home, self.sources = home / "units", home / "sources"
        self.home.mkdir()
        self.home.chmod(0o711)
        self.sources.mkdir()
        own = {"folder": str(self.home), "ports": f"{first}-{first + 19}", "start_seconds": 20, "stop_seconds": 3}
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
        first = self.engine.options.first_user + self.engine.ports.first
        users = range(first, first + 20)
        return [f"{pid} {command_of(pid)}" for pid in pids() if IS_ROOT and user_of(pid) in users]

    def close(self) -> None:
        """Remove everything, and see that nothing is left."""
        try:
            for id in self.ids:
                self.engine.remove(id)
            assert self.leftovers() == []
        finally:
            for pid in pids():
                if str(self.home) in command_of(pid) or any(
                    f"APIFOLD_UNIT={id}" in environment_of(pid) for id in self.ids
                ):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            self.deployment.close()


@pytest.fixture
def rigs():
    """Engines, each with a folder of its own that anybody may enter; nothing is left of their units at the end."""
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


# --- what is built, and how


def wheel(name: str, module: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(f"{name}.py", module)
        file.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return packed.getvalue()


BACKEND = """
import zipfile
def build_wheel(folder, settings=None, metadata=None):
    name = "own-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as file:
        file.writestr("own.py", "WORD = 'hello from a project'")
        file.writestr("own-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1.0\\n")
        file.writestr("own-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr("own-1.0.dist-info/RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "own"
version = "1.0"
"""


def test_python(rig):
    """Its own environment, its own packages, of which one is itself; and its version is the one that it asks for."""
    version = rig.engine.tools.python_version
    files = {
        "requirements.txt": "--no-index\n./greeting-1.0-py3-none-any.whl\n.\n",
        "greeting-1.0-py3-none-any.whl": wheel("greeting", "WORD = 'hello from a wheel'"),
        "pyproject.toml": PROJECT,
        "backend.py": BACKEND,
        ".python-version": version.rpartition(".")[0],
        "app.py": "import greeting, own, sys\nprint(greeting.WORD, own.WORD, sys.prefix, flush=True)\n" + APP,
    }
    unit = rig.unit(files)
    assert rig.made(unit) == {"commit": "", "builder": "python"}
    address = rig.engine.start(unit)
    rig.engine.settle(unit, never)
    assert get(address) == (200, "1")
    assert f"hello from a wheel hello from a project {rig.home}/{unit.id}/app/.venv" in rig.log(unit)


def test_a_python_project_without_requirements_is_installed_itself(rig):
    folder = rig.source(**{"pyproject.toml": PROJECT, "main.py": ""})
    recipe = recipe_for(folder, Artifact(), None, rig.engine.tools)
    assert recipe.commands[-1].endswith("pip install --quiet --disable-pip-version-check .")
    assert recipe.processes == {"web": "python3 main.py"}


@NEEDS_NODE
def test_node(rig):
    package = {"name": "web", "version": "1.0.0", "scripts": {"build": "echo built > out.txt", "start": "node web.js"}}
    web = """
    const fs = require("fs");
    require("http").createServer((_, answer) => answer.end(process.version + fs.readFileSync("out.txt")))
      .listen(process.env.PORT, "127.0.0.1");
    """
    unit = rig.unit({"package.json": json.dumps(package), "web.js": web})
    assert rig.made(unit)["builder"] == "node"
    address = rig.engine.start(unit)
    rig.engine.settle(unit, never)
    assert get(address) == (200, f"v{rig.engine.runtimes()['node']}built\n")


def test_static_files(rig):
    unit = rig.unit({"index.html": "<h1>Hello</h1>", "more/page.txt": "more"})
    assert rig.made(unit)["builder"] == "static"
    address = rig.engine.start(unit)
    rig.engine.settle(unit, never)
    assert get(address) == (200, "<h1>Hello</h1>")
    assert get(address, "/more/page.txt") == (200, "more")
    assert get(address, "/../../supervisor.pid")[0] == 404


def test_a_procfile_says_all_that_runs(rig):
    procfile = """
    # What runs
    web: python3 app.py
    worker: echo working; sleep 600
    release: echo "released with $COLOUR" | tee -a released.txt
    """
    unit = rig.app(procfile, variables={"COLOUR": "blue"})
    address = rig.run(unit)
    assert sh(address, "cat released.txt") == "released with blue\n"
    assert "released with blue" in rig.log(unit, "build")
    until(lambda: "worker.1: working" in rig.log(unit))
    assert "web.1: begins" in rig.log(unit)
    rig.engine.start(unit)
    assert sh(address, "cat released.txt") == "released with blue\n", "what runs once ran again"


def test_what_the_plan_says_comes_first(rig):
    """`build_cmd` and `run_cmd`; a script need not be one that may be run, and may come from the build."""
    files = {"app.py": APP, "Procfile": "web: false\nworker: sleep 600", "requirements.txt": "no-such-package"}
    build = "printf '#!/bin/sh\\necho started by it\\nexec python3 app.py \"$@\"\\n' > start.sh"
    unit = rig.unit(files, build_cmd=build, run_cmd="./start.sh one")
    rig.run(unit)
    assert "started by it" in rig.log(unit)
    assert "worker.1: started" in rig.log(unit)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"Dockerfile": "FROM scratch"}, "has a Dockerfile, and this engine builds no images: write a Procfile"),
        (
            {"requirements.txt": "", ".python-version": "2.7.18", "app.py": ""},
            "it asks for Python 2.7.18, and there is 3.",
        ),
        (
            {"requirements.txt": "", "runtime.txt": "python-3.1", "app.py": ""},
            "it asks for Python 3.1, and there is 3.",
        ),
        (
            {"requirements.txt": "", "runtime.txt": "pypy", "app.py": ""},
            "runtime.txt names no version of Python: 'pypy'",
        ),
        ({"notes.txt": "nothing"}, "nothing says how to run it (plain): write a Procfile with `web: COMMAND`"),
        ({"Procfile": "worker: true"}, "nothing says how to run it (plain)"),
        ({"Procfile": "web: true\nwhatever"}, "the Procfile has a line that is no `KIND: COMMAND`: 'whatever'"),
        ({"package.json": "{"}, "its package.json can't be read"),
        ({"package.json": "[1]"}, "its package.json can't be read"),
        ({"package.json": '{"scripts": {"test": "x"}}'}, "nothing says how to run it (node)"),
    ],
)
def test_what_can_not_be_built_is_told(rig, files, said):
    unit = rig.unit(files)
    with pytest.raises(EngineFailed) as failed:
        rig.made(unit)
    assert said in str(failed.value)


@pytest.fixture
def pack(rig):
    """A language pack in the form of Heroku's, whose files another user has."""
    folder = rig.home.parent / "pack"
    files = {
        "detect": '#!/bin/sh\n[ -f "$1/hello.txt" ] || exit 1\necho Hello',
        "compile": '#!/bin/sh\ncp "$1/hello.txt" "$1/index.html"\necho kept > "$2/kept"\n[ -d "$3" ]',
        "release": "#!/bin/sh\ncat <<'END'\n---\nconfig_vars:\n  GREETED: pack\n"
        "default_process_types:\n  web: 'echo \"greeted $GREETED\"; exec python3 -m http.server --bind 127.0.0.1 $PORT'\nEND",
    }
    (folder / "bin").mkdir(parents=True)
    for name, text in files.items():
        (folder / "bin" / name).write_text(f"{text}\n")
        (folder / "bin" / name).chmod(0o755)
    return folder


def test_a_language_pack_builds(rig, pack):
    unit = rig.unit({"hello.txt": "hello"}, pack=pack)
    assert rig.made(unit)["builder"] == "language pack"
    address = rig.engine.start(unit)
    rig.engine.settle(unit, never)
    assert get(address) == (200, "hello")
    assert "greeted pack" in rig.log(unit)


def test_a_language_pack_need_not_say_what_runs(rig, pack):
    (pack / "bin" / "release").unlink()
    with pytest.raises(EngineFailed, match=r"nothing says how to run it \(language pack\)"):
        rig.made(rig.unit({"hello.txt": "hello"}, pack=pack))
    rig.run(rig.unit({"hello.txt": "hello", "Procfile": "web: python3 -m http.server $PORT"}, pack=pack))


def test_a_language_pack_may_refuse(rig, pack):
    with pytest.raises(EngineFailed, match="the build failed: it ended with 1"):
        rig.made(rig.unit({"other.txt": "hello"}, pack=pack))


def test_tests_that_fail(rig):
    unit = rig.app(unittest_cmd="echo first; echo 'two of them fail' >&2; exit 3")
    with pytest.raises(EngineFailed, match=r"the tests failed: it ended with 3: .*first \| two of them fail"):
        rig.made(unit)
    assert "two of them fail" in rig.log(unit, "build")


def test_a_release_that_fails(rig):
    with pytest.raises(EngineFailed, match=r"the release failed: it ended with 4: .*no database"):
        rig.made(rig.app("web: python3 app.py\nrelease: echo no database; exit 4"))


# --- where it comes from


def git(folder, *words, **more):
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, env=environment, capture_output=True, text=True, check=True, **more
    )
    return done.stdout.strip()


@pytest.fixture
def repository(rig):
    """A repository with a commit on each of two branches, and a tag; and the commits."""
    folder = rig.source(**{"index.html": "first"})
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    git(folder, "tag", "v1")
    commits = {"first": git(folder, "rev-parse", "HEAD")}
    for branch, text in (("feature/two", "second"), ("main", "third")):
        git(folder, "checkout", "--quiet", *(("-b", branch) if branch != "main" else (branch,)))
        (folder / "index.html").write_text(text)
        git(folder, "commit", "--quiet", "-am", text)
        commits[text] = git(folder, "rev-parse", "HEAD")
    return folder, commits


def test_git_at_each_of_its_states(rig, repository):
    folder, commits = repository
    revisions = {
        "": "third",
        "#main": "third",
        "#feature/two": "second",
        "#v1": "first",
        f"#{commits['second']}": "second",
        f"#{commits['first'][:10]}": "first",
    }
    for revision, text in revisions.items():
        unit = rig.unit(f"file://{folder}{revision}")
        assert rig.engine.prepare(unit, never) == {"commit": commits[text]}, revision
        inside = rig.engine.folder(unit.id)
        assert (inside / "index.html").read_text() == text
        assert not (inside / ".git").exists()
        assert f"it is commit {commits[text]}" in rig.log(unit, "build")
    with pytest.raises(EngineFailed, match="the source has no no-such-branch"):
        rig.engine.prepare(rig.unit(f"file://{folder}#no-such-branch"), never)


def test_git_of_a_bare_repository_that_is_somebody_elses(rig, repository):
    folder, commits = repository
    bare = rig.sources / "bare.git"
    git(rig.sources, "clone", "--quiet", "--bare", str(folder), str(bare))
    if IS_ROOT:
        subprocess.run(["chown", "-R", "12345:12345", str(bare)], check=True)
    assert rig.engine.prepare(rig.unit(f"file://{bare}"), never) == {"commit": commits["third"]}


class Web(http.server.ThreadingHTTPServer):
    """A web server of the tests: answers by path, and notes who was asked for what."""

    def __init__(self, answers) -> None:
        asked = self.asked = []
        self.answers = answers

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                status, headers, body = answers.get(self.path.partition("?")[0], (404, {}, b"nothing"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for piece in [body] if isinstance(body, bytes) else body():
                    self.wfile.write(piece)

            def log_message(self, text, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def web():
    server = Web({})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def packed(kind: str, files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w") as file:
            for name, text in files.items():
                file.writestr(name, text)
        return made.getvalue()
    mode = {"tar": "w", "tgz": "w:gz", "tar.xz": "w:xz"}[kind]
    with tarfile.open(fileobj=made, mode=mode) as file:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o755
            file.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz", "tar.xz"])
def test_archives(rig, web, kind):
    """By http, by way of a redirect; one that holds a single folder is that folder."""
    web.answers[f"/there.{kind}"] = (200, {}, packed(kind, {"web-1.0/index.html": "hello", "web-1.0/run": "x"}))
    web.answers[f"/here.{kind}"] = (302, {"Location": f"there.{kind}"}, b"")
    unit = rig.unit(f"{web.url}/here.{kind}")
    assert rig.made(unit) == {"commit": "", "builder": "static"}
    inside = rig.engine.folder(unit.id)
    assert sorted(path.name for path in inside.iterdir()) == ["index.html", "run"]
    assert bool((inside / "run").stat().st_mode & 0o111) == (kind != "zip")


def test_what_a_plan_holds(rig):
    archive = base64.encodebytes(packed("tgz", {"index.html": "hello"})).decode()
    assert rig.made(rig.unit(held={"data": archive}))["builder"] == "static"
    script = base64.b64encode(b"#!/bin/sh\nexec python3 -m http.server --bind 127.0.0.1 $PORT").decode()
    rig.run(rig.unit(held={"data": script}, run_cmd="./web"))
    for name in ("..", ".", "", "\0", "x" * 255, "../../escaped"):
        unit = rig.unit(held={"data": script}, run_cmd="true")
        unit = Unit(unit.id, unit.assembly_id, name, unit.artifact)
        with contextlib.suppress(EngineFailed):
            rig.engine.prepare(unit, never)
        assert not (rig.home / "escaped").exists()
    with pytest.raises(EngineFailed, match="no Base64"):
        rig.made(rig.unit(held={"data": "%%%"}))
    with pytest.raises(EngineFailed, match="has no content"):
        rig.made(rig.unit(held={}))


def test_a_file_of_the_plans_package(rig):
    package = rig.source(**{"web/index.html": "hello", "other.txt": "x"})
    assert rig.made(rig.unit("web", package=package))["builder"] == "static"
    with pytest.raises(EngineFailed, match="has no 'nothing'"):
        rig.made(rig.unit("nothing", package=package))
    with pytest.raises(EngineFailed, match="does not lie in the package"):
        rig.made(rig.unit("../../state", package=package))
    with pytest.raises(EngineFailed, match="the plan came without one"):
        rig.made(rig.unit("web"))


def test_files_of_the_machine_are_read_only_where_that_is_allowed(rig, rigs):
    outside = rig.home.parent / "outside"
    outside.mkdir()
    (outside / "index.html").write_text("secret")
    (rig.sources / "link").symlink_to(outside)
    for href in (f"file://{outside}", f"file://{rig.sources}/../outside", f"file://{rig.sources}/link", "file:///etc"):
        unit = rig.unit(href)
        assert "may not be read" in rig.engine.check(unit.artifact, packaged=False)
        with pytest.raises(EngineFailed, match="may not be read; an operator allows folders"):
            rig.engine.prepare(unit, never)
    other = rigs(folders=())
    assert "may not be read" in other.engine.check(rig.app().artifact, packaged=False)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://169.254.169.254/latest/meta-data.zip", "169.254.169.254"),
        ("http://127.0.0.2/other.zip", "127.0.0.2"),
        ("file:///etc/passwd", "Only http and https"),
        ("ftp://127.0.0.1/other.zip", "Only http and https"),
        ("http://ada:secret@127.0.0.1/other.zip", "Only http and https"),
        ("/loop.zip", "leads from one address to another"),
        ("/none.zip", "answers 404"),
    ],
)
def test_redirects_lead_only_where_one_may_go(rig, web, location, said):
    web.answers["/loop.zip"] = (302, {"Location": "/loop.zip"}, b"")
    web.answers["/here.zip"] = (302, {"Location": location}, b"")
    with pytest.raises(EngineFailed, match=said):
        rig.engine.prepare(rig.unit(f"{web.url}/here.zip"), never)


def test_git_goes_only_where_one_may_go(rig, rigs, web):
    unit = rig.unit("https://169.254.169.254/web.git")
    assert "may not be called" in rig.engine.check(unit.artifact, packaged=False)
    with pytest.raises(EngineFailed, match="may not be called"):
        rig.engine.prepare(unit, never)
    strict = rigs(outgoing=())
    with pytest.raises(EngineFailed, match="may not be called"):
        strict.engine.prepare(strict.unit("http://localhost/web.git"), never)
    # A server that is asked may send on to another; git does not go there.
    other = Web({})
    web.answers["/web.git/info/refs"] = (302, {"Location": f"{other.url}/web.git/info/refs"}, b"")
    with contextlib.closing(other.socket), pytest.raises(EngineFailed, match="could not be fetched"):
        rig.engine.prepare(rig.unit(f"{web.url}/web.git"), never)
    assert other.asked == []


def test_a_private_repository_is_not_waited_for(rig, web):
    """Git asks nobody for a password; and says what it was told."""
    web.answers["/private.git/info/refs"] = (401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
    began = time.monotonic()
    unit = rig.unit(f"{web.url}/private.git")
    with pytest.raises(EngineFailed, match="the source could not be fetched"):
        rig.engine.prepare(unit, never)
    assert time.monotonic() - began < 10
    assert "could not read Username" in rig.log(unit, "build")
    assert not list((rig.home / unit.id).glob("*.key*"))


def test_an_archive_may_be_only_so_large(rigs, web):
    rig = rigs(max_archive_size=10_000)
    web.answers["/large.zip"] = (200, {}, os.urandom(20_000))
    web.answers["/bomb.zip"] = (200, {}, packed_bomb())
    with pytest.raises(EngineFailed, match="has more than 10000 bytes"):
        rig.engine.prepare(rig.unit(f"{web.url}/large.zip"), never)
    with pytest.raises(EngineFailed, match="bytes come out of the archive"):
        rig.engine.prepare(rig.unit(f"{web.url}/bomb.zip"), never)


def packed_bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb", b"\0" * 5_000_000)
    return made.getvalue()


@pytest.mark.parametrize("path", ["drip.zip", "drip.git"])
def test_a_source_that_never_ends_is_let_go(rig, web, path):
    """Nobody has to wait for a server that drips: whoever deletes an application deletes it now."""

    def drip():
        with contextlib.suppress(OSError):
            while True:
                yield b"x"
                time.sleep(0.1)

    web.answers["/drip.zip"] = web.answers["/drip.git/info/refs"] = (200, {}, drip)
    began = time.monotonic()
    with pytest.raises(EngineFailed):
        rig.engine.prepare(rig.unit(f"{web.url}/{path}"), lambda: time.monotonic() - began > 1)
    assert time.monotonic() - began < 5


def test_what_is_no_archive_is_told(rig, web):
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w") as file:
        entry = tarfile.TarInfo("passwd")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(entry)
    web.answers["/link.tar"] = (200, {}, link.getvalue())
    web.answers["/up.zip"] = (200, {}, packed("zip", {"../up.txt": "x"}))
    web.answers["/text.zip"] = (200, {}, b"text")
    for path, said in (
        ("link.tar", "a link or a device"),
        ("up.zip", "does not lie inside"),
        ("text.zip", "This is no"),
    ):
        with pytest.raises(EngineFailed, match=said):
            rig.engine.prepare(rig.unit(f"{web.url}/{path}"), never)
    deep = "/".join(["d"] * 1900)
    web.answers["/deep.zip"] = (200, {}, packed("zip", {f"{deep}/index.html": "x"}))
    with pytest.raises(EngineFailed):
        rig.engine.prepare(rig.unit(f"{web.url}/deep.zip"), never)


# --- what it may take


def test_a_build_that_takes_too_long(rigs):
    rig = rigs(build_seconds=1.0)
    unit = rig.app(build_cmd="echo begun; setsid sleep 600 & sleep 600")
    with pytest.raises(EngineFailed, match=r"the build failed: it took longer than 1 seconds: .*begun"):
        rig.made(unit)
    assert marked(unit.id) == rig.of_our_users() == []


def test_a_build_that_is_not_wanted_any_more(rig):
    unit = rig.app(build_cmd="sleep 600")
    rig.engine.prepare(unit, never)
    began = time.monotonic()
    rig.engine.build(unit, lambda: time.monotonic() - began > 0.5)
    assert time.monotonic() - began < 5
    assert marked(unit.id) == rig.of_our_users() == []


def test_a_build_that_writes_too_much(rig):
    unit = rig.app(build_cmd="yes")
    with pytest.raises(EngineFailed, match="the build failed: it wrote too much"):
        rig.made(unit)
    assert (rig.home / unit.id / "logs" / "build.log").stat().st_size < 500_000_000
    assert len(rig.engine.log(unit.id, "build", 1000)) == 1000


def test_a_build_gets_what_leads_to_packages_and_no_secret(rigs, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example.org/simple")
    monkeypatch.setenv("OWN_REGISTRY", "own")
    monkeypatch.setenv("APIFOLD_SECRET", SECRET)
    rig = rigs(variables=["OWN_REGISTRY"])
    unit = rig.app(
        build_cmd="env; tr '\\0' '\\n' < /proc/self/environ; ls -l /proc/self/fd", variables={"COLOUR": "blue"}
    )
    rig.made(unit)
    said = rig.log(unit, "build")
    assert "PIP_INDEX_URL=https://packages.example.org/simple" in said
    assert "OWN_REGISTRY=own" in said
    assert f"HOME={rig.home}/{unit.id}/home" in said
    assert SECRET not in said
    assert "apifold.db" not in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("python3 -c 'b = bytearray(2 << 30); print(len(b))' 2>&1 || true", "MemoryError"),
        ("python3 -c 'b = bytearray(100 << 20); print(len(b))'", str(100 << 20)),
    ],
)
def test_memory_is_limited(rigs, command, said):
    rig = rigs(memory=256 << 20)
    unit = rig.app(build_cmd=command)
    rig.made(unit)
    assert said in rig.log(unit, "build")
    address = rig.engine.start(unit)
    rig.engine.settle(unit, never)
    assert said in sh(address, command)


BOMB = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"


@NEEDS_ROOT
def test_a_fork_bomb_is_bounded(rigs, walls):
    """In a build and while it runs; and all of it ends."""
    rig = rigs(processes=60, build_seconds=2.0)
    unit = rig.app(files={"bomb.py": BOMB}, build_cmd="python3 bomb.py")
    most = 0
    with ThreadPoolExecutor() as pool:
        building = pool.submit(rig.made, unit)
        while not building.done():
            most = max(most, len(rig.of_our_users()))
            time.sleep(0.1)
        assert "took longer" in str(building.exception())
    assert 30 < most <= 60
    assert rig.of_our_users() == []
    unit = rig.app(files={"bomb.py": BOMB})
    address = rig.run(unit)
    sh(address, "setsid python3 bomb.py > /dev/null 2>&1 & sleep 1")
    assert 30 < len(rig.of_our_users()) <= 60
    rig.engine.stop(unit.id)
    assert marked(unit.id) == rig.of_our_users() == rig.listening() == []


@NEEDS_WALLS
def test_what_is_kept_in_memory_as_files_is_bounded(rig):
    address = rig.run(rig.app())
    for place in ("/tmp", "/dev/shm", "/dev", "/"):
        said = sh(
            address,
            f"for n in 1 2; do head -c 600M /dev/zero > {place}/fill$n; done; ls -l {place}; rm -f {place}/fill*",
        )
        assert "No space left" in said or "Read-only" in said, (place, said)
    assert (
        sh(address, "echo kept > /tmp/file && cat /tmp/file && echo x > /dev/null && echo y > /dev/shm/z") == "kept\n"
    )


# --- how it is kept running


def test_an_application_runs(rig):
    unit = rig.app()
    assert rig.engine.state(unit.id).alive is False
    address = rig.run(unit)
    assert urlsplit(address).port == rig.engine.ports.of(unit.id)[0]
    assert get(address) == (200, "1")
    state = until(lambda: (found := rig.engine.state(unit.id)).memory > 1_000_000 and found)
    assert (state.alive, state.ready, state.restarts) == (True, 1, 0)
    assert abs(state.started - time.time()) < 30
    assert set(rig.engine.logs(unit.id)) == {"build", "application"}
    assert rig.log(unit).count("web.1: begins") == 1
    rig.engine.stop(unit.id)
    assert rig.engine.state(unit.id).alive is False
    assert marked(unit.id) == rig.listening() == rig.of_our_users() == []
    assert rig.engine.folder(unit.id).exists()
    assert rig.engine.start(unit) == address
    rig.engine.settle(unit, never)
    assert get(address) == (200, "1")


def test_everything_may_be_said_again(rig):
    unit = rig.app()
    for call in (rig.engine.stop, rig.engine.remove, rig.engine.state, rig.engine.logs):
        call(unit.id)
    assert rig.engine.log(unit.id, "application", 100) == rig.engine.log(unit.id, "../../etc", 100) == ""
    with pytest.raises(EngineFailed, match="it was not built"):
        rig.engine.start(unit)
    rig.made(unit)
    rig.made(unit)
    address = rig.engine.start(unit)
    supervisor = rig.supervisor(unit)
    assert rig.engine.start(unit) == address
    rig.engine.settle(unit, never)
    assert rig.supervisor(unit) == supervisor
    assert rig.log(unit).count("begins") == 1
    rig.made(unit)
    assert rig.engine.state(unit.id).alive is False, "what is fetched anew does not run meanwhile"
    for _ in range(2):
        rig.engine.stop(unit.id)
    for _ in range(2):
        rig.engine.remove(unit.id)
    assert rig.leftovers() == []


def test_one_that_is_started_twice_at_once_runs_once(rig):
    unit = rig.app()
    rig.made(unit)
    with ThreadPoolExecutor() as pool:
        addresses = set(pool.map(lambda _: rig.engine.start(unit), range(4)))
    assert len(addresses) == 1
    rig.engine.settle(unit, never)
    supervisors = [pid for pid in pids() if f"{unit.id}/supervisor.pid" in command_of(pid)]
    assert supervisors == [rig.supervisor(unit)]
    assert get(addresses.pop()) == (200, "1")


def test_units_that_start_at_once_have_nothing_in_common(rig):
    units = [rig.app() for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        addresses = list(pool.map(rig.run, units))
    assert len(set(addresses)) == 4
    rows = rig.rows()
    assert len({row.port for row in rows}) == len(rows) == 8
    users = {sh(address, "id -u").strip() for address in addresses}
    assert len(users) == (4 if IS_ROOT else 1)
    assert "0" not in users or not IS_ROOT


def test_there_are_only_so_many_ports(rig):
    units = [rig.app(instances=9) for _ in range(3)]
    for unit in units[:2]:
        rig.made(unit)
        rig.engine.ports.take(unit.id, 10)
    with pytest.raises(EngineFailed, match="there are no more ports between"):
        rig.engine.ports.take(units[2].id, 1)
    rig.engine.remove(units[0].id)
    assert len(rig.engine.ports.take(units[2].id, 10)) == 10


def test_what_crashes_is_started_again(rig):
    unit = rig.app()
    address = rig.run(unit)
    for count in (1, 2):
        with pytest.raises((http.client.HTTPException, OSError)):
            get(address, "/crash")
        until(lambda count=count: rig.engine.state(unit.id).restarts == count, 10)
        until(lambda: rig.engine.state(unit.id).ready == 1, 10)
        assert get(address) == (200, "1")
    assert rig.log(unit).count("begins") == 3
    assert "web.1: ended with 7" in rig.log(unit)


def test_what_crashes_at_once_is_started_again_more_and_more_slowly(rigs):
    rig = rigs(start_seconds=5)
    unit = rig.unit({"Procfile": "web: echo I crash; exit 5"})
    rig.made(unit)
    rig.engine.start(unit)
    with pytest.raises(EngineFailed, match=r"it did not answer within 5 seconds: .*I crash"):
        rig.engine.settle(unit, never)
    assert 2 <= rig.engine.state(unit.id).restarts <= 3
    assert rig.log(unit).count("I crash") <= 4


def test_what_never_answers_is_told_with_its_last_words(rigs):
    rig = rigs(start_seconds=2)
    unit = rig.unit({"app.py": QUIET, "Procfile": "web: python3 app.py"})
    rig.made(unit)
    address = rig.engine.start(unit)
    assert get(address)[0] == 503
    with pytest.raises(EngineFailed, match=r"it did not answer within 2 seconds: .*I listen nowhere"):
        rig.engine.settle(unit, never)


def test_what_can_not_be_run_is_told(rigs):
    rig = rigs(start_seconds=2)
    unit = rig.unit({"Procfile": "web: no-such-program"})
    rig.made(unit)
    rig.engine.start(unit)
    with pytest.raises(EngineFailed, match=r"no-such-program: not found"):
        rig.engine.settle(unit, never)


def test_what_does_not_answer_any_more_is_started_again(rig):
    """It still has its port, and is sick; or it hangs whole."""
    unit = rig.app(health={"path": "/health", "accepted": [200]})
    address = rig.run(unit)
    assert get(address, "/sick") == (200, "sick")
    until(lambda: rig.engine.state(unit.id).restarts == 1, 30)
    until(lambda: rig.engine.state(unit.id).ready == 1, 10)
    assert "did not answer 3 times" in rig.log(unit)
    assert get(address, "/health")[0] == 200


@pytest.mark.parametrize(
    ("health", "web"),
    [
        ({"path": "/nothing"}, "python3 -m http.server --bind 127.0.0.1 $PORT"),
        ({"tcp": True}, "python3 lines.py"),
    ],
)
def test_what_counts_as_an_answer_is_for_the_plan_to_say(rig, health, web):
    lines = """
    import os, socket
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as server:
        while True:
            server.accept()[0].close()
    """
    rig.run(rig.unit({"Procfile": f"web: {web}", "lines.py": lines}, health=health))


def test_a_flood_instead_of_an_answer_is_none(rigs):
    rig = rigs(start_seconds=3)
    flood = """
    import os, socket
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as server:
        while True:
            client = server.accept()[0]
            try:
                while True:
                    client.sendall(b"x" * 100000)
            except OSError:
                pass
    """
    unit = rig.unit({"Procfile": "web: python3 flood.py", "flood.py": flood})
    rig.made(unit)
    rig.engine.start(unit)
    with pytest.raises(EngineFailed, match="did not answer"):
        rig.engine.settle(unit, never)
    supervisor = (rig.home / unit.id / "logs" / "supervisor.log").read_text()
    assert supervisor == ""


POLITE = """
import os, signal, sys, threading, time
def bye(*_):
    time.sleep(0.3)
    print("." * 200_000 + "\\nsaid goodbye", flush=True)
    open(os.environ["DATA_FOLDER"] + "/goodbye", "w").write("goodbye")
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
"""


def test_an_application_is_asked_before_it_is_killed(rig, walls):
    """SIGTERM first; what it says then is in its log, however much."""
    unit = rig.unit({"app.py": POLITE + APP, "Procfile": "web: python3 app.py"})
    rig.run(unit)
    began = time.monotonic()
    rig.engine.stop(unit.id)
    assert time.monotonic() - began < 2.5
    assert (rig.home / unit.id / "data" / "goodbye").read_text() == "goodbye"
    assert "said goodbye" in rig.log(unit)


def test_an_application_that_does_not_listen_is_killed(rig, walls):
    ignoring = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    unit = rig.unit({"app.py": ignoring + APP, "Procfile": "web: python3 app.py"})
    rig.run(unit)
    began = time.monotonic()
    rig.engine.stop(unit.id)
    assert 2.5 < time.monotonic() - began < 8
    assert marked(unit.id) == rig.of_our_users() == rig.listening() == []


DAEMONS = """
import os, sys, time
for hidden in (False, True):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        print("daemon", flush=True)
        if hidden:
            os.execve("/bin/sleep", ["sleep", "600"], {})
        time.sleep(600)
"""


@pytest.mark.skipif(not IS_ROOT and not WALLS, reason="nothing holds a daemon that hides")
def test_nothing_is_left_of_daemons(rig, walls):
    """Two of them: in sessions of their own, orphans, one without its environment; and they hold the log open."""
    unit = rig.app("web: python3 daemons.py; exec python3 app.py", {"daemons.py": DAEMONS})
    address = rig.run(unit)
    until(lambda: rig.log(unit).count("daemon") == 2)
    with pytest.raises((http.client.HTTPException, OSError)):
        get(address, "/crash")
    until(lambda: rig.engine.state(unit.id).restarts == 1, 10)
    until(lambda: rig.engine.state(unit.id).ready == 1, 10)
    rig.engine.stop(unit.id)
    assert marked(unit.id) == rig.of_our_users() == []


def test_nothing_is_left_of_daemons_of_a_build(rig, walls):
    if not IS_ROOT and walls == "bare":
        pytest.skip("nothing holds a daemon that hides")
    unit = rig.app(files={"daemons.py": DAEMONS}, build_cmd="python3 daemons.py", unittest_cmd="python3 daemons.py")
    rig.made(unit)
    assert marked(unit.id) == rig.of_our_users() == []


@pytest.mark.parametrize("hidden", [False, True])
def test_what_runs_dies_with_its_supervisor_and_comes_back(rig, walls, hidden):
    if hidden and not IS_ROOT and walls == "bare":
        pytest.skip("nothing holds a daemon that hides")
    unit = rig.app("web: python3 daemons.py; exec python3 app.py", {"daemons.py": DAEMONS}) if hidden else rig.app()
    address = rig.run(unit)
    os.kill(rig.supervisor(unit), signal.SIGKILL)
    until(lambda: not rig.engine.state(unit.id).alive)
    if not hidden and walls == "walls":
        until(lambda: marked(unit.id) == rig.listening() == [])
    assert rig.engine.start(unit) == address
    assert rig.engine.state(unit.id).ready == 0, "what it was before it died is not what it is"
    rig.engine.settle(unit, never)
    assert get(address) == (200, "1")
    if hidden:
        assert len(rig.of_our_users()) <= 8
    os.kill(rig.supervisor(unit), signal.SIGKILL)
    rig.engine.remove(unit.id)
    assert rig.leftovers() == []


def test_a_supervisor_that_can_not_begin_says_why(rig):
    unit = rig.app()
    rig.made(unit)
    port = rig.engine.ports.take(unit.id, 1)[0]
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(EngineFailed, match=r"it can't be supervised: .*in use"),
    ):
        rig.engine.start(unit)
    assert marked(unit.id) == []
    rig.engine.start(unit)
    rig.engine.settle(unit, never)


def test_logs_rotate(rig):
    unit = rig.app()
    address = rig.run(unit)
    said = "[print('x' * 1000, n) for n in range(6000)]"
    sh(address, f'python3 -c "{said}" > /proc/$PPID/fd/1')
    until(lambda: "x 5999\n" in rig.log(unit))
    files = list((rig.home / unit.id / "logs").glob("application.log*"))
    assert len(files) == 4
    assert all(file.stat().st_size <= 1_000_000 for file in files)
    assert len(rig.engine.log(unit.id, "application", 1_500_000)) == 1_500_000, "the end of a log goes over its files"


# --- one address for all instances


def answers_of(address: str, count: int = 60) -> set[str]:
    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(lambda _: get(address, "/slow?seconds=0.01"), range(count)))


def test_more_and_fewer_instances_without_losing_anybody(rig):
    unit = rig.app()
    address = rig.run(unit)
    failed, done, ended = [], [], threading.Event()

    def ask():
        while not ended.is_set():
            try:
                done.append(get(address, "/slow?seconds=0.05")[1])
            except (http.client.HTTPException, OSError) as error:
                failed.append(repr(error))

    with ThreadPoolExecutor() as pool:
        for _ in range(4):
            pool.submit(ask)
        try:
            for instances in (3, 1, 2):
                scaled = Unit(unit.id, unit.assembly_id, unit.name, unit.artifact, instances=instances)
                assert rig.engine.start(scaled) == address
                rig.engine.settle(scaled, never)
                until(lambda instances=instances: rig.engine.state(unit.id).ready == instances)
                time.sleep(0.3)
                done.clear()
                until(lambda: len(done) > 60, 20)
                assert set(done[20:]) == {("1"), ("2"), ("3")} if instances == 3 else set(done[20:]) <= {"1", "2"}
        finally:
            ended.set()
    assert failed == []
    assert answers_of(address) == {(200, "1"), (200, "2")}
    assert rig.engine.state(unit.id).restarts == 0


def test_large_and_slow_bodies(rig):
    address = rig.run(rig.app())
    status, text = get(address, f"/big?bytes={30 << 20}", timeout=30)
    assert (status, len(text)) == (200, 30 << 20)
    parts = urlsplit(address)
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)) as connection:
        for size in (5 << 20, 0, 1000):  # one connection, kept
            connection.request("POST", "/", b"x" * size)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, str(size).encode())
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", "10")
        connection.endheaders()
        for _ in range(10):
            connection.send(b"x")
            time.sleep(0.05)
        assert connection.getresponse().read() == b"10"
    with contextlib.closing(socket.create_connection((parts.hostname, parts.port))) as client:
        client.sendall(f"GET /big?bytes={10 << 20} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(0.5)  # somebody who reads late
        got = 0
        while got < 10 << 20:
            got += len(client.recv(1 << 20))


def test_connections_that_become_something_else(rig):
    """What follows an upgrade goes both ways, and ends both ways."""
    address = rig.run(rig.app())
    parts = urlsplit(address)
    with contextlib.closing(socket.create_connection((parts.hostname, parts.port), timeout=10)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        assert b"101" in client.recv(4096)
        for word in (b"hello", b"again"):
            client.sendall(word)
            assert client.recv(100) == word.upper()
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""


def test_clients_that_go_away(rig):
    unit = rig.app()
    address = rig.run(unit)
    parts = urlsplit(address)
    for _ in range(30):
        client = socket.create_connection((parts.hostname, parts.port))
        client.sendall(f"GET /big?bytes={20 << 20} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.recv(10)
        client.close()
    assert get(address) == (200, "1")
    supervisor = rig.supervisor(unit)
    until(lambda: len(list(Path(f"/proc/{supervisor}/fd").iterdir())) < 30, 10)
    assert (rig.home / unit.id / "logs" / "supervisor.log").read_text() == ""


def test_clients_of_an_instance_that_dies_are_told(rig):
    address = rig.run(rig.app())
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(get, address, "/slow?seconds=60", 10)
        time.sleep(0.3)
        began = time.monotonic()
        with pytest.raises((http.client.HTTPException, OSError)):
            get(address, "/crash")
        with pytest.raises((http.client.HTTPException, OSError)):
            waiting.result()
        assert time.monotonic() - began < 5
    # Until it is back, there is an answer, too.
    assert get(address) == (503, "No instance answers for now.")


def test_an_instance_that_died_is_not_asked(rig):
    unit = rig.app(instances=2)
    address = rig.run(unit)
    with pytest.raises((http.client.HTTPException, OSError)):
        get(address, "/crash")
    assert {get(address)[0] for _ in range(20)} == {200}


def test_many_connections_at_once(rig):
    """More than a process may have files open where nothing is said."""
    app = """
    import asyncio, os
    async def serve(reader, writer):
        await reader.readline()
        writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\nwell")
        writer.close()
    async def main():
        async with await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]), backlog=1000) as server:
            await server.serve_forever()
    asyncio.run(main())
    """
    unit = rig.unit({"app.py": app, "Procfile": "web: python3 app.py"})
    address = rig.run(unit)
    parts = urlsplit(address)
    with contextlib.ExitStack() as stack:
        for _ in range(700):
            stack.enter_context(contextlib.closing(socket.create_connection((parts.hostname, parts.port))))
        assert get(address) == (200, "well")
    assert rig.engine.state(unit.id).restarts == 0


# --- what it sees, and what it can't reach


def test_its_environment(rigs, monkeypatch):
    monkeypatch.setenv("APIFOLD_SECRET", SECRET)
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
    monkeypatch.setenv("PIP_INDEX_URL", "https://ada:secret@example.org/simple")
    rig = rigs()
    told = {
        "DATABASE_URL": "sqlite:///$DATA_FOLDER/database.sqlite",
        "COLOUR": "blue",
        "PORT": "80",
        "APIFOLD_UNIT": "x",
    }
    unit = rig.app(variables=told, instances=2)
    address = rig.run(unit)
    lines = sh(address, "env").splitlines()
    known = dict(line.partition("=")[::2] for line in lines)
    data = f"{rig.home}/{unit.id}/data"
    assert known["HOME"] == known["DATA_FOLDER"] == data
    assert known["DATABASE_URL"] == f"sqlite:///{data}/database.sqlite"
    assert (known["COLOUR"], known["APIFOLD_UNIT"]) == ("blue", unit.id)
    assert known["INSTANCE"] in ("1", "2")
    assert int(known["PORT"]) in rig.engine.ports.of(unit.id)[1:]
    assert {"PATH", "LANG", "TMPDIR"} < known.keys()
    everything = "\n".join(lines) + sh(address, "cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'")
    assert SECRET not in everything
    assert "PIP_INDEX_URL" not in everything
    # What it was told is not in anybody's command line.
    commands = [command_of(pid) for pid in pids()]
    assert not [one for one in commands if "database.sqlite" in one or "COLOUR" in one]


def test_variables_are_the_applications_own(rig, walls):
    """What a plan says to the loader is heard by the application, not by what starts it."""
    path = "$DATA_FOLDER/library.so"
    source = '#include <stdio.h>\n#include <unistd.h>\n__attribute__((constructor)) void f(void) { FILE *o = fopen("%s", "a"); if (o) { fprintf(o, "%d\\n", getuid()); fclose(o); } }'
    if not shutil.which("gcc"):
        pytest.skip("gcc is missing (Debian: apt-get install gcc)")
    witness = rig.home.parent / "witness"
    witness.mkdir()
    witness.chmod(0o777)
    library = rig.home.parent / "library.so"
    (rig.home.parent / "library.c").write_text(source.replace("%s", f"{witness}/note"))
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, rig.home.parent / "library.c"], check=True)
    files = {"library.so": library.read_bytes()}
    procfile = "web: python3 app.py\nrelease: true"
    unit = rig.app(procfile, files, variables={"LD_PRELOAD": path}, build_cmd="cp library.so $DATA_FOLDER/")
    address = rig.run(unit)
    assert "library.so" in sh(address, "cat /proc/self/maps")
    users = set((witness / "note").read_text().split()) if (witness / "note").exists() else set()
    if walls == "walls":
        assert users == set(), "it ran outside of the walls"
    elif IS_ROOT:
        assert users == {str(user_of_unit(rig, unit))}


def user_of_unit(rig: Rig, unit: Unit) -> int:
    return (rig.home / unit.id / "app").stat().st_uid


def test_variables_of_any_kind(rig):
    """Long ones, with line ends, quotes, an equals sign; an application that can't be started for them says so."""
    odd = {"LINES": "a\nb'\"$(id)`", "EQUALS": "a=b", "EMPTY": "", "LONG": "x" * 100_000, "UID": "7"}
    address = rig.run(rig.app("web: python3 app.py\nrelease: true", variables=odd))
    said = sh(address, "tr '\\0' '\\1' < /proc/$PPID/environ").split("\1")
    for name, value in odd.items():
        assert f"{name}={value}" in said


def test_it_reaches_nothing_of_others(rig, walls):
    if not IS_ROOT and walls == "bare":
        pytest.skip("nothing is held from whoever is the server's user")
    other = rig.app()
    rig.run(other)
    secret = rig.home / other.id / "data" / "secret"
    secret.write_text(SECRET)
    unit = rig.app(unittest_cmd=f"cat {rig.home}/{other.id}/*/* {rig.state}/* 2>&1 || true")
    address = rig.run(unit)
    assert SECRET not in rig.log(unit, "build")
    assert "SQLite" not in rig.log(unit, "build")
    for path in (
        rig.state, rig.state / "apifold.db", rig.home, rig.home / other.id, secret, rig.home / other.id / "app",
        rig.home / other.id / "logs", rig.home / other.id / "run.json", rig.home / unit.id / "run.json",
        rig.home / unit.id / "logs" / "build.log", "/etc/shadow", "/root",
    ):  # fmt: skip
        said = sh(address, f"ls {path}/ 2>&1 >/dev/null; cat {path}; echo; echo x > {path}; rm -rf {path}")
        assert "ermission denied" in said or "No such file" in said or "Read-only" in said, (path, said)
        assert SECRET not in said
    assert secret.read_text() == SECRET
    assert (rig.home / unit.id / "run.json").exists()
    supervisor, theirs = rig.supervisor(unit), marked(other.id)
    said = sh(
        address, f"kill -9 {supervisor} {os.getpid()} {' '.join(map(str, theirs))}; cat /proc/{theirs[0]}/environ"
    )
    assert get(rig.engine.start(other)) == (200, "1")
    assert set(theirs) <= set(marked(other.id)), said
    assert rig.supervisor(unit) == supervisor


def test_links_lead_nowhere(rig):
    """A source full of links to what only we may read, at every name that we look at."""
    secret = rig.home.parent / "secret"
    secret.write_text(f"web: echo {SECRET}\n")
    secret.chmod(0o600)
    before = secret.stat()
    names = ["Procfile", "start.sh", ".python-version", "runtime.txt", "package.json", "requirements.txt", "index.html"]
    for name in [*names, ".release.yaml"]:
        folder = rig.source(**{"app.py": APP})
        (folder / name).symlink_to(secret)
        unit = rig.unit(folder, run_cmd="./start.sh" if name == "start.sh" else "")
        with contextlib.suppress(EngineFailed):
            rig.made(unit)
        recipe = rig.home / unit.id / "recipe.json"
        assert SECRET not in (recipe.read_text() if recipe.exists() else "")
        assert SECRET not in rig.log(unit, "build")
    folder = rig.source(**{"app.py": APP, "Procfile": "web: python3 app.py"})
    (folder / "down").symlink_to("/")
    (folder / "all").symlink_to(rig.home.parent)
    rig.run(rig.unit(folder))
    assert (secret.stat().st_mode, secret.stat().st_uid) == (before.st_mode, before.st_uid)
    assert (rig.home.parent.stat().st_uid, Path("/").stat().st_uid) == (os.geteuid(), 0)


def test_what_an_application_makes_of_its_folders_is_its_own_affair(rig):
    """Links, deep folders, files nobody may read, in the place of what the engine comes back to."""
    secret = rig.home.parent / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    unit = rig.app()
    address = rig.run(unit)
    sh(
        address,
        f"""
        cd "$DATA_FOLDER"; ln -s {secret} link; ln -s {rig.home.parent} up; ln {secret} hard; mkfifo fifo
        mkdir closed; echo x > closed/file; chmod 0 closed
        python3 -c 'import os
        for _ in range(3000): os.mkdir("d"); os.chdir("d")'
        cd ../app; rm -rf app.py; ln -s {secret} app.py; rm Procfile; mkfifo Procfile
        rm -rf ../app; mv ../app ../other; ln -s / ../app; ln -s {secret} ../logs/build.log
        """.replace("        ", ""),
    )
    rig.engine.stop(unit.id)
    rig.made(unit)
    rig.engine.start(unit)
    rig.engine.settle(unit, never)
    assert get(address) == (200, "1")
    rig.engine.remove(unit.id)
    assert rig.leftovers() == []
    assert secret.read_text() == SECRET
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("name", ["Procfile", "package.json", ".python-version"])
def test_files_that_are_too_large_are_not_read(rig, name):
    """A test may leave a file of any size; it does not fill our memory."""
    command = f"truncate -s 20G {name} 2>/dev/null || head -c 5000000 /dev/zero > {name}"
    unit = rig.unit(
        {"requirements.txt": "", "app.py": APP} if name[0] == "." else {"app.py": APP}, unittest_cmd=command
    )
    rig.engine.prepare(unit, never)
    rig.engine.test(unit, never)
    began = time.monotonic()
    with pytest.raises(EngineFailed):
        rig.engine.build(unit, never)
    assert time.monotonic() - began < 5


def test_a_tree_that_is_very_deep(rig):
    """As git can hold one, and Python can't walk it."""
    folder = rig.source(**{"index.html": "x"})
    git(folder, "init", "--quiet")
    blob = git(folder, "hash-object", "-w", "index.html")
    tree = git(folder, "mktree", input=f"100644 blob {blob}\tindex.html\n")
    for _ in range(1300):
        tree = git(folder, "mktree", input=f"040000 tree {tree}\td\n100644 blob {blob}\tindex.html\n")
    commit = git(folder, "commit-tree", tree, "-m", "deep")
    git(folder, "update-ref", "refs/heads/main", commit)
    unit = rig.unit(f"file://{folder}")
    assert rig.run(unit)
    rig.engine.remove(unit.id)
    assert rig.leftovers() == []


def test_only_units_are_forgotten(rig):
    unit, gone = rig.app(), rig.app()
    address = rig.run(unit)
    rig.run(gone)
    (rig.home / "somebody's").mkdir()
    (rig.home / "file").write_text("x")
    rig.engine.forget_all_but(lambda: {unit.id})
    assert get(address) == (200, "1")
    assert not (rig.home / gone.id).exists()
    assert marked(gone.id) == []
    assert (rig.home / "somebody's").exists()
    (rig.home / "somebody's").rmdir()
    (rig.home / "file").unlink()


def test_folders_can_be_reached_whatever_the_umask(rigs):
    before = os.umask(0o077)
    try:
        rig = rigs()
        shutil.rmtree(rig.home)
        unit = rig.app()
        rig.run(unit)
    finally:
        os.umask(before)
    mode = stat.S_IMODE((rig.home / unit.id / "data").stat().st_mode)
    assert mode == 0o700


@pytest.mark.parametrize("settings", [{"ports": "x"}, {"memory": "much"}, {"start_seconds": 0}, {"unknown": 1}])
def test_settings_that_make_no_sense(rigs, settings):
    with pytest.raises(SettingsError, match="services: platform: process: "):
        rigs(**settings)


def test_nothing_of_the_variables_reaches_what_takes_the_limits(tmp_path):
    """The program between us and a command is ours: it does not hear what the command is told."""
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    told = {"PYTHONHOME": "/nowhere", "LD_PRELOAD": "/nowhere.so", "OWN": "a\nb"}
    done = run_confined(["env"], Limits(), variables=told)
    assert "OWN=a\nb" in done.output
    assert "LD_PRELOAD=/nowhere.so" in done.output
    assert "ERROR" not in done.errors.replace("env", "") or done.errors.count("ERROR") == 1
    done = run_confined(["python3", "-I", "-c", code], Limits(), variables={"OWN": "x" * 100_000})
    assert json.loads(done.output)["OWN"] == "x" * 100_000
