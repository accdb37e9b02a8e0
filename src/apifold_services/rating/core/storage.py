"""Rated usage in a database: kept in the shape of v2, found, summed and removed.

A point is a reference to its period, a reference to its series (what is used again and again), a quantity and a price.
So a row is small, and a summary looks at each series' attributes once, however many points it has.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from apifold import Database, Invalid, Page
from apifold_services.rating.core import exact
from apifold_services.rating.core.points import Frame, Labels, Period, Point, seconds
from apifold_services.rating.core.tables import periods as period_table
from apifold_services.rating.core.tables import points, series

Filters = Mapping[str, Sequence[str]]
"""Accepted values by attribute; `type` is the metric."""

TYPE = "type"
TIMES = {"time-d": "day_of_the_year", "time-w": "week_of_the_year", "time-m": "month", "time-y": "year"}
"""Attributes of periods that usage can be summed by."""

CHUNK = 500
"""Rows that are written, or asked for, in one statement."""

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which usage.

    Attributes:
        period: points whose period begins in it.
        filters: what their attributes may be.
        groups: attributes to sum by, in their order.
    """

    period: Period
    filters: Filters = field(default_factory=dict)
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sum:
    """What was used by all that are alike in the attributes that were asked for."""

    period: Period
    qty: Decimal
    price: Decimal
    count: int
    groups: Labels


class Storage(Protocol):
    """Where rated usage is kept."""

    version: int

    def push(self, connection: Connection, frames: Iterable[Frame]) -> None:
        """Keep some usage."""

    def frames(self, asked: Asked, page: Page) -> list[Frame]:
        """Some usage in the order of its periods; the page counts points."""

    def summary(self, asked: Asked, page: Page) -> list[Sum]:
        """Usage summed by what was asked for, in the order of that."""

    def forget(self, connection: Connection, asked: Asked) -> None:
        """Remove some usage."""


class SeriesStorage:
    """Usage in the shape of v2.

    Args:
        database: with the service's tables.
    """

    version = 2

    def __init__(self, database: Database) -> None:
        self.database = database
        self._insert = sqlite_insert if database.inline else postgresql_insert
        self._series: dict[str, int] = {}

    def push(self, connection: Connection, frames: Iterable[Frame]) -> None:
        rows = []
        for frame in frames:
            period = self._period(connection, frame.period)
            listed = [(_Series.of(metric, point), point) for metric, found in frame.usage.items() for point in found]
            ids = self._ids(connection, {one.digest: one for one, _ in listed})
            for one, point in listed:
                row = {"period_id": period, "series_id": ids[one.digest]}
                rows.append(row | exact.split("qty", point.qty) | exact.split("price", point.price))
        for start in range(0, len(rows), CHUNK):
            connection.execute(points.insert(), rows[start : start + CHUNK])

    def frames(self, asked: Asked, page: Page) -> list[Frame]:
        where = self._where(asked)
        joined = points.join(period_table).join(series)
        with self.database.reading() as connection:
            page.total = connection.scalar(select(func.count()).select_from(joined).where(where)) or 0
            statement = (
                select(points, period_table.c.begin, period_table.c.end, series)
                .select_from(joined)
                .where(where)
                .order_by(period_table.c.begin, period_table.c.end, points.c.id)
                .limit(page.limit)
                .offset(page.offset)
            )
            rows = connection.execute(statement).all()
        return _framed((Period.between(row.begin, row.end), row.type, _point(row)) for row in rows)

    def summary(self, asked: Asked, page: Page) -> list[Sum]:
        by_time = any(name == "time" or name in TIMES for name in asked.groups)
        inner = self._by_series(asked, by_time=by_time)
        source = inner.join(series, series.c.id == inner.c.series_id)
        if by_time:
            source = source.join(period_table, period_table.c.id == inner.c.period_id)
        keys = [expression.label(f"group_{index}") for index, expression in enumerate(_keys(asked.groups))]
        begin, end = (period_table.c.begin, period_table.c.end) if "time" in asked.groups else (None, None)
        grouping = [*keys, *(column for column in (begin, end) if column is not None)]
        statement = (
            select(
                *exact.sums(inner, "qty"),
                *exact.sums(inner, "price"),
                func.sum(inner.c.count).label("count"),
                *grouping,
            )
            .select_from(source)
            .group_by(*grouping)
            .having(func.count() > 0)
        )
        with self.database.reading() as connection:
            page.total = connection.scalar(select(func.count()).select_from(statement.subquery())) or 0
            ordered = statement.order_by(*grouping).limit(page.limit).offset(page.offset)
            rows = connection.execute(ordered).all()
        named = [name for name in asked.groups if name != "time"]
        return [_sum(row, named, asked.period, timed="time" in asked.groups) for row in rows]

    def forget(self, connection: Connection, asked: Asked) -> None:
        within = select(period_table.c.id).where(_within(asked.period))
        of_series = select(series.c.id).where(_filtered(asked.filters))
        condition = and_(points.c.period_id.in_(within), points.c.series_id.in_(of_series))
        connection.execute(delete(points).where(condition))

    def _where(self, asked: Asked) -> ColumnElement[bool]:
        return and_(_within(asked.period), _filtered(asked.filters))

    def _by_series(self, asked: Asked, *, by_time: bool) -> Any:
        """The sums of each series; of each in each period where time matters."""
        source: Any = points
        condition: list[ColumnElement[bool]] = [
            points.c.period_id.in_(select(period_table.c.id).where(_within(asked.period)))
        ]
        if asked.filters:
            condition.append(points.c.series_id.in_(select(series.c.id).where(_filtered(asked.filters))))
        by = [points.c.series_id, *([points.c.period_id] if by_time else [])]
        summed: Select[Any] = (
            select(*by, *exact.sums(points, "qty"), *exact.sums(points, "price"), func.count().label("count"))
            .select_from(source)
            .where(*condition)
            .group_by(*by)
        )
        return summed.subquery()

    def _period(self, connection: Connection, period: Period) -> int:
        begin, end = seconds(period.begin), seconds(period.end)
        mine = and_(period_table.c.begin == begin, period_table.c.end == end)
        found = connection.scalar(select(period_table.c.id).where(mine))
        if found is None:
            row = {"begin": begin, "end": end, **calendar(period.begin)}
            connection.execute(self._insert(period_table).values(row).on_conflict_do_nothing())
            found = connection.scalar(select(period_table.c.id).where(mine))
        return int(found or 0)

    def _ids(self, connection: Connection, wanted: Mapping[str, _Series]) -> dict[str, int]:
        """The ids of some series; those that are new are written."""
        missing = [digest for digest in wanted if digest not in self._series]
        for start in range(0, len(missing), CHUNK):
            some = missing[start : start + CHUNK]
            rows = [wanted[digest].row() for digest in some]
            connection.execute(self._insert(series).values(rows).on_conflict_do_nothing())
            found = connection.execute(select(series.c.digest, series.c.id).where(series.c.digest.in_(some)))
            self._series.update((row.digest, row.id) for row in found)
        ids = {digest: self._series[digest] for digest in wanted}
        if len(self._series) > MAX_REMEMBERED:
            self._series.clear()
        return ids


