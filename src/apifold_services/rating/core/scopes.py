"""Scopes: whose usage is rated, and how far that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from apifold import Conflict, Database, NotFound, Page
from apifold_services.rating.core.moments import moment_at, seconds
from apifold_services.rating.core.tables import scopes


@dataclass(frozen=True, slots=True)
class Scope:
    """Somebody whose usage is rated.

    Attributes:
        scope_id: his id, such as a project's.
        scope_key: the attribute of usage that has it.
        fetcher: who said that he is there.
        collector: who knows what he used.
        last_processed: up to where his usage is rated; None before it was begun.
        active: whether it is rated.
        toggled: when it was last made active, or no longer.
        reset_to: to where he is to be set back.
    """

    id: int
    scope_id: str
    scope_key: str
    fetcher: str
    collector: str
    last_processed: datetime | None
    active: bool
    toggled: datetime | None
    reset_to: datetime | None


@dataclass(frozen=True, slots=True)
class ScopeQuery:
    """Which scopes: those whose attributes are one of these; all, where nothing is said."""

    scope_id: Sequence[str] = ()
    scope_key: Sequence[str] = ()
    fetcher: Sequence[str] = ()
    collector: Sequence[str] = ()
    active: Sequence[bool] = ()


class Scopes:
    """The scopes of a deployment.

    Args:
        database: with the service's tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(self, query: ScopeQuery, page: Page) -> list[Scope]:
        """Some scopes, in the order in which they came."""
        with self.database.reading() as connection:
            statement = select(scopes).where(_where(query)).order_by(scopes.c.id)
            rows = connection.execute(statement.limit(page.limit).offset(page.offset))
            return [_scope(row) for row in rows]

    def all(self, query: ScopeQuery | None = None) -> list[Scope]:
        """All that are asked for."""
        with self.database.reading() as connection:
            rows = connection.execute(select(scopes).where(_where(query or ScopeQuery())).order_by(scopes.c.id))
            return [_scope(row) for row in rows]

    def get(self, id: int) -> Scope:
        """A scope by its number here. Raises NotFound."""
        with self.database.reading() as connection:
            row = connection.execute(select(scopes).where(scopes.c.id == id)).first()
        if row is None:
            raise NotFound(f"There is no scope {id}.")
        return _scope(row)

    def add(
        self,
        scope_id: str,
        *,
        scope_key: str,
        fetcher: str,
        collector: str,
        last_processed: datetime | None = None,
        active: bool = True,
    ) -> Scope:
        """Make a scope.

        Raises:
            Conflict: there is one.
        """
        row = {
            "scope_id": scope_id,
            "scope_key": scope_key,
            "fetcher": fetcher,
            "collector": collector,
            "last_processed": _seconds(last_processed),
            "active": active,
            "toggled": _seconds(datetime.now(UTC)),
        }
        same = and_(*(scopes.c[name] == row[name] for name in ("scope_id", "scope_key", "fetcher", "collector")))
        with self.database.writing() as connection:
            if connection.scalar(select(scopes.c.id).where(same)) is not None:
                raise Conflict(f"Cannot create a scope with an already existing scope_id: {scope_id}.")
            connection.execute(insert(scopes).values(row))
            made = connection.execute(select(scopes).where(same)).one()
        return _scope(made)

    def meet(self, ids: Sequence[str], *, scope_key: str, fetcher: str, collector: str) -> None:
        """Make those of some scopes that are not there yet."""
        known = ScopeQuery(scope_key=(scope_key,), fetcher=(fetcher,), collector=(collector,))
        there = {scope.scope_id for scope in self.all(known)}
        for scope_id in ids:
            if scope_id not in there:
                try:
                    self.add(scope_id, scope_key=scope_key, fetcher=fetcher, collector=collector)
                except Conflict:  # another machine was first
                    continue

    def change(self, scope: Scope, **changes: Any) -> Scope:
        """Change `scope_key`, `fetcher`, `collector` or `active` of a scope; what is None stays."""
        values = {name: value for name, value in changes.items() if value is not None}
        if values.get("active", scope.active) != scope.active:
            values["toggled"] = _seconds(datetime.now(UTC))
        if values:
            with self.database.writing() as connection:
                connection.execute(update(scopes).where(scopes.c.id == scope.id).values(values))
        return self.get(scope.id)

    def want_reset(self, found: Sequence[Scope], moment: datetime) -> None:
        """Have scopes set back, with their data; the pipeline does it."""
        with self.database.writing() as connection:
            chosen = scopes.c.id.in_([scope.id for scope in found])
            connection.execute(update(scopes).where(chosen).values(reset_to=_seconds(moment)))

    def advance(self, connection: Connection, scope: Scope, to: datetime) -> bool:
        """Note that a scope is rated up to a moment; False where somebody else was faster."""
        still = and_(
            scopes.c.id == scope.id,
            scopes.c.active.is_(True),
            scopes.c.reset_to.is_(None),
            scopes.c.last_processed == _seconds(scope.last_processed),
        )
        done = connection.execute(update(scopes).where(still).values(last_processed=_seconds(to)))
        return done.rowcount == 1

    def set_back(self, connection: Connection, scope: Scope) -> bool:
        """Note that a scope was set back to where it was to be; False where somebody else was faster."""
        still = and_(scopes.c.id == scope.id, scopes.c.reset_to == _seconds(scope.reset_to))
        values = {"last_processed": _seconds(scope.reset_to), "reset_to": None}
        return connection.execute(update(scopes).where(still).values(values)).rowcount == 1


def _where(query: ScopeQuery) -> ColumnElement[bool]:
    names = ("scope_id", "scope_key", "fetcher", "collector", "active")
    return and_(True, *(scopes.c[name].in_(values) for name in names if (values := getattr(query, name))))


def _scope(row: Any) -> Scope:
    return Scope(
        row.id,
        row.scope_id,
        row.scope_key,
        row.fetcher,
        row.collector,
        _moment(row.last_processed),
        row.active,
        _moment(row.toggled),
        _moment(row.reset_to),
    )


def _moment(kept: int | None) -> datetime | None:
    return None if kept is None else moment_at(kept)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else seconds(moment)
