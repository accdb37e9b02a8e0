"""Networks, and the ports by which servers are in them."""

from __future__ import annotations

import ipaddress
import random
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from apifold import Conflict, Database, Invalid, NotFound, SettingsError
from apifold_services.compute.core.tables import ports

_NAMESPACE = uuid.UUID("6f7a2c1e-5b0d-4c9e-9d62-2f1f8a5f2b10")

_chance = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Network:
    """A network that servers can be in.

    Attributes:
        id: the same for the same name, in each deployment.
        cidr: the addresses in it; the first is the gateway's.
    """

    id: str
    name: str
    cidr: ipaddress.IPv4Network | ipaddress.IPv6Network

    def addresses(self) -> Iterator[str]:
        """Those that servers can have."""
        return (str(one) for one in islice(self.cidr.hosts(), 1, None))

    def gives(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        """Whether servers can have an address."""
        taken = {self.cidr[0], next(iter(self.cidr.hosts()), None)}
        if self.cidr.version == 4:  # in IPv6 no address means all of a network (RFC 4291)
            taken.add(self.cidr.broadcast_address)
        return address in self.cidr and address not in taken


@dataclass(frozen=True, slots=True)
class Wanted:
    """A port that somebody asks for: in a network, by its id, and with an address where one is said."""

    network: str = ""
    port: str = ""
    address: str = ""


def read_networks(said: Mapping[str, str]) -> dict[str, Network]:
    """The networks of a deployment by id.

    Args:
        said: their addresses (CIDR), by name.

    Raises:
        SettingsError: these are no addresses.
    """
    found = {}
    for name, cidr in said.items():
        try:
            network = Network(str(uuid.uuid5(_NAMESPACE, name)), name, ipaddress.ip_network(cidr))
        except ValueError as error:
            raise SettingsError(f"services: compute: networks: {name}: {error}") from None
        found[network.id] = network
    return found


class Networks:
    """The networks of a deployment.

    Args:
        database: with the service's tables.
        all: those that there are, by id; the first is what servers get that ask for none.
    """

    def __init__(self, database: Database, all: Mapping[str, Network]) -> None:
        self.database = database
        self.all = all

    def named(self, id: str) -> Network:
        """The network of an id. Raises NotFound."""
        if id not in self.all:
            raise NotFound(f"Network {id} could not be found.")
        return self.all[id]

    def usual(self) -> tuple[Wanted, ...]:
        """What a server gets that asks for nothing: a port in the first network, if there is one."""
        return tuple(Wanted(network=id) for id in list(self.all)[:1])

    def check(self, wanted: Iterable[Wanted]) -> None:
        """Nothing, where these can be had as far as one knows beforehand.

        Raises:
            NotFound: there is no such network, or port.
            Invalid: the address is none that servers can have in that network.
        """
        for one in wanted:
            if one.port and not one.network:
                raise NotFound(f"Port {one.port} could not be found.")
            network = self.named(one.network)
            if one.address and not network.gives(ipaddress.ip_address(one.address)):
                raise Invalid(f"Fixed IP address {one.address} can't be had in network {network.id}.")

    def attach(self, connection: Connection, server_ids: Sequence[str], wanted: Wanted) -> list[str]:
        """Give some servers a port each; their ids.

        Raises:
            NotFound, Invalid: as `check` does; or there are no addresses left.
            Conflict: the address is taken.
        """
        self.check((wanted,))
        network = self.named(wanted.network)
        self.database.lock(connection, f"network {network.id}")
        taken = set(connection.scalars(select(ports.c.address).where(ports.c.network_id == network.id)))
        if wanted.address:
            said = str(ipaddress.ip_address(wanted.address))
            if said in taken or len(server_ids) > 1:
                raise Conflict(f"Fixed IP address {said} is already in use.")
            addresses = [said]
        else:
            addresses = list(islice((one for one in network.addresses() if one not in taken), len(server_ids)))
        if len(addresses) < len(server_ids):
            raise Invalid(f"No address is free in network {network.id}.")
        made = [
            {"id": str(uuid.uuid4()), "server_id": server, "network_id": network.id, "mac": _mac(), "address": address}
            for server, address in zip(server_ids, addresses, strict=True)
        ]
        connection.execute(insert(ports), made)
        return [port["id"] for port in made]

    def detach(self, connection: Connection, server: str, port: str) -> None:
        """Take a port from a server. Raises NotFound."""
        gone = connection.execute(delete(ports).where(ports.c.server_id == server, ports.c.id == port))
        if not gone.rowcount:
            raise NotFound(f"Port id {port} could not be found.")

    def of(self, connection: Connection, server_ids: Iterable[str]) -> dict[str, list[Row[Any]]]:
        """The ports of some servers, by server."""
        found: dict[str, list[Row[Any]]] = {id: [] for id in server_ids}
        statement = select(ports).where(ports.c.server_id.in_(list(found))).order_by(ports.c.number)
        for row in connection.execute(statement):
            found[row.server_id].append(row)
        return found

    def addresses(self, there: Sequence[Row[Any]]) -> dict[str, list[dict[str, Any]]]:
        """The addresses of some ports, by the network's name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for port in there:
            name = self.all[port.network_id].name if port.network_id in self.all else port.network_id
            shown = {
                "version": 6 if ":" in port.address else 4,
                "addr": port.address,
                "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": port.mac,
            }
            found.setdefault(name, []).append(shown)
        return found


def _mac() -> str:
    return ":".join(f"{part:02x}" for part in (0xFA, 0x16, 0x3E, *(_chance.randrange(256) for _ in range(3))))
