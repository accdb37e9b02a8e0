"""The hashmap's rules as they are kept: services, fields, groups, mappings, thresholds."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, insert, or_, select, update

from apifold import Conflict, Database, Invalid, NotFound
from apifold_services.rating.core import exact
from apifold_services.rating.core.hashmap import NO_GROUP, Kind, Rule
from apifold_services.rating.core.moments import seconds
from apifold_services.rating.core.tables import fields, groups, mappings, services, thresholds
from apifold_services.rating.core.validity import author, check_change, check_times, holds

Row = Mapping[str, Any]
"""What is kept of one thing, by column."""

_SHORT = {"service": (services, "service_id"), "field": (fields, "field_id"), "group": (groups, "group_id")}


@dataclass(frozen=True, slots=True)
class MappingQuery:
    """Which mappings.

    Attributes:
        with_deleted: deleted ones, too.
        by_tenant: whether `tenant_id` decides; None is then everybody's.
        start: those that begin then or later.
        end: those that end before then.
        at: those in force at this moment.
    """

    service_id: str = ""
    field_id: str = ""
    group_id: str = ""
    no_group: bool = False
    by_tenant: bool = False
    tenant_id: str | None = None
    with_deleted: bool = False
    start: datetime | None = None
    end: datetime | None = None
    created_by: str = ""
    updated_by: str = ""
    deleted_by: str = ""
    description: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule as somebody wants it.

    Attributes:
        value: of a field's mapping.
        level: of a threshold.
        start: from when on it holds; now where nothing is said.
        end: until when; for ever where nothing is said.
        force: whether it may begin in the past.
    """

    cost: Decimal
    kind: Kind = "flat"
    service_id: str | None = None
    field_id: str | None = None
    group_id: str | None = None
    tenant_id: str | None = None
    value: str | None = None
    level: Decimal | None = None
    name: str = ""
    description: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    force: bool = False


