"""The engine `process`: applications are processes of this machine, each unit under a supervisor of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

import msgspec

from apifold import Deployment, Limits, SettingsError, lasting_process, run_confined
from apifold_services.platform.core.downloads import Downloads
from apifold_services.platform.core.engines import processes
from apifold_services.platform.core.engines.builders import RELEASE, Recipe, Tools, completed, recipe_for
from apifold_services.platform.core.engines.engine import EngineFailed, Unit, UnitState
from apifold_services.platform.core.engines.fetching import Fetching
from apifold_services.platform.core.engines.ports import Ports
from apifold_services.platform.core.engines.sandbox import SUPERVISED, UNIT, Sandbox, has_user, interpreter, node
from apifold_services.platform.core.engines.supervisor import LOG_FILES, RUN, STATUS
from apifold_services.platform.core.options import Options
from apifold_services.platform.core.plan_file import Artifact
from apifold_services.platform.core.scope import moment_of

NUMBER, RECIPE = "supervisor.pid", "recipe.json"
LOGS = {"build": "build.log", "application": "application.log"}
TAIL = 2000
POLL_SECONDS = 0.1
BUILD_VARIABLES = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT",
    "NPM_CONFIG_REGISTRY", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
)  # fmt: skip
"""Of our own environment, what builds get: where packages are."""

FAR_USER, NEAR_USER = 450_000, 20_000
"""Beyond those of people, of systemd and of containers; and where a container has no more than 65,536 users."""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The names of units' folders; others are none of ours."""

Seconds = Annotated[float, msgspec.Meta(gt=0)]


class ProcessOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of this engine.

    Attributes:
        folder: where the applications of this deployment alone live; those who run them must be able to reach it.
        host: the address that they answer on.
        ports: the range of ports that they get.
        first_user: for root: each unit has a user of its own, whose number is this and that of its port; 0 for numbers
            that nobody else has. Whatever else such a user runs, is ended with the unit.
        memory: bytes that a process may use.
        processes: of one unit, at once; counted for a user of its own only.
        start_seconds: until an application must answer.
        stop_seconds: that it gets to end by itself.
        variables: of our own environment, what builds get beside the usual ones.
        readable: folders that builds and applications see beside the system's, where bubblewrap is there.
    """

    folder: str = ""
    host: str = "127.0.0.1"
    ports: Annotated[str, msgspec.Meta(pattern=r"^\d+-\d+$")] = "21000-21999"
    first_user: int = 0
    memory: int = 1_073_741_824
    processes: int = 256
    start_seconds: Seconds = 60.0
    stop_seconds: Seconds = 10.0
    variables: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()


class Process:
    """`process`: fetches, tests and builds artifacts in sandboxes, and runs them under supervision.

    What a unit has lies in a folder: `app` (its files), `data` (what it keeps), `logs`; the first two are its user's.

    Args:
        settings: those of `ProcessOptions`.
    """

    name = "process"
    description = "Applications are supervised processes of this machine."

    def __init__(self, deployment: Deployment, settings: Mapping[str, Any], options: Options) -> None:
        try:
            self.options = msgspec.convert(settings, ProcessOptions, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"services: platform: process: {error}") from None
        _see_whether_it_can_be_reached(self.options.folder)
        first, last = map(int, self.options.ports.split("-"))
        self.seconds = options.build_seconds
        self.deployment = deployment
        self.ports = Ports(deployment.database, first, last, self.options.host)
        self.fetching = Fetching(
            Downloads(deployment.settings.outgoing, deployment.settings.outgoing_ca),
            options.folders,
            options.max_archive_size,
        )

    @cached_property
    def home(self) -> Path:
        """Where units live. Of root it is outside of the state directory, whose files are nobody's business."""
        state = self.deployment.directory().resolve()
        if self.options.folder:
            home = Path(self.options.folder).resolve()
        elif os.geteuid() == 0:
            home = Path("/var/lib/apifold/applications") / hashlib.sha256(str(state).encode()).hexdigest()[:16]
        else:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            home = state / "applications"
        for folder in (*reversed(home.parents), home):
            if not folder.exists():
                folder.mkdir(exist_ok=True)
                folder.chmod(0o711)  # whatever the umask
        return home

    @cached_property
    def first_user(self) -> int:
        """What is added to the port of a unit for the number of its user."""
        return self.options.first_user or (FAR_USER if has_user(FAR_USER + self.ports.last) else NEAR_USER)

    @cached_property
    def tools(self) -> Tools:
        """What this machine has for builds."""
        return Tools(*interpreter(), node())

    @cached_property
    def sandbox(self) -> Sandbox:
        """What is around programs."""
        return Sandbox((*self.options.readable, *self._own_python()))

    def runtimes(self) -> Mapping[str, str]:
        return {"python": self.tools.python_version, "node": self.tools.node}

    def check(self, artifact: Artifact, *, packaged: bool) -> str:
        content = artifact.content
        if content.data is not None:
            return ""
        if not content.href:
            return "has no content: write `content: {href: ADDRESS}`"
        refused = self.fetching.check(content.href)
        is_relative = "://" not in content.href and "@" not in content.href
        return refused or (
            "is a path in a package, and the plan comes without one" if is_relative and not packaged else ""
        )

    def prepare(self, unit: Unit, stopped: Callable[[], bool]) -> dict[str, Any]:
        folder, user = self.home / unit.id, self._user(unit.id)
        self.stop(unit.id)
        _erase(folder / "app", folder / "app.inner")
        for name, mode in (("", 0o711), ("app", 0o700), ("data", 0o700), ("home", 0o700), ("logs", 0o700)):
            (folder / name).mkdir(exist_ok=True)
            (folder / name).chmod(mode)
        if user:
            os.chown(folder / "data", user, user)
            os.chown(folder / "home", user, user)
        self._log(unit.id, f"fetching {unit.artifact.content.href or 'what the plan holds'}")
        try:
            commit = self.fetching.fetch(unit, folder / "app", user, folder / "logs" / LOGS["build"], stopped)
        except (OSError, ValueError, RecursionError) as error:
            raise EngineFailed(f"the source can't be kept: {getattr(error, 'strerror', '') or error}") from None
        (folder / "app").chmod(0o700)
        if user:
            _do("chown", "-hR", f"{user}:{user}", "--", str(folder / "app"))
        if commit:
            self._log(unit.id, f"it is commit {commit}")
        return {"commit": commit}

    def test(self, unit: Unit, stopped: Callable[[], bool]) -> None:
        if unit.artifact.unittest_cmd:
            self._log(unit.id, f"testing: {unit.artifact.unittest_cmd}")
            self._run(unit, unit.artifact.unittest_cmd, {}, stopped, "the tests failed")

    def build(self, unit: Unit, stopped: Callable[[], bool]) -> dict[str, Any]:
        folder = self.home / unit.id
        recipe = recipe_for(folder / "app", unit.artifact, unit.pack, self.tools)
        self._log(unit.id, f"building by the conventions of: {recipe.builder}")
        for command in recipe.commands:
            self._log(unit.id, f"$ {command}")
            self._run(unit, command, recipe.variables, stopped, "the build failed")
        recipe = completed(recipe, folder / "app")
        (folder / RECIPE).write_bytes(msgspec.json.encode(recipe))
        if RELEASE in recipe.processes:
            self._log(unit.id, f"release: {recipe.processes[RELEASE]}")
            more = {**recipe.variables, **unit.variables}
            self._run(unit, recipe.processes[RELEASE], more, stopped, "the release failed")
        self._log(unit.id, "built")
        return {"builder": recipe.builder}

    def start(self, unit: Unit) -> str:
        folder = self.home / unit.id
        try:
            recipe = msgspec.json.decode((folder / RECIPE).read_bytes(), type=Recipe)
        except OSError:
            raise EngineFailed("it was not built") from None
        port, *inner = self.ports.take(unit.id, unit.instances + 1)
        run = {
            "unit": unit.id,
            "address": [self.options.host, port],
            "ports": inner,
            "instances": unit.instances,
            "user": self._user(unit.id),
            "folder": str(folder / "app"),
            "data": str(folder / "data"),
            "readable": self.sandbox.readable,
            "processes": {kind: command for kind, command in recipe.processes.items() if kind != RELEASE},
            "variables": self._variables(unit.id, {**recipe.variables, **unit.variables}),
            "health": msgspec.to_builtins(unit.artifact.health),
            "allowance": {"memory": self.options.memory, "processes": self._processes},
            "stop_seconds": self.options.stop_seconds,
        }
        written, part = tempfile.mkstemp(prefix=RUN, dir=folder)
        with open(written, "w", encoding="utf-8") as file:
            json.dump(run, file)
        os.rename(part, folder / RUN)
        with lasting_process(folder / NUMBER) as process:
            if process:
                process.send(signal.SIGHUP)
            else:
                self._sweep(unit.id)
                self._supervise(folder)
        host = self.options.host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def settle(self, unit: Unit, stopped: Callable[[], bool]) -> None:
        until = time.monotonic() + self.options.start_seconds
        while time.monotonic() < until and not stopped():
            if self.state(unit.id).ready >= unit.instances:
                return
            time.sleep(POLL_SECONDS)
        if not stopped():
            tail = self.log(unit.id, "application", TAIL).strip().splitlines()[-5:]
            said = " | ".join(line.partition(" ")[2] for line in tail) or "it wrote nothing"
            raise EngineFailed(f"it did not answer within {self.options.start_seconds:g} seconds: {said}")

    def stop(self, id: str) -> None:
        with lasting_process(self.home / id / NUMBER) as process:
            if process:
                process.send(signal.SIGTERM)
                if not process.ended(self.options.stop_seconds + 5) and not process.kill():
                    raise EngineFailed("its supervisor can't be ended")
        processes.kill_until_none(lambda: processes.marked(f"{SUPERVISED}={id}"))  # one that has just begun
        self._sweep(id)

    def remove(self, id: str) -> None:
        self.stop(id)
        _erase(self.home / id)
        self.ports.give_back(id)

    def state(self, id: str) -> UnitState:
        folder = self.home / id
        with lasting_process(folder / NUMBER) as process:
            if process is None:
                return UnitState()
        try:
            return UnitState(alive=True, **json.loads((folder / STATUS).read_bytes()))
        except (OSError, ValueError, TypeError):
            return UnitState(alive=True)

    def logs(self, id: str) -> Mapping[str, str]:
        found = {}
        for name, file in LOGS.items():
            with suppress(OSError):
                changed = (self.home / id / "logs" / file).stat().st_mtime
                found[name] = moment_of(changed)
        return found

    def log(self, id: str, name: str, most: int) -> str:
        if name not in LOGS:
            return ""
        pieces: list[bytes] = []
        for older in ("", *(f".{number}" for number in range(1, LOG_FILES + 1))):
            left = most - sum(map(len, pieces))
            with suppress(OSError), open(self.home / id / "logs" / f"{LOGS[name]}{older}", "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - left))
                pieces.insert(0, file.read(left))
        return b"".join(pieces).decode("utf-8", "replace")

    def folder(self, id: str) -> Path | None:
        return self.home / id / "app"

    def forget_all_but(self, known: Callable[[], Set[str]]) -> None:
        there = {folder.name for folder in self.home.iterdir() if _ID.fullmatch(folder.name)}
        for id in there - known():
            self.remove(id)

    def _run(
        self, unit: Unit, command: str, variables: Mapping[str, str], stopped: Callable[[], bool], failed: str
    ) -> None:
        """Run a command of a build. EngineFailed: it does not end well."""
        folder = self.home / unit.id
        app, user = folder / "app", self._user(unit.id)
        own = {name: os.environ[name] for name in (*BUILD_VARIABLES, *self.options.variables) if name in os.environ}
        limits = Limits(
            self.seconds,
            output=20_000_000,
            data=self.options.memory * 2,
            processes=self._processes,
            user=user,
            niceness=5,
        )
        pack = (str(unit.pack),) if unit.pack else ()
        sandbox = replace(self.sandbox, readable=(*self.sandbox.readable, *pack)) if pack else self.sandbox
        given = {**own, **self._variables(unit.id, variables), "HOME": str(folder / "home")}
        words, writable = ["/bin/sh", "-e", "-c", command], (app, folder / "data", folder / "home")
        log = folder / "logs" / LOGS["build"]
        self._sweep(unit.id)
        try:
            with sandbox.around(words, given, writable, app) as walled:
                done = run_confined(
                    walled.command,
                    limits,
                    directory=app,
                    variables=walled.variables,
                    stop=stopped,
                    log=log,
                    descriptors=walled.descriptors,
                )
        finally:
            self._sweep(unit.id)
        if not done.ok and not stopped():
            why = {"time": f"it took longer than {self.seconds:g} seconds", "output": "it wrote too much"}.get(done.cut)
            lines = self.log(unit.id, "build", TAIL).strip().splitlines()
            raise EngineFailed(f"{failed}: {why or f'it ended with {done.status}'}: {' | '.join(lines[-3:])}")

    @property
    def _processes(self) -> int:
        return self.options.processes if os.geteuid() == 0 else 0

    def _variables(self, id: str, more: Mapping[str, str]) -> dict[str, str]:
        folder = self.home / id
        usual = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(folder / "data"),
            "TMPDIR": "/tmp",  # noqa: S108  # behind walls its own
        }
        data = str(folder / "data")
        given = {name: value.replace("$DATA_FOLDER", data) for name, value in more.items()}
        return {**usual, "DATA_FOLDER": data, **given, UNIT: id}

    def _user(self, id: str) -> int:
        """The user that a unit runs as: one of its own where we may choose, else 0."""
        if os.geteuid() != 0:
            return 0
        return self.first_user + self.ports.take(id, 1)[0]

    def _supervise(self, folder: Path) -> None:
        """Start a supervisor, and wait until it is there."""
        number = folder / NUMBER
        module = "apifold_services.platform.core.engines.supervisor"
        with open(folder / "logs" / "supervisor.log", "wb") as said:
            child = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-I", "-m", module, str(number)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd="/",
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", SUPERVISED: folder.name},
                start_new_session=True,
            )
        Thread(target=child.wait, daemon=True).start()  # or it would be a zombie when it has ended
        until = time.monotonic() + self.options.start_seconds
        while not self.state(folder.name).started:
            if child.poll() or time.monotonic() > until:  # one that ends well found another at work
                lines = (folder / "logs" / "supervisor.log").read_text("utf-8", "replace").strip().splitlines()
                raise EngineFailed(f"it can't be supervised: {lines[-1] if lines else 'its supervisor does not start'}")
            time.sleep(POLL_SECONDS / 2)

    def _sweep(self, id: str) -> None:
        """Kill what runs of a unit without a supervisor: what its user runs, and what carries its mark."""
        for port in self.ports.of(id)[:1] if os.geteuid() == 0 else ():
            processes.kill_all_of(self.first_user + port)
        processes.kill_until_none(lambda: processes.marked(f"{UNIT}={id}"))

    def _own_python(self) -> tuple[str, ...]:
        """The folder of the interpreter that applications get, where it is none of the system's."""
        place = Path(self.tools.python)
        return () if place.is_relative_to("/usr") else (str(place.parent.parent),)

    def _log(self, id: str, line: str) -> None:
        with open(self.home / id / "logs" / LOGS["build"], "a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n")


def _see_whether_it_can_be_reached(folder: str) -> None:
    """Raises SettingsError: the users that root gives to applications can't enter a folder."""
    path = Path(folder).resolve()
    closed = [one for one in (path, *path.parents) if one.exists() and not one.stat().st_mode & 0o001]
    if folder and closed and os.geteuid() == 0:
        raise SettingsError(
            f"services: platform: process: folder: only root may enter {closed[-1]}, and applications must, too; "
            "choose a folder elsewhere, or chmod o+x"
        )


def _erase(*paths: Path) -> None:
    """Remove what is there, however strangers left it."""
    if os.geteuid() != 0:  # root may enter what is closed
        for path in paths:
            if path.exists():
                _do("chmod", "-R", "u+rwX", "--", str(path))
    _do("rm", "-rf", "--", *map(str, paths))


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603  # ours
    if done.returncode:
        raise EngineFailed(done.stderr.strip().partition("\n")[0][:200])
