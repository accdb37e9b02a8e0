"""Racks: where servers stand. A resource, an action and a member of servers, for compute, from outside of it."""

from __future__ import annotations

from typing import Any

from apifold import NotFound
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.servers import Server
from apifold_services.compute.resource import Resource

LIGHTS = "racks:light"
"""The metadata by which a server's rack is lit."""


def fields(server: Server) -> dict[str, Any]:
    """What a server tells of its rack."""
    return {"racks:rack": _rack(server.row.host)}


RESOURCE = Resource(__name__, "racks", "Racks", "Where servers stand.", "2026-11-21T00:00:00Z", server_fields=fields)


def list_racks(core: ComputeCore) -> Any:
    return {"racks": [{"name": _rack(host), "host": host} for host in core.hosts.capacities]}


def show_rack(core: ComputeCore, rack: str) -> Any:
    found = next((host for host in core.hosts.capacities if _rack(host) == rack), None)
    if found is None:
        raise NotFound(f"There is no rack {rack!r}.")
    return {"rack": {"name": rack, "host": found}}


def light_up(core: ComputeCore, ask: Ask, server_id: str, body: dict[str, str]) -> None:
    core.servers.set_metadata(ask, server_id, {LIGHTS: body["colour"]}, whole=False)


def _rack(host: str | None) -> str | None:
    return f"rack-{host.rpartition('-')[2]}" if host else None
