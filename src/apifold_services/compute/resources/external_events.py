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
    """Each with 200, or with 404 or 422 where its server is not there, or has no host; 404 where that is so of all."""
    told = [{"status": "completed", **event, "code": _code(core, event["server_uuid"])} for event in events]
    fine = [event for event in told if event["code"] == 200]
    if not fine:
        raise NotFound("No instances found for any event")
    return {"events": told}, 200 if len(fine) == len(told) else 207


def _code(core: ComputeCore, id: str) -> int:
    try:
        return 200 if core.servers.get(id).row.host else 422
    except NotFound:
        return 404
