"""Hosts: the machines behind it, as older clients ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import NotFound, ToBeDone
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.hosts import COMPUTE, INTERNAL_ZONE, Load
from apifold_services.compute.core.tables import servers
from apifold_services.compute.resource import Resource

RESOURCE = Resource(__name__, "os-hosts", "Hosts", "Admin-only host administration.", "2011-06-29T00:00:00Z")


def list_hosts(core: ComputeCore, zone: str = "") -> Any:
    zones = core.hosts.zones()
    found = [
        {
            "host_name": row.host,
            "service": row.binary.removeprefix("nova-"),
            "zone": zones.get(row.host, INTERNAL_ZONE) if row.binary == COMPUTE else INTERNAL_ZONE,
        }
        for row in core.hosts.services()
        if not row.disabled
    ]
    return {"hosts": [one for one in found if not zone or one["zone"] == zone]}


def show_host(core: ComputeCore, host_name: str) -> Any:
    _known(core, host_name)
    has, load = core.hosts.capacities[host_name], core.hosts.load([host_name]).get(host_name, Load())
    shares = {"(total)": (has.vcpus, has.memory, has.disk), "(used_now)": (load.vcpus, load.memory, load.disk)}
    shares["(used_max)"] = (load.vcpus, load.memory, load.disk)
    for row in core.servers.all((servers.c.host == host_name) & ~servers.c.deleted):
        cpu, memory, disk = shares.get(row.project_id, (0, 0, 0))
        shares[row.project_id] = (
            cpu + row.vcpus,
            memory + row.ram,
            disk + row.flavor["disk"] + row.flavor["ephemeral"],
        )
    return {
        "host": [
            {"resource": {"host": host_name, "project": name, "cpu": cpu, "memory_mb": memory, "disk_gb": disk}}
            for name, (cpu, memory, disk) in shares.items()
        ]
    }


def update_host(core: ComputeCore, host_name: str, body: Mapping[str, str]) -> Any:
    _known(core, host_name)
    if "maintenance_mode" in body:
        raise ToBeDone("Hosts here have no maintenance mode.")
    disabled = body["status"].lower() == "disable"
    core.hosts.change_service(host_name, COMPUTE, disabled=disabled)
    return {"host": host_name, "status": "disabled" if disabled else "enabled"}


def startup_host(core: ComputeCore, host_name: str) -> Any:
    return _power(core, host_name)


def shutdown_host(core: ComputeCore, host_name: str) -> Any:
    return _power(core, host_name)


def reboot_host(core: ComputeCore, host_name: str) -> Any:
    return _power(core, host_name)


def _power(core: ComputeCore, name: str) -> Any:
    """Raises ToBeDone: this is not what switches machines off; NotFound."""
    _known(core, name)
    raise ToBeDone("Virt driver does not implement host power actions.")


def _known(core: ComputeCore, name: str) -> None:
    """Nothing, where there is such a host. Raises NotFound."""
    if name not in core.hosts.capacities:
        raise NotFound(f"Compute host {name} could not be found.")
