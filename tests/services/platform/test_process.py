"""The engine `process`, by calls: what it builds and fetches, what that may take, and what it can reach."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import http.server
import io
import json
import os
import shutil
import stat
import subprocess
import tarfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apifold import SettingsError, UpstreamTimeout
from apifold_services.platform.core.downloads import Downloads
from apifold_services.platform.core.engines.builders import recipe_for
from apifold_services.platform.core.engines.engine import EngineFailed, Unit
from apifold_services.platform.core.plan_file import Artifact
from tests.servers import until
from tests.services.platform.rig import (
    APP,
    IS_ROOT,
    NEEDS_NODE,
    NEEDS_ROOT,
    NEEDS_WALLS,
    SECRET,
    Rig,
    command_of,
    get,
    marked,
    never,
    opened_rigs,
    pids,
    sh,
)

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="it is for Linux")


@pytest.fixture(scope="module")
def asked():
    """An engine for those who only ask."""
    with opened_rigs() as make:
        yield make()


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
    sh(address, "echo aside > /dev/stderr; echo from afar > /proc/$PPID/fd/1")
    until(lambda: "web.1: from afar" in rig.log(unit))
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


REFUSED = [
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
]


def test_what_can_not_be_built_is_told(rig):
    for files, said in REFUSED:
        with pytest.raises(EngineFailed) as failed:
            rig.made(rig.unit(files))
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


class GitWeb(http.server.ThreadingHTTPServer):
    """Serves the repositories of a folder as forges do."""

    def __init__(self, folder: Path) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                asked = {"REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query}
                asked |= {"GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1", "PATH": os.environ["PATH"]}
                asked |= {"CONTENT_TYPE": self.headers.get("Content-Type", ""), "HOME": str(folder)}
                asked |= {"GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                said = subprocess.run(["git", "http-backend"], input=body, env=asked, capture_output=True).stdout
                head, _, content = said.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
                self.send_response(int(headers.pop("Status", "200").split()[0]))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, text, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextlib.contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def test_git_over_http(rig, repository):
    """As the unit's user, who knows nothing of ours."""
    folder, commits = repository
    git(rig.sources, "clone", "--quiet", "--bare", str(folder), str(rig.sources / "web.git"))
    with serving(GitWeb(rig.sources)) as forge:
        unit = rig.unit(f"{forge.url}/web.git#v1")
        assert rig.made(unit) == {"commit": commits["first"], "builder": "static"}
        assert sorted(path.name for path in (rig.home / unit.id).iterdir()) == [
            "app",
            "data",
            "home",
            "logs",
            "recipe.json",
        ]
        with pytest.raises(EngineFailed, match="the source could not be fetched"):
            rig.engine.prepare(rig.unit(f"{forge.url}/nothing.git"), never)


SSH = """#!/bin/sh
echo "$@" > "$0.asked"
while [ "$1" != "${1#-}" ]; do
  [ "$1" = -i ] && cp "$2" "$0.key"
  case "$1" in -i | -o | -F | -p) shift ;; esac
  shift
done
shift
exec sh -c "$*"
"""


def test_git_over_ssh(rig, repository, tmp_path, monkeypatch):
    """With the key of that source alone, to the address that was judged."""
    folder, commits = repository
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    unit = rig.unit(f"ssh://git@127.0.0.1:2222{folder}#main", key="a private key\n")
    assert rig.engine.prepare(unit, never) == {"commit": commits["third"]}
    asked = (tmp_path / "ssh.asked").read_text()
    assert "-F none" in asked
    assert "HostName=127.0.0.1" in asked
    assert "-p 2222" in asked
    assert (tmp_path / "ssh.key").read_text() == "a private key\n"
    assert "a private key" not in rig.log(unit, "build") + asked
    assert not (rig.home / unit.id / "key").exists()


@pytest.fixture
def web():
    with serving(Web({})) as server:
        yield server


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


def test_archives(rig, web):
    """By http, by way of a redirect; one that holds a single folder is that folder."""
    for kind in ("zip", "tar", "tgz", "tar.xz"):
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


LOCATIONS = [
    ("http://169.254.169.254/latest/meta-data.zip", "169.254.169.254"),
    ("http://127.0.0.2/other.zip", "127.0.0.2"),
    ("file:///etc/passwd", "Only http and https"),
    ("ftp://127.0.0.1/other.zip", "Only http and https"),
    ("http://ada:secret@127.0.0.1/other.zip", "Only http and https"),
    ("/loop.zip", "leads from one address to another"),
    ("/none.zip", "answers 404"),
]


def test_redirects_lead_only_where_one_may_go(rig, web):
    web.answers["/loop.zip"] = (302, {"Location": "/loop.zip"}, b"")
    for location, said in LOCATIONS:
        web.answers["/here.zip"] = (302, {"Location": location}, b"")
        with pytest.raises(EngineFailed, match=said):
            rig.engine.prepare(rig.unit(f"{web.url}/here.zip"), never)


