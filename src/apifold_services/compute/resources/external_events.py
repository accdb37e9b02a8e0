"""External events: what other services tell of servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apifold import NotFound
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(
    __name__, "os-server-external-events", "ServerExternalEvents", "Events of others.", "2014-02-18T00:00:00Z"
)


def tell_events(core: ComputeCore, events: Sequence[Mapping[str, Any]]) -> Any:
    """Each with 200, or with 404 or 422 where its server is not there, or has no host."""
    told = [_told(event, _code(core, event["server_uuid"])) for event in events]
    return {"events": told}, 200 if all(event["code"] == 200 for event in told) else 207


def _told(event: Mapping[str, Any], code: int) -> dict[str, Any]:
    status = event.get("status", "completed") if code == 200 else "failed"
    return {**event, "code": code, "status": status}


def _code(core: ComputeCore, id: str) -> int:
    try:
        return 200 if core.servers.get(id).row.host else 422
    except NotFound:
        return 404
