"""Components: the parts of assemblies; and those that Solum's clients keep on their own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from apifold import Conflict, Database, PreconditionFailed
from apifold_services.platform.core import states
from apifold_services.platform.core.events import Events
from apifold_services.platform.core.scope import Scope, now, only
from apifold_services.platform.core.tables import assemblies, components

CHANGEABLE = ("name", "description", "tags")


@dataclass(frozen=True, slots=True)
class Components:
    """The components of everybody."""

    database: Database
    events: Events

    def get(self, scope: Scope, id: str) -> dict[str, Any]:
        """One of them. Raises NotFound."""
        with self.database.reading() as connection:
            row = only(connection, self._select(scope).where(components.c.id == id), f"component {id}")
            related = _related(connection, row)
        return {**_shown(row), "related": related, "revision": _revision(row, related)}

    def all(self, scope: Scope) -> list[dict[str, Any]]:
        """Those that somebody sees, the newest first."""
        with self.database.reading() as connection:
            rows = connection.execute(self._select(scope).order_by(components.c.number.desc()))
            return [_shown(row) for row in rows]

    def make(self, scope: Scope, document: Mapping[str, Any]) -> dict[str, Any]:
        """One that no assembly is made of."""
        fresh, known = scope.fresh(), _known(document)
        common: dict[str, Any] = {"assembly_id": None, "status": "", "address": "", "related": []}
        with self.database.writing() as connection:
            connection.execute(insert(components).values(**fresh, **common, **known))
            self.events.note(connection, "component.created", fresh, name=known["name"])
        return self.get(scope, fresh["id"])

    def change(self, scope: Scope, id: str, members: Mapping[str, Any], expected: str = "") -> dict[str, Any]:
        """Set some members. Raises NotFound; PreconditionFailed: it is not of the `expected` revision."""
        with self.database.writing() as connection:
            found = self._select(scope).where(components.c.id == id).with_for_update(of=components)
            row = only(connection, found, f"component {id}")
            if expected and expected != _revision(row, _related(connection, row)):
                raise PreconditionFailed("It has changed since; read it again.")
            before = {name: getattr(row, name) for name in CHANGEABLE}
            values = {**_known({**row.document, **before, **members}), "updated_at": now()}
            connection.execute(update(components).where(components.c.id == id).values(**values))
            # Whoever shows an assembly shows the names of its components.
            touched = update(assemblies).where(assemblies.c.id == row.assembly_id)
            connection.execute(touched.values(updated_at=values["updated_at"]))
            self.events.note(connection, "component.updated", row._mapping, name=values["name"])
        return self.get(scope, id)

    def delete(self, scope: Scope, id: str) -> None:
        """Forget one. Raises NotFound; Conflict: an assembly is made of it."""
        with self.database.writing() as connection:
            row = only(connection, self._select(scope).where(components.c.id == id), f"component {id}")
            if row.assembly_id is not None:
                raise Conflict("An assembly is made of it; delete that.")
            connection.execute(delete(components).where(components.c.id == id))
            self.events.note(connection, "component.deleted", row._mapping, name=row.name)

    @staticmethod
    def _select(scope: Scope) -> Any:
        joined = components.outerjoin(assemblies, assemblies.c.id == components.c.assembly_id)
        of_assembly = (
            assemblies.c.name.label("assembly_name"),
            assemblies.c.plan_id,
            assemblies.c.actions,
            assemblies.c.status.label("state"),
        )
        return select(components, *of_assembly).select_from(joined).where(*scope.sees(components))


def _known(document: Mapping[str, Any]) -> dict[str, Any]:
    """What has a column of its own, and the rest."""
    own = {"name": document.get("name") or "", "description": document.get("description") or ""}
    rest = {name: value for name, value in document.items() if name not in CHANGEABLE}
    return {**own, "tags": list(document.get("tags") or ()), "document": rest}


def _related(connection: Connection, row: Row[Any]) -> list[dict[str, Any]]:
    """What a component uses, or what uses it."""
    columns = select(components.c.id, components.c.name).where(components.c.id.in_(row.related))
    return [{"id": one.id, "name": one.name} for one in connection.execute(columns.order_by(components.c.number))]


def _revision(row: Row[Any], related: Sequence[Mapping[str, Any]]) -> str:
    """The ETag of a component: it shows its assembly and its relatives, which change without it."""
    seen = (row.updated_at, row.status, row.address, row.assembly_name, row.state, [one["name"] for one in related])
    return f'"{hashlib.blake2b(repr(seen).encode(), digest_size=12).hexdigest()}"'


def _shown(row: Row[Any]) -> dict[str, Any]:
    known = {name: value for name, value in row._mapping.items() if name not in ("document", "related")}
    known = {name: value for name, value in known.items() if value or name not in ("address", "artifact_uri")}
    inside = [{"id": row.assembly_id, "name": row.assembly_name}] if row.assembly_id else []
    skew = {"skew": states.skew(row.state, row.actions)} if row.assembly_id else {}
    return {**row.document, **known, "assemblies": inside, **skew}
