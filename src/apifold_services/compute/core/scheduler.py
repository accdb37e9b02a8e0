"""Where a server goes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from apifold import Database
from apifold_services.compute.core.drivers.driver import DriverFailed
from apifold_services.compute.core.hosts import COMPUTE, Hosts, Load, is_up, load_of
from apifold_services.compute.core.tables import groups, servers

OVERCOMMIT = {"vcpus": 16.0, "memory": 1.5}
"""How much more of each may be promised than there is, as upstream has it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a server needs of a host.

    Attributes:
        zone: where it is to be; "" for anywhere.
        host: the one that somebody insists on; "" for any.
        group: the server group that it is in; "" for none.
        without: a host that will not do.
    """

    id: str
    flavor: Mapping[str, Any]
    zone: str = ""
    host: str = ""
    group: str = ""
    without: str = ""


class Scheduler:
    """Chooses hosts.

    Args:
        database: with the service's tables.
        hosts: those that there are.
    """

    def __init__(self, database: Database, hosts: Hosts) -> None:
        self.database = database
        self.hosts = hosts

    def choose(self, wish: Wish, writing: Connection | None = None) -> str:
        """The host with the most memory left, of those that will do.

        Args:
            writing: the transaction in which a place is taken there; what others took before is seen in it.

        Raises:
            DriverFailed: none will.
        """
        if wish.host and wish.host in self.hosts.capacities:
            return wish.host
        usable = {row.host for row in self.hosts.services(binary=COMPUTE) if not row.disabled and is_up(row)}
        zones = self.hosts.zones()
        with nullcontext(writing) if writing is not None else self.database.reading() as connection:
            load = load_of(connection, list(self.hosts.capacities))
            required, preferred = self._kin(connection, wish)
        found = []
        for host in self.hosts.capacities:
            fits = host in usable and host != wish.without and (not wish.zone or zones[host] == wish.zone)
            if fits and required(host) and self._has_room(host, load.get(host, Load()), wish):
                left = self.hosts.capacities[host].memory - load.get(host, Load()).memory
                found.append((not preferred(host), -left, host))
        if not found or wish.host:
            raise DriverFailed("No valid host was found. There are not enough hosts available.")
        return min(found)[2]

    def _has_room(self, host: str, load: Load, wish: Wish) -> bool:
        has, flavor = self.hosts.capacities[host], wish.flavor
        disk = flavor["disk"] + flavor["ephemeral"]
        return bool(
            load.vcpus + flavor["vcpus"] <= has.vcpus * OVERCOMMIT["vcpus"]
            and load.memory + flavor["ram"] <= has.memory * OVERCOMMIT["memory"]
            and load.disk + disk <= has.disk
        )

    def _kin(self, connection: Connection, wish: Wish) -> tuple[Any, Any]:
        """What the servers of its group demand of a host, and what they would like."""
        policy = connection.scalar(select(groups.c.policy).where(groups.c.id == wish.group))
        if policy is None:
            return _any, _any
        there = select(servers.c.host).where(
            servers.c.group_id == wish.group, ~servers.c.deleted, servers.c.id != wish.id, servers.c.host.is_not(None)
        )
        kin = set(connection.scalars(there))
        demand = (lambda host: host not in kin) if "anti" in policy else (lambda host: not kin or host in kin)
        return (_any, demand) if policy.startswith("soft") else (demand, _any)


def _any(host: str) -> bool:
    return True
