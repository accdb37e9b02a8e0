"""Networks, their subnets, and ports with addresses of these."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from apifold import Conflict, Deployment, Fault, Invalid
from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.core.resources import Resource, Resources

_KEPT = {"network_id", "cidr", "ip_version", "fixed_ips", "mac_address"}


class Networks:
    """The networks, subnets and ports of each project."""

    def __init__(self, deployment: Deployment) -> None:
        self.networks = Resources(deployment, "Network")
        self.subnets = Resources(deployment, "Subnet")
        self.ports = Resources(deployment, "Port")

    def add_network(self, project: str, wish: dict[str, Any]) -> Resource:
        """A new network; what it wishes to be null it does not have."""
        given = {name: value for name, value in wish.items() if value is not None}
        return self.networks.create(project, {**FIXED["network"], **given})

    def remove_network(self, project: str, id: str) -> None:
        """Forget a network.

        Raises:
            NotFound: there is none.
            Conflict: it has subnets or ports.
        """
        self.networks.get(project, id)
        if self.subnets.page(project, network_id=id) or self.ports.page(project, network_id=id):
            raise _in_use("Network", f"Unable to complete operation on network {id}. There are subnets or ports on it.")
        self.networks.remove(project, id)

    def add_subnet(self, project: str, wish: dict[str, Any]) -> Resource:
        """A new subnet, with a gateway and a pool where it names none.

        Raises:
            NotFound: there is no such network.
            Invalid: its `cidr` is no block of addresses.
        """
        self.networks.get(project, wish["network_id"])
        block = _block(wish["cidr"])
        gateway = wish["gateway_ip"] if "gateway_ip" in wish else str(block[1])
        pools = wish.get("allocation_pools") or _pools(block, gateway)
        fixed = {"gateway_ip": gateway, "allocation_pools": pools, "cidr": str(block), "ip_version": block.version}
        return self.subnets.create(project, {**FIXED["subnet"], **wish, **fixed, "taken": []})

    def remove_subnet(self, project: str, id: str) -> None:
        """Forget a subnet.

        Raises:
            NotFound: there is none.
            Conflict: ports have addresses of it.
        """
        if self.subnets.get(project, id)["taken"]:
            raise _in_use("Subnet", f"Unable to complete operation on subnet {id}: One or more ports have an IP of it.")
        self.subnets.remove(project, id)

    def add_port(self, project: str, wish: dict[str, Any]) -> Resource:
        """A new port, with the addresses that it wishes, or one of the network's first subnet.

        Raises:
            NotFound: there is no such network or subnet.
            Conflict: an address is taken, or none is left.
        """
        self.networks.get(project, wish["network_id"])
        subnets = self.subnets.page(project, network_id=wish["network_id"])
        wishes = wish.get("fixed_ips")
        if wishes is None:
            wishes = [{"subnet_id": subnet["id"]} for subnet in subnets[:1]]
        addresses: list[dict[str, str]] = []
        try:
            for one in wishes:
                addresses.append(self._take(project, subnets, one))
        except Fault:
            self._give_back(project, addresses)
            raise
        mac = "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))
        return self.ports.create(project, {**FIXED["port"], "mac_address": mac, **wish, "fixed_ips": addresses})

    def remove_port(self, project: str, id: str) -> None:
        """Forget a port, and give back its addresses. Raises NotFound."""
        self._give_back(project, self.ports.remove(project, id)["fixed_ips"])

    def change(self, kept: Resources, project: str, id: str, wish: dict[str, Any]) -> Resource:
        """Change a network, subnet or port.

        Raises:
            NotFound: there is none.
            Invalid: it names what stays as it is.
        """

        def changed(resource: Resource) -> Resource:
            for name in _KEPT & wish.keys():
                if wish[name] != resource.get(name):
                    raise Invalid(f"Cannot update read-only attribute {name}", title="HTTPBadRequest")
            return wish

        return kept.change(project, id, changed)

    def quotas(self, project: str) -> dict[str, dict[str, int]]:
        """What a project may have, and what it has, by kind."""
        used = {
            "network": len(self.networks.page(project)),
            "subnet": len(self.subnets.page(project)),
            "port": len(self.ports.page(project)),
        }
        return {
            kind: {"limit": most, "used": used.get(kind, 0), "reserved": 0} for kind, most in FIXED["quota"].items()
        }

    def _take(self, project: str, subnets: list[Resource], wish: dict[str, str]) -> dict[str, str]:
        wanted = wish.get("ip_address", "")
        id = wish.get("subnet_id") or next((one["id"] for one in subnets if _holds(one["cidr"], wanted)), "")
        if id not in {one["id"] for one in subnets}:
            raise self.subnets.missing(id or wanted)

        def taken(subnet: Resource) -> Resource:
            if wanted and not _holds(subnet["cidr"], wanted):
                raise Invalid(f"IP address {wanted} is not a valid IP for subnet {id}.", title="InvalidIpForSubnet")
            if wanted in subnet["taken"]:
                raise Conflict(f"IP address {wanted} already allocated in subnet {id}", title="IpAddressInUse")
            return {"taken": [*subnet["taken"], wanted or _free(subnet)]}

        changed = self.subnets.change(project, id, taken)
        return {"subnet_id": id, "ip_address": changed["taken"][-1]}

    def _give_back(self, project: str, addresses: list[dict[str, str]]) -> None:
        for fixed in addresses:

            def without(subnet: Resource, address: str = fixed["ip_address"]) -> Resource:
                return {"taken": [one for one in subnet["taken"] if one != address]}

            self.subnets.change(project, fixed["subnet_id"], without)


def _in_use(kind: str, said: str) -> Conflict:
    return Conflict(said, title=f"{kind}InUse")


def _block(cidr: str) -> IPv4Network | IPv6Network:
    try:
        block = ip_network(cidr, strict=False)
    except ValueError as error:
        raise Invalid(f"Invalid input for cidr. Reason: {error}.", title="HTTPBadRequest") from None
    if block.num_addresses < 4:
        raise Invalid(f"Invalid input for cidr. Reason: {cidr} is too small.", title="HTTPBadRequest")
    return block


def _pools(block: IPv4Network | IPv6Network, gateway: str | None) -> list[dict[str, str]]:
    """All of a block but its ends, on both sides of the gateway."""
    first, last = int(block[1]), int(block[-2])
    middle = int(ip_address(gateway)) if gateway else first - 1
    sides = [(first, min(middle - 1, last)), (max(middle + 1, first), last)]
    return [{"start": str(block[a - int(block[0])]), "end": str(block[b - int(block[0])])} for a, b in sides if a <= b]


def _holds(cidr: str, address: str) -> bool:
    return bool(address) and ip_address(address) in ip_network(cidr)


def _free(subnet: Resource) -> str:
    taken = set(subnet["taken"])
    for address in _addresses(subnet["allocation_pools"]):
        if address not in taken:
            return address
    raise Conflict(f"No more IP addresses available on subnet {subnet['id']}.", title="IpAddressGenerationFailure")


def _addresses(pools: list[dict[str, str]]) -> Iterator[str]:
    for pool in pools:
        address, last = ip_address(pool["start"]), ip_address(pool["end"])
        while address <= last:  # type: ignore[operator]  # both are of one family
            yield str(address)
            address += 1
