"""Collections of JSON documents: what model files store."""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy
from sqlalchemy import ColumnElement, Connection, Row, and_, cast, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from apifold.errors import Conflict, DescriptionError, DescriptionErrors, Invalid, NotFound, PreconditionFailed, Problem
from apifold.store.database import Database
from apifold.store.tables import documents

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = {"created_at": documents.c.created, "updated_at": documents.c.updated}
_INSERT = documents.insert()
_POINT_READ = "SELECT id, revision, body, created, updated FROM apifold_documents WHERE collection = ? AND id = ?"


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is stored; `revision` counts from 1."""

    id: str
    revision: int
    body: dict[str, Any]
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """What a collection is asked for: fields no two documents may share, fields to filter and sort by."""

    unique: tuple[str, ...] = ()
    filterable: tuple[str, ...] = ()
    sortable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents: those whose fields have one of the values, after a marker, in an order.

    `filters`: accepted values by field. `sort`: fields, each with whether it descends; then, or without any, the
    order of creation. `marker`: the id of the document before the first.
    """

    filters: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    sort: tuple[tuple[str, bool], ...] = ()
    limit: int = 100
    marker: str | None = None
    offset: int = 0
    count: bool = False


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Some documents; `next_marker` where there are more, `total` where it was asked for."""

    items: tuple[Document, ...]
    next_marker: str | None
    total: int | None


class Collection:
    """The documents of one name.

    Args:
        database: where they are.
        name: letters, digits, `_` and `-`.
        spec: indexes for what it names are made where they are missing.

    Raises:
        ValueError: a name that can't be used.
        DescriptionErrors: documents that are there break a uniqueness that is asked for now.
    """

    def __init__(self, database: Database, name: str, spec: CollectionSpec) -> None:
        for one in (name, *spec.unique, *spec.filterable, *spec.sortable):
            if not _NAME.fullmatch(one):
                raise ValueError(f"{one!r} can't be stored under: write letters, digits and `_`, at most 63")
        self.database = database
        self.name = name
        self.spec = spec
        self._mine = documents.c.collection == name
        self._unique = {_index_name("uq", name, one): one for one in spec.unique}
        self._index()

    def page(self, query: Query) -> DocumentPage:
        """One page of documents.

        Raises:
            Invalid: the marker names no document.
        """
        with self.database.reading() as connection:
            where = and_(self._mine, *(self._is_one_of(name, values) for name, values in query.filters.items()))
            order = [(self._field(name), descending) for name, descending in query.sort] + [
                (documents.c.position, False)
            ]
            total = connection.scalar(select(func.count()).where(where)) if query.count else None
            if query.marker is not None:
                where = and_(where, self._after(connection, query.marker, order))
            statement = select(documents).where(where).limit(query.limit + 1).offset(query.offset)
            for expression, descending in order:
                if expression is not documents.c.position:
                    statement = statement.order_by(expression.is_(None))
                statement = statement.order_by(expression.desc() if descending else expression)
            rows = connection.execute(statement).all()
        items = tuple(_document(row) for row in rows[: query.limit])
        return DocumentPage(items, items[-1].id if len(rows) > query.limit else None, total)

    def create(self, body: dict[str, Any], id: str | None = None) -> Document:  # that is its name
        """Store a new document.

        Raises:
            Conflict: its id, or the value of a unique field, is taken.
        """
        now = _now()
        given = id or uuid.uuid4().hex
        values = {"collection": self.name, "id": given, "revision": 1, "body": body, "created": now, "updated": now}
        with self._conflicts(given, body), self.database.writing() as connection:
            self.database.lock(connection, self.name)
            connection.execute(_INSERT, values)
        return Document(given, 1, body, _moment(now), _moment(now))

    def read(self, id: str) -> Document:  # as above
        """The document of an id.

        Raises:
            NotFound: there is none.
        """
        if self.database.inline:
            row = self.database.raw().execute(_POINT_READ, (self.name, id)).fetchone()
            if row is None:
                raise NotFound(f"There is no {id!r}.")
            return Document(row[0], row[1], msgspec.json.decode(row[2]), _moment(row[3]), _moment(row[4]))
        with self.database.reading() as connection:
            return self._row(connection, id)

    def replace(self, id: str, body: dict[str, Any], expected: int | None = None) -> Document:  # as above
        """Put another body in place of a document's.

        Args:
            expected: the revision that it must have.

        Raises:
            NotFound, PreconditionFailed, Conflict: as the names say.
        """
        return self.change(id, lambda _: body, expected)

    def put(self, id: str, body: dict[str, Any], expected: int | None = None) -> Document:  # as above
        """Store a document under an id, in place of the one that is there, or as a new one: then its revision is 1.

        Args:
            expected: the revision of the one that must be there.

        Raises:
            PreconditionFailed, Conflict: as the names say.
        """
        try:
            return self.replace(id, body, expected)
        except NotFound:
            if expected is not None:
                raise PreconditionFailed("It is not there any more.") from None
            return self.create(body, id)

    def change(
        self, id: str, change: Callable[[dict[str, Any]], dict[str, Any]], expected: int | None = None
    ) -> Document:  # as above
        """Read a document, and write what `change` makes of it, with nobody in between.

        Raises:
            NotFound, PreconditionFailed, Conflict: as the names say; and whatever `change` raises. Nothing is
                written then.
        """
        body: dict[str, Any] = {}
        with self._conflicts(id, body), self.database.writing() as connection:
            before = self._row(connection, id, lock=True)
            if expected is not None and before.revision != expected:
                raise PreconditionFailed("It has changed since; read it again.")
            body.update(change(before.body))
            now = max(_now(), _stamp(before.updated) + 1)
            connection.execute(
                documents.update()
                .where(self._mine, documents.c.id == id)
                .values(body=body, revision=before.revision + 1, updated=now)
            )
        return Document(id, before.revision + 1, body, before.created, _moment(now))

    def delete(self, id: str, expected: int | None = None) -> None:  # as above
        """Remove a document.

        Raises:
            NotFound, PreconditionFailed: as the names say.
        """
        with self.database.writing() as connection:
            if expected is not None and self._row(connection, id, lock=True).revision != expected:
                raise PreconditionFailed("It has changed since; read it again.")
            if not connection.execute(documents.delete().where(self._mine, documents.c.id == id)).rowcount:
                raise NotFound(f"There is no {id!r}.")

    def _row(self, connection: Connection, id: str, *, lock: bool = False) -> Document:  # as above
        statement = select(documents).where(self._mine, documents.c.id == id)
        row = connection.execute(statement.with_for_update() if lock else statement).first()
        if row is None:
            raise NotFound(f"There is no {id!r}.")
        return _document(row)

    def _field(self, name: str) -> ColumnElement[Any]:
        if name in _TIMES:
            return _TIMES[name]
        if self.database.inline:
            return func.json_extract(documents.c.body, f'$."{name}"')
        found: ColumnElement[Any] = func.nullif(documents.c.body.op("->")(name), cast("null", JSONB))
        return found

    def _is_one_of(self, name: str, values: tuple[Any, ...]) -> ColumnElement[bool]:
        expression = self._field(name)
        if self.database.inline:
            return expression.in_([int(value) if isinstance(value, bool) else value for value in values])
        return or_(*(expression == cast(sqlalchemy.literal(value, JSONB), JSONB) for value in values))

    def _after(
        self, connection: Connection, marker: str, order: list[tuple[ColumnElement[Any], bool]]
    ) -> ColumnElement[bool]:
        """What comes after the marker's document: by the first key that differs, nulls last."""
        keys = [expression for expression, _ in order]
        row = connection.execute(select(*keys).where(self._mine, documents.c.id == marker)).first()
        if row is None:
            raise Invalid(problems=[Problem("query", "/marker", "names nothing that is there")])
        steps: list[ColumnElement[bool]] = []
        same: list[ColumnElement[bool]] = []
        for (expression, descending), value in zip(order, row, strict=True):
            shown = (
                value
                if self.database.inline
                or (isinstance(value, int) and expression in (documents.c.position, *_TIMES.values()))
                else (None if value is None else cast(sqlalchemy.literal(value, JSONB), JSONB))
            )
            if shown is not None:
                beyond = expression < shown if descending else expression > shown
                steps.append(
                    and_(*same, or_(beyond, expression.is_(None)) if expression is not documents.c.position else beyond)
                )
            same.append(expression.is_(None) if shown is None else expression == shown)
        return or_(*steps)

    def _conflicts(self, id: str, body: dict[str, Any]) -> _Conflicts:  # as above
        return _Conflicts(self._unique, id, body)

    def _index(self) -> None:
        """Make the indexes that the spec asks for. Names were checked, so they may stand in the statements."""
        wanted = [("UNIQUE INDEX", name, one) for name, one in self._unique.items()]
        wanted += [
            ("INDEX", _index_name("ix", self.name, one), one)
            for one in dict.fromkeys((*self.spec.filterable, *self.spec.sortable))
            if one not in _TIMES
        ]
        for kind, name, one in wanted:
            expression = (
                f"json_extract(body, '$.\"{one}\"')"
                if self.database.inline
                else f"(NULLIF(body -> '{one}', 'null'::jsonb))"
            )
            on = f"apifold_documents ({expression}) WHERE collection = '{self.name}'"
            statement = f"CREATE {kind} IF NOT EXISTS {name} ON {on}"
            try:
                with self.database.writing() as connection:
                    self.database.lock(connection, "indexes")
                    connection.execute(sqlalchemy.text(statement.replace(":", "\\:")))
            except IntegrityError:
                error = DescriptionError(
                    self.name,
                    0,
                    "",
                    f"documents of {self.name!r} share a value of {one!r}",
                    "mend them, or take it out of `unique`",
                )
                raise DescriptionErrors([error]) from None


class _Conflicts:
    """Turns the database's refusal of a second one into a Conflict that says of what."""

    def __init__(self, unique: Mapping[str, str], id: str, body: Mapping[str, Any]) -> None:  # that is its name
        self.unique = unique
        self.id = id
        self.body = body

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, IntegrityError):
            said = str(error.orig)
            for index, name in self.unique.items():
                if index in said:
                    raise Conflict(f"There is one already whose {name} is {self.body.get(name)!r}.") from None
            raise Conflict(f"There is {self.id!r} already.") from None


def _document(row: Row[Any]) -> Document:
    return Document(row.id, row.revision, row.body, _moment(row.created), _moment(row.updated))


def _index_name(kind: str, collection: str, one: str) -> str:
    digest = hashlib.sha256(f"{collection}\0{one}".encode()).hexdigest()[:12]
    return f"{kind}_apifold_{re.sub('[^a-z0-9]', '_', f'{collection}_{one}'.lower())[:30]}_{digest}"


def _now() -> int:
    return time.time_ns() // 1000


def _stamp(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(stamp: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stamp)
