"""Hosts: where servers run, the services on them, and the aggregates that they are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from apifold import Conflict, Database, Invalid, NotFound
from apifold_services.compute.core.moments import kept, now
from apifold_services.compute.core.tables import aggregates, servers, services

COMPUTE = "nova-compute"
CONTROL = ("nova-conductor", "nova-scheduler")
"""Services that clients expect to see beside those that run servers."""

DOWN_AFTER = timedelta(seconds=60)
"""A service that was not heard of for so long is down."""

DEFAULT_ZONE = "nova"
INTERNAL_ZONE = "internal"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a host has, and what runs servers on it.

    Attributes:
        memory: in MiB.
        disk: in GiB.
        kind: of hypervisor, such as `QEMU`.
        version: of it, as a number.
        address: the host's.
        cpu: what it says of its processors.
    """

    vcpus: int
    memory: int
    disk: int
    kind: str
    version: int
    address: str = "127.0.0.1"
    cpu: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What is in use on a host: servers, processors, memory in MiB, disk in GiB; and how many are being changed."""

    servers: int = 0
    vcpus: int = 0
    memory: int = 0
    disk: int = 0
    busy: int = 0


class Hosts:
    """The hosts of a deployment.

    Args:
        database: with the service's tables.
        capacities: of the hosts that there are, by name.
    """

    def __init__(self, database: Database, capacities: Mapping[str, Capacity]) -> None:
        self.database = database
        self.capacities = dict(capacities)

    def report(self) -> None:
        """Say that the services of these hosts are alive; said again and again."""
        binaries = [(COMPUTE, host) for host in self.capacities]
        binaries += [(binary, next(iter(self.capacities))) for binary in CONTROL]
        with self.database.writing() as connection:
            self.database.lock(connection, "services")
            for binary, host in binaries:
                there = (services.c.binary == binary) & (services.c.host == host)
                if not connection.execute(update(services).where(there).values(updated=now())).rowcount:
                    values = {"binary": binary, "host": host, "disabled": False, "forced_down": False, "updated": now()}
                    connection.execute(insert(services).values(**values))

    def services(self, host: str = "", binary: str = "") -> Sequence[Row[Any]]:
        """The services, of a host and of a kind where these are named."""
        statement = select(services).order_by(services.c.id)
        if host:
            statement = statement.where(services.c.host == host)
        if binary:
            statement = statement.where(services.c.binary == binary)
        with self.database.reading() as connection:
            rows: Sequence[Row[Any]] = connection.execute(statement).all()
            return rows

    def change_service(self, host: str, binary: str, **values: Any) -> Row[Any]:
        """Switch a service on or off, with a reason; or say that it is down.

        Raises:
            NotFound: there is no such service.
            Invalid: it is none that runs servers.
        """
        if binary in CONTROL:
            raise Invalid(f"Updating a {binary} service is not supported. Only {COMPUTE} services can be updated.")
        there = (services.c.host == host) & (services.c.binary == binary)
        with self.database.writing() as connection:
            if not connection.execute(update(services).where(there).values(**values)).rowcount:
                raise NotFound(f"Could not find binary {binary} on host {host}.")
            row: Row[Any] = connection.execute(select(services).where(there)).one()
            return row

    def delete_service(self, id: int) -> None:
        """Forget a service. Raises NotFound; Conflict: servers run there."""
        with self.database.writing() as connection:
            row = connection.execute(select(services).where(services.c.id == id)).first()
            if row is None:
                raise NotFound(f"Service {id} could not be found.")
            if row.binary == COMPUTE and load_of(connection, [row.host]).get(row.host, Load()).servers:
                raise Conflict("Unable to delete compute service that is hosting instances. Migrate or delete them.")
            connection.execute(delete(services).where(services.c.id == id))

    def load(self, names: Iterable[str]) -> dict[str, Load]:
        """What is in use on some hosts."""
        with self.database.reading() as connection:
            return load_of(connection, list(names))

    def zones(self) -> dict[str, str]:
        """The availability zone of each host: what one of its aggregates says, else the usual one."""
        found = dict.fromkeys(self.capacities, DEFAULT_ZONE)
        for row in self.aggregates():
            zone = row.metadata.get("availability_zone")
            found.update((host, zone) for host in row.hosts if zone)
        return found

    def aggregates(self) -> Sequence[Row[Any]]:
        """The aggregates, in the order in which they were made."""
        with self.database.reading() as connection:
            rows: Sequence[Row[Any]] = connection.execute(select(aggregates).order_by(aggregates.c.id)).all()
            return rows

    def aggregate(self, id: int) -> Row[Any]:
        """An aggregate. Raises NotFound."""
        with self.database.reading() as connection:
            return _aggregate(connection, id)

    def create_aggregate(self, name: str, zone: str | None) -> Row[Any]:
        """Make an aggregate. Raises Conflict: there is one of that name."""
        said = {"availability_zone": zone} if zone else {}
        try:
            with self.database.writing() as connection:
                values = {"name": name, "metadata": said, "hosts": [], "created": now()}
                made = connection.execute(insert(aggregates).values(**values).returning(aggregates.c.id))
                return _aggregate(connection, made.scalar_one())
        except IntegrityError:
            raise Conflict(f"Aggregate {name} already exists.") from None

    def change_aggregate(self, id: int, name: str | None, metadata: Mapping[str, str | None]) -> Row[Any]:
        """Rename an aggregate, or change its metadata; None removes a key.

        Raises:
            NotFound: there is none.
            Invalid: servers are on one of its hosts, whose zone would be another.
            Conflict: there is one of that name, or one of its hosts is in another zone.
        """
        try:
            with self.database.writing() as connection:
                row = self._locked(connection, id)
                merged = {**row.metadata, **metadata}
                changed = {key: value for key, value in merged.items() if value is not None}
                for host in row.hosts:
                    zone = changed.get("availability_zone")
                    self._check_zone(connection, row, host, zone)
                    if zone != row.metadata.get("availability_zone") and _has_servers(connection, host):
                        raise Invalid(
                            f"Cannot update aggregate {id}: host {host} has servers, and would change its AZ."
                        )
                values = {"name": name or row.name, "metadata": changed, "updated": now()}
                connection.execute(update(aggregates).where(aggregates.c.id == id).values(**values))
                return _aggregate(connection, id)
        except IntegrityError:
            raise Conflict(f"Aggregate {name} already exists.") from None

    def delete_aggregate(self, id: int) -> None:
        """Remove an aggregate. Raises NotFound; Invalid: hosts are in it."""
        with self.database.writing() as connection:
            if self._locked(connection, id).hosts:
                raise Invalid(f"Cannot remove aggregate {id}: it is not empty; remove its hosts first.")
            connection.execute(delete(aggregates).where(aggregates.c.id == id))

    def add_host(self, id: int, host: str) -> Row[Any]:
        """Put a host into an aggregate. Raises NotFound; Conflict: it is in it, or in another zone, or has servers and
        would be in another one."""
        zones = self.zones()
        with self.database.writing() as connection:
            row = self._locked(connection, id)
            if host not in self.capacities:
                raise NotFound(f"Compute host {host} could not be found.")
            if host in row.hosts:
                raise Conflict(f"Aggregate {id} already has host {host}.")
            zone = row.metadata.get("availability_zone")
            self._check_zone(connection, row, host, zone)
            if zone and zone != zones[host] and _has_servers(connection, host):
                raise Conflict(f"Cannot add host {host} to aggregate {id}: it has servers, and would change its AZ.")
            values = {"hosts": [*row.hosts, host], "updated": now()}
            connection.execute(update(aggregates).where(aggregates.c.id == id).values(**values))
            return _aggregate(connection, id)

    def remove_host(self, id: int, host: str) -> Row[Any]:
        """Take a host out of an aggregate. Raises NotFound: it is not in it."""
        with self.database.writing() as connection:
            row = self._locked(connection, id)
            if host not in row.hosts:
                raise NotFound(f"Aggregate {id} has no host {host}.")
            values = {"hosts": [one for one in row.hosts if one != host], "updated": now()}
            connection.execute(update(aggregates).where(aggregates.c.id == id).values(**values))
            return _aggregate(connection, id)

    def _locked(self, connection: Connection, id: int) -> Row[Any]:
        """An aggregate; nobody else changes any before this transaction ends. Raises NotFound."""
        self.database.lock(connection, "aggregates")
        return _aggregate(connection, id)

    @staticmethod
    def _check_zone(connection: Connection, own: Row[Any], host: str, zone: str | None) -> None:
        """A host is in one zone, whatever aggregates it is in. Raises Conflict."""
        for other in connection.execute(select(aggregates).where(aggregates.c.id != own.id)):
            there = other.metadata.get("availability_zone")
            if zone and there and there != zone and host in other.hosts:
                raise Conflict(f"Host {host} already exists in another AZ: {there}")


def is_up(service: Row[Any]) -> bool:
    """Whether a service was heard of lately, and nobody says that it is down."""
    oldest = kept(datetime.now(UTC) - DOWN_AFTER)
    return not service.forced_down and bool(service.updated) and service.updated >= oldest


def _aggregate(connection: Connection, id: int) -> Row[Any]:
    row: Row[Any] | None = connection.execute(select(aggregates).where(aggregates.c.id == id)).first()
    if row is None:
        raise NotFound(f"Aggregate {id} could not be found.")
    return row


def _has_servers(connection: Connection, host: str) -> bool:
    there = select(servers.c.number).where(servers.c.host == host, ~servers.c.deleted).limit(1)
    return connection.execute(there).first() is not None


def load_of(connection: Connection, names: list[str]) -> dict[str, Load]:
    """What is in use on some hosts, as a transaction sees it."""
    statement = (
        select(servers.c.host, func.count(), func.sum(servers.c.vcpus), func.sum(servers.c.ram))
        .where(servers.c.host.in_(names), ~servers.c.deleted)
        .group_by(servers.c.host)
    )
    sums = {row[0]: row for row in connection.execute(statement)}
    there = select(servers.c.host, servers.c.flavor, servers.c.task_state).where(
        servers.c.host.in_(names), ~servers.c.deleted
    )
    disks, busy = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for row in connection.execute(there):
        disks[row.host] += row.flavor["disk"] + row.flavor["ephemeral"]
        busy[row.host] += row.task_state is not None
    return {
        name: Load(int(row[1]), int(row[2] or 0), int(row[3] or 0), disks[name], busy[name])
        for name, row in sums.items()
    }
