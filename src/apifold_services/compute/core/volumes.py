"""Volumes that are attached to servers; the volumes themselves are another service's."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from apifold import Conflict, Database, Invalid, NotFound
from apifold_services.compute.core.tables import volume_attachments


class Volumes:
    """Which volumes are attached where.

    Args:
        database: with the service's tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def of(self, connection: Connection, server_ids: Iterable[str]) -> dict[str, list[Row[Any]]]:
        """The attachments of some servers, by server."""
        found: dict[str, list[Row[Any]]] = {id: [] for id in server_ids}
        there = volume_attachments.c.server_id.in_(list(found))
        for row in connection.execute(select(volume_attachments).where(there).order_by(volume_attachments.c.number)):
            found[row.server_id].append(row)
        return found

    def page(self, server: str) -> list[Row[Any]]:
        """The attachments of a server."""
        with self.database.reading() as connection:
            return self.of(connection, [server])[server]

    def get(self, server: str, volume: str) -> Row[Any]:
        """An attachment. Raises NotFound."""
        found = next((row for row in self.page(server) if row.volume_id == volume), None)
        if found is None:
            raise NotFound(f"volume_id not found: {volume}")
        return found

    def attach(
        self,
        connection: Connection,
        server: str,
        volume: str,
        device: str = "",
        *,
        is_root: bool = False,
        deleted_with_it: bool = False,
    ) -> None:
        """Attach a volume, in a transaction in which nobody else changes the server.

        Raises:
            Invalid: it is attached already.
            Conflict: the device is taken, or there is none left.
        """
        self._take(connection, volume)
        there = {row.device for row in self.of(connection, [server])[server]}
        letters = string.ascii_lowercase if is_root else string.ascii_lowercase[1:]
        name = device or next((one for letter in letters if (one := f"/dev/vd{letter}") not in there), "")
        if not name:
            raise Conflict("No device is left for another volume.")
        if name in there:
            raise Conflict(f"The supplied device path ({name}) is in use.")
        values = {"server_id": server, "volume_id": volume, "device": name, "is_root": is_root}
        connection.execute(insert(volume_attachments).values(**values, delete_on_termination=deleted_with_it))

    def swap(self, connection: Connection, server: str, volume: str, other: str) -> None:
        """Have another volume in the place of one. Raises NotFound; Invalid: it is attached already."""
        self._take(connection, other)
        there = (volume_attachments.c.server_id == server) & (volume_attachments.c.volume_id == volume)
        if not connection.execute(update(volume_attachments).where(there).values(volume_id=other)).rowcount:
            raise NotFound(f"volume_id not found: {volume}")

    def detach(self, connection: Connection, server: str, volume: str) -> None:
        """Take a volume from a server. Raises NotFound; Invalid: the server boots from it."""
        there = (volume_attachments.c.server_id == server) & (volume_attachments.c.volume_id == volume)
        is_root = connection.scalar(select(volume_attachments.c.is_root).where(there))
        if is_root is None:
            raise NotFound(f"volume_id not found: {volume}")
        if is_root:
            raise Invalid("Cannot detach a root device volume")
        connection.execute(delete(volume_attachments).where(there))

    def _take(self, connection: Connection, volume: str) -> None:
        """Nothing, where a volume is attached nowhere; so it stays until the transaction ends. Raises Invalid."""
        self.database.lock(connection, f"volume {volume}")
        there = select(volume_attachments.c.number).where(volume_attachments.c.volume_id == volume)
        if connection.execute(there).first():
            raise Invalid(f"Invalid volume: volume {volume} is attached already.")