@pytest.mark.parametrize(
    ("href", "said"),
    [
        ("https://ada:secret@example.org/web.git", "an address with a password in it is not asked"),
        ("https://ada@example.org/web.git", "say `private: true`"),
        ("git://example.org/web.git", "git: addresses are not asked"),
        ("ext::sh -c id", "addresses are not asked"),
        ("https://example.org/web.git#--upload-pack=id", "is no commit, branch or tag"),
        ("ssh://-oProxyCommand=id/web.git", "addresses are not asked"),
        ("https://127.1/web.git", "may not be called"),
        ("https://example.org:99999/web.git", "is no address"),
        ("../web", "does not lie in the package"),
    ],
)
def test_addresses_that_are_refused(asked, href, said):
    unit = asked.unit(href)
    assert said in asked.engine.check(unit.artifact, packaged=True)
    with pytest.raises(EngineFailed) as failed:
        asked.engine.prepare(unit, never)
    assert said in str(failed.value)


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
    assert not (rig.home / unit.id / "key").exists()


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


def test_a_download_takes_only_so_long(web):
    def drip():
        with contextlib.suppress(OSError):
            for _ in range(100):
                yield b"x"
                time.sleep(0.1)

    web.answers["/drip.zip"] = (200, {}, drip)
    began = time.monotonic()
    with pytest.raises(UpstreamTimeout, match="takes longer than 1 s"):
        Downloads(("127.0.0.1",)).get(f"{web.url}/drip.zip", 1000, 1.0)
    assert time.monotonic() - began < 4


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
    assert 20_000_000 < (rig.home / unit.id / "logs" / "build.log").stat().st_size < 25_000_000
    assert len(rig.engine.log(unit.id, "build", 1000)) == 1000


def test_a_build_gets_what_leads_to_packages_and_no_secret(rigs, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example.org/simple")
    monkeypatch.setenv("OWN_REGISTRY", "own")
    monkeypatch.setenv("APIFOLD_SECRET", SECRET)
    rig = rigs(variables=["OWN_REGISTRY"])
    unit = rig.app(
        build_cmd="echo aside > /dev/stderr; env; tr '\\0' '\\n' < /proc/self/environ; ls -l /proc/self/fd",
        variables={"COLOUR": "blue"},
    )
    rig.made(unit)
    said = rig.log(unit, "build")
    assert "fetching" in said
    assert "\naside\n" in said
    assert "PIP_INDEX_URL=https://packages.example.org/simple" in said
    assert "OWN_REGISTRY=own" in said
    assert f"HOME={rig.home}/{unit.id}/home" in said
    assert SECRET not in said
    assert "apifold.db" not in said


def test_memory_is_limited(rigs):
    rig = rigs(memory=256 << 20)
    much, little = (f"python3 -c 'b = bytearray({size} << 20); print(len(b))' 2>&1 || true" for size in (2048, 100))
    unit = rig.app(build_cmd=f"{much}; {little}")
    address = rig.run(unit)
    for said in (rig.log(unit, "build"), sh(address, f"{much}; {little}")):
        assert "MemoryError" in said
        assert str(100 << 20) in said


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
    sh(address, "setsid python3 bomb.py > /dev/null 2>&1 &")
    until(lambda: len(rig.of_our_users()) > 30)
    assert len(rig.of_our_users()) <= 60
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
        rig.state, rig.state / "apifold.db", rig.home / other.id, secret, rig.home / other.id / "app",
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
        unit = rig.unit(folder, run_cmd="./start.sh" if name == "start.sh" else "", build_cmd="true")
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


FAST_IMPORT = """commit refs/heads/main
committer Ada <ada@example.org> 0 +0000
data 4
deep
M 100644 inline index.html
data 1
x
M 100644 inline {deep}/index.html
data 1
x
"""


def test_a_tree_that_is_very_deep(rig):
    """As git can hold one, and Python can't walk it."""
    folder = rig.source(**{"index.html": "x"})
    git(folder, "init", "--quiet")
    deep = "/".join(["d"] * 1300)
    git(folder, "fast-import", "--quiet", input=FAST_IMPORT.format(deep=deep))
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


@NEEDS_ROOT
def test_a_folder_that_nobody_may_enter_is_refused(rigs, tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(SettingsError, match=r"folder: only root may enter .*, and applications must, too"):
        rigs(folder=str(tmp_path / "units"))


@pytest.mark.parametrize("settings", [{"ports": "x"}, {"memory": "much"}, {"start_seconds": 0}, {"unknown": 1}])
def test_settings_that_make_no_sense(rigs, settings):
    with pytest.raises(SettingsError, match="services: platform: process: "):
        rigs(**settings)
