"""Guests: how what runs of a machine is found, started, told, saved and ended."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import IO, Annotated, Any

import msgspec

from apifold import END_SECONDS, LastingProcess, lasting_process
from apifold_services.compute.core import states
from apifold_services.compute.core.drivers.driver import DriverFailed
from apifold_services.compute.core.drivers.qmp import POLL_SECONDS, Monitor

NUMBER, SOCKET = "qemu.pid", "qmp.sock"
MEMORY, COMMAND = "memory", "command.json"
HALTED = "halted"
"""What lies in a machine's folder. A saved memory is there only as long as the guest has not gone on from it; the last
says that a guest was halted for a while only."""

POWER = {"running": states.RUNNING, "shutdown": states.SHUTDOWN}
POWER |= dict.fromkeys(("internal-error", "guest-panicked"), states.CRASHED)
"""Power states by what QEMU calls them; a guest is paused in all others."""

DISKS = ("vda", "vdb")
DISK_STATISTICS = {
    "read": "rd_bytes",
    "read_req": "rd_operations",
    "write": "wr_bytes",
    "write_req": "wr_operations",
    "errors": "failed_wr_operations",
}
"""What clients know of disks, by what QEMU calls it."""

COMES = ("-incoming", "defer")
"""Has a QEMU wait for a memory."""

UNLIMITED = 2**60
KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH")
PRESS_SECONDS = 5.0
GONE_SECONDS = 0.5
"""A process that was killed hangs up before it is gone."""

Seconds = Annotated[float, msgspec.Meta(gt=0)]

log = logging.getLogger("apifold.compute")


class Patience(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long is waited.

    Attributes:
        start_seconds: for a QEMU to come up.
        answer_seconds: for its answer.
        stop_seconds: for a guest to shut down; it is ended then.
        copy_seconds: for a disk or a memory to be copied.
    """

    start_seconds: Seconds = 60.0
    answer_seconds: Seconds = 10.0
    stop_seconds: Seconds = 60.0
    copy_seconds: Seconds = 3600.0


