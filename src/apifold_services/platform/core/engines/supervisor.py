"""Keeps the instances of one unit running: a process of its own, which outlives the server.

    python -m apifold_services.platform.core.engines.supervisor FOLDER/supervisor.pid

`run.json` beside that file says what is to run; it is read again at SIGHUP, and SIGTERM ends everything. `status.json`
tells how it is, `logs/application.log` what the instances write. One address stands for all instances: a connection
goes to the one with the fewest.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from apifold_services.platform.core.engines.sandbox import Allowance, Sandbox

RUN, STATUS, LOG = "run.json", "status.json", "logs/application.log"
WEB = "web"
LOG_BYTES, LOG_FILES = 1_000_000, 3
LINE_BYTES = 16_384
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Before an instance is started again; the longer the more often it ended at once."""
SETTLED_SECONDS = 60.0
"""Whoever ran so long begins with the first pause again."""
LOOK_SECONDS = 5.0
"""Between two looks at whether an instance that is well still answers, `FIRST_SECONDS` while it is not yet."""
FIRST_SECONDS = 0.2
PROBE_SECONDS = 5.0
PROBES = 3
"""As often as an instance may fail to answer before it is started again."""
TELL_SECONDS = 1.0
SUBREAPER, DEATH_SIGNAL = 36, 1
"""Numbers of `prctl`: orphans become ours; and children end when we do."""


