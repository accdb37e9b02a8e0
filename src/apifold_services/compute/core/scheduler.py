"""Where a server goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from apifold import Database
from apifold_services.compute.core.drivers.driver import DriverFailed
from apifold_services.compute.core.groups import Groups
from apifold_services.compute.core.hosts import COMPUTE, Hosts, Load, is_up
from apifold_services.compute.core.tables import servers

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
        groups: what keeps servers together, or apart.
    """

    def __init__(self, database: Database, hosts: Hosts, groups: Groups) -> None:
        self.database = database
        self.hosts = hosts
        self.groups = groups

    def choose(self, wish: Wish) -> str:
        """The host with the most memory left, of those that will do.

        Raises:
            DriverFailed: none will.
        """
        if wish.host and wish.host in self.hosts.capacities:
            return wish.host
        usable = {row.host for row in self.hosts.services(binary=COMPUTE) if not row.disabled and is_up(row)}
        zones, load = self.hosts.zones(), self.hosts.load(self.hosts.capacities)
        required, preferred = self._kin(wish)
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

    def _kin(self, wish: Wish) -> tuple[Any, Any]:
        """What the servers of its group demand of a host, and what they would like."""
        if not wish.group:
            return _any, _any
        policy = self.groups.get(wish.group).policy
        there = select(servers.c.host).where(
            servers.c.group_id == wish.group, ~servers.c.deleted, servers.c.id != wish.id, servers.c.host.is_not(None)
        )
        with self.database.reading() as connection:
            kin = set(connection.scalars(there))
        demand = (lambda host: host not in kin) if "anti" in policy else (lambda host: not kin or host in kin)
        return (_any, demand) if policy.startswith("soft") else (demand, _any)


def _any(host: str) -> bool:
    return True
