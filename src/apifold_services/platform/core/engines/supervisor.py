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
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from apifold_services.platform.core.engines import processes
from apifold_services.platform.core.engines.sandbox import INSTANCE, UNIT, Allowance, Sandbox

RUN, STATUS, LOG = "run.json", "status.json", "logs/application.log"
WEB = "web"
LOG_BYTES, LOG_FILES = 1_000_000, 3
LINE_BYTES = 16_384
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Before an instance is started again; the longer the more often it ended at once."""
SETTLED_SECONDS = 60.0
"""Whoever ran so long begins with the first pause again."""
LOOK_SECONDS, DOUBT_SECONDS, FIRST_SECONDS = 3.0, 1.0, 0.2
"""Between two looks at whether an instance answers: one that did last time, one that did not, one that never did."""
PROBE_SECONDS = 5.0
PROBES = 3
"""As often as an instance may fail to answer before it is started again."""
TELL_SECONDS = 1.0
LINGER_SECONDS = 2.0
"""That a client has to close its connection once the instance has closed its own; and the last words of who ended."""
SUBREAPER, DEATH_SIGNAL = 36, 1
"""Numbers of `prctl`: orphans become ours; and children end when we do."""


@dataclass(slots=True, eq=False)
class Instance:
    """One process that is to run.

    Attributes:
        kind: of process: `web` answers, all others only run.
        port: where it answers.
        pid: of the process; 0 where there is none.
        answered: whether it ever answered since it began.
        ready: whether it answered when it was asked last.
        leaving: whether it is to end.
        connections: that it serves at the moment.
        begun: is set where its process is a new one.
    """

    kind: str
    number: int
    port: int
    pid: int = 0
    answered: bool = False
    ready: bool = False
    leaving: bool = False
    restarts: int = 0
    connections: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
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
        self.leaving: dict[Instance, asyncio.Task[None]] = {}
        self.serving: set[asyncio.Task[Any] | None] = set()
        self.ended, self.changed = asyncio.Event(), asyncio.Event()
        self.began = time.time()
        self.log = logging.getLogger("application")
        handler = RotatingFileHandler(folder / LOG, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
        self.log.addHandler(handler)
        self.log.setLevel(logging.INFO)
        self.log.propagate = False
        logging.raiseExceptions = False  # a full disk is told of elsewhere

    @cached_property
    def sandbox(self) -> Sandbox:
        """What is around the instances."""
        return Sandbox(tuple(self.run["readable"]))

    async def serve(self) -> None:
        """Until somebody says that it is enough."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.ended.set)
        loop.add_signal_handler(signal.SIGINT, self.ended.set)
        loop.add_signal_handler(signal.SIGHUP, self.adjust)
        host, port = json.loads((self.folder / RUN).read_bytes())["address"]
        server = await asyncio.start_server(self._connected, host, port, backlog=1000)
        self.adjust()
        telling = asyncio.create_task(self._telling())
        await self.ended.wait()
        server.close()
        telling.cancel()
        for one in [*self.leaving, *self.instances]:
            self._let_go(one)
        await asyncio.gather(*self.leaving.values())
        processes.kill_until_none(lambda: processes.descendants(os.getpid()))
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
        for one in webs[wanted:]:
            self._let_go(one, first_served=True)

    def _begin(self, instance: Instance) -> None:
        before = [task for one, task in self.leaving.items() if one.name == instance.name]
        self.instances.append(instance)
        instance.tasks.append(asyncio.create_task(self._keep(instance, before)))
        if instance.kind == WEB:
            instance.tasks.append(asyncio.create_task(self._watch(instance)))

    async def _keep(self, instance: Instance, before: list[asyncio.Task[None]]) -> None:
        """Have an instance run, and start it again when it ends.

        Args:
            before: what ends those whose port it takes.
        """
        if before:
            await asyncio.wait(before)
        quick = 0
        while True:
            began = time.monotonic()
            try:
                await self._live(instance)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                self._say(instance, f"can't be started: {error}")
            if instance.leaving:
                return
            quick = 0 if time.monotonic() - began > SETTLED_SECONDS else min(quick + 1, len(PAUSES))
            await asyncio.sleep(PAUSES[max(0, quick - 1)])
            instance.restarts += 1

    async def _live(self, instance: Instance) -> None:
        """Have an instance run until it ends."""
        reading, writing = os.pipe()
        try:
            child = self._spawn(instance, writing)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        instance.pid = child.pid
        instance.begun.set()
        self.changed.set()
        self._say(instance, f"started as process {child.pid}")
        copying = asyncio.create_task(self._copied(instance, reading))
        try:
            await _end_of(child.pid)
        finally:
            instance.pid, instance.ready, instance.answered = 0, False, False
        status = child.wait()
        own = f"{INSTANCE}={instance.name}"
        processes.kill_until_none(lambda: _ours(own))
        await asyncio.wait((copying,), timeout=LINGER_SECONDS)
        copying.cancel()
        self._say(instance, f"ended with {status}")

    def _spawn(self, instance: Instance, output: int) -> subprocess.Popen[bytes]:
        run, user = self.run, int(self.run["user"])
        folder, data = Path(run["folder"]), Path(run["data"])
        allowance = Allowance(**run["allowance"])
        more = {UNIT: run["unit"], INSTANCE: instance.name, "INSTANCE": str(instance.number)}
        if instance.port:
            more["PORT"] = str(instance.port)

        def become() -> None:
            ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
            allowance.take()

        command = ["/bin/sh", "-c", run["processes"][instance.kind]]
        who: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if user else {}
        if user:
            os.fchown(output, user, user)  # who opens /dev/stdout, opens this
        with self.sandbox.around(command, {**run["variables"], **more}, (folder, data), folder) as walled:
            return subprocess.Popen(  # noqa: S603  # whose program it is, is known
                walled.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=walled.variables,
                pass_fds=walled.descriptors,
                start_new_session=True,
                preexec_fn=become,  # noqa: PLW1509  # one thread, so that nothing is locked
                **who,
            )

    async def _copied(self, instance: Instance, output: int) -> None:
        """Log what an instance writes, line by line, until it writes no more."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        file = open(output, "rb", 0)  # noqa: SIM115  # the transport closes it
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        rest = b""
        try:
            while piece := await reader.read(LINE_BYTES):
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > LINE_BYTES:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._say(instance, line.decode("utf-8", "replace").rstrip("\r"))
        finally:
            if rest:
                self._say(instance, rest.decode("utf-8", "replace"))
            transport.close()

    async def _watch(self, instance: Instance) -> None:
        """Ask an instance again and again whether it is well."""
        failed = 0
        while True:
            pause = LOOK_SECONDS if instance.ready and not failed else DOUBT_SECONDS
            await _set_within(instance.begun, pause if instance.answered else FIRST_SECONDS)
            pid = instance.pid
            answers = bool(pid) and await self._answers(instance.port)
            if pid != instance.pid or not pid:
                failed = 0
            elif answers:
                if not instance.ready:
                    self.changed.set()
                failed, instance.ready, instance.answered = 0, True, True
            elif instance.answered:
                failed += 1
                if failed == PROBES:
                    self._say(instance, f"did not answer {failed} times; it is started again")
                    instance.ready = False
                    processes.send_group(signal.SIGKILL, pid)

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
                    writer.transport.abort()
        except (OSError, TimeoutError, ValueError):  # the last: a line that has no end
            return False
        status = int(head[1]) if len(head) > 1 and head[0].startswith(b"HTTP/") and head[1].isdigit() else 0
        return status in health["accepted"] if health["accepted"] else 100 <= status < 500

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand a connection to the instance with the fewest."""
        task = asyncio.current_task()
        self.serving.add(task)  # a loop knows its tasks too loosely: one of a lost connection may be lost with it
        try:
            while instance := min(self._ready(), key=lambda one: one.connections, default=None):
                instance.connections += 1
                try:
                    inner, outer = await asyncio.open_connection("127.0.0.1", instance.port)
                except ConnectionError:
                    instance.ready = False
                except OSError:  # we have no more files: nothing of the instance's
                    return
                else:
                    await _joined(reader, writer, inner, outer)
                    return
                finally:
                    instance.connections -= 1
            await _refused(reader, writer)
        finally:
            self.serving.discard(task)
            writer.close()

    def _ready(self) -> list[Instance]:
        return [one for one in self.instances if one.ready]

    def _let_go(self, instance: Instance, *, first_served: bool = False) -> None:
        """End an instance: asked first, killed where it does not listen.

        Args:
            first_served: whether its connections may end before.
        """
        if instance not in self.leaving:
            self.instances.remove(instance)
            instance.leaving, instance.ready = True, False
            self.leaving[instance] = asyncio.create_task(self._end(instance, first_served))

    async def _end(self, instance: Instance, first_served: bool) -> None:
        keeping, *watching = instance.tasks
        for task in watching:
            task.cancel()
        until = time.monotonic() + float(self.run["stop_seconds"])
        while first_served and instance.connections and time.monotonic() < until and not self.ended.is_set():
            await asyncio.sleep(0.05)
        if not instance.pid:
            keeping.cancel()
        asked: set[int] = set()
        until = time.monotonic() + float(self.run["stop_seconds"])
        while not keeping.done() and time.monotonic() < until:
            self._ask(instance, asked)
            await asyncio.wait((keeping,), timeout=0.1)
        processes.send_group(signal.SIGKILL, instance.pid)
        await asyncio.wait((keeping,))
        del self.leaving[instance]

    @staticmethod
    def _ask(instance: Instance, asked: set[int]) -> None:
        """Ask the processes of an instance to end, each once; those that wait for others end with them."""
        for pid in (instance.pid, *processes.descendants(instance.pid)) if instance.pid else ():
            if pid not in asked and not processes.only_waits(pid):
                asked.add(pid)
                processes.send(signal.SIGTERM, pid)

    async def _telling(self) -> None:
        """Write down how it is, and bury orphans."""
        while True:
            told = {
                "ready": sum(one.ready for one in self.instances if one.kind == WEB),
                "restarts": sum(one.restarts for one in self.instances),
                "memory": sum(map(processes.memory, processes.descendants(os.getpid()))),
                "started": self.began,
            }
            part = self.folder / f"{STATUS}.part"
            with suppress(OSError):
                part.write_text(json.dumps(told))
                part.rename(self.folder / STATUS)
            known = {one.pid for one in [*self.instances, *self.leaving]}
            for child in processes.children(os.getpid()):
                if child not in known and processes.is_zombie(child):
                    with suppress(ChildProcessError):
                        os.waitpid(child, os.WNOHANG)
            await _set_within(self.changed, TELL_SECONDS)

    def _say(self, instance: Instance, line: str) -> None:
        self.log.info("%s: %s", instance.name, line)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, so long at the most."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    event.clear()


