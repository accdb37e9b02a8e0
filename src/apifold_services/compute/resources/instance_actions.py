"""Instance actions: what was asked of servers, and what became of it."""

from __future__ import annotations

from typing import Any

from apifold import Version
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import Allowed

RESOURCE = Resource(
    __name__, "os-instance-actions", "InstanceActions", "What was asked of servers.", "2013-02-08T00:00:00Z"
)


def list_actions(core: ComputeCore, ask: Ask, version: Version | None, server_id: str) -> Any:
    core.servers.check(server_id, ask.project, deleted=_tells_of_deleted(version))
    return {"instanceActions": [_shown(row) for row in core.records.page(server_id)]}


def show_action(
    core: ComputeCore, ask: Ask, allowed: Allowed, version: Version | None, server_id: str, request_id: str
) -> Any:
    core.servers.check(server_id, ask.project, deleted=_tells_of_deleted(version))
    row, events = core.records.get(server_id, request_id)
    shown = _shown(row)
    if allowed("os_compute_api:os-instance-actions:events"):
        shown["events"] = [
            {
                "event": one.event,
                "start_time": one.start_time,
                "finish_time": one.finish_time,
                "result": one.result,
                "traceback": one.details,
            }
            for one in events
        ]
    return {"instanceAction": shown}


def _tells_of_deleted(version: Version | None) -> bool:
    return version is not None and version >= "2.21"


def _shown(row: Any) -> dict[str, Any]:
    return {
        "action": row.action,
        "instance_uuid": row.server_id,
        "request_id": row.request_id,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "start_time": row.start_time,
        "message": row.message,
    }
