"""Ports of this machine, each for one unit."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from apifold_services.platform.core.engines.engine import EngineFailed
from apifold_services.platform.core.tables import ports


@dataclass(frozen=True, slots=True)
class Ports:
    """A range of ports, of which units get some.

    Attributes:
        database: opens the database.
        first: the first of them, and `last` the last.
        host: the address that they are on.
    """

    database: Callable[[], Any]
    first: int
    last: int
    host: str

    def of(self, unit_id: str) -> list[int]:
        """Those that a unit has: where it answers, and those of its instances."""
        with self.database().reading() as connection:
            return _of(connection, unit_id)

    def take(self, unit_id: str, count: int) -> list[int]:
        """So many for a unit, those that it has among them.

        Raises:
            EngineFailed: there are not so many.
        """
        known = self.of(unit_id)
        if len(known) >= count:
            return known[:count]
        database = self.database()
        with database.writing() as connection:
            database.lock(connection, "platform ports")
            had = _of(connection, unit_id)
            taken = set(connection.scalars(select(ports.c.port)))
            free = (port for port in range(self.first, self.last + 1) if port not in taken and self._is_free(port))
            for place in range(len(had), count):
                port = next(free, None)
                if port is None:
                    raise EngineFailed(f"there are no more ports between {self.first} and {self.last}")
                connection.execute(insert(ports).values(port=port, unit_id=unit_id, place=place))
                had.append(port)
        return had[:count]

    def give_back(self, unit_id: str) -> None:
        """Those of a unit are anybody's again."""
        with self.database().writing() as connection:
            connection.execute(delete(ports).where(ports.c.unit_id == unit_id))

    def _is_free(self, port: int) -> bool:
        """Whether nobody has a port, where units answer and where their instances do."""
        for host in dict.fromkeys((self.host, "127.0.0.1")):
            with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError:
                    return False
        return True


def _of(connection: Connection, unit_id: str) -> list[int]:
    return list(connection.scalars(select(ports.c.port).where(ports.c.unit_id == unit_id).order_by(ports.c.place)))
