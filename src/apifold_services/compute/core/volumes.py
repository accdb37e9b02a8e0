"""Volumes that are attached to servers; the volumes themselves are another service's."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

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

    def attach(self, server: str, volume: str, device: str | None, *, deleted_with_it: bool = False) -> Row[Any]:
        """Attach a volume.

        Raises:
            Invalid: it is attached already, or the device is.
            Conflict: there is no device left.
        """
        try:
            with self.database.writing() as connection:
                there = {row.device for row in self.of(connection, [server])[server]}
                free = (f"/dev/vd{letter}" for letter in string.ascii_lowercase[1:])
                name = device or next((one for one in free if one not in there), None)
                if name is None:
                    raise Conflict("No device is left for another volume.")
                if name in there:
                    raise Conflict(f"The supplied device path ({name}) is in use.")
                values = {"server_id": server, "volume_id": volume, "device": name}
                connection.execute(insert(volume_attachments).values(**values, delete_on_termination=deleted_with_it))
        except IntegrityError:
            raise Invalid(f"Invalid volume: volume {volume} is attached already.") from None
        return self.get(server, volume)

    def swap(self, server: str, volume: str, other: str) -> None:
        """Have another volume in the place of one. Raises NotFound, Invalid: it is attached already."""
        self.get(server, volume)
        there = (volume_attachments.c.server_id == server) & (volume_attachments.c.volume_id == volume)
        try:
            with self.database.writing() as connection:
                connection.execute(update(volume_attachments).where(there).values(volume_id=other))
        except IntegrityError:
            raise Invalid(f"Invalid volume: volume {other} is attached already.") from None

    def detach(self, server: str, volume: str) -> None:
        """Take a volume from a server. Raises NotFound."""
        there = (volume_attachments.c.server_id == server) & (volume_attachments.c.volume_id == volume)
        with self.database.writing() as connection:
            if not connection.execute(delete(volume_attachments).where(there)).rowcount:
                raise NotFound(f"volume_id not found: {volume}")
