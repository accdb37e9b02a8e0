"""A part of a list: how many, after which one, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Integer, Row, Select, and_, cast, false, or_

from apifold import Invalid

MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a list.

    Attributes:
        limit: how many; as many as there may be where nothing is said.
        marker: id of the one before the first of them; "" for the beginning.
        sort: names, each with whether the greatest comes first.
    """

    limit: int | None = None
    marker: str = ""
    sort: tuple[tuple[str, bool], ...] = ()

    @property
    def size(self) -> int:
        """How many at the most."""
        return MAX_LIMIT if self.limit is None else min(self.limit, MAX_LIMIT)


def cut_of(
    limit: int | None,
    marker: str | None,
    keys: Sequence[str] | None,
    directions: Sequence[str] | None,
    usual: tuple[tuple[str, bool], ...],
) -> Cut:
    """The part that a client asks for.

    Args:
        keys, directions: names to sort by, and `asc` or `desc` for each; the last direction goes on.
        usual: what it is sorted by where nothing is said.

    Raises:
        Invalid: there are more directions than names.
    """
    if not keys and not directions:
        return Cut(limit, marker or "", usual)
    if len(directions or ()) > len(keys or ()) and keys:
        raise Invalid("Sort direction size exceeds sort key size")
    ways = [direction == "desc" for direction in directions or ()] or [usual[0][1]]
    names = tuple(keys or [name for name, _ in usual][:1])
    return Cut(limit, marker or "", tuple((name, ways[min(at, len(ways) - 1)]) for at, name in enumerate(names)))


def ordered(
    statement: Select[Any],
    cut: Cut,
    known: Mapping[str, ColumnElement[Any]],
    number: ColumnElement[Any],
    marker: Row[Any] | None,
) -> Select[Any]:
    """A statement for a part of a list; of two that are equal the newer comes first, or last, as the first name says.

    Args:
        known: what can be sorted by.
        number: tells any two apart.
        marker: the row before the first.

    Raises:
        Invalid: it can't be sorted so.
    """
    columns = []
    for name, descending in cut.sort:
        if name not in known:
            raise Invalid(f"Unable to sort by {name!r}; these are possible: {', '.join(sorted(known))}")
        columns.append((known[name], descending))
    columns.append((number, bool(cut.sort) and cut.sort[0][1]))
    if marker is not None:
        statement = statement.where(_after(columns, marker))
    order = [column.desc().nulls_last() if descending else column.asc().nulls_first() for column, descending in columns]
    return statement.order_by(*order).limit(cut.size)


def _after(columns: list[tuple[ColumnElement[Any], bool]], marker: Row[Any]) -> ColumnElement[bool]:
    """What comes after a row: behind it by the first column in which they differ; nothing is before anything."""
    found: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for sorted_by, descending in columns:
        column, value = _comparable(sorted_by, marker._mapping[sorted_by])
        behind: ColumnElement[bool]
        equal: ColumnElement[bool]
        if value is None:
            behind = false() if descending else column.is_not(None)
            equal = column.is_(None)
        else:
            behind = or_(column < value, column.is_(None)) if descending else column > value
            equal = column == value
        found.append(and_(*same, behind))
        same.append(equal)
    return or_(*found)


def _comparable(column: ColumnElement[Any], value: Any) -> tuple[ColumnElement[Any], Any]:
    """Truth values have no order of their own."""
    return (cast(column, Integer), int(value)) if isinstance(column.type, Boolean) else (column, value)
