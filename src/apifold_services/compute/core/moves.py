"""Moves: servers that go to another host, or change their size; upstream calls them migrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update

from apifold import Database, NotFound
from apifold_services.compute.core.listing import MAX_LIMIT
from apifold_services.compute.core.moments import now
from apifold_services.compute.core.tables import migrations

UNFINISHED = ("accepted", "queued", "preparing", "running", "migrating", "post-migrating", "finished")
"""A resize that is `finished` waits for somebody to confirm it."""

GOING = ("migrating", "running")
"""What is being done right now."""


class Moves:
    """The moves of a deployment's servers.

    Args:
        database: with the service's tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(self, **wanted: str) -> Sequence[Row[Any]]:
        """Those with some values of their columns, the newest first."""
        statement = select(migrations).order_by(migrations.c.id.desc()).limit(MAX_LIMIT)
        for name, value in wanted.items():
            statement = statement.where(migrations.c[name] == value)
        with self.database.reading() as connection:
            rows: Sequence[Row[Any]] = connection.execute(statement).all()
            return rows

    def get(self, server: str, id: str) -> Row[Any]:
        """A live migration of a server that is not finished. Raises NotFound."""
        there = self.page(server_id=server, type="live-migration")
        found = next((row for row in there if str(row.id) == id and row.status in UNFINISHED), None)
        if found is None:
            raise NotFound(f"In-progress live migration {id} is not found for server {server}.")
        return found

    def begin(self, server: Any, kind: str, target: str, flavor: Mapping[str, Any]) -> int:
        """Note that a server goes somewhere; the same move where it was noted before."""
        there = next((row for row in self.page(server_id=server.id, type=kind) if row.status in GOING), None)
        if there is not None:
            return int(there.id)
        values = {"server_id": server.id, "type": kind, "status": "migrating", "source": server.host or ""}
        values |= {"target": target, "old_flavor": server.flavor["number"], "new_flavor": flavor["number"]}
        values["created"] = now()
        with self.database.writing() as connection:
            return int(connection.execute(insert(migrations).values(**values).returning(migrations.c.id)).scalar_one())

    def set(self, id: int, status: str) -> None:
        """Note how far a move is."""
        with self.database.writing() as connection:
            changed = update(migrations).where(migrations.c.id == id)
            connection.execute(changed.values(status=status, updated=now()))

    def finish(self, server: str, status: str) -> None:
        """Note what became of a server's move that waited for somebody."""
        self._change(server, ("finished",), status)

    def fail(self, server: str) -> None:
        """Note that what was going on failed."""
        self._change(server, GOING, "error")

    def end(self, server: str) -> None:
        """Note that a server is gone, wherever it was going."""
        self._change(server, UNFINISHED, "error")

    def _change(self, server: str, statuses: Sequence[str], status: str) -> None:
        there = (migrations.c.server_id == server) & migrations.c.status.in_(statuses)
        with self.database.writing() as connection:
            connection.execute(update(migrations).where(there).values(status=status, updated=now()))
