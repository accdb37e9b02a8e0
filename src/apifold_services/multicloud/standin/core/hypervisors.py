"""Hypervisors: where servers run."""

from __future__ import annotations

from typing import Any

from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.core.resources import Resource

ZONE = "nova"


def emptiest(servers: list[Resource]) -> str:
    """The name of the host with the fewest servers."""
    hosts = [server["host"] for server in servers]
    return min((str(host["hypervisor_hostname"]) for host in FIXED["hosts"]), key=hosts.count)


def usage(servers: list[Resource]) -> dict[str, int]:
    """What some servers take together."""
    flavors = [server["flavor"] for server in servers]
    return {key: sum(flavor[key] for flavor in flavors) for key in ("vcpus", "ram", "disk")}


def hypervisors(servers: list[Resource]) -> list[dict[str, Any]]:
    """The hosts as the compute API shows them, with what the servers of all projects take of each."""
    return [_hypervisor(number, host, servers) for number, host in enumerate(FIXED["hosts"], 1)]


def _hypervisor(number: int, host: dict[str, Any], servers: list[Resource]) -> dict[str, Any]:
    mine = [server for server in servers if server["host"] == host["hypervisor_hostname"]]
    used = usage(mine)
    free_gb = host["local_gb"] - used["disk"]
    return {
        **host,
        **FIXED["hypervisor"],
        "vcpus_used": used["vcpus"],
        "memory_mb_used": used["ram"],
        "free_ram_mb": host["memory_mb"] - used["ram"],
        "local_gb_used": used["disk"],
        "free_disk_gb": free_gb,
        "disk_available_least": free_gb,
        "running_vms": sum(server["status"] == "ACTIVE" for server in mine),
        "service": {"host": host["hypervisor_hostname"], "id": number, "disabled_reason": None},
    }
