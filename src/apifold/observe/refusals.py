"""Who would be refused: counts of what breaks a contract and is let through, so that an operator sees whom it would
hit to refuse it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from apifold.observe.events import Event, WouldRefuse
from apifold.observe.tally import Tally
from apifold.observe.use import caller_of

FIELDS = ("api", "operation", "direction", "field", "reason", "version", "user", "project", "client")

_INDEX = re.compile(r"/[0-9]+(?=/|$)")
MAX_FIELD = 120
"""Characters of a field's name that are kept: clients choose the names of what is not described."""


def breaches(event: WouldRefuse) -> Iterator[tuple[str, str]]:
    """Field and reason of each thing that is wrong with a message; items of lists are told together."""
    for problem in event.problems:
        field = f"{problem.where}{_INDEX.sub('/*', problem.pointer)}"[:MAX_FIELD]
        yield field.replace("\n", " "), problem.detail


class Refusals(Tally):
    """Who would be refused, by field and reason.

    Args:
        directory: where every process writes; None where there is only this one.
    """

    def __init__(self, directory: Path | None) -> None:
        super().__init__(directory, FIELDS, 3)

    def hear(self, event: Event) -> None:
        """Count a message that broke its contract and was let through."""
        if isinstance(event, WouldRefuse):
            endpoint, caller = event.exchange.endpoint, caller_of(event.exchange)
            for field, reason in breaches(event):
                self.add(endpoint.api, endpoint.name, event.direction, field, reason, *caller)
