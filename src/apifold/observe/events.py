"""What happened, as types. Logs and metrics listen; nothing else needs to know that they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apifold.errors import DescriptionError, Problem
from apifold.exchange import Exchange
from apifold.http import Response


@dataclass(slots=True)
class WouldRefuse:
    """A message broke its contract and was let through, because its mode is `log`."""

    exchange: Exchange
    direction: str
    problems: Sequence[Problem]


@dataclass(slots=True)
class Crashed:
    """Our own mistake: an exception that is no fault."""

    exchange: Exchange
    error: BaseException


@dataclass(slots=True)
class Swapped:
    """A new generation is served."""

    generation: str
    apis: int
    seconds: float


@dataclass(slots=True)
class Quarantined:
    """A file has errors; what ran before from it goes on running, where there was something."""

    file: str
    errors: tuple[DescriptionError, ...]
    kept: bool


@dataclass(slots=True)
class LeftOut:
    """An API is not served although nothing is wrong with it: the deployment lacks what it requires."""

    api: str
    reasons: tuple[str, ...]


Event = WouldRefuse | Crashed | Swapped | Quarantined | LeftOut
Listener = Callable[[Event], None]
Answered = Callable[[Exchange, Response, float], None]
"""Told of every answer, with the seconds from the first stage to the last; a plain call, because it is so frequent."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Everybody who listens: to what happens now and then, and to every answer. An empty one is quiet."""

    listeners: tuple[Listener, ...] = ()
    answered: tuple[Answered, ...] = ()

    def tell(self, event: Event) -> None:
        """Tell everybody."""
        for listener in self.listeners:
            listener(event)
