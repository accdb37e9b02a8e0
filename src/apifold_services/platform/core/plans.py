"""Plans: registered, read, changed, forgotten. What was sent is kept, whoever knows its nodes."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from apifold import Conflict, Database, PreconditionFailed, TooLarge
from apifold_services.platform.core.deploy_keys import equipped
from apifold_services.platform.core.events import Events
from apifold_services.platform.core.packages import Package
from apifold_services.platform.core.plan_file import read_plan
from apifold_services.platform.core.scope import Scope, now, only
from apifold_services.platform.core.tables import assemblies, keys, plans, records

FIXED_WHILE_USED = ("artifacts", "services", "parameters")
"""What an assembly was made of."""

MAX_GROWTH = 4
"""A plan, its aliases written out, may become so many times as large as it may be sent."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan that is to be registered.

    Attributes:
        document: as it was sent, checked by whoever took it.
        package: what came with it.
        app_id: the app that it is made for; it goes with the app's last assembly.
        private_key: for its private sources; "" where keys are to be made.
    """

    document: dict[str, Any]
    package: Package | None = None
    app_id: str | None = None
    private_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that is about to be written.

    Attributes:
        values: of its row.
        keys: private keys for its sources, by the public ones.
    """

    values: dict[str, Any]
    keys: Mapping[str, str] = field(repr=False)

    @property
    def id(self) -> str:
        """The plan's."""
        return str(self.values["id"])


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans of everybody.

    Attributes:
        folder: where packages are kept.
        most: bytes of one, as it is sent.
    """

    database: Database
    events: Events
    folder: Path
    most: int

    def register(self, scope: Scope, draft: Draft) -> dict[str, Any]:
        """A new plan."""
        with self.prepared(scope, draft) as prepared, self.database.writing() as connection:
            self.insert(connection, prepared)
        return self.get(scope, prepared.id)

    @contextmanager
    def prepared(self, scope: Scope, draft: Draft) -> Iterator[Prepared]:
        """A plan that is about to be written: its keys are made, and its package lies where it stays."""
        fresh = scope.fresh()
        self._measure(draft.document)
        document, made = equipped(draft.document, {}, {}, draft.private_key)
        has_package = draft.package is not None
        values = {
            "document": document,
            "trigger_id": str(uuid.uuid4()),
            "app_id": draft.app_id,
            "has_package": has_package,
        }
        try:
            if draft.package:
                draft.package.keep(self.package(fresh["id"]))
            yield Prepared({**fresh, **values}, made)
        except BaseException:
            shutil.rmtree(self.package(fresh["id"]), ignore_errors=True)
            raise

    def insert(self, connection: Connection, prepared: Prepared) -> None:
        """Write a new plan, in somebody's transaction."""
        connection.execute(insert(plans).values(**prepared.values))
        _keep(connection, prepared.id, prepared.keys)
        self.events.note(connection, "plan.created", prepared.values, name=prepared.values["document"].get("name"))

    def locked(self, connection: Connection, scope: Scope, id: str) -> Row[Any]:
        """What is kept of one of them, which nobody changes before the transaction ends. Raises NotFound."""
        return only(connection, _seen(scope, id).with_for_update(), f"plan {id}")

    def package(self, id: str) -> Path:
        """Where the files of a plan's package are."""
        return self.folder / id

    def get(self, scope: Scope, id: str) -> dict[str, Any]:
        """One of them. Raises NotFound."""
        return _shown(self.row(scope, id))

    def row(self, scope: Scope, id: str) -> Row[Any]:
        """What is kept of one of them. Raises NotFound."""
        with self.database.reading() as connection:
            return only(connection, _seen(scope, id), f"plan {id}")

    def all(self, scope: Scope) -> list[dict[str, Any]]:
        """Those that somebody sees, the newest first."""
        with self.database.reading() as connection:
            rows = connection.execute(select(plans).where(*scope.sees(plans)).order_by(plans.c.number.desc()))
            return [_shown(row) for row in rows]

    def triggered_by(self, trigger_id: str) -> Row[Any] | None:
        """The plan that a trigger is of."""
        with self.database.reading() as connection:
            found: Row[Any] | None = connection.execute(select(plans).where(plans.c.trigger_id == trigger_id)).first()
            return found

    def private_keys(self, id: str) -> dict[str, str]:
        """The private keys for sources, by the public ones that artifacts name."""
        with self.database.reading() as connection:
            return _keys(connection, id)

    def replace(
        self, scope: Scope, id: str, members: Mapping[str, Any], known: frozenset[str], expected: str = ""
    ) -> Any:
        """Put other members in the place of those that an API knows; what it does not know stays.

        Args:
            known: the members that the API knows.
            expected: the revision that it must be of; "" for any.

        Raises:
            Conflict: an assembly is made of what would change.
            PreconditionFailed: it is of another revision.
            Invalid: it would be no plan any more.
        """
        with self.database.writing() as connection:
            row = self.locked(connection, scope, id)
            if expected and expected != revision(row):
                raise PreconditionFailed("It has changed since; read it again.")
            kept = {name: value for name, value in row.document.items() if name not in known}
            document = {**kept, **members}
            read_plan(document)
            self._measure(document)
            document, made = equipped(document, row.document, _keys(connection, id))
            changed = [name for name in FIXED_WHILE_USED if document.get(name) != row.document.get(name)]
            if changed and _is_used(connection, id):
                raise Conflict(
                    f"Assemblies are made of it, so its {' and '.join(changed)} can't change; delete them first."
                )
            _keep(connection, id, made)
            values = {"document": document, "updated_at": now()}
            connection.execute(update(plans).where(plans.c.id == id).values(**values))
            self.events.note(connection, "plan.updated", row._mapping, name=document.get("name"))
        return self.get(scope, id)

    def delete(self, scope: Scope, id: str) -> None:
        """Forget one. Raises NotFound; Conflict: an assembly is made of it."""
        with self.database.writing() as connection:
            self.forget(connection, self.locked(connection, scope, id))
        shutil.rmtree(self.package(id), ignore_errors=True)

    def _measure(self, document: dict[str, Any]) -> None:
        """Raises TooLarge: a plan comes to more than it may, its aliases written out."""
        if len(msgspec.json.encode(document)) > MAX_GROWTH * self.most:
            raise TooLarge(f"A plan may have {self.most} bytes; this one comes to far more.")

    def forget(self, connection: Connection, row: Row[Any]) -> None:
        """The same in somebody's transaction; its package is still there."""
        if _is_used(connection, row.id):
            raise Conflict("Assemblies are made of this plan; delete them first.")
        of_pipeline = (records.c.kind == "pipeline") & (records.c.document["plan_id"].as_string() == row.id)
        if connection.execute(select(records.c.id).where(of_pipeline).limit(1)).first() is not None:
            raise Conflict("Pipelines are made of this plan; delete them first.")
        try:
            connection.execute(delete(plans).where(plans.c.id == row.id))
        except IntegrityError:
            raise Conflict("Assemblies are made of this plan; delete them first.") from None
        self.events.note(connection, "plan.deleted", row._mapping, name=row.document.get("name"))


