"""Network: networks, subnets, ports and quotas."""

from __future__ import annotations

from typing import Any

from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.core.networks import Networks
from apifold_services.multicloud.standin.core.resources import Resource
from apifold_services.multicloud.standin.gate import Visitor, guarded

_HIDDEN = ("taken", "made_for")

network = guarded("network")


@network
def create_network(networks: Networks, visitor: Visitor, body: dict[str, Any]) -> dict[str, Any]:
    return {"network": _network(networks.add_network(visitor.project, body["network"]), [])}


@network
def list_networks(networks: Networks, visitor: Visitor, name: str = "", id: str = "", status: str = "") -> Any:
    subnets = networks.subnets.page(visitor.project)
    found = networks.networks.page(visitor.project, name=name, id=id, status=status)
    return {"networks": [_network(one, subnets) for one in found]}


@network
def show_network(networks: Networks, visitor: Visitor, id: str) -> dict[str, Any]:
    subnets = networks.subnets.page(visitor.project, network_id=id)
    return {"network": _network(networks.networks.get(visitor.project, id), subnets)}


@network
def update_network(networks: Networks, visitor: Visitor, id: str, body: dict[str, Any]) -> dict[str, Any]:
    subnets = networks.subnets.page(visitor.project, network_id=id)
    changed = networks.change(networks.networks, visitor.project, id, body["network"])
    return {"network": _network(changed, subnets)}


@network
def delete_network(networks: Networks, visitor: Visitor, id: str) -> None:
    networks.remove_network(visitor.project, id)


@network
def create_subnet(networks: Networks, visitor: Visitor, body: dict[str, Any]) -> dict[str, Any]:
    return {"subnet": _shown(networks.add_subnet(visitor.project, body["subnet"]))}


@network
def list_subnets(networks: Networks, visitor: Visitor, name: str = "", id: str = "", network_id: str = "") -> Any:
    found = networks.subnets.page(visitor.project, name=name, id=id, network_id=network_id)
    return {"subnets": [_shown(one) for one in found]}


@network
def show_subnet(networks: Networks, visitor: Visitor, id: str) -> dict[str, Any]:
    return {"subnet": _shown(networks.subnets.get(visitor.project, id))}


@network
def update_subnet(networks: Networks, visitor: Visitor, id: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"subnet": _shown(networks.change(networks.subnets, visitor.project, id, body["subnet"]))}


@network
def delete_subnet(networks: Networks, visitor: Visitor, id: str) -> None:
    networks.remove_subnet(visitor.project, id)


@network
def create_port(networks: Networks, visitor: Visitor, body: dict[str, Any]) -> dict[str, Any]:
    return {"port": _shown(networks.add_port(visitor.project, body["port"]))}


@network
def list_ports(
    networks: Networks,
    visitor: Visitor,
    name: str = "",
    id: str = "",
    network_id: str = "",
    status: str = "",
    device_id: str = "",
) -> dict[str, Any]:
    wanted = {"name": name, "id": id, "network_id": network_id, "status": status, "device_id": device_id}
    return {"ports": [_shown(one) for one in networks.ports.page(visitor.project, **wanted)]}


@network
def show_port(networks: Networks, visitor: Visitor, id: str) -> dict[str, Any]:
    return {"port": _shown(networks.ports.get(visitor.project, id))}


@network
def update_port(networks: Networks, visitor: Visitor, id: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"port": _shown(networks.change(networks.ports, visitor.project, id, body["port"]))}


@network
def delete_port(networks: Networks, visitor: Visitor, id: str) -> None:
    networks.remove_port(visitor.project, id)


@network
def show_quota(project_id: str) -> dict[str, Any]:
    return {"quota": FIXED["quota"]}


@network
def show_quota_details(networks: Networks, project_id: str) -> dict[str, Any]:
    return {"quota": networks.quotas(project_id)}


def _network(found: Resource, subnets: list[Resource]) -> dict[str, Any]:
    shown = {name: value for name, value in _shown(found).items() if value is not None}
    return {**shown, "subnets": [subnet["id"] for subnet in subnets if subnet["network_id"] == found["id"]]}


def _shown(found: Resource) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in _HIDDEN} | {"tenant_id": found["project_id"]}
