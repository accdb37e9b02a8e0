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

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from apifold import Database, Invalid, Page
from apifold_services.rating.core import exact
from apifold_services.rating.core.moments import seconds
from apifold_services.rating.core.points import Frame, Labels, Period, Point
from apifold_services.rating.core.tables import periods as period_table
from apifold_services.rating.core.tables import points, series, used_columns

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
        self.used = UsedColumns(database)
        columns = ("period_id", "series_id", *NUMBERS)
        slots = ", ".join(["?" if database.inline else "%s"] * len(columns))
        self._insert_points = f"INSERT INTO {points.name} ({', '.join(columns)}) VALUES ({slots})"  # noqa: S608  # names of ours
        self._series: dict[_Key, int] = {}

    def push(self, connection: Connection, frames: Iterable[Frame]) -> None:
        rows = []
        for frame in frames:
            period = self._period(connection, frame.period)
            listed = [(_key(metric, point), point) for metric, found in frame.usage.items() for point in found]
            ids = self._ids(connection, [key for key, _ in listed])
            rows += [(period, ids[key], *exact.split(point.qty), *exact.split(point.price)) for key, point in listed]
        if rows:  # by the driver itself: twice as many a second (bench/rating.py)
            connection.exec_driver_sql(self._insert_points, rows)
        self.used.note(connection, rows, 2)

    def frames(self, asked: Asked, page: Page) -> list[Frame]:
        """Counted by period first, so that a page in the middle need not put all before it in order."""
        chosen = self._chosen(asked)
        with self.database.reading() as connection:
            counted = select(points.c.period_id, func.count().label("count")).where(chosen).group_by(points.c.period_id)
            listed = period_table.join(counted.subquery("counted"), text("counted.period_id = rating_periods.id"))
            in_order = select(period_table, text("counted.count")).select_from(listed)
            periods = connection.execute(in_order.order_by(period_table.c.begin, period_table.c.end)).all()
            page.total = sum(row.count for row in periods)
            found, skip, wanted = [], page.offset, page.limit
            for row in periods:
                if skip < row.count and wanted > 0:
                    mine = and_(chosen, points.c.period_id == row.id)
                    statement = select(points, series).join(series).where(mine).order_by(points.c.id)
                    some = connection.execute(statement.limit(wanted).offset(skip)).all()
                    found += [(Period.between(row.begin, row.end), one.type, _point(one)) for one in some]
                    wanted -= len(some)
                skip = max(0, skip - row.count)
        return _framed(found)

    def summary(self, asked: Asked, page: Page) -> list[Sum]:
        by_time = any(name == "time" or name in TIMES for name in asked.groups)
        with self.database.reading() as connection:
            used = self.used.read(connection)
            inner = self._by_series(asked, used, by_time=by_time)
            source = inner.join(series, series.c.id == inner.c.series_id)
            if by_time:
                source = source.join(period_table, period_table.c.id == inner.c.period_id)
            times = [period_table.c.begin, period_table.c.end] if "time" in asked.groups else []
            keys = [expression.label(f"group_{index}") for index, expression in enumerate(_keys(asked.groups))]
            sums = [*exact.sums(inner, "qty", used), *exact.sums(inner, "price", used)]
            counted = func.sum(inner.c.count).label("count")
            grouping = [*keys, *times]
            grouped = select(*sums, counted, *grouping).select_from(source).group_by(*grouping).having(func.count() > 0)
            statement = grouped.add_columns(func.count().over().label("total")).order_by(*grouping)
            rows = connection.execute(statement.limit(page.limit).offset(page.offset)).all()
            beyond = page.offset and not rows
            page.total = rows[0].total if rows else 0
            if beyond:
                page.total = connection.scalar(select(func.count()).select_from(grouped.subquery())) or 0
        named = [name for name in asked.groups if name != "time"]
        return [_sum(row, named, asked.period, timed="time" in asked.groups) for row in rows]

    def forget(self, connection: Connection, asked: Asked) -> None:
        connection.execute(delete(points).where(self._chosen(asked)))

    def _chosen(self, asked: Asked) -> ColumnElement[bool]:
        """Whether a point is one of those that are asked for."""
        conditions: list[ColumnElement[bool]] = [
            points.c.period_id.in_(select(period_table.c.id).where(_within(asked.period)))
        ]
        if asked.filters:
            conditions.append(points.c.series_id.in_(select(series.c.id).where(_filtered(asked.filters))))
        return and_(*conditions)

    def _by_series(self, asked: Asked, used: frozenset[str], *, by_time: bool) -> Any:
        """The sums of each series; of each in each period where time matters."""
        by = [points.c.series_id, *([points.c.period_id] if by_time else [])]
        sums = [*exact.sums(points, "qty", used), *exact.sums(points, "price", used)]
        summed: Select[Any] = select(*by, *sums, func.count().label("count")).where(self._chosen(asked)).group_by(*by)
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

    def _ids(self, connection: Connection, wanted: Iterable[_Key]) -> dict[_Key, int]:
        """The ids of some series; those that are new are written."""
        known = {key: self._series.get(key) for key in wanted}
        missing = {_digest(key): key for key, id in known.items() if id is None}
        digests = list(missing)
        for start in range(0, len(digests), CHUNK):
            some = digests[start : start + CHUNK]
            rows = [_series_row(digest, missing[digest]) for digest in some]
            connection.execute(self._insert(series).values(rows).on_conflict_do_nothing())
            for row in connection.execute(select(series.c.digest, series.c.id).where(series.c.digest.in_(some))):
                known[missing[row.digest]] = row.id
        if len(self._series) > MAX_REMEMBERED:
            self._series.clear()
        found = {key: int(id) for key, id in known.items() if id is not None}
        self._series.update(found)
        return found


class UsedColumns:
    """Which of the columns of numbers hold anything, so that sums need not look at the others.

    Args:
        database: with the service's tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: set[str] = set()

    def note(self, connection: Connection, rows: Sequence[Sequence[int]], first: int) -> None:
        """Note which are used by some rows, whose numbers begin at a place."""
        for index, name in enumerate(NUMBERS, first):
            if name not in self._known and any(row[index] for row in rows):
                insert = sqlite_insert if self.database.inline else postgresql_insert
                connection.execute(insert(used_columns).values(name=name).on_conflict_do_nothing())
                self._known.add(name)

    def read(self, connection: Connection) -> frozenset[str]:
        """Those that are used."""
        return frozenset(connection.scalars(select(used_columns.c.name)))


NUMBERS = (*exact.names("qty"), *exact.names("price"))

MAX_REMEMBERED = 200_000
"""Series whose ids are remembered."""

_Key = tuple[str, str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]
"""What tells one series from another: metric, unit, and both kinds of attributes."""


def _key(metric: str, point: Point) -> _Key:
    return metric, point.unit, tuple(sorted(point.groupby.items())), tuple(sorted(point.metadata.items()))


def _digest(key: _Key) -> str:
    return hashlib.sha256(json.dumps(key, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def _series_row(digest: str, key: _Key) -> dict[str, Any]:
    metric, unit, groupby, metadata = key
    return {"digest": digest, "type": metric, "unit": unit, "groupby": dict(groupby), "metadata": dict(metadata)}


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