class Rules:
    """Services, fields, groups, mappings and thresholds, made, found, changed and removed.

    Args:
        database: with the service's tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def all_of(self, what: str, **where: Any) -> list[Row]:
        """Services, fields or groups, in the order in which they were made.

        Args:
            what: `service`, `field` or `group`.
            where: columns and their values.
        """
        table, _ = _SHORT[what]
        with self.database.reading() as connection:
            return _rows(connection, table, and_(True, *(table.c[name] == value for name, value in where.items())))

    def one_of(self, what: str, id: str) -> Row:
        """One of them. Raises NotFound."""
        table, key = _SHORT[what]
        with self.database.reading() as connection:
            return self._one(connection, what, table, key, id)

    def add(self, what: str, **values: str) -> Row:
        """Make one of them.

        Raises:
            Conflict: there is one of that name.
            Invalid: a field's service is not there.
        """
        table, key = _SHORT[what]
        with self.database.writing() as connection:
            if what == "field":
                self._parent(connection, "service", values["service_id"])
            alike = and_(True, *(table.c[name] == value for name, value in values.items()))
            there = _rows(connection, table, alike)
            if there:
                raise Conflict(f"{what.title()} {values['name']} already exists (UUID: {there[0][key]})")
            row = {key: str(uuid.uuid4()), **values}
            connection.execute(insert(table).values(row))
        return row

    def remove(self, what: str, id: str) -> None:
        """Remove one of them, with what belongs to it. Raises NotFound."""
        table, key = _SHORT[what]
        with self.database.writing() as connection:
            self._one(connection, what, table, key, id)
            connection.execute(delete(table).where(table.c[key] == id))

    def remove_group(self, id: str, *, recursive: bool) -> None:
        """Remove a group, and its rules with it where that is asked for; else they belong to none. Raises NotFound."""
        with self.database.writing() as connection:
            self._one(connection, "group", groups, "group_id", id)
            if recursive:
                connection.execute(delete(mappings).where(mappings.c.group_id == id))
                connection.execute(delete(thresholds).where(thresholds.c.group_id == id))
            connection.execute(delete(groups).where(groups.c.group_id == id))

    def mappings(self, query: MappingQuery) -> list[Row]:
        """Mappings, in the order in which they were made."""
        with self.database.reading() as connection:
            return _rows(connection, mappings, and_(True, *_conditions(query)))

    def mapping(self, id: str) -> Row:
        """A mapping, a deleted one, too. Raises NotFound."""
        with self.database.reading() as connection:
            return self._one(connection, "mapping", mappings, "mapping_id", id)

    def add_mapping(self, draft: Draft, by: str) -> Row:
        """Make a mapping.

        Raises:
            Invalid: it makes no sense; the text says why.
            Conflict: there is one like it at the same time.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        start = draft.start or now
        check_times(start, draft.end, now, force=draft.force)
        _check_parents(draft)
        if draft.value and draft.service_id:
            raise Invalid("You can't specify a value and a service_id.")
        if draft.field_id and not draft.value:
            raise Invalid("You must specify a value for a field mapping.")
        with self.database.writing() as connection:
            self._parents(connection, draft)
            row = {
                "mapping_id": str(uuid.uuid4()),
                "value": draft.value or None,
                **_priced(draft),
                "name": draft.name or uuid.uuid4().hex,
                "description": draft.description,
                "created": seconds(now),
                "start": seconds(start),
                "end": seconds(draft.end) if draft.end else None,
                "created_by": author(by),
                "deleted": None,
                "updated_by": None,
                "deleted_by": None,
            }
            self._refuse_twins(connection, row)
            connection.execute(insert(mappings).values(row))
        return row

    def change_mapping(self, id: str, changes: Mapping[str, Any], by: str) -> Row:
        """Change a mapping, as far as what was rated by it allows.

        Args:
            changes: `cost`, `type`, `start`, `end`, `description`; what is not there, or is as it was, does not change.

        Raises:
            NotFound: it is not there, or was deleted.
            Invalid: it may not be changed so.
            Conflict: another one is like it at that time.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        with self.database.writing() as connection:
            row = dict(self._one(connection, "mapping", mappings, "mapping_id", id))
            if row["deleted"] is not None:
                raise NotFound(f"No such mapping: {id}")
            changed = {name: value for name, value in changes.items() if value != row.get(name)}
            check_change(row, changed, now)
            if not changed:
                return row
            changed["updated_by"] = author(by)
            self._refuse_twins(connection, {**row, **changed})
            connection.execute(update(mappings).where(mappings.c.mapping_id == id).values(changed))
        return {**row, **changed}

    def remove_mapping(self, id: str, by: str) -> None:
        """Delete a mapping: it is kept, for what was rated by it, and no longer in force. Raises NotFound."""
        with self.database.writing() as connection:
            row = self._one(connection, "mapping", mappings, "mapping_id", id)
            if row["deleted"] is not None:
                raise NotFound(f"No such mapping: {id}")
            values = {"deleted": seconds(datetime.now(UTC)), "deleted_by": author(by)}
            connection.execute(update(mappings).where(mappings.c.mapping_id == id).values(values))

    def thresholds(self, **where: Any) -> list[Row]:
        """Thresholds, in the order in which they were made."""
        with self.database.reading() as connection:
            conditions = and_(True, *(thresholds.c[name] == value for name, value in where.items()))
            return _rows(connection, thresholds, conditions)

    def threshold(self, id: str) -> Row:
        """A threshold. Raises NotFound."""
        with self.database.reading() as connection:
            return self._one(connection, "threshold", thresholds, "threshold_id", id)

    def add_threshold(self, draft: Draft) -> Row:
        """Make a threshold.

        Raises:
            Invalid: it makes no sense; the text says why.
            Conflict: there is one like it.
        """
        _check_parents(draft)
        with self.database.writing() as connection:
            self._parents(connection, draft)
            row = {"threshold_id": str(uuid.uuid4()), "level": text(draft.level), **_priced(draft)}
            self._refuse_twin_thresholds(connection, row)
            connection.execute(insert(thresholds).values(row))
        return row

    def change_threshold(self, id: str, draft: Draft) -> Row:
        """Put another threshold in a threshold's place. Raises as `add_threshold` does, and NotFound."""
        with self.database.writing() as connection:
            before = self._one(connection, "threshold", thresholds, "threshold_id", id)
            self._parents(connection, draft)
            row = {**before, "level": text(draft.level), **_priced(draft)}
            for name in ("service_id", "field_id"):
                row[name] = before[name]
            self._refuse_twin_thresholds(connection, row)
            connection.execute(update(thresholds).where(thresholds.c.threshold_id == id).values(dict(row)))
        return row

    def remove_threshold(self, id: str) -> None:
        """Remove a threshold. Raises NotFound."""
        with self.database.writing() as connection:
            self._one(connection, "threshold", thresholds, "threshold_id", id)
            connection.execute(delete(thresholds).where(thresholds.c.threshold_id == id))

    def group_of(self, what: str, id: str) -> Row:
        """The group that a `mapping` or a `threshold` belongs to. Raises NotFound where it belongs to none."""
        row = self.mapping(id) if what == "mapping" else self.threshold(id)
        if row["group_id"] is None:
            raise NotFound(f"{what.title()} has no group (UUID: {id})")
        return self.one_of("group", row["group_id"])

    def in_force(self, at: datetime) -> list[Rule]:
        """Every rule that holds at a moment, for `Hashmap`."""
        with self.database.reading() as connection:
            return list(_in_force(connection, at))

    def _one(self, connection: Connection, what: str, table: Table, key: str, id: str) -> Row:
        found = _rows(connection, table, table.c[key] == id)
        if not found:
            raise NotFound(f"No such {what}: {id}")
        return found[0]

    def _parent(self, connection: Connection, what: str, id: str) -> None:
        table, key = _SHORT[what]
        if not _rows(connection, table, table.c[key] == id):
            raise Invalid(f"No such {what}: None (UUID: {id})")

    def _parents(self, connection: Connection, draft: Draft) -> None:
        """See that what a rule belongs to is there. Raises Invalid."""
        for what, id in (("service", draft.service_id), ("field", draft.field_id), ("group", draft.group_id)):
            if id:
                self._parent(connection, what, id)

    def _refuse_twins(self, connection: Connection, row: Row) -> None:
        """Raises Conflict where a mapping has the name of another, or holds for the same at the same time."""
        other = and_(mappings.c.deleted.is_(None), mappings.c.mapping_id != row["mapping_id"])
        same = [mappings.c[name] == row[name] for name in ("value", "tenant_id", "service_id", "field_id", "group_id")]
        overlap: list[ColumnElement[bool]] = [or_(mappings.c.end.is_(None), mappings.c.end > row["start"])]
        if row["end"] is not None:
            overlap.append(mappings.c.start < row["end"])
        alike = or_(mappings.c.name == row["name"], and_(*same, *overlap))
        if _rows(connection, mappings, and_(other, alike)):
            raise Conflict(_twin("Mapping", row["value"] or "", row))

    def _refuse_twin_thresholds(self, connection: Connection, row: Row) -> None:
        names = ("level", "tenant_id", "service_id", "field_id", "group_id")
        same = and_(thresholds.c.threshold_id != row["threshold_id"], *(thresholds.c[n] == row[n] for n in names))
        if _rows(connection, thresholds, same):
            raise Conflict(_twin("Threshold", row["level"], row))


