"""Interfaces: ports that servers have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Invalid, NotFound
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.networks import Wanted
from apifold_services.compute.resource import Resource

RESOURCE = Resource(
    __name__, "os-attach-interfaces", "AttachInterfaces", "Attach interface support.", "2012-07-22T00:00:00Z"
)

Body = Mapping[str, Any]


def list_interfaces(core: ComputeCore, ask: Ask, server_id: str) -> Any:
    ports = core.servers.get(server_id, ask.project).ports
    return {"interfaceAttachments": [_shown(port) for port in ports]}


def attach_interface(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> Any:
    said = body.get("interfaceAttachment") or {}
    if said.get("port_id"):
        raise NotFound(f"Port {said['port_id']} could not be found.")
    fixed = said.get("fixed_ips")
    if fixed and not said.get("net_id"):
        raise Invalid("Must input network_id when request IP address")
    usual = core.networks.usual()
    if not said.get("net_id") and not usual:
        raise Invalid("There is no network here.")
    wanted = Wanted(said.get("net_id") or usual[0].network, address=fixed[0]["ip_address"] if fixed else "")
    with core.servers.admitted(ask, server_id, "attach_interface", noted=True) as (connection, _):
        (port,) = core.networks.attach(connection, [server_id], wanted)
    return show_interface(core, ask, server_id, port)


def show_interface(core: ComputeCore, ask: Ask, server_id: str, port_id: str) -> Any:
    found = next((port for port in core.servers.get(server_id, ask.project).ports if port.id == port_id), None)
    if found is None:
        raise NotFound(f"Instance {server_id} does not have a port with id {port_id}")
    return {"interfaceAttachment": _shown(found)}


def detach_interface(core: ComputeCore, ask: Ask, server_id: str, port_id: str) -> None:
    with core.servers.admitted(ask, server_id, "detach_interface", noted=True) as (connection, _):
        core.networks.detach(connection, server_id, port_id)


def add_fixed_ip(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> None:
    with core.servers.admitted(ask, server_id, "change_fixed_ip") as (connection, _):
        core.networks.attach(connection, [server_id], Wanted(str(body["networkId"])))


def remove_fixed_ip(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> None:
    with core.servers.admitted(ask, server_id, "change_fixed_ip") as (connection, _):
        there = core.networks.of(connection, [server_id])[server_id]
        port = next((port for port in there if port.address == body["address"]), None)
        if port is None:
            raise Invalid(f"Fixed IP {body['address']} not found for instance {server_id}.")
        core.networks.detach(connection, server_id, port.id)


def _shown(port: Any) -> dict[str, Any]:
    fixed = [{"subnet_id": port.network_id, "ip_address": port.address}]
    own = {"port_id": port.id, "net_id": port.network_id, "mac_addr": port.mac}
    return {**own, "port_state": "ACTIVE", "fixed_ips": fixed}
