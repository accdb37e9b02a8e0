"""Commands in child processes that can't take more than they were given: time, memory, output, and which cores.

A child dies with the process that started it. It gets a small environment of its own: nothing that the server was
told, such as passwords, is in it. What it is told itself is heard by the command alone, not by what takes the limits.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import IO, Self

POLL_SECONDS = 0.05
PIECES = 16
"""Of 64 KiB each, that are copied to a log before the time is looked at."""
KEPT_VARIABLES = ("PATH", "TZ", "LD_LIBRARY_PATH", "TMPDIR")
"""Variables of ours that a child gets, too."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take; 0 is no limit.

    `seconds` of wall-clock and `cpu_seconds` of processor time; `memory` and `output` (errors among it) in bytes;
    `niceness` from 0 to 19; `cores` by number, all of them where empty. `data` is memory that is written to, in bytes:
    for programs that reserve much more than they use. `user` is the number of the user and the group that it runs as,
    which only root may choose; its `processes` are counted together, however many children they are from.
    """

    seconds: float = 60.0
    cpu_seconds: int = 0
    memory: int = 0
    output: int = 1_000_000
    niceness: int = 0
    data: int = 0
    processes: int = 0
    user: int = 0
    cores: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended: its exit status (negative: the signal that ended it), what it wrote, how long it took.

    `cut` says why it was ended early: "" where it was not, "time", "output" or "stopped".
    """

    status: int
    output: str
    errors: str
    seconds: float
    cut: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ended by itself, and well."""
        return self.status == 0 and not self.cut


def run_confined(
    command: Sequence[str],
    limits: Limits,
    *,
    directory: Path | None = None,
    variables: Mapping[str, str] | None = None,
    stop: Callable[[], bool] = lambda: False,
    log: Path | None = None,
    descriptors: Sequence[int] = (),
) -> Outcome:
    """Run a command and wait for its end.

    Args:
        command: the program and its arguments; no shell is asked.
        directory: where it runs; a fresh temporary one otherwise, gone afterwards.
        variables: environment variables, beside the few that are kept.
        stop: asked now and then; where it says so, the child is ended.
        log: file that what it writes is added to as it comes, errors among it; the outcome has none of it then.
        descriptors: of open files that it gets.

    Raises:
        OSError: it can't be started.
    """
    with (
        tempfile.TemporaryDirectory(prefix="apifold-") as fresh,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        _Copying(log, limits.user) if log else nullcontext() as copying,
    ):
        began = monotonic()
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        kept |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": fresh}
        child = subprocess.Popen(  # noqa: S603  # a list; whose program it is, the caller answers for
            [sys.executable, "-I", "-S", __file__, json.dumps(asdict(limits)), str(os.getpid()), *command],
            stdin=subprocess.PIPE,
            stdout=copying.writing if copying else out,
            stderr=copying.writing if copying else err,
            cwd=directory or fresh,
            env=kept,
            pass_fds=descriptors,
            start_new_session=True,
        )
        assert child.stdin is not None
        with suppress(BrokenPipeError), child.stdin as told:
            told.write(json.dumps({**kept, **(variables or {})}).encode())

        def written() -> int:
            return copying.bytes if copying else _size(out) + _size(err)

        cut = _wait(child, limits, began, written, stop, copying.copy if copying else sleep)
        if copying:
            copying.copy(0)
        seconds = round(monotonic() - began, 3)
        return Outcome(child.returncode, _text(out.fileno(), limits.output), _text(err.fileno(), 20_000), seconds, cut)


class _Copying:
    """What a child writes, on its way to a file. It is a pipe, so that who opens /dev/stderr does no harm."""

    def __init__(self, file: Path, user: int) -> None:
        self.bytes = 0
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        if user:
            os.fchown(self.writing, user, user)
        self._file = open(file, "ab", buffering=0)  # noqa: SIM115  # it is closed at the exit

    def copy(self, seconds: float) -> None:
        """Copy what there is; wait for something, so long at the most."""
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        poll.poll(seconds * 1000)
        with suppress(BlockingIOError):
            for _ in range(PIECES):
                piece = os.read(self._reading, 1 << 16)
                self._file.write(piece)
                self.bytes += len(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reading)
        os.close(self.writing)
        self._file.close()


def _wait(
    child: subprocess.Popen[bytes],
    limits: Limits,
    began: float,
    written: Callable[[], int],
    stop: Callable[[], bool],
    pause: Callable[[float], None],
) -> str:
    cut = ""
    while child.poll() is None and not cut:
        if limits.seconds and monotonic() - began > limits.seconds:
            cut = "time"
        elif limits.output and written() > limits.output:
            cut = "output"
        elif stop():
            cut = "stopped"
        else:
            pause(POLL_SECONDS)
    _end(child)
    return cut


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _text(descriptor: int, most: int) -> str:
    return os.pread(descriptor, most or os.fstat(descriptor).st_size, 0).decode("utf-8", "replace")


def _become(limits: Limits, parent: int, variables: dict[str, str], command: list[str]) -> None:
    """In the child: take the limits, then become the command."""
    import ctypes  # noqa: PLC0415  # only the child needs these
    import resource  # noqa: PLC0415

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end when the parent does
    if os.getppid() != parent:
        sys.exit(1)
    if limits.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, limits.cores)
    os.nice(limits.niceness)
    if limits.cpu_seconds:
        resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    if limits.memory:
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    if limits.data:
        resource.setrlimit(resource.RLIMIT_DATA, (limits.data, limits.data))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limits.user:
        os.setgroups([])
        os.setgid(limits.user)
        os.setuid(limits.user)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # another user's, it was forgotten
    if limits.processes:
        resource.setrlimit(resource.RLIMIT_NPROC, (limits.processes, limits.processes))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606  # no shell, on purpose
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    _become(Limits(**{**given, "cores": tuple(given["cores"])}), int(sys.argv[2]), json.load(sys.stdin), sys.argv[3:])
