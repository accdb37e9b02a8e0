"""Server groups: servers that are to be kept together, or apart."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from apifold import Caller, Database, NotFound
from apifold_services.compute.core.listing import MAX_LIMIT
from apifold_services.compute.core.quotas import Quotas
from apifold_services.compute.core.tables import groups, servers


class Groups:
    """The server groups of projects.

    Args:
        database: with the service's tables.
        quotas: how many a project may have.
    """

    def __init__(self, database: Database, quotas: Quotas) -> None:
        self.database = database
        self.quotas = quotas

    def page(self, project: str, limit: int = 0, offset: int = 0) -> Sequence[Row[Any]]:
        """Some groups, in the order in which they were made.

        Args:
            project: whose they are; "" for all.
        """
        statement = select(groups).order_by(groups.c.number).limit(limit or MAX_LIMIT).offset(offset)
        wanted = statement.where(groups.c.project_id == project) if project else statement
        with self.database.reading() as connection:
            rows: Sequence[Row[Any]] = connection.execute(wanted).all()
        return rows

    def get(self, id: str, project: str = "") -> Row[Any]:
        """A group; of a project, where one is named. Raises NotFound."""
        with self.database.reading() as connection:
            row: Row[Any] | None = connection.execute(select(groups).where(groups.c.id == id)).first()
        if row is None or (project and row.project_id != project):
            raise NotFound(f"Instance group {id} could not be found.")
        return row

    def members(self, id: str) -> list[str]:
        """The ids of the servers in a group."""
        statement = select(servers.c.id).where(servers.c.group_id == id, ~servers.c.deleted).order_by(servers.c.number)
        with self.database.reading() as connection:
            return list(connection.scalars(statement))

    def create(self, caller: Caller, name: str, policy: str) -> Row[Any]:
        """Make a group. Raises Denied: there are as many as there may be."""
        values = {"id": str(uuid.uuid4()), "project_id": caller.project, "user_id": caller.user}
        with self.database.writing() as connection:
            self.quotas.admit(connection, caller.project, caller.user, {"server_groups": 1})
            connection.execute(insert(groups).values(**values, name=name, policy=policy))
        return self.get(values["id"])

    def delete(self, id: str, project: str = "") -> None:
        """Remove a group; its servers stay. Raises NotFound."""
        self.get(id, project)
        with self.database.writing() as connection:
            connection.execute(update(servers).where(servers.c.group_id == id).values(group_id=None))
            connection.execute(delete(groups).where(groups.c.id == id))
