"""Commands in child processes that can't take more than they were given: time, memory, output, and which cores.

A child dies with the process that started it. It gets a small environment of its own: nothing that the server was
told, such as passwords, is in it. What it is told itself is heard by the command alone, not by what takes the limits.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import IO

POLL_SECONDS = 0.05
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
        open(log, "ab") if log else tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        before = os.fstat(out.fileno()).st_size
        began = monotonic()
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        kept |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": fresh}
        child = subprocess.Popen(  # noqa: S603  # a list; whose program it is, the caller answers for
            [sys.executable, "-I", "-S", __file__, json.dumps(asdict(limits)), str(os.getpid()), *command],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out if log else err,
            cwd=directory or fresh,
            env=kept,
            pass_fds=descriptors,
            start_new_session=True,
        )
        assert child.stdin is not None
        with suppress(BrokenPipeError), child.stdin as told:
            told.write(json.dumps({**kept, **(variables or {})}).encode())
        cut = _wait(child, limits, began, lambda: _written(out) + _written(err) - before, stop)
        seconds = round(monotonic() - began, 3)
        if log:
            return Outcome(child.returncode, "", "", seconds, cut)
        return Outcome(child.returncode, _text(out.fileno(), limits.output), _text(err.fileno(), 20_000), seconds, cut)


def _wait(
    child: subprocess.Popen[bytes],
    limits: Limits,
    began: float,
    written: Callable[[], int],
    stop: Callable[[], bool],
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
            sleep(POLL_SECONDS)
    _end(child)
    return cut


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _written(file: IO[bytes]) -> int:
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
