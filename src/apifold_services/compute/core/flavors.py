"""Flavors: the sizes that servers come in."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from apifold import Conflict, Database, Invalid, NotFound
from apifold_services.compute.core.listing import Cut, ordered
from apifold_services.compute.core.tables import flavor_access, flavors

SORT_KEYS = {
    "flavorid": flavors.c.id,
    "id": flavors.c.number,
    "name": flavors.c.name,
    "memory_mb": flavors.c.ram,
    "root_gb": flavors.c.disk,
    "vcpus": flavors.c.vcpus,
    "swap": flavors.c.swap,
    "ephemeral_gb": flavors.c.ephemeral,
    "rxtx_factor": flavors.c.rxtx_factor,
    "disabled": flavors.c.disabled,
    "is_public": flavors.c.is_public,
    "created_at": flavors.c.number,
    "updated_at": flavors.c.number,
    "deleted_at": flavors.c.number,
    "vcpu_weight": flavors.c.number,
}


@dataclass(frozen=True, slots=True)
class FlavorQuery:
    """Which flavors.

    Attributes:
        project: those that are public, or that this project may use; "" for all.
        is_public: those that are, or are not; None for both.
        also: a project whose own are among them even where only public ones are wanted.
        min_ram, min_disk: those with so much, in MiB and GiB.
    """

    project: str = ""
    is_public: bool | None = None
    min_ram: int = 0
    min_disk: int = 0
    also: str = ""


class Flavors:
    """The flavors of a deployment.

    Args:
        database: with the service's tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(self, query: FlavorQuery, cut: Cut) -> Sequence[Row[Any]]:
        """Some flavors.

        Raises:
            Invalid: the marker is none of them, or they can't be sorted so.
        """
        statement = select(flavors).where(_visible(query))
        with self.database.reading() as connection:
            marker = None
            if cut.marker:
                marker = connection.execute(select(flavors).where(flavors.c.id == cut.marker)).first()
                if marker is None:
                    raise Invalid(f"marker [{cut.marker}] not found")
            statement = ordered(statement, cut, SORT_KEYS, flavors.c.number, marker)
            rows: Sequence[Row[Any]] = connection.execute(statement).all()
            return rows

    def get(self, id: str, project: str = "") -> Row[Any]:
        """A flavor by its id.

        Args:
            project: that must be allowed to use it; "" for any.

        Raises:
            NotFound: there is none.
        """
        with self.database.reading() as connection:
            wanted = select(flavors).where(flavors.c.id == id, _visible(FlavorQuery(project)))
            row: Row[Any] | None = connection.execute(wanted).first()
        if row is None:
            raise NotFound(f"Flavor {id} could not be found.")
        return row

    def create(self, **said: Any) -> Row[Any]:
        """Make a flavor; it gets an id where none is said.

        Raises:
            Conflict: there is one of that id or name.
        """
        values = {**said, "id": str(said["id"]) if said.get("id") is not None else str(uuid.uuid4())}
        values = {**values, "disabled": False, "extra_specs": {}}
        try:
            with self.database.writing() as connection:
                connection.execute(insert(flavors).values(**values))
        except IntegrityError:
            with self.database.reading() as connection:
                has_id = connection.execute(select(flavors.c.id).where(flavors.c.id == values["id"])).first()
            what = f"ID {values['id']}" if has_id else f"name {values['name']}"
            raise Conflict(f"Flavor with {what} already exists.") from None
        return self.get(values["id"])

    def delete(self, id: str) -> None:
        """Remove a flavor; servers keep what they have of it. Raises NotFound."""
        with self.database.writing() as connection:
            if not connection.execute(delete(flavors).where(flavors.c.id == id)).rowcount:
                raise NotFound(f"Flavor {id} could not be found.")

    def set_extra_specs(self, id: str, specs: Mapping[str, Any]) -> None:
        """Add extra specifications, or change them. Raises NotFound."""
        with self.database.writing() as connection:
            there = _extra_specs(connection, id)
            changed = {**there, **{name: str(value) for name, value in specs.items()}}
            connection.execute(update(flavors).where(flavors.c.id == id).values(extra_specs=changed))

    def delete_extra_spec(self, id: str, name: str) -> None:
        """Remove an extra specification. Raises NotFound."""
        with self.database.writing() as connection:
            there = _extra_specs(connection, id)
            if name not in there:
                raise NotFound(f"Flavor {id} has no extra specs with key {name}.")
            rest = {key: value for key, value in there.items() if key != name}
            connection.execute(update(flavors).where(flavors.c.id == id).values(extra_specs=rest))

    def projects(self, id: str) -> list[str]:
        """The projects that may use a flavor that is not public. Raises NotFound: it is public, or not there."""
        flavor = self.get(id)
        if flavor.is_public:
            raise NotFound("Access list not available for public flavors.")
        with self.database.reading() as connection:
            rows = connection.execute(
                select(flavor_access.c.project_id).where(flavor_access.c.flavor_id == id).order_by("project_id")
            )
            return [row.project_id for row in rows]

    def allow(self, id: str, project: str) -> None:
        """Let a project use a flavor. Raises NotFound; Conflict: it may already, or everybody may."""
        if self.get(id).is_public:
            raise Conflict("Can not add access to a public flavor.")
        try:
            with self.database.writing() as connection:
                connection.execute(insert(flavor_access).values(flavor_id=id, project_id=project))
        except IntegrityError:
            raise Conflict(f"Flavor access already exists for flavor {id} and project {project} combination.") from None

    def forbid(self, id: str, project: str) -> None:
        """Let a project use a flavor no more. Raises NotFound: it may not."""
        self.get(id)
        with self.database.writing() as connection:
            gone = connection.execute(
                delete(flavor_access).where(flavor_access.c.flavor_id == id, flavor_access.c.project_id == project)
            )
            if not gone.rowcount:
                raise NotFound(f"Flavor access not found for {id} / {project} combination.")


def _extra_specs(connection: Connection, id: str) -> dict[str, str]:
    """A flavor's, which nobody else changes before the transaction ends. Raises NotFound."""
    wanted = select(flavors.c.extra_specs).where(flavors.c.id == id).with_for_update()
    row: Row[Any] | None = connection.execute(wanted).first()
    if row is None:
        raise NotFound(f"Flavor {id} could not be found.")
    specs: dict[str, str] = row.extra_specs
    return specs


def _may_use(project: str) -> ColumnElement[bool]:
    return exists().where(flavor_access.c.flavor_id == flavors.c.id, flavor_access.c.project_id == project)


def _visible(query: FlavorQuery) -> ColumnElement[bool]:
    found = [flavors.c.ram >= query.min_ram, flavors.c.disk >= query.min_disk]
    if query.project:
        found.append(or_(flavors.c.is_public, _may_use(query.project)))
    if query.is_public is not None:
        wanted = flavors.c.is_public == query.is_public
        found.append(or_(wanted, _may_use(query.also)) if query.is_public and query.also else wanted)
    return and_(*found)
