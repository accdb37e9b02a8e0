"""What comparing has shown so far, over all workers and over restarts: counts by API, operation and place.

Each process writes a file of its own. A difference starts the count of like answers anew in all of them: a process
counts since the newest difference that it knows of, and only those that know of the newest one of all are summed.
"""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import msgspec

from apifold.compare.differences import Difference
from apifold.observe.ledger import Ledger

MAX_PLACES = 200
"""Places of differences that are counted for one operation."""


class OperationEvidence(msgspec.Struct):
    """Of one operation: answers compared, those that differed, shadows that gave none, answers not compared; and how
    often something differed at a place, by `WHERE KIND`, the items of a list together."""

    compared: int = 0
    different: int = 0
    failed: int = 0
    skipped: int = 0
    places: dict[str, int] = {}


class ApiEvidence(msgspec.Struct):
    """Of one API: what was compared with what and when last, when answers differed last, how many were alike since."""

    pair: str = ""
    at: float = 0.0
    differed_at: float = 0.0
    alike: int = 0
    operations: dict[str, OperationEvidence] = {}


Records = dict[str, ApiEvidence]


class Evidence:
    """What this process has seen, and what all have.

    Args:
        directory: where every process writes; None where there is only this one.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._ledger = Ledger(directory, Records)
        self._own: Records = {}
        self._changed = False

    def note(self, api: str, pair: str, operation: str, found: Sequence[Difference]) -> None:
        """Note the outcome of one comparison.

        Args:
            pair: names what was compared; evidence about another pair is forgotten.
        """
        record, counts = self._counts(api, pair, operation)
        counts.compared += 1
        if not found:
            record.alike += 1
            return
        counts.different += 1
        record.alike, record.differed_at = 0, time.time()
        for one in found:
            place = f"{_without_numbers(one.where)} {one.kind}"
            if place in counts.places or len(counts.places) < MAX_PLACES:
                counts.places[place] = counts.places.get(place, 0) + 1

    def note_failed(self, api: str, pair: str, operation: str) -> None:
        """Note that the shadow gave no answer; that is a difference."""
        self._counts(api, pair, operation)[1].failed += 1
        self.note(api, pair, operation, (Difference("answer", "missing"),))

    def note_skipped(self, api: str, pair: str, operation: str) -> None:
        """Note an answer that was not compared: it came in pieces, or there was no time."""
        self._counts(api, pair, operation)[1].skipped += 1

    def write(self) -> None:
        """Tell the others, and start anew where one of them saw a difference."""
        if not self._changed:
            return
        self._changed = False
        self._learn()
        self._ledger.write(self._own)

    def fold(self) -> None:
        """Put what processes wrote that have ended into one file; called before processes are started."""
        self._ledger.fold(_sum)

    def total(self) -> Records:
        """What all processes have seen."""
        return _sum([self._own, *self._ledger.others()])

    def alike(self, api: str, pairs: Container[str]) -> int:
        """How many answers in a row were alike, over an API and its parts, of what is compared now."""
        total = ApiEvidence()
        for name, record in self.total().items():
            if name.partition("/")[0] == api and record.pair in pairs:
                _add(total, record)
        return total.alike

    def shown(self) -> dict[str, Any]:
        """All of it as plain data, by API."""
        return {name: msgspec.to_builtins(record) for name, record in sorted(self.total().items())}

    def _counts(self, api: str, pair: str, operation: str) -> tuple[ApiEvidence, OperationEvidence]:
        record = self._own.get(api)
        if record is None or record.pair != pair:
            record = self._own[api] = ApiEvidence(pair)
        record.at = time.time()
        self._changed = True
        return record, record.operations.setdefault(operation, OperationEvidence())

    def _learn(self) -> None:
        for records in self._ledger.others():
            for api, record in records.items():
                mine = self._own.get(api)
                if mine and mine.pair == record.pair and record.differed_at > mine.differed_at:
                    mine.differed_at, mine.alike = record.differed_at, 0


def _sum(parts: list[Records]) -> Records:
    """Several processes' evidence together; of each API, that about the pair that was compared last."""
    newest: dict[str, ApiEvidence] = {}
    for records in parts:
        for api, record in records.items():
            if api not in newest or record.at > newest[api].at:
                newest[api] = record
    total: Records = {}
    for records in parts:
        for api, record in records.items():
            if record.pair == newest[api].pair:
                _add(total.setdefault(api, ApiEvidence(record.pair)), record)
    return total


def _add(into: ApiEvidence, record: ApiEvidence) -> None:
    into.at = max(into.at, record.at)
    if record.differed_at > into.differed_at:
        into.differed_at, into.alike = record.differed_at, record.alike
    elif record.differed_at == into.differed_at:
        into.alike += record.alike
    for name, counts in record.operations.items():
        mine = into.operations.setdefault(name, OperationEvidence())
        mine.compared += counts.compared
        mine.different += counts.different
        mine.failed += counts.failed
        mine.skipped += counts.skipped
        for place, count in counts.places.items():
            mine.places[place] = mine.places.get(place, 0) + count


def _without_numbers(where: str) -> str:
    head, space, pointer = where.partition(" ")
    if head != "body":
        return where
    return head + space + "/".join("*" if part.isdigit() else part for part in pointer.split("/"))
