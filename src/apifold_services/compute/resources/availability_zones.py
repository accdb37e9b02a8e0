"""Availability zones: where servers can be."""

from __future__ import annotations

from typing import Any

from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.hosts import COMPUTE, INTERNAL_ZONE, is_up
from apifold_services.compute.resource import Resource

RESOURCE = Resource(
    __name__, "os-availability-zone", "AvailabilityZone", "Zones and their hosts.", "2012-12-21T00:00:00Z"
)


def list_zones(core: ComputeCore) -> Any:
    zones = core.hosts.zones()
    usable = {zones[one.host] for one in core.hosts.services(binary=COMPUTE) if one.host in zones and not one.disabled}
    found = [
        {"zoneName": zone, "zoneState": {"available": zone in usable}, "hosts": None}
        for zone in sorted(set(zones.values()))
    ]
    return {"availabilityZoneInfo": found}


def list_zones_in_detail(core: ComputeCore) -> Any:
    zones = core.hosts.zones()
    hosts: dict[str, dict[str, dict[str, Any]]] = {}
    for one in core.hosts.services():
        zone = zones.get(one.host, INTERNAL_ZONE) if one.binary == COMPUTE else INTERNAL_ZONE
        state = {"available": is_up(one), "active": not one.disabled, "updated_at": one.updated}
        hosts.setdefault(zone, {}).setdefault(one.host, {})[one.binary] = state
    found = [
        {
            "zoneName": zone,
            "zoneState": {"available": any(s["active"] for h in there.values() for s in h.values())},
            "hosts": there,
        }
        for zone, there in sorted(hosts.items())
    ]
    return {"availabilityZoneInfo": found}