@dataclass(slots=True)
class Instance:
    """One process that is to run.

    Attributes:
        kind: of process: `web` answers, all others only run.
        port: where it answers.
        pid: of the process; 0 where there is none.
        ready: whether it answered when it was asked last.
        connections: that it serves at the moment.
    """

    kind: str
    number: int
    port: int
    pid: int = 0
    ready: bool = False
    restarts: int = 0
    connections: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As its log calls it."""
        return f"{self.kind}.{self.number}"


class Supervisor:
    """Everything that runs of one unit.

    Args:
        folder: the unit's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run: dict[str, Any] = {}
        self.instances: list[Instance] = []
        self.ended = asyncio.Event()
        self.began = time.time()
        self.log = logging.getLogger("application")
        handler = RotatingFileHandler(folder / LOG, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
        self.log.addHandler(handler)
        self.log.setLevel(logging.INFO)
        self.log.propagate = False

    async def serve(self) -> None:
        """Until somebody says that it is enough."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.ended.set)
        loop.add_signal_handler(signal.SIGINT, self.ended.set)
        loop.add_signal_handler(signal.SIGHUP, self.adjust)
        self.adjust()
        host, port = self.run["address"]
        server = await asyncio.start_server(self._connected, host, port)
        telling = asyncio.create_task(self._telling())
        await self.ended.wait()
        server.close()
        telling.cancel()
        await self._end(self.instances)
        _kill_descendants()
        (self.folder / STATUS).unlink(missing_ok=True)

    def adjust(self) -> None:
        """Read what is to run, and have as many instances as that says."""
        self.run = json.loads((self.folder / RUN).read_bytes())
        wanted = int(self.run["instances"])
        webs = [one for one in self.instances if one.kind == WEB]
        for number in range(len(webs), wanted):
            self._begin(Instance(WEB, number + 1, self.run["ports"][number]))
        for kind in self.run["processes"]:
            if kind != WEB and not any(one.kind == kind for one in self.instances):
                self._begin(Instance(kind, 1, 0))
        gone = webs[wanted:]
        self.instances = [one for one in self.instances if one not in gone]
        if gone:
            self._ending = asyncio.create_task(self._end(gone))

    def _begin(self, instance: Instance) -> None:
        self.instances.append(instance)
        instance.tasks.append(asyncio.create_task(self._keep(instance)))
        if instance.kind == WEB:
            instance.tasks.append(asyncio.create_task(self._watch(instance)))

    async def _keep(self, instance: Instance) -> None:
        """Have an instance run, and start it again when it ends."""
        quick = 0
        while True:
            began = time.monotonic()
            try:
                child = await self._spawn(instance)
            except OSError as error:
                self._say(instance, f"can't be started: {error.strerror}")
            else:
                instance.pid = child.pid
                self._say(instance, f"started as process {child.pid}")
                assert child.stdout is not None
                await self._copied(instance, child.stdout)
                status = await child.wait()
                self._say(instance, f"ended with {status}")
            instance.pid, instance.ready = 0, False
            quick = 0 if time.monotonic() - began > SETTLED_SECONDS else min(quick + 1, len(PAUSES))
            await asyncio.sleep(PAUSES[max(0, quick - 1)])
            instance.restarts += 1

    async def _spawn(self, instance: Instance) -> asyncio.subprocess.Process:
        run, user = self.run, int(self.run["user"])
        folder, data = Path(run["folder"]), Path(run["data"])
        sandbox = Sandbox(tuple(run["readable"]))
        command = sandbox.command(["/bin/sh", "-c", run["processes"][instance.kind]], (folder, data), folder)
        allowance = Allowance(**run["allowance"])
        variables = {**run["variables"], "APIFOLD_UNIT": run["unit"], "INSTANCE": str(instance.number)}
        if instance.port:
            variables["PORT"] = str(instance.port)

        def become() -> None:
            ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
            allowance.take()

        who: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if user else {}
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env=variables,
            start_new_session=True,
            preexec_fn=become,  # one thread, so that nothing is locked
            **who,
        )

    async def _copied(self, instance: Instance, output: asyncio.StreamReader) -> None:
        """Log what an instance writes, line by line, until it writes no more."""
        rest = b""
        while piece := await output.read(LINE_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._say(instance, line.decode("utf-8", "replace").rstrip("\r"))
        if rest:
            self._say(instance, rest.decode("utf-8", "replace"))

    async def _watch(self, instance: Instance) -> None:
        """Ask an instance again and again whether it is well."""
        failed = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS if instance.ready else FIRST_SECONDS)
            if not instance.pid:
                continue
            if await self._answers(instance.port):
                failed, instance.ready = 0, True
                continue
            failed += 1
            if instance.ready and failed >= PROBES:
                self._say(instance, f"did not answer {failed} times; it is started again")
                failed, instance.ready = 0, False
                _send(instance.pid, signal.SIGKILL)

    async def _answers(self, port: int) -> bool:
        health = self.run["health"]
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    if health["tcp"]:
                        return True
                    writer.write(f"GET {health['path']} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                    head = (await reader.readline()).split()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False
        status = int(head[1]) if len(head) > 1 and head[0].startswith(b"HTTP/") and head[1].isdigit() else 0
        return status in health["accepted"] if health["accepted"] else 100 <= status < 500

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand a connection to the instance with the fewest."""
        instance = min((one for one in self.instances if one.ready), key=lambda one: one.connections, default=None)
        if instance is None:
            with suppress(OSError):
                writer.write(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n")
                writer.write(b"Content-Length: 28\r\n\r\nNo instance answers for now.")
                await writer.drain()
            writer.close()
            return
        instance.connections += 1
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", instance.port)
            try:
                await asyncio.gather(_piped(reader, outer), _piped(inner, writer))
            finally:
                outer.close()
        except OSError:
            instance.ready = False
        finally:
            instance.connections -= 1
            writer.close()

    async def _end(self, instances: list[Instance]) -> None:
        """End some instances: asked first, killed where they do not listen."""
        for one in instances:
            for task in one.tasks:
                task.cancel()
            one.ready = False
            _send(one.pid, signal.SIGTERM)
        until = time.monotonic() + float(self.run["stop_seconds"])
        while time.monotonic() < until and any(_is_there(one.pid) for one in instances):
            await asyncio.sleep(0.05)
        for one in instances:
            _send(one.pid, signal.SIGKILL)

    async def _telling(self) -> None:
        """Write down how it is, and bury orphans."""
        while True:
            known = {one.pid for one in self.instances if one.pid}
            told = {
                "ready": sum(one.ready for one in self.instances if one.kind == WEB),
                "restarts": sum(one.restarts for one in self.instances),
                "memory": sum(map(_memory, _descendants(os.getpid()))),
                "started": self.began,
            }
            part = self.folder / f"{STATUS}.part"
            part.write_text(json.dumps(told))
            part.rename(self.folder / STATUS)
            for child in _children(os.getpid()):
                if child not in known and _is_zombie(child):
                    with suppress(ChildProcessError):
                        os.waitpid(child, os.WNOHANG)
            await asyncio.sleep(TELL_SECONDS)

    def _say(self, instance: Instance, line: str) -> None:
        self.log.info("%s: %s", instance.name, line)


async def _piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _send(pid: int, number: int) -> None:
    """Send a signal to a process and all of its group."""
    if pid:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def _is_there(pid: int) -> bool:
    return bool(pid) and Path(f"/proc/{pid}").exists() and not _is_zombie(pid)


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return []


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def _memory(pid: int) -> int:
    """Bytes that a process has in memory."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _kill_descendants() -> None:
    """Until there are none: what a process leaves behind becomes ours."""
    for _ in range(100):
        left = [pid for pid in _descendants(os.getpid()) if not _is_zombie(pid)]
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def main(number: Path) -> None:
    """Supervise the unit in whose folder this file lies; nothing where somebody does already."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1)
    with open(number.with_suffix(".lock"), "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        number.write_text(f"{os.getpid()}\n", "ascii")
        supervisor = Supervisor(number.parent)
        asyncio.run(supervisor.serve())
        number.unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
