"""Watching machines: one that ended by itself is one that is stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, update

from apifold import Database
from apifold_services.compute.core import states
from apifold_services.compute.core.drivers.driver import Driver, DriverFailed, Machine
from apifold_services.compute.core.moments import now
from apifold_services.compute.core.servers import Servers
from apifold_services.compute.core.tables import servers

log = logging.getLogger("apifold.compute")

RUNNING = ("active", "paused", "rescued", "resized")
"""States in which a machine runs: drivers hear of it again and again, so that they can look after it."""

ENDED = (states.SHUTDOWN, states.CRASHED)


@dataclass(frozen=True, slots=True)
class Watch:
    """Holds what is known of servers against what their machines do.

    Attributes:
        machine: makes a server as drivers see it.
    """

    database: Database
    servers: Servers
    driver: Driver
    machine: Callable[[Row[Any]], Machine]

    def look(self, stopped: Callable[[], bool]) -> None:
        """Note which of those that should run have ended; nothing where the driver knows no more than we do."""
        runs = servers.c.vm_state.in_(RUNNING) & servers.c.task_state.is_(None) & ~servers.c.deleted
        for row in self.servers.all(runs):
            try:
                power = self.driver.power_state(self.machine(row))
            except DriverFailed as error:
                log.warning("server %s can't be looked after: %s", row.id, error)
                continue
            if power is None or stopped():
                return
            if power in ENDED and row.vm_state == "active":
                self._ended(row, power)

    def _ended(self, row: Row[Any], power: int) -> None:
        """Only where nobody did anything with it since: whoever does knows better."""
        unchanged = (servers.c.vm_state == "active") & (servers.c.updated == row.updated)
        still = (servers.c.id == row.id) & unchanged & servers.c.task_state.is_(None)
        with self.database.writing() as connection:
            values = {"vm_state": "stopped", "power_state": power, "updated": now()}
            connection.execute(update(servers).where(still).values(**values))
