"""An operation that will end, or has ended: what its answers say about it, and when it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from apifold.exchange import Exchange
from apifold.http.response import Headers
from apifold.routing import PLACEHOLDER
from apifold.versions.lifecycle import Lifecycle


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an operation.

    Attributes:
        lifecycle: how long it is there.
        dates: the headers that tell when, which are the same on every answer.
        names: those of its path's variables, in their order.
        base: its API's base path.
    """

    lifecycle: Lifecycle
    dates: Headers
    names: tuple[str, ...]
    base: str

    @classmethod
    def of(cls, lifecycle: Lifecycle, path: str, base: str) -> Ending | None:
        """The end of an operation on a path; None where nothing is known of one."""
        if not lifecycle.says_something:
            return None
        return cls(lifecycle, lifecycle.dates(), tuple(PLACEHOLDER.findall(path)), base)

    def admit(self, exchange: Exchange) -> None:
        """Have the answer say what there is to say.

        Raises:
            Gone, Unavailable: it has ended, or is away for a while.
        """
        links = self.lifecycle.links(self._successor(exchange), self._notice(exchange.request.prefix))
        exchange.notice += (*self.dates, *links)
        self.lifecycle.admit(datetime.now(UTC))

    def _notice(self, prefix: str) -> str:
        return self.lifecycle.notice or f"{prefix}{self.base}/ui"

    def _successor(self, exchange: Exchange) -> str:
        """Where its successor is: the same thing there, where all variables are known, else its API."""
        api = exchange.site.by_name.get(self.lifecycle.successor)
        if api is None:
            return ""
        endpoint = api.endpoint(self.lifecycle.operation) if self.lifecycle.operation else None
        captured = exchange.captured[-len(self.names) :]  # a project may stand in front of them
        path = _filled(endpoint.path, dict(zip(self.names, captured, strict=False))) if endpoint else ""
        return f"{exchange.request.prefix}{path or api.base or '/'}"


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """A path template with its variables; "" where one is not known."""
    if not values.keys() >= set(PLACEHOLDER.findall(template)):
        return ""
    return PLACEHOLDER.sub(lambda found: quote(values[found[1]], safe=""), template)
