"""Who calls what: counts by operation and caller, so that an operator sees who still needs what is to end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from apifold.exchange import Exchange
from apifold.http import Response
from apifold.observe.ledger import Ledger

MAX_ROWS = 5000
"""Callers of operations that one process tells apart; all others are counted together."""

MAX_TOTAL = 50_000
"""The same over all of them, and over restarts."""

OTHERS = "(others)"


class Use(msgspec.Struct, array_like=True):
    """How often, first and last when, in seconds since the epoch."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0


Uses = dict[str, Use]
"""By API, operation, version, user, project and client's name, joined by line breaks."""

_FIELDS = ("api", "operation", "version", "user", "project", "client")


class Uselog:
    """What this process has seen, and what all have.

    Args:
        directory: where every process writes; None where there is only this one.
        all: whether every operation is counted, and not only those that will end.
    """

    def __init__(self, directory: Path | None, *, all: bool) -> None:
        self._ledger = Ledger(directory, Uses)
        self.all = all
        self._own: Uses = {}
        self._changed = False

    def answered(self, exchange: Exchange, response: Response, seconds: float) -> None:
        """Count an answer of an operation that will end, or of any; not those to callers who did not get in."""
        endpoint = exchange.endpoint
        if endpoint is None or (endpoint.ending is None and not self.all) or exchange.is_shadow:
            return
        if not exchange.called and response.status not in (410, 503):
            return
        caller = exchange.caller
        client = exchange.request.headers.get("user-agent", "").partition(" ")[0][:64]
        who = (str(exchange.version or ""), caller.user, caller.project, client)
        key = "\n".join((endpoint.label, *(part.replace("\n", " ") for part in who)))
        now = time.time()
        use = self._own.get(key)
        if use is None:
            if len(self._own) >= MAX_ROWS:
                key = _others(key)
            use = self._own.setdefault(key, Use(0, now))
        use.count += 1
        use.last = now
        self._changed = True

    def write(self) -> None:
        """Tell the others."""
        if self._changed:
            self._changed = False
            self._ledger.write(self._own)

    def fold(self) -> None:
        """Put what processes wrote that have ended into one file; called before processes are started."""
        self._ledger.fold(_sum)

    def rows(self) -> list[dict[str, Any]]:
        """What all have seen: API, operation, version, user, project, client, count, first, last; the newest first."""
        total = _sum([self._own, *self._ledger.others()])
        rows = [
            {**dict(zip(_FIELDS, key.split("\n"), strict=True)), **msgspec.structs.asdict(use)}
            for key, use in total.items()
        ]
        return sorted(rows, key=lambda row: row["last"], reverse=True)


def _sum(parts: list[Uses]) -> Uses:
    """Several processes' counts together; of too many callers, those that called last are told apart."""
    total: Uses = {}
    rows = [row for uses in parts for row in uses.items()]
    rows.sort(key=lambda row: row[1].last, reverse=True)
    for key, use in rows:
        into = key if key in total or len(total) < MAX_TOTAL else _others(key)
        known = total.get(into)
        if known is None:
            total[into] = Use(use.count, use.first, use.last)
        else:
            known.count += use.count
            known.first, known.last = min(known.first, use.first), max(known.last, use.last)
    return total


def _others(key: str) -> str:
    """The row that callers share who are not told apart."""
    api, operation = key.split("\n")[:2]
    return "\n".join((api, operation, "", OTHERS, "", ""))
