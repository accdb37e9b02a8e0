"""A tenant's limits in one answer: those of compute, network and storage together."""

from __future__ import annotations

import asyncio
from typing import Any

from apifold import NotFound, Reply, Upstream, fault_of
from apifold_services.multicloud.core.connections import Place

COMPUTE = (
    *("maxPersonality", "maxPersonalitySize", "maxServerGroupMembers", "maxServerGroups", "maxServerMeta"),
    *("maxTotalCores", "maxTotalInstances", "maxTotalKeypairs", "maxTotalRAMSize"),
)
STORAGE = ("maxTotalVolumeGigabytes", "maxTotalVolumes", "totalVolumesUsed", "totalGigabytesUsed")
NETWORK = ("network", "subnet", "subnetpool", "security_group_rule", "security_group", "router", "port")


async def limits(place: Place) -> dict[str, Any]:
    """All limits of a place's tenant.

    Raises:
        Fault: one of the cloud's services does not say; a cloud without one of them has no such limits.
    """
    upstream = place.upstream
    project = (await place.login.project())["id"]
    compute, network, storage = await asyncio.gather(
        _body(upstream, "compute", "/limits"),
        _body(upstream, "network", f"/v2.0/quotas/{project}"),
        _body(upstream, "volumev3", "/limits"),
    )
    absolute = (compute.get("limits") or {}).get("absolute") or {}
    volumes = (storage.get("limits") or {}).get("absolute") or {}
    quota = network.get("quota") or {}
    chosen = ((COMPUTE, absolute), (STORAGE, volumes), (NETWORK, quota))
    return {name: known[name] for names, known in chosen for name in names if name in known}


async def _body(upstream: Upstream, service: str, path: str) -> dict[str, Any]:
    try:
        reply: Reply = await upstream.call("GET", path, service=service)
    except NotFound:
        return {}
    if reply.status != 200:
        raise fault_of(reply)
    return reply.json() or {}
