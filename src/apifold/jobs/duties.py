"""Duties: what a service does again and again, beside serving, in the process that does long work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

log = logging.getLogger("apifold.jobs")


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that is done again and again.

    Attributes:
        function: does it once; takes a function that says whether to stop early. Each machine does its duties, and one
            may be killed at any moment: what it does must be so that this does no harm, such as one transaction each.
        every: seconds from the end of one time to the beginning of the next.
    """

    function: Callable[[Callable[[], bool]], None]
    every: float


class Duties:
    """The duties of a process, each in a thread of its own.

    Args:
        duties: by `SERVICE.NAME`.
    """

    def __init__(self, duties: Mapping[str, Duty]) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._do, args=(name, duty), name=name, daemon=True)
            for name, duty in duties.items()
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 1.0) -> None:
        """End; what takes longer than this is left to end with the process."""
        self._stop.set()
        for thread in self._threads:
            thread.join(seconds)

    def _do(self, name: str, duty: Duty) -> None:
        while not self._stop.is_set():
            try:
                duty.function(self._stop.is_set)
            except Exception:  # whatever it was, it is tried again
                log.exception("%s failed; it is tried again in %g s", name, duty.every)
            self._stop.wait(duty.every)
