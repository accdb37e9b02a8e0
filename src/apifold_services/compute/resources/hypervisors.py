"""Hypervisors: the hosts that servers run on, and how full they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from apifold import NotFound, ToBeDone
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.hosts import COMPUTE, Load, is_up
from apifold_services.compute.core.tables import servers
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import instance_name

RESOURCE = Resource(__name__, "os-hypervisors", "Hypervisors", "Hypervisor support.", "2012-06-21T00:00:00Z")


def list_hypervisors(core: ComputeCore) -> Any:
    return {"hypervisors": [_brief(*one) for one in _all(core)]}


def list_hypervisors_in_detail(core: ComputeCore) -> Any:
    return {"hypervisors": [_full(core, *one) for one in _all(core)]}


def show_hypervisor_statistics(core: ComputeCore) -> Any:
    sums: dict[str, int] = {}
    found = [_full(core, *one) for one in _all(core)]
    for one in found:
        for name in SUMMED:
            sums[name] = sums.get(name, 0) + one[name]
    return {"hypervisor_statistics": {"count": len(found), **{name: sums.get(name, 0) for name in SUMMED}}}


def show_hypervisor(core: ComputeCore, hypervisor_id: str) -> Any:
    return {"hypervisor": _full(core, *_one(core, hypervisor_id))}


def show_hypervisor_uptime(core: ComputeCore, hypervisor_id: str) -> Any:
    """That of the machine that this runs on: hosts are part of it, simulated ones as well."""
    try:
        seconds = float(Path("/proc/uptime").read_text().split()[0])
    except FileNotFoundError:
        raise ToBeDone("This machine does not say for how long it has been up.") from None
    days, rest = divmod(int(seconds), 86400)
    up = f"up {days} days, {rest // 3600}:{rest % 3600 // 60:02d}"
    return {"hypervisor": {**_brief(*_one(core, hypervisor_id)), "uptime": up}}


def search_hypervisors(core: ComputeCore, hypervisor_name: str) -> Any:
    return {"hypervisors": [_brief(*one) for one in _matching(core, hypervisor_name)]}


def list_servers_of_hypervisors(core: ComputeCore, hypervisor_name: str) -> Any:
    found = []
    for one in _matching(core, hypervisor_name):
        there = core.servers.all((servers.c.host == one[1]) & ~servers.c.deleted)
        named = [{"name": instance_name(row.number), "uuid": row.id} for row in there]
        found.append({**_brief(*one), **({"servers": named} if named else {})})
    return {"hypervisors": found}


SUMMED = (
    ("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "local_gb", "local_gb_used", "free_ram_mb", "free_disk_gb")
    + ("disk_available_least", "running_vms", "current_workload")
)  # fmt: skip

Host = tuple[int, str, Any]
"""Number, name and service."""


def _all(core: ComputeCore) -> Iterator[Host]:
    services = {row.host: row for row in core.hosts.services(binary=COMPUTE)}
    for number, host in enumerate(core.hosts.capacities, 1):
        if host in services:
            yield number, host, services[host]


def _one(core: ComputeCore, id: str) -> Host:
    found = next((one for one in _all(core) if str(one[0]) == id), None)
    if found is None:
        raise NotFound(f"Hypervisor with ID '{id}' could not be found.")
    return found


def _matching(core: ComputeCore, part: str) -> list[Host]:
    found = [one for one in _all(core) if part in one[1]]
    if not found:
        raise NotFound(f"No hypervisor matching '{part}' could be found.")
    return found


def _brief(number: int, host: str, service: Any) -> dict[str, Any]:
    state = {"state": "up" if is_up(service) else "down", "status": "disabled" if service.disabled else "enabled"}
    return {"id": number, "hypervisor_hostname": host, **state}


def _full(core: ComputeCore, number: int, host: str, service: Any) -> dict[str, Any]:
    has, load = core.hosts.capacities[host], core.hosts.load([host]).get(host, Load())
    return {
        **_brief(number, host, service),
        "hypervisor_type": has.kind,
        "hypervisor_version": has.version,
        "vcpus": has.vcpus,
        "vcpus_used": load.vcpus,
        "memory_mb": has.memory,
        "memory_mb_used": load.memory,
        "local_gb": has.disk,
        "local_gb_used": load.disk,
        "free_ram_mb": has.memory - load.memory,
        "free_disk_gb": has.disk - load.disk,
        "disk_available_least": has.disk - load.disk,
        "running_vms": load.servers,
        "current_workload": load.busy,
        "cpu_info": orjson.dumps(dict(has.cpu or {})).decode(),
        "host_ip": has.address,
        "service": {"id": service.id, "host": host, "disabled_reason": service.disabled_reason},
    }
