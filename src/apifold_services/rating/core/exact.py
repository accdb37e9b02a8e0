"""Decimal numbers in a database that has none: exact, and summed exactly by any database.

A number is five whole numbers below ten thousand million, each a column: so many of them can be added up before one is
too large that no table has as many rows. SQLite knows floating point only, which loses money.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, Column, ColumnElement

PLACES = (-9, 0, 10, 19, 28)
"""How many decimal places each column has, the first being thousands of millions."""

MAX_PLACES = PLACES[-1]
MAX_WHOLE = Decimal(10) ** 18
"""What a number must be below."""

_EXACT = Context(prec=64)


def columns(name: str) -> list[Column[int]]:
    """The columns that hold a number."""
    return [Column(f"{name}_{index}", BigInteger, nullable=False) for index in range(len(PLACES))]


def split(name: str, value: Decimal) -> dict[str, int]:
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
    found = {}
    for index, places in enumerate(PLACES):
        part, rest = divmod(rest, 10 ** (MAX_PLACES - places))
        found[f"{name}_{index}"] = sign * part
    return found


def sums(table: Any, name: str) -> list[ColumnElement[Any]]:
    """What adds a number's columns up."""
    parts = range(len(PLACES))
    return [sqlalchemy.func.sum(table.c[f"{name}_{index}"]).label(f"{name}_{index}") for index in parts]


def joined(parts: Sequence[Any]) -> Decimal:
    """The number that columns, or sums of them, are."""
    total = Decimal(0)
    for part, places in zip(parts, PLACES, strict=True):
        if part:
            total = _EXACT.add(total, _EXACT.scaleb(Decimal(int(part)), -places))
    return plain(total)


def of(row: Any, name: str) -> Decimal:
    """The number that a row of a result has, or the sum of none."""
    return joined([row._mapping[f"{name}_{index}"] for index in range(len(PLACES))])


def plain(value: Decimal) -> Decimal:
    """A number without zeros at its end, and without an exponent."""
    if value == value.to_integral_value():
        return value.quantize(Decimal(1), context=_EXACT)
    return value.normalize(_EXACT)
