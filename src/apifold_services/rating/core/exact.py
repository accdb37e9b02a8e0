"""Decimal numbers in a database that has none: exact, and summed exactly by any database.

A number is five whole numbers below ten thousand million, each a column: so many of them can be added up before one is
too large that no table has as many rows. SQLite knows floating point only, which loses money.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, func, literal

PLACES = (-9, 0, 10, 19, 28)
"""How many decimal places each column has, the first being thousands of millions."""

MAX_PLACES = PLACES[-1]
MAX_WHOLE = Decimal(10) ** 18
"""What a number must be below."""

_EXACT = Context(prec=64)


def number(said: Any) -> Decimal | None:
    """The number that something is, or says; None where it is none, or has no end."""
    try:
        found = Decimal(str(said))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def columns(name: str) -> list[Column[int]]:
    """The columns that hold a number."""
    return [Column(one, BigInteger, nullable=False) for one in names(name)]


def names(name: str) -> tuple[str, ...]:
    """What these columns are called."""
    return tuple(f"{name}_{index}" for index in range(len(PLACES)))


@lru_cache(100_000)
def split(value: Decimal) -> tuple[int, ...]:
    """A number as values of its columns.

    Raises:
        ValueError: it has too many digits.
    """
    if not value.is_finite() or abs(value) >= MAX_WHOLE:
        raise ValueError("a number must be below 10^18")
    rest = int(_EXACT.scaleb(value, MAX_PLACES))
    if _EXACT.scaleb(Decimal(rest), -MAX_PLACES) != value:
        raise ValueError(f"a number may have {MAX_PLACES} decimal places")
    sign = -1 if rest < 0 else 1
    rest = abs(rest)
    found = []
    for places in PLACES:
        part, rest = divmod(rest, 10 ** (MAX_PLACES - places))
        found.append(sign * part)
    return tuple(found)


def sums(table: Any, name: str, used: Container[str]) -> list[ColumnElement[Any]]:
    """What adds a number's columns up; those that are not used anywhere are 0."""
    return [(func.sum(table.c[one]) if one in used else literal(0)).label(one) for one in names(name)]


def joined(parts: Iterable[Any]) -> Decimal:
    """The number that columns, or sums of them, are; sums of nothing are 0."""
    total = Decimal(0)
    for part, places in zip(parts, PLACES, strict=True):
        if part:
            total = _EXACT.add(total, _EXACT.scaleb(Decimal(int(part)), -places))
    return plain(total)


def of(row: Any, name: str) -> Decimal:
    """The number that a row of a result has."""
    return joined(row._mapping[one] for one in names(name))


def plain(value: Decimal) -> Decimal:
    """A number without zeros at its end, and without an exponent."""
    if value == value.to_integral_value():
        return value.quantize(Decimal(1), context=_EXACT)
    return value.normalize(_EXACT)
