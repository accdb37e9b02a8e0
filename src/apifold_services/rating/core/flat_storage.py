"""Rated usage in the shape of v1: one row for each resource and period, with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, literal, or_, select

from apifold import Database, Invalid, Page
from apifold_services.rating.core import exact
from apifold_services.rating.core.moments import seconds
from apifold_services.rating.core.points import Frame, Period, Point
from apifold_services.rating.core.storage import CHUNK, NUMBERS, TYPE, Asked, Filters, Sum, checked_name
from apifold_services.rating.core.tables import flat


class FlatStorage:
    """Usage in the shape of v1. Periods are asked for by their begin and their end, both included, as of old.

    Args:
        database: with the service's tables.
        scope_key: the attribute that tells whose usage it is.
    """

    version = 1

    def __init__(self, database: Database, scope_key: str) -> None:
        self.database = database
        self.scope_key = scope_key

    def push(self, connection: Connection, frames: Iterable[Frame]) -> None:
        rows = [
            {
                "begin": seconds(frame.period.begin),
                "end": seconds(frame.period.end),
                "tenant_id": point.labels.get(self.scope_key, ""),
                "type": metric,
                "unit": point.unit,
                "groupby": dict(point.groupby),
                "metadata": dict(point.metadata),
                **dict(zip(exact.names("qty"), exact.split(point.qty), strict=True)),
                **dict(zip(exact.names("price"), exact.split(point.price), strict=True)),
            }
            for frame in frames
            for metric, points in frame.usage.items()
            for point in points
        ]
        for start in range(0, len(rows), CHUNK):
            connection.execute(flat.insert(), rows[start : start + CHUNK])

    def frames(self, asked: Asked, page: Page) -> list[Frame]:
        where = self._where(asked)
        statement = select(flat).where(where).order_by(flat.c.begin, flat.c.id).limit(page.limit).offset(page.offset)
        with self.database.reading() as connection:
            page.total = connection.scalar(select(func.count()).select_from(flat).where(where)) or 0
            rows = connection.execute(statement).all()
        return [_frame(row) for row in rows]

    def summary(self, asked: Asked, page: Page) -> list[Sum]:
        keys = [self._key(name).label(f"group_{index}") for index, name in enumerate(asked.groups)]
        sums = (*exact.sums(flat, "qty", NUMBERS), *exact.sums(flat, "price", NUMBERS), func.count().label("count"))
        statement = select(*sums, *keys).where(self._where(asked)).group_by(*keys).order_by(*keys)
        with self.database.reading() as connection:
            page.total = connection.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
            rows = connection.execute(statement.limit(page.limit).offset(page.offset)).all()
        return [_sum(row, asked) for row in rows]

    def forget(self, connection: Connection, asked: Asked) -> None:
        begin, end = seconds(asked.period.begin), seconds(asked.period.end)
        within = and_(flat.c.begin >= begin, flat.c.begin < end)
        connection.execute(delete(flat).where(within, self._filtered(asked.filters)))

    def _where(self, asked: Asked) -> ColumnElement[bool]:
        begin, end = seconds(asked.period.begin), seconds(asked.period.end)
        within = (flat.c.begin >= begin, flat.c.begin <= end, flat.c.end >= begin, flat.c.end <= end)
        return and_(*within, self._filtered(asked.filters))

    def _filtered(self, filters: Filters) -> ColumnElement[bool]:
        conditions: list[ColumnElement[bool]] = [literal(1) == 1]
        for name, values in filters.items():
            if name in (TYPE, self.scope_key):
                conditions.append(self._key(name).in_(values))
            else:
                key = checked_name(name)
                told = and_(flat.c.groupby[key].as_string().is_(None), flat.c.metadata[key].as_string().in_(values))
                conditions.append(or_(flat.c.groupby[key].as_string().in_(values), told))
        return and_(*conditions)

    def _key(self, name: str) -> ColumnElement[Any]:
        if name == TYPE:
            return flat.c.type
        if name == self.scope_key:
            return flat.c.tenant_id
        if name == "time" or name.startswith("time-"):
            raise Invalid("Usage is not summed by time in this storage.")
        return func.coalesce(flat.c.groupby[checked_name(name)].as_string(), "")


def _sum(row: Any, asked: Asked) -> Sum:
    groups = {name: getattr(row, f"group_{index}") for index, name in enumerate(asked.groups)}
    return Sum(asked.period, exact.of(row, "qty"), exact.of(row, "price"), int(row._mapping["count"]), groups)


def _frame(row: Any) -> Frame:
    point = Point(row.unit, exact.of(row, "qty"), exact.of(row, "price"), row.groupby, row._mapping[flat.c.metadata])
    return Frame(Period.between(row.begin, row.end), {row.type: (point,)})
