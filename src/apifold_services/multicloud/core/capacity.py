"""Whether a cloud has room: the least of what a tenant may still take and what its machines still have."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from apifold import Invalid, NotFound, Upstream, UpstreamFailed, fault_of
from apifold_services.multicloud.core.asked import asked

ENDLESS = float("inf")
HYPERVISORS = ("/os-hypervisors/detail", "hypervisors")
"""Where machines are listed, and the member that they stand in."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is free: processors, memory and storage in GB."""

    cpus: float = ENDLESS
    memory: float = ENDLESS
    storage: float = ENDLESS

    def holds(self, demand: Room) -> bool:
        """Whether a demand fits in."""
        return demand.cpus <= self.cpus and demand.memory <= self.memory and demand.storage <= self.storage

    def and_(self, other: Room) -> Room:
        """What is free in both."""
        return Room(min(self.cpus, other.cpus), min(self.memory, other.memory), min(self.storage, other.storage))


def demanded(body: dict[str, Any]) -> Room:
    """The demand that a body tells: `vCPU`, `Memory` and `Storage`, as numbers or as text; what is missing is nothing.

    Raises:
        Invalid: one of them is no number.
    """
    try:
        return Room(*(float(body.get(name) or 0) for name in ("vCPU", "Memory", "Storage")))
    except (TypeError, ValueError):
        raise Invalid("Invalidate request body: vCPU, Memory and Storage are numbers.") from None


async def room(upstream: Upstream) -> Room:
    """What is free for a tenant of a cloud.

    Raises:
        Fault: the cloud does not say.
    """
    compute, volumes, machines = await asyncio.gather(_quota(upstream), _storage(upstream), _machines(upstream))
    return compute.and_(volumes).and_(machines)


async def zones(upstream: Upstream) -> list[dict[str, Any]]:
    """What each availability zone has and has left; nothing where the tenant may not see machines."""
    listed, machines = await asyncio.gather(_zones(upstream), _listed(upstream, *HYPERVISORS))
    hosts = {one.get("hypervisor_hostname", ""): one for one in machines or ()}
    return [
        {"availability-zone-name": name, **_sums([hosts[host] for host in members if host in hosts])}
        for name, members in listed.items()
    ]


async def _quota(upstream: Upstream) -> Room:
    absolute = await _absolute(upstream, "compute")
    return Room(
        _left(absolute, "maxTotalCores", "totalCoresUsed"), _left(absolute, "maxTotalRAMSize", "totalRAMUsed") / 1024
    )


async def _storage(upstream: Upstream) -> Room:
    try:
        absolute = await _absolute(upstream, "volumev3")
    except NotFound:
        return Room()  # a cloud without volumes
    return Room(storage=_left(absolute, "maxTotalVolumeGigabytes", "totalGigabytesUsed"))


async def _machines(upstream: Upstream) -> Room:
    machines = await _listed(upstream, *HYPERVISORS)
    if machines is None:
        return Room()
    sums = _sums(machines)
    return Room(sums["vCPUAvail"], sums["MemoryAvail"], sums["StorageAvail"])


def _sums(machines: list[dict[str, Any]]) -> dict[str, float]:
    """Totals and what is left over some machines; storage and memory in GB."""
    total = [sum(one.get(name) or 0 for one in machines) for name in ("vcpus", "memory_mb", "local_gb")]
    used = [sum(one.get(name) or 0 for one in machines) for name in ("vcpus_used", "memory_mb_used", "local_gb_used")]
    return {
        "vCPUTotal": total[0],
        "vCPUAvail": total[0] - used[0],
        "MemoryTotal": total[1] / 1024,
        "MemoryAvail": (total[1] - used[1]) / 1024,
        "StorageTotal": total[2],
        "StorageAvail": total[2] - used[2],
    }


async def _zones(upstream: Upstream) -> dict[str, list[str]]:
    """Hosts by zone."""
    found = await _listed(upstream, "/os-availability-zone/detail", "availabilityZoneInfo")
    return {one["zoneName"]: list(one.get("hosts") or {}) for one in found or () if one.get("zoneName") != "internal"}


async def _listed(upstream: Upstream, path: str, key: str) -> list[dict[str, Any]] | None:
    """A list; None where the tenant may not see it."""
    reply = await upstream.call("GET", path, service="compute")
    if reply.status == 403:
        return None
    if reply.status != 200:
        raise fault_of(reply)
    return list(reply.json().get(key) or ())


async def _absolute(upstream: Upstream, service: str) -> dict[str, Any]:
    """The limits that one of the cloud's services tells."""
    body = await asked(upstream, "GET", service, "/limits")
    limits = body.get("limits") if isinstance(body, dict) else None
    if not isinstance(limits, dict) or not isinstance(limits.get("absolute"), dict):
        raise UpstreamFailed("The cloud tells no limits.")
    return dict(limits["absolute"])


def _left(absolute: dict[str, Any], most: str, used: str) -> float:
    """What is left of a limit; -1 is none."""
    return ENDLESS if absolute.get(most, -1) < 0 else absolute[most] - absolute.get(used, 0)
