"""What is rated: points of usage, in frames of one period each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Self

from apifold_services.rating.core.moments import moment_at

Labels = Mapping[str, str]
"""Attributes of what was used, by name."""

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From one moment up to, and not including, another; both in UTC."""

    begin: datetime
    end: datetime

    @classmethod
    def month_of(cls, moment: datetime) -> Self:
        """The month that a moment lies in."""
        begin = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return cls(begin, (begin + timedelta(days=32)).replace(day=1))

    @classmethod
    def between(cls, begin: int, end: int) -> Self:
        """Between two moments in seconds since the epoch."""
        return cls(moment_at(begin), moment_at(end))

    @classmethod
    def of(cls, begin: datetime | None, end: datetime | None) -> Self:
        """Between two moments; this month's where one is not given."""
        month = cls.month_of(datetime.now(UTC))
        return cls(begin or month.begin, end or month.end)


@dataclass(frozen=True, slots=True)
class Point:
    """Some usage of one thing.

    Attributes:
        unit: what `qty` counts.
        qty: how much.
        price: what it costs; 0 until it is rated.
        groupby: attributes that usage can be summed by.
        metadata: other attributes.
    """

    unit: str
    qty: Decimal
    price: Decimal = ZERO
    groupby: Labels = field(default_factory=dict)
    metadata: Labels = field(default_factory=dict)

    def priced(self, price: Decimal) -> Point:
        """The same at another price."""
        return replace(self, price=price)

    @property
    def labels(self) -> Labels:
        """All attributes; those that usage can be summed by win."""
        return {**self.metadata, **self.groupby}


@dataclass(frozen=True, slots=True)
class Frame:
    """The usage of one period, by metric."""

    period: Period
    usage: Mapping[str, tuple[Point, ...]]
