"""Counts by some words each: what this process has seen, and what all have; first and last when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from apifold.observe.ledger import Ledger

MAX_ROWS = 5000
"""Rows that one process tells apart; all others are counted together."""

MAX_TOTAL = 50_000
"""The same over all of them, and over restarts."""

OTHERS = "(others)"


class Seen(msgspec.Struct, array_like=True):
    """How often, first and last when, in seconds since the epoch."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0


Counts = dict[str, Seen]
"""By words, joined by line breaks."""


class Tally:
    """Counts of all processes of a server, and of those before it.

    Args:
        directory: where every process writes; None where there is only this one.
        fields: names of the words. The first `kept` of them tell rows apart however many there are.
    """

    def __init__(self, directory: Path | None, fields: Sequence[str], kept: int) -> None:
        self.fields = tuple(fields)
        self.kept = kept
        self._ledger = Ledger(directory, Counts)
        self._own: Counts = {}
        self._changed = False

    def add(self, *words: str) -> None:
        """Count once what some words say, one for each field."""
        key = "\n".join(word.replace("\n", " ") for word in words)
        now = time.time()
        seen = self._own.get(key)
        if seen is None:
            if len(self._own) >= MAX_ROWS:
                key = self._others(key)
            seen = self._own.setdefault(key, Seen(0, now))
        seen.count += 1
        seen.last = now
        self._changed = True

    def write(self) -> None:
        """Tell the others."""
        if self._changed:
            self._changed = False
            self._ledger.write(self._own)

    def fold(self) -> None:
        """Put what processes wrote that have ended into one file; called before processes are started."""
        self._ledger.fold(self._sum)

    def rows(self) -> list[dict[str, Any]]:
        """What all have seen: the words by field, count, first, last; the newest first."""
        total = self._sum([self._own, *self._ledger.others()])
        rows = [
            {**dict(zip(self.fields, key.split("\n"), strict=True)), **msgspec.structs.asdict(seen)}
            for key, seen in total.items()
        ]
        return sorted(rows, key=lambda row: row["last"], reverse=True)

    def _sum(self, parts: list[Counts]) -> Counts:
        """Several processes' counts together; of too many rows, those that were seen last are told apart."""
        total: Counts = {}
        rows = [row for counts in parts for row in counts.items()]
        rows.sort(key=lambda row: row[1].last, reverse=True)
        for key, seen in rows:
            into = key if key in total or len(total) < MAX_TOTAL else self._others(key)
            known = total.get(into)
            if known is None:
                total[into] = Seen(seen.count, seen.first, seen.last)
            else:
                known.count += seen.count
                known.first, known.last = min(known.first, seen.first), max(known.last, seen.last)
        return total

    def _others(self, key: str) -> str:
        """The row of those that are not told apart."""
        words = key.split("\n")[: self.kept]
        return "\n".join((*words, OTHERS, *([""] * (len(self.fields) - self.kept - 1))))
