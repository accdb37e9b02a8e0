"""Who calls what: counts by operation and caller, so that an operator sees who still needs what is to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from apifold.exchange import Exchange
from apifold.http import Response
from apifold.observe.ledger import Ledger

MAX_ROWS = 5000
"""Callers of operations that one process tells apart; all others are counted together."""

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
        counts: whether an exchange's operation is one that is counted.
    """

    def __init__(self, directory: Path | None, counts: Callable[[Exchange], bool]) -> None:
        self._ledger = Ledger(directory, Uses)
        self._counts = counts
        self._own: Uses = {}
        self._changed = False

    def answered(self, exchange: Exchange, response: Response, seconds: float) -> None:
        """Count an answer."""
        endpoint, caller = exchange.endpoint, exchange.caller
        if endpoint is None or exchange.is_shadow or not self._counts(exchange):
            return
        version = exchange.version.text if exchange.version else ""
        client = exchange.request.headers.get("user-agent", "").partition(" ")[0][:64]
        who = (endpoint.label, version, caller.user, caller.project, client)
        self._add("\n".join(part.replace("\n", " ") if part is not endpoint.label else part for part in who))

    def _add(self, key: str) -> None:
        now = time.time()
        use = self._own.get(key)
        if use is None:
            if len(self._own) >= MAX_ROWS:
                key = "\n".join((*key.split("\n")[:3], OTHERS, "", ""))
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
    total: Uses = {}
    for uses in parts:
        for key, use in uses.items():
            known = total.get(key)
            if known is None:
                total[key] = Use(use.count, use.first, use.last)
            else:
                known.count += use.count
                known.first, known.last = min(known.first, use.first), max(known.last, use.last)
    return total
