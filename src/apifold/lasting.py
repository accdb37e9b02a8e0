"""Processes that outlive whoever started them, found again by a file with their number.

Such a process is started with the file's path among its arguments (QEMU's `-pidfile`, say), so that a number that is
another process's by now is never taken for it.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

END_SECONDS = 10.0
"""That a process has to end once it was killed."""


@dataclass(frozen=True, slots=True)
class LastingProcess:
    """A process that runs, held by a descriptor: its number may become another one's, this does not."""

    number: int
    descriptor: int
    command: tuple[str, ...]

    def ended(self, seconds: float) -> bool:
        """Whether it ends within some time."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def send(self, number: int) -> None:
        """Send it a signal; nothing where it has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, number)

    def kill(self) -> bool:
        """End it; whether it did."""
        self.send(signal.SIGKILL)
        return self.ended(END_SECONDS)


@contextmanager
def lasting_process(file: Path) -> Iterator[LastingProcess | None]:
    """The process whose number is in a file, and whose command names that file; None where there is none."""
    try:
        number = int(file.read_text("ascii"))
        descriptor = os.pidfd_open(number)
    except (OSError, ValueError):
        yield None
        return
    try:
        command = _command_of(number)
        yield LastingProcess(number, descriptor, command) if str(file) in command else None
    finally:
        os.close(descriptor)


def _command_of(number: int) -> tuple[str, ...]:
    """The command line of a process; nothing where there is none."""
    try:
        return tuple(Path(f"/proc/{number}/cmdline").read_text("utf-8", "surrogateescape").split("\0")[:-1])
    except OSError:
        return ()