async def _end_of(pid: int) -> None:
    """Wait until a child has ended; it stays to be asked how."""
    ended, descriptor = asyncio.Event(), os.pidfd_open(pid)
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _joined(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, inner: asyncio.StreamReader, outer: asyncio.StreamWriter
) -> None:
    """Hand on what a client and an instance say to each other, until the instance says no more."""
    asking = asyncio.create_task(_piped(reader, outer))
    try:
        await _piped(inner, writer)
        await asyncio.wait((asking,), timeout=LINGER_SECONDS)
    finally:
        asking.cancel()
        outer.close()


async def _piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes, and that nothing comes any more; or that something went wrong."""
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def _refused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell a client that it comes too early; and hear it out, or it would not hear us."""
    writer.write(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n")
    writer.write(b"Content-Length: 28\r\n\r\nNo instance answers for now.")
    with suppress(OSError, TimeoutError):
        writer.write_eof()
        async with asyncio.timeout(LINGER_SECONDS):
            while await reader.read(65536):
                pass


def _ours(mark: str) -> list[int]:
    """Those of our descendants that carry a mark."""
    return [pid for pid in processes.descendants(os.getpid()) if processes.has_mark(pid, mark)]


def main(number: Path) -> None:
    """Supervise the unit in whose folder this file lies; nothing where somebody does already."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what is said so early is read anyhow
    ctypes.CDLL(None).prctl(SUBREAPER, 1)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with open(number.with_suffix(".lock"), "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        (number.parent / STATUS).unlink(missing_ok=True)
        number.write_text(f"{os.getpid()}\n", "ascii")
        supervisor = Supervisor(number.parent)
        asyncio.run(supervisor.serve())
        number.unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
