"""The process of a machine."""

from __future__ import annotations

import select
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from apifold_services.compute.core.drivers.driver import DriverFailed

END_SECONDS = 10.0
"""That a process has to end once it was killed."""


@dataclass(frozen=True, slots=True)
class Process:
    """A QEMU that runs, held by a descriptor: its number may become another one's, this does not."""

    descriptor: int
    command: tuple[str, ...]

    def ended(self, seconds: float) -> bool:
        """Whether it ends within some time."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def kill(self) -> None:
        """End it. Raises DriverFailed: it does not end."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)
        if not self.ended(END_SECONDS):
            raise DriverFailed("The machine's process can't be ended.")


def command_of(number: int) -> tuple[str, ...]:
    """The command line of a process; nothing where there is none."""
    try:
        return tuple(Path(f"/proc/{number}/cmdline").read_text("utf-8", "surrogateescape").split("\0")[:-1])
    except OSError:
        return ()
