"""What several resources show alike: servers, links, pages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from apifold import Request
from apifold_services.compute.core import states
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.hosts import COMPUTE, is_up
from apifold_services.compute.core.listing import Cut
from apifold_services.compute.core.moments import zulu
from apifold_services.compute.core.servers import Server
from apifold_services.compute.resource import Resources

Allowed = Callable[..., bool]
"""Whether the caller may do what a rule is about."""


def links(address: str, kind: str, id: str) -> list[dict[str, str]]:
    """Where a thing is: as the client named the API, and without its version."""
    return [{"rel": "self", "href": f"{address}/{kind}/{id}"}, *bookmark(address, kind, id)]


def bookmark(address: str, kind: str, id: str) -> list[dict[str, str]]:
    """Where a thing is, whatever the version."""
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    before, _, version = f"/{path}".rpartition("/v2")
    there = "/".join(part for part in (f"{host}{before}", version.partition("/")[2], kind, id) if part)
    return [{"rel": "bookmark", "href": f"{scheme}://{there}"}]


def page(name: str, items: Sequence[Mapping[str, Any]], request: Request, cut: Cut) -> dict[str, Any]:
    """One page of a list, and where it goes on, as far as one sees."""
    if not items or len(items) < cut.size:
        return {name: items}
    pairs = [(key, value) for key, value in parse_qsl(request.query, keep_blank_values=True) if key != "marker"]
    address = f"{request.base_url}{request.path}?{urlencode([*pairs, ('marker', items[-1]['id'])])}"
    return {name: items, f"{name}_links": [{"rel": "next", "href": address}]}


YES = frozenset(("true", "1", "on", "yes", "y", "t"))
NO = frozenset(("false", "0", "off", "no", "n", "f"))
YES_OR_NO = YES | NO
"""The ways to say either that the API knows."""


def is_true(said: Any) -> bool:
    """Whether a client says yes."""
    return str(said).lower() in YES


def last_segment(reference: Any) -> str:
    """The id in a reference, which may be an address."""
    return str(reference).rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ServerView:
    """Servers as clients see them."""

    resources: Resources
    core: ComputeCore

    def brief(self, server: Server, address: str) -> dict[str, Any]:
        """One in a list."""
        row = server.row
        return {"id": row.id, "name": row.name, "links": links(address, "servers", row.id)}

    def full(self, server: Server, address: str, allowed: Allowed) -> dict[str, Any]:
        """All of it."""
        return self.all([server], address, allowed)[0]

    def all(self, servers: Sequence[Server], address: str, allowed: Allowed) -> list[dict[str, Any]]:
        """All of several."""
        found = [self._whole(server, address) for server in servers]
        if allowed("os_compute_api:os-extended-server-attributes"):
            for shown, server in zip(found, servers, strict=True):
                shown.update(_inner(server))
        if allowed("os_compute_api:servers:show:host_status"):
            statuses = {one.host: _host_status(one) for one in self.core.hosts.services(binary=COMPUTE)}
            for shown, server in zip(found, servers, strict=True):
                shown["host_status"] = statuses.get(server.row.host, "")
        return found

    def _whole(self, server: Server, address: str) -> dict[str, Any]:
        row = server.row
        return {
            **self.plain(server, address),
            "addresses": self._addresses(server),
            "key_name": row.key_name,
            "config_drive": "True" if row.config_drive else "",
            "OS-EXT-AZ:availability_zone": row.availability_zone,
            "OS-EXT-STS:power_state": row.power_state,
            "OS-EXT-STS:task_state": row.task_state,
            "OS-EXT-STS:vm_state": row.vm_state,
            "OS-SRV-USG:launched_at": row.launched_at,
            "OS-SRV-USG:terminated_at": row.terminated_at,
            "os-extended-volumes:volumes_attached": [
                {"id": one.volume_id, "delete_on_termination": one.delete_on_termination} for one in server.volumes
            ],
            **({"security_groups": [{"name": name} for name in row.security_groups]} if row.security_groups else {}),
            **self.resources.server_fields(server),
        }

    def plain(self, server: Server, address: str) -> dict[str, Any]:
        """What a change of it answers."""
        row, status = server.row, server.status
        there = {
            name: [{key: one[key] for key in ("version", "addr")} for one in found]
            for name, found in self._addresses(server).items()
        }
        found = {
            "id": row.id,
            "name": row.name,
            "status": status,
            "tenant_id": row.project_id,
            "user_id": row.user_id,
            "metadata": row.metadata,
            "hostId": host_id(row.project_id, row.host),
            "image": {"id": row.image_id, "links": bookmark(address, "images", row.image_id)} if row.image_id else "",
            "flavor": {"id": row.flavor_id, "links": bookmark(address, "flavors", row.flavor_id)},
            "created": zulu(row.created),
            "updated": zulu(row.updated),
            "addresses": there,
            "accessIPv4": row.access_ip_v4,
            "accessIPv6": row.access_ip_v6,
            "links": links(address, "servers", row.id),
            "OS-DCF:diskConfig": row.disk_config,
            "locked": row.locked,
            "description": row.description,
            "tags": row.tags,
        }
        if status in states.SHOWS_PROGRESS:
            found["progress"] = row.progress
        if row.fault and status in states.SHOWS_FAULT:
            found["fault"] = {**row.fault, "created": zulu(row.fault["created"])}
        return found

    def _addresses(self, server: Server) -> dict[str, list[dict[str, Any]]]:
        """Those that it can be reached at: none before it was built."""
        return {} if server.row.vm_state == "building" else self.core.networks.addresses(server.ports)


def _inner(server: Server) -> dict[str, Any]:
    """What only administrators see."""
    row = server.row
    root = next((volume.device for volume in server.volumes if volume.is_root), "/dev/vda")
    return {
        "OS-EXT-SRV-ATTR:host": row.host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": row.host,
        "OS-EXT-SRV-ATTR:instance_name": instance_name(row.number),
        "OS-EXT-SRV-ATTR:reservation_id": row.reservation_id,
        "OS-EXT-SRV-ATTR:launch_index": row.launch_index,
        "OS-EXT-SRV-ATTR:hostname": row.hostname,
        "OS-EXT-SRV-ATTR:kernel_id": "",
        "OS-EXT-SRV-ATTR:ramdisk_id": "",
        "OS-EXT-SRV-ATTR:root_device_name": root,
        "OS-EXT-SRV-ATTR:user_data": row.details.get("user_data") or None,
    }


def _host_status(service: Any) -> str:
    if service.forced_down:
        return "DOWN"
    return "MAINTENANCE" if service.disabled else "UP" if is_up(service) else "UNKNOWN"


def instance_name(number: int) -> str:
    """What a hypervisor calls a server."""
    return f"instance-{number:08x}"


def host_id(project: str, host: str | None) -> str:
    """What a project sees of a host: the same for the same one, without its name."""
    return hashlib.sha224(f"{project}{host}".encode()).hexdigest() if host else ""