MAX_REMEMBERED = 200_000
"""Series whose ids are remembered."""


@dataclass(frozen=True, slots=True)
class _Series:
    type: str
    unit: str
    groupby: Labels
    metadata: Labels
    digest: str

    @classmethod
    def of(cls, metric: str, point: Point) -> _Series:
        grouped, told = dict(sorted(point.groupby.items())), dict(sorted(point.metadata.items()))
        text = json.dumps([metric, point.unit, grouped, told], ensure_ascii=False)
        return cls(metric, point.unit, grouped, told, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())

    def row(self) -> dict[str, Any]:
        names = ("digest", "type", "unit", "groupby", "metadata")
        return {name: getattr(self, name) for name in names}


def calendar(moment: datetime) -> dict[str, str]:
    """The attributes that a moment has of its own, as CloudKitty's collectors name and write them."""
    return {
        "day_of_the_year": str(moment.timetuple().tm_yday),
        "week_of_the_year": str(int(moment.strftime("%U"))),
        "month": str(moment.month),
        "year": str(moment.year),
    }


def checked_name(name: str) -> str:
    """A name that may be an attribute's.

    Raises:
        Invalid: it is none.
    """
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name!r} is no attribute's name.")
    return name


def _within(period: Period) -> ColumnElement[bool]:
    return and_(period_table.c.begin >= seconds(period.begin), period_table.c.begin < seconds(period.end))


def _filtered(filters: Filters) -> ColumnElement[bool]:
    """Whether a series is one of those that are asked for."""
    conditions: list[ColumnElement[bool]] = [literal(1) == 1]
    for name, values in filters.items():
        if name == TYPE:
            conditions.append(series.c.type.in_(values))
        else:
            key = checked_name(name)
            conditions.append(
                or_(
                    series.c.groupby[key].as_string().in_(values),
                    and_(series.c.groupby[key].as_string().is_(None), series.c.metadata[key].as_string().in_(values)),
                )
            )
    return and_(*conditions)


def _keys(groups: Sequence[str]) -> Iterator[ColumnElement[Any]]:
    """What tells one group from another, beside the time itself."""
    for name in groups:
        if name == "time":
            continue
        if name == TYPE:
            yield series.c.type
        elif name in TIMES:
            attribute = TIMES[name]
            yield func.coalesce(series.c.groupby[attribute].as_string(), period_table.c[attribute])
        elif name.startswith("time-"):
            raise Invalid(f"Invalid groupby time option. There is no groupby processing for [{name}].")
        else:
            yield func.coalesce(series.c.groupby[checked_name(name)].as_string(), "")


def _sum(row: Any, named: Sequence[str], asked: Period, *, timed: bool) -> Sum:
    qty, price = exact.of(row, "qty"), exact.of(row, "price")
    keys = {name: getattr(row, f"group_{index}") for index, name in enumerate(named)}
    return Sum(Period.between(row.begin, row.end) if timed else asked, qty, price, int(row._mapping["count"]), keys)


def _point(row: Any) -> Point:
    qty, price = exact.of(row, "qty"), exact.of(row, "price")
    return Point(row.unit, qty, price, row.groupby, row._mapping[series.c.metadata])


def _framed(found: Iterable[tuple[Period, str, Point]]) -> list[Frame]:
    """Points in the order of their periods, as frames."""
    frames = []
    for period, rows in groupby(found, key=lambda one: one[0]):
        usage: dict[str, list[Point]] = {}
        for _, metric, point in rows:
            usage.setdefault(metric, []).append(point)
        frames.append(Frame(period, {metric: tuple(some) for metric, some in usage.items()}))
    return frames