@dataclass(frozen=True, slots=True)
class Guest:
    """What runs of a machine, if anything does.

    Attributes:
        folder: the machine's.
    """

    folder: Path
    patience: Patience

    def process(self) -> AbstractContextManager[LastingProcess | None]:
        """Its process; None where it has none."""
        found: AbstractContextManager[LastingProcess | None] = lasting_process(self.folder / NUMBER)
        return found

    @contextmanager
    def alone(self) -> Iterator[Guest]:
        """Nobody else changes it meanwhile. Raises DriverFailed: somebody else does, all the time."""
        path = self.folder.with_suffix(".lock")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        until = monotonic() + self.patience.copy_seconds + self.patience.stop_seconds
        while monotonic() < until:
            with open(path, "wb") as lock:
                if _took(lock, path):
                    yield self
                    return
            sleep(POLL_SECONDS)
        raise DriverFailed("The machine is busy with something else.")

    @property
    def command(self) -> tuple[str, ...]:
        """What it was started with; nothing where it does not run."""
        with self.process() as process:
            return process.command if process else ()

    @property
    def is_saved(self) -> bool:
        """Whether its memory is put away."""
        return (self.folder / MEMORY).exists()

    @property
    def power(self) -> int:
        """Its power state. Raises DriverFailed: it runs, and does not answer."""
        with self.process() as process:
            if process is None:
                return states.SUSPENDED if self.is_saved else states.SHUTDOWN
            try:
                return POWER.get(self.tell("query-status")["status"], states.PAUSED)
            except DriverFailed:
                if process.ended(GONE_SECONDS):
                    return states.SHUTDOWN
                raise

    def monitor(self) -> Monitor:
        """A conversation with it. Raises DriverFailed: it does not run, or does not answer."""
        return Monitor(self.folder / SOCKET, self.patience.answer_seconds)

    def tell(self, command: str) -> Any:
        """Have one command carried out. Raises DriverFailed."""
        with self.monitor() as monitor:
            return monitor.execute(command)

    def statistics(self) -> dict[str, Any]:
        """What it did so far: nanoseconds of its processors, bytes and requests of its disks. Raises DriverFailed."""
        with self.monitor() as monitor:
            found = {"state": monitor.execute("query-status")["status"]}
            for cpu in monitor.execute("query-cpus-fast"):
                found[f"cpu{cpu['cpu-index']}_time"] = _processor_time(cpu["thread-id"])
            for disk, drive in zip(DISKS, monitor.execute("query-blockstats"), strict=False):
                found |= {f"{disk}_{name}": drive["stats"][said] for name, said in DISK_STATISTICS.items()}
        return found

    def run(self, command: Sequence[str]) -> None:
        """Start it anew; what was saved of it is dropped. Raises DriverFailed: it does not come up."""
        for name in (MEMORY, HALTED):
            (self.folder / name).unlink(missing_ok=True)
        self._launch(command)

    def destroy(self) -> None:
        """End it, and remove what there is of it; to be asked for alone. Raises DriverFailed: it does not end."""
        with self.process() as process:
            if process:
                _kill(process)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.with_suffix(".lock").unlink(missing_ok=True)

    def shut_down(self) -> None:
        """Ask it to shut down; end it where it does not."""
        with self.process() as process:
            if process is None:
                return
            until = monotonic() + self.patience.stop_seconds
            with suppress(DriverFailed):  # one that does not answer is ended, too
                self.tell("cont")
                while (left := until - monotonic()) > 0:
                    self.tell("system_powerdown")
                    if process.ended(min(left, PRESS_SECONDS)):
                        return
        self.end()

    def end(self) -> None:
        """End it, without asking it. Raises DriverFailed: it does not end."""
        with self.process() as process:
            if process:
                with suppress(DriverFailed):
                    self.tell("quit")  # which writes what it holds of its disks
                if not process.ended(END_SECONDS):
                    _kill(process)

    def save(self) -> None:
        """Put its memory away, and end it. Raises DriverFailed: it does not run, or could not be saved."""
        command = self.command
        if command and not self.is_saved:
            (self.folder / COMMAND).write_text(json.dumps(command), "utf-8")
            self._save()
        if not self.is_saved:
            raise DriverFailed("The machine does not run.")
        self.end()

    def go_on(self) -> None:
        """Go on from where it was saved. Raises DriverFailed: it was not, or can't be read."""
        self.end()
        try:
            command = json.loads((self.folder / COMMAND).read_bytes())
            memory = os.open(self.folder / MEMORY, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise DriverFailed("Nothing was saved that the machine could go on from.") from None
        try:
            self._launch([*command, *(() if COMES[0] in command else COMES)])
            with self.monitor() as monitor:
                monitor.execute("getfd", {"fdname": MEMORY}, (memory,))
                monitor.execute("migrate-incoming", {"uri": f"fd:{MEMORY}"})
                self._wait(monitor, "query-status", ("inmigrate",))
        except DriverFailed:
            self.end()
            raise
        finally:
            os.close(memory)
        (self.folder / MEMORY).unlink()  # before it runs: it must never go on from there twice
        self.tell("cont")

    @contextmanager
    def halted(self) -> Iterator[None]:
        """It does not run meanwhile; if it did, it does so again afterwards, even where this process died."""
        mark = self.folder / HALTED
        if self.power == states.RUNNING:
            mark.touch()
            self.tell("stop")
        try:
            yield
        finally:
            if mark.exists():
                self.tell("cont")
                mark.unlink()

    def _save(self) -> None:
        part = self.folder / f"{MEMORY}.part"
        with open(part, "wb") as file, self.monitor() as monitor:
            monitor.execute("migrate_cancel")  # what a process that died had begun; and what it had ended goes on:
            self._wait(monitor, "query-migrate", ("cancelling",))
            if monitor.execute("query-status")["status"] == "postmigrate":
                monitor.execute("cont")
            monitor.execute("stop")
            monitor.execute("migrate-set-parameters", {"max-bandwidth": UNLIMITED})
            monitor.execute("getfd", {"fdname": MEMORY}, (file.fileno(),))
            monitor.execute("migrate", {"uri": f"fd:{MEMORY}"})
            ended = self._wait(monitor, "query-migrate", ("setup", "active", "device", "pre-switchover"))
            if ended.get("status") != "completed":
                monitor.execute("cont")
                raise DriverFailed(f"The memory could not be saved: {ended.get('error-desc', ended.get('status'))}")
            os.fsync(file.fileno())
        part.rename(self.folder / MEMORY)

    def _wait(self, monitor: Monitor, question: str, going: Sequence[str]) -> dict[str, Any]:
        """The first answer to a question that does not say that something is going on."""
        until = monotonic() + self.patience.copy_seconds
        while monotonic() < until:
            answer: dict[str, Any] = monitor.execute(question)
            if answer.get("status") not in going:
                return answer
            sleep(POLL_SECONDS)
        raise DriverFailed("The memory could not be copied in time.")

    def _launch(self, command: Sequence[str]) -> None:
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        try:
            child = subprocess.Popen(  # noqa: S603  # a list; the program is the deployment's
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise DriverFailed(f"QEMU could not be started: {error.strerror}.") from None
        try:
            self._wait_for(child)
        except BaseException:
            child.kill()
            child.wait()
            raise
        Thread(target=child.wait, daemon=True).start()  # or it would be a zombie when it has ended

    def _wait_for(self, child: subprocess.Popen[bytes]) -> None:
        until = monotonic() + self.patience.start_seconds
        assert child.stderr is not None
        with child.stderr:
            while not self._answers():
                if child.poll() is not None:
                    raise DriverFailed(_reason(child.stderr.read()))
                if monotonic() > until:
                    raise DriverFailed(f"QEMU did not come up within {self.patience.start_seconds:g} seconds.")
                sleep(POLL_SECONDS)

    def _answers(self) -> bool:
        try:
            self.monitor().__exit__()
        except DriverFailed:
            return False
        return True


def _kill(process: LastingProcess) -> None:
    if not process.kill():
        raise DriverFailed("The machine's process can't be ended.")


def _took(lock: IO[bytes], path: Path) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever destroyed the machine removed the lock, and another file may be it now.
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _processor_time(thread: int) -> int:
    fields = Path(f"/proc/{thread}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 10**9 // os.sysconf("SC_CLK_TCK")


def _reason(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    log.error("QEMU did not start: %s", lines)
    last = plain(lines[-1]) if lines else "it says no reason"
    return f"QEMU did not start: {last.partition(': ')[2] or last}"


def plain(said: str) -> str:
    """What a program said, without the deployment's folders: clients see this."""
    return re.sub(r"(?<!\w)/[^\s'\":=]*/", "", said.strip())