def _twin(what: str, value: Any, row: Row) -> str:
    kind, parent = ("field", row["field_id"]) if row["field_id"] else ("service", row["service_id"])
    return f"{what} '{value}' already exists for {kind} '{parent}', tenant: '{row['tenant_id']}'"


def _check_parents(draft: Draft) -> None:
    """Raises Invalid."""
    if draft.service_id and draft.field_id:
        raise Invalid("You can only specify one parent.")
    if not draft.service_id and not draft.field_id:
        raise Invalid("You must specify one parent.")


def _priced(draft: Draft) -> dict[str, Any]:
    return {
        "cost": text(draft.cost),
        "type": draft.kind,
        "service_id": draft.service_id,
        "field_id": draft.field_id,
        "group_id": draft.group_id,
        "tenant_id": draft.tenant_id,
    }


def decimal(said: Any, name: str) -> Decimal:
    """A number that somebody sent.

    Raises:
        Invalid: it is none.
    """
    found = exact.number(said)
    if found is None or not re.fullmatch(r"[-+0-9.eE]{1,60}", str(said)):
        raise Invalid(f"Invalid input for field/attribute {name}. Value: '{str(said)[:80]}'. Value should be a number.")
    try:
        exact.split(found)
    except ValueError as error:
        raise Invalid(f"Invalid input for field/attribute {name}. Value: '{str(said)[:80]}'. {error}") from None
    return found


def text(number: Decimal | None) -> str:
    """A number as rules keep it: plain, so that equal ones are the same text."""
    return format(exact.plain(number if number is not None else Decimal(0)), "f")


def _conditions(query: MappingQuery) -> Iterator[ColumnElement[bool]]:
    columns = mappings.c
    for name in ("service_id", "field_id", "group_id", "created_by", "updated_by", "deleted_by"):
        if getattr(query, name):
            yield columns[name] == getattr(query, name)
    if query.no_group:
        yield columns.group_id.is_(None)
    if query.by_tenant:
        yield columns.tenant_id == query.tenant_id
    if not query.with_deleted:
        yield columns.deleted.is_(None)
    if query.start is not None:
        yield columns.start >= seconds(query.start)
    if query.end is not None:
        yield columns.end < seconds(query.end)
    if query.description:
        yield columns.description.contains(query.description, autoescape=True)
    if query.at is not None:
        yield holds(mappings, query.at)


def _in_force(connection: Connection, at: datetime) -> Iterator[Rule]:
    named = {row["service_id"]: row["name"] for row in _rows(connection, services)}
    of_fields = {row["field_id"]: (named.get(row["service_id"], ""), row["name"]) for row in _rows(connection, fields)}
    of_groups = {row["group_id"]: row["name"] for row in _rows(connection, groups)}
    places = {service_id: (name, "") for service_id, name in named.items()} | of_fields
    holding = and_(True, *_conditions(MappingQuery(at=at)))
    for row in [*_rows(connection, mappings, holding), *_rows(connection, thresholds)]:
        service, name = places.get(row["field_id"] or row["service_id"], ("", ""))
        yield Rule(
            service=service,
            field=name,
            group=of_groups.get(row["group_id"], NO_GROUP),
            kind=cast(Kind, row["type"]),
            cost=Decimal(row["cost"]),
            value=row.get("value") or "",
            level=Decimal(row["level"]) if "level" in row else None,
            tenant=row["tenant_id"] or "",
        )


def _rows(connection: Connection, table: Table, where: Any = True) -> list[Row]:
    found = connection.execute(select(table).where(where).order_by(table.c.id))
    return [dict(row._mapping) for row in found]