def _seen(scope: Scope, id: str) -> Select[Any]:
    return select(plans).where(plans.c.id == id, *scope.sees(plans))


def revision(row: Row[Any]) -> str:
    """The ETag of what a row is shown as."""
    return f'"{row.updated_at}"'


def name_of(row: Row[Any]) -> str:
    """What a plan is called; a name is made up for one that has none."""
    return str(row.document.get("name") or f"plan-{row.id[:8]}")


def _shown(row: Row[Any]) -> dict[str, Any]:
    """A plan: its own nodes, and below `@` what the service knows of it."""
    known = {
        name: getattr(row, name) for name in ("id", "project_id", "user_id", "created_at", "updated_at", "trigger_id")
    }
    return {**row.document, "name": name_of(row), "@": {**known, "revision": revision(row)}}


def _is_used(connection: Connection, id: str) -> bool:
    return connection.execute(select(assemblies.c.id).where(assemblies.c.plan_id == id).limit(1)).first() is not None


def _keys(connection: Connection, id: str) -> dict[str, str]:
    found = connection.execute(select(keys.c.public_key, keys.c.private_key).where(keys.c.plan_id == id))
    return {row.public_key: row.private_key for row in found}


def _keep(connection: Connection, id: str, made: Mapping[str, str]) -> None:
    for public, private in made.items():
        connection.execute(insert(keys).values(plan_id=id, public_key=public, private_key=private))
