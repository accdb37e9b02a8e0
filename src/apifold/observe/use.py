"""Who calls what: counts by operation and caller, so that an operator sees who still needs what is to end."""

from __future__ import annotations

from pathlib import Path

from apifold.exchange import Exchange
from apifold.http import Response
from apifold.observe.tally import Tally

FIELDS = ("api", "operation", "version", "user", "project", "client")


def caller_of(exchange: Exchange) -> tuple[str, str, str, str]:
    """The words for who is asking: version, user, project, the client program's name."""
    caller = exchange.caller
    client = exchange.request.headers.get("user-agent", "").partition(" ")[0][:64]
    return str(exchange.version or ""), caller.user, caller.project, client


class Uselog(Tally):
    """Who calls what.

    Args:
        directory: where every process writes; None where there is only this one.
        all: whether every operation is counted, and not only those that will end.
    """

    def __init__(self, directory: Path | None, *, all: bool) -> None:
        super().__init__(directory, FIELDS, 2)
        self.all = all

    def answered(self, exchange: Exchange, response: Response, seconds: float) -> None:
        """Count an answer of an operation that will end, or of any; not those to callers who did not get in."""
        endpoint = exchange.endpoint
        if endpoint is None or (endpoint.ending is None and not self.all) or exchange.is_shadow:
            return
        if exchange.called or response.status in (410, 503):
            self.add(endpoint.api, endpoint.name, *caller_of(exchange))
