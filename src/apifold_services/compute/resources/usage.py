"""Usage: for how long servers of which size were there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from apifold import Invalid
from apifold_services.compute.core import moments
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.usage import ServerUsage, Usage
from apifold_services.compute.resource import Resource

RESOURCE = Resource(
    __name__, "os-simple-tenant-usage", "SimpleTenantUsage", "Simple tenant usage.", "2011-08-19T00:00:00Z"
)

USUAL = timedelta(weeks=4)


def list_usage(core: ComputeCore, start: str = "", end: str = "", detailed: str = "0") -> Any:
    begin, until = _while(start, end)
    found = core.usages.of(begin, until)
    return {"tenant_usages": [_shown(one, detailed=detailed == "1") for one in found]}


def show_usage(core: ComputeCore, usage_project_id: str, start: str = "", end: str = "") -> Any:
    begin, until = _while(start, end)
    found = core.usages.of(begin, until, usage_project_id)
    return {"tenant_usage": _shown(found[0], detailed=True) if found else {}}


def _while(start: str, end: str) -> tuple[datetime, datetime]:
    """From when until when; up to now, and from four weeks before that, where nothing is said."""
    until = moments.moment_of(moments.read(end, "end")) if end else datetime.now(UTC)
    earliest = datetime.min.replace(tzinfo=UTC) + USUAL
    begin = moments.moment_of(moments.read(start, "start")) if start else max(until, earliest) - USUAL
    if begin >= until:
        raise Invalid("Invalid start time. The start time cannot occur after the end time.")
    return begin, until


def _shown(usage: Usage, *, detailed: bool) -> dict[str, Any]:
    sums = {
        "tenant_id": usage.project,
        "start": moments.kept(usage.start),
        "stop": moments.kept(usage.stop),
        "total_hours": usage.hours,
        "total_vcpus_usage": usage.vcpu_hours,
        "total_memory_mb_usage": usage.memory_hours,
        "total_local_gb_usage": usage.disk_hours,
    }
    return {**sums, "server_usages": [_server(one) for one in usage.servers]} if detailed else sums


def _server(used: ServerUsage) -> dict[str, Any]:
    row = used.server
    state = "terminated" if row.deleted else row.vm_state
    return {
        "instance_id": row.id,
        "name": row.name,
        "hours": used.hours,
        "vcpus": row.vcpus,
        "memory_mb": row.ram,
        "local_gb": row.flavor["disk"] + row.flavor["ephemeral"],
        "tenant_id": row.project_id,
        "flavor": row.flavor["name"],
        "state": state,
        "started_at": row.launched_at,
        "ended_at": row.terminated_at,
        "uptime": used.uptime,
    }
