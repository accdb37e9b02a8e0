"""What a job is: its kind, how far it is, and what its function may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

State = Literal["queued", "running", "done", "failed", "cancelled", "expired"]

ENDED_STATES: frozenset[State] = frozenset(("done", "failed", "cancelled", "expired"))


class RunningJob(Protocol):
    """What a job's function gets: its job, as it runs."""

    id: str

    def step(self, name: str, do: Callable[..., Any], *arguments: Any) -> Any:
        """Do something once: when the job goes on after a crash, what was done is not done again.

        Args:
            name: of the step; the same job has the same steps in the same order each time it runs.
            do: the work. Its value is plain JSON data and is kept. A step that was not finished is done again.

        Returns:
            What `do` returned, now or before.
        """

    def tell(self, progress: Any) -> None:
        """Let everybody know how far it is, as plain JSON data."""

    def stopped(self) -> bool:
        """Whether the job was cancelled or its time is up. Ask often in long steps, and end these early."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job that a service offers.

    Attributes:
        function: does the work; takes a `RunningJob` and the arguments that the job was started with, and returns
            plain JSON data. It may run again from its beginning after a crash: everything that must not happen twice
            goes through `step`.
        at_once: how many of them one machine does at a time.
    """

    function: Callable[..., Any]
    at_once: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is now.

    `tags` are what it can be found by. `progress` is what it told last, `result` what it returned, `error` why it
    failed. `expired` is cancelled, because its time was up.
    """

    id: str
    kind: str
    state: State
    arguments: Mapping[str, Any]
    tags: Mapping[str, str]
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    progress: Any = None
    result: Any = None
    error: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED_STATES


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs: of some kinds, in some states, with these tags, after a marker (an id); the newest first."""

    kinds: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    limit: int = 100
    marker: str = ""


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs; `next_marker` where there are more."""

    items: tuple[Job, ...]
    next_marker: str
