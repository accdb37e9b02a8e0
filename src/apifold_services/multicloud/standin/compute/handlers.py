"""Compute: servers, flavors and where they run."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from apifold import NotFound, Page
from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.core.flavors import Flavors
from apifold_services.multicloud.standin.core.hypervisors import ZONE, hypervisors
from apifold_services.multicloud.standin.core.resources import Resource, now
from apifold_services.multicloud.standin.core.servers import Servers
from apifold_services.multicloud.standin.gate import Visitor, guarded

POWER = {"ACTIVE": (1, "active"), "SHUTOFF": (4, "stopped")}
"""Power and VM state of a status."""

_TOLD = ("id", "name", "status", "metadata", "key_name", "security_groups", "user_id")

compute = guarded("compute")


@compute
def show_version(visitor: Visitor) -> dict[str, Any]:
    links = [{"rel": "self", "href": f"{visitor.cloud}/compute/v2.1/"}]
    return {"version": {"id": "v2.1", "status": "CURRENT", "version": "2.1", "min_version": "2.1", "links": links}}


@compute
def create_server(servers: Servers, visitor: Visitor, body: dict[str, Any]) -> dict[str, Any]:
    server = servers.add(visitor.project, visitor.user, body["server"])
    groups = {"security_groups": server["security_groups"], "OS-DCF:diskConfig": "MANUAL"}
    link = _link("servers", server, visitor)
    return {"server": {"id": link["id"], "links": link["links"], **groups, "adminPass": secrets.token_urlsafe(9)}}


@compute
def list_servers(servers: Servers, visitor: Visitor, page: Page, name: str = "", status: str = "") -> dict[str, Any]:
    found = servers.page(visitor.project, page, name=name, status=status)
    return {"servers": [_link("servers", server, visitor) for server in found]}


@compute
def list_whole_servers(
    servers: Servers, visitor: Visitor, page: Page, name: str = "", status: str = ""
) -> dict[str, Any]:
    return {"servers": _servers(servers, visitor, servers.page(visitor.project, page, name=name, status=status))}


@compute
def show_server(servers: Servers, visitor: Visitor, id: str) -> dict[str, Any]:
    return {"server": _servers(servers, visitor, [servers.get(visitor.project, id)])[0]}


@compute
def delete_server(servers: Servers, visitor: Visitor, id: str) -> None:
    servers.end(visitor.project, id)


@compute
def act(servers: Servers, visitor: Visitor, id: str, body: dict[str, Any]) -> None:
    servers.act(visitor.project, id, next(iter(body)))


@compute
def create_flavor(flavors: Flavors, visitor: Visitor, body: dict[str, Any]) -> dict[str, Any]:
    return {"flavor": _flavor(flavors.add(body["flavor"]), visitor)}


@compute
def list_flavors(flavors: Flavors, visitor: Visitor, page: Page) -> dict[str, Any]:
    return {"flavors": [_link("flavors", flavor, visitor) for flavor in flavors.page(visitor.project, page)]}


@compute
def list_whole_flavors(flavors: Flavors, visitor: Visitor, page: Page) -> dict[str, Any]:
    return {"flavors": [_flavor(flavor, visitor) for flavor in flavors.page(visitor.project, page)]}


@compute
def show_flavor(flavors: Flavors, visitor: Visitor, id: str) -> dict[str, Any]:
    return {"flavor": _flavor(flavors.get(visitor.project, id), visitor)}


@compute
def delete_flavor(flavors: Flavors, visitor: Visitor, id: str) -> None:
    flavors.remove(visitor.project, id)


@compute
def show_extra_specs(flavors: Flavors, visitor: Visitor, id: str) -> dict[str, Any]:
    return {"extra_specs": flavors.get(visitor.project, id)["extra_specs"]}


@compute
def add_extra_specs(flavors: Flavors, id: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"extra_specs": flavors.specify(id, body["extra_specs"])}


@compute
def list_hypervisors(servers: Servers) -> dict[str, Any]:
    shown = ("id", "hypervisor_hostname", "state", "status")
    return {"hypervisors": [{name: one[name] for name in shown} for one in hypervisors(servers.every())]}


@compute
def list_whole_hypervisors(servers: Servers) -> dict[str, Any]:
    return {"hypervisors": hypervisors(servers.every())}


@compute
def show_hypervisor(servers: Servers, id: str) -> dict[str, Any]:
    for one in hypervisors(servers.every()):
        if one["id"] == id:
            return {"hypervisor": one}
    raise NotFound(f"Hypervisor with ID '{id}' could not be found.")


@compute
def list_zones() -> dict[str, Any]:
    return {"availabilityZoneInfo": [{"zoneName": ZONE, "zoneState": {"available": True}, "hosts": None}]}


@compute
def list_whole_zones() -> dict[str, Any]:
    zones: dict[str, dict[str, Any]] = {}
    for service in _services():
        runs = {"available": True, "active": True, "updated_at": service["updated_at"]}
        zones.setdefault(service["zone"], {}).setdefault(service["host"], {})[service["binary"]] = runs
    shown = [{"zoneName": name, "zoneState": {"available": True}, "hosts": hosts} for name, hosts in zones.items()]
    return {"availabilityZoneInfo": shown}


@compute
def list_hosts() -> dict[str, Any]:
    kinds = [(one["host"], one["binary"].removeprefix("nova-"), one["zone"]) for one in _services()]
    return {"hosts": [{"host_name": host, "service": kind, "zone": zone} for host, kind, zone in kinds]}


@compute
def list_services() -> dict[str, Any]:
    return {"services": _services()}


@compute
def show_limits(servers: Servers, visitor: Visitor) -> dict[str, Any]:
    return {"limits": {"rate": [], "absolute": servers.limits(visitor.project)}}


def _services() -> list[dict[str, Any]]:
    runs = {"status": "enabled", "state": "up", "updated_at": now(), "disabled_reason": None}
    return [{"id": number, **service, **runs} for number, service in enumerate(FIXED["services"], 1)]


def _links(kind: str, id: str, visitor: Visitor) -> list[dict[str, str]]:
    return [
        {"rel": "self", "href": f"{visitor.cloud}/compute/v2.1/{kind}/{id}"},
        {"rel": "bookmark", "href": f"{visitor.cloud}/compute/{kind}/{id}"},
    ]


def _link(kind: str, resource: Resource, visitor: Visitor) -> dict[str, Any]:
    return {"id": resource["id"], "name": resource["name"], "links": _links(kind, resource["id"], visitor)}


def _bookmark(kind: str, id: str, visitor: Visitor) -> dict[str, Any]:
    return {"id": id, "links": _links(kind, id, visitor)[1:]}


def _flavor(flavor: Resource, visitor: Visitor) -> dict[str, Any]:
    hidden = ("project_id", "extra_specs", "created_at", "updated_at")
    shown = {name: value for name, value in flavor.items() if name not in hidden}
    return {**shown, "links": _links("flavors", flavor["id"], visitor)}


def _servers(servers: Servers, visitor: Visitor, found: list[Resource]) -> list[dict[str, Any]]:
    addresses = servers.addresses(visitor.project, found)
    return [_server(server, visitor) | {"addresses": addresses[server["id"]]} for server in found]


def _server(server: Resource, visitor: Visitor) -> dict[str, Any]:
    power, state = POWER[server["status"]]
    return {
        **FIXED["server"],
        **{name: server[name] for name in _TOLD},
        "tenant_id": server["project_id"],
        "created": server["created_at"],
        "updated": server["updated_at"],
        "links": _links("servers", server["id"], visitor),
        "flavor": _bookmark("flavors", server["flavor"]["id"], visitor),
        "image": _bookmark("images", server["image"], visitor) if server["image"] else "",
        "hostId": hashlib.sha224(f"{server['project_id']}{server['host']}".encode()).hexdigest(),
        "OS-EXT-AZ:availability_zone": server["zone"],
        "OS-EXT-SRV-ATTR:host": server["host"],
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server["host"],
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{server['id'][:8]}",
        "OS-EXT-STS:power_state": power,
        "OS-EXT-STS:vm_state": state,
        "OS-SRV-USG:launched_at": server["created_at"].removesuffix("Z"),
        "os-extended-volumes:volumes_attached": server["volumes"],
    }
