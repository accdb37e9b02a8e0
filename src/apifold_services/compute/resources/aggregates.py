"""Aggregates: hosts that have something in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Invalid
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(
    __name__, "os-aggregates", "Aggregates", "Admin-only aggregate administration.", "2012-01-12T00:00:00Z"
)

Body = Mapping[str, Any]


def list_aggregates(core: ComputeCore) -> Any:
    return {"aggregates": [_shown(row) for row in core.hosts.aggregates()]}


def create_aggregate(core: ComputeCore, aggregate: Body) -> Any:
    zone = aggregate.get("availability_zone")
    made = _shown(core.hosts.create_aggregate(aggregate["name"].strip(), zone.strip() if zone else None))
    return {"aggregate": {name: value for name, value in made.items() if name not in ("hosts", "metadata")}}


def show_aggregate(core: ComputeCore, aggregate_id: int) -> Any:
    return _told(core.hosts.aggregate(aggregate_id))


def update_aggregate(core: ComputeCore, aggregate_id: int, aggregate: Body) -> Any:
    name = aggregate["name"].strip() if "name" in aggregate else None
    zone = aggregate.get("availability_zone", "")
    if zone is None:
        raise Invalid("Aggregate metadata: the availability zone can't be empty.")
    changed = {"availability_zone": zone.strip()} if zone else {}
    return _told(core.hosts.change_aggregate(aggregate_id, name, changed))


def delete_aggregate(core: ComputeCore, aggregate_id: int) -> None:
    core.hosts.delete_aggregate(aggregate_id)


def add_host(core: ComputeCore, aggregate_id: int, body: Body) -> Any:
    return _told(core.hosts.add_host(aggregate_id, body["host"]))


def remove_host(core: ComputeCore, aggregate_id: int, body: Body) -> Any:
    return _told(core.hosts.remove_host(aggregate_id, body["host"]))


def set_aggregate_metadata(core: ComputeCore, aggregate_id: int, body: Body) -> Any:
    return _told(core.hosts.change_aggregate(aggregate_id, None, body["metadata"]))


def _told(row: Any) -> dict[str, Any]:
    return {"aggregate": _shown(row)}


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "availability_zone": row.metadata.get("availability_zone"),
        "hosts": row.hosts,
        "metadata": row.metadata,
        "created_at": row.created,
        "updated_at": row.updated,
        "deleted": False,
        "deleted_at": None,
    }
