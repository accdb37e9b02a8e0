"""What Solum's API only keeps: services, operations, sensors, extensions, pipelines, stacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from apifold import Database
from apifold_services.platform.core.events import Events
from apifold_services.platform.core.scope import EVERYBODY, Scope, now, only
from apifold_services.platform.core.tables import records

KINDS = ("service", "operation", "sensor", "extension", "pipeline", "stack")
OWN = ("id", "project_id", "user_id", "created_at", "updated_at")
"""What the service says of each; all else is what was sent."""


@dataclass(frozen=True, slots=True)
class Records:
    """Things of one kind.

    Attributes:
        kind: one of `KINDS`.
    """

    database: Database
    events: Events
    kind: str

    def make(self, scope: Scope, document: Mapping[str, Any]) -> dict[str, Any]:
        """A new one."""
        fresh = scope.fresh()
        with self.database.writing() as connection:
            connection.execute(insert(records).values(**fresh, kind=self.kind, document=dict(document)))
            self.events.note(connection, f"{self.kind}.created", fresh, name=document.get("name"))
        return self.get(scope, fresh["id"])

    def get(self, scope: Scope, id: str) -> dict[str, Any]:
        """One of them. Raises NotFound."""
        with self.database.reading() as connection:
            return _shown(self._only(connection, scope, id))

    def all(self, scope: Scope) -> list[dict[str, Any]]:
        """Those that somebody sees, the newest first."""
        with self.database.reading() as connection:
            return [_shown(row) for row in connection.execute(self._select(scope).order_by(records.c.number.desc()))]

    def first(self, name: str, value: str) -> dict[str, Any] | None:
        """The first one, of anybody's, of which a member has a value."""
        found = self._select(EVERYBODY).where(records.c.document[name].as_string() == value)
        with self.database.reading() as connection:
            row = connection.execute(found.order_by(records.c.number)).first()
        return None if row is None else _shown(row)

    def change(self, scope: Scope, id: str, members: Mapping[str, Any]) -> dict[str, Any]:
        """Set some members. Raises NotFound."""
        with self.database.writing() as connection:
            row = self._only(connection, scope, id, locked=True)
            document = {**row.document, **members}
            connection.execute(update(records).where(records.c.id == id).values(document=document, updated_at=now()))
            self.events.note(connection, f"{self.kind}.updated", row._mapping, name=document.get("name"))
        return self.get(scope, id)

    def delete(self, scope: Scope, id: str) -> None:
        """Forget one. Raises NotFound."""
        with self.database.writing() as connection:
            row = self._only(connection, scope, id)
            connection.execute(delete(records).where(records.c.id == id))
            self.events.note(connection, f"{self.kind}.deleted", row._mapping, name=row.document.get("name"))

    def _only(self, connection: Connection, scope: Scope, id: str, *, locked: bool = False) -> Row[Any]:
        found = self._select(scope).where(records.c.id == id)
        return only(connection, found.with_for_update() if locked else found, f"{self.kind} {id}")

    def _select(self, scope: Scope) -> Any:
        return select(records).where(records.c.kind == self.kind, *scope.sees(records))


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {**row.document, **{name: getattr(row, name) for name in OWN}, "revision": f'"{row.updated_at}"'}
