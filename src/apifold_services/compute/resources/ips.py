"""The addresses of servers."""

from __future__ import annotations

from typing import Any

from apifold import NotFound
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(__name__, "ips", "Server addresses", "The addresses of servers.", "2013-03-18T00:00:00Z", core=True)


def list_ips(core: ComputeCore, ask: Ask, server_id: str) -> Any:
    return {"addresses": _addresses(core, ask, server_id)}


def show_ips(core: ComputeCore, ask: Ask, server_id: str, network_name: str) -> Any:
    there = _addresses(core, ask, server_id)
    if network_name not in there:
        raise NotFound("Instance is not a member of specified network")
    return {network_name: there[network_name]}


def _addresses(core: ComputeCore, ask: Ask, server_id: str) -> dict[str, list[dict[str, Any]]]:
    found = core.networks.addresses(core.servers.get(server_id, ask.project).ports)
    return {
        name: [{"version": one["version"], "addr": one["addr"]} for one in addresses]
        for name, addresses in found.items()
    }
