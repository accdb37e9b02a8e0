"""Services: what runs on the hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Invalid
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.hosts import COMPUTE, INTERNAL_ZONE, is_up
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import is_true

RESOURCE = Resource(__name__, "os-services", "Services", "Services support.", "2012-10-28T00:00:00Z")

Body = Mapping[str, Any]


def list_services(core: ComputeCore, host: str = "", binary: str = "") -> Any:
    zones = core.hosts.zones()
    return {
        "services": [
            {
                "id": row.id,
                "binary": row.binary,
                "host": row.host,
                "zone": zones.get(row.host, INTERNAL_ZONE) if row.binary == COMPUTE else INTERNAL_ZONE,
                "status": "disabled" if row.disabled else "enabled",
                "state": "up" if is_up(row) else "down",
                "updated_at": row.updated,
                "disabled_reason": row.disabled_reason,
                "forced_down": row.forced_down,
            }
            for row in core.hosts.services(host, binary)
        ]
    }


def enable_service(core: ComputeCore, body: Body) -> Any:
    core.hosts.change_service(*_named(body), disabled=False, disabled_reason=None)
    return _told(body, status="enabled")


def disable_service(core: ComputeCore, body: Body) -> Any:
    core.hosts.change_service(*_named(body), disabled=True, disabled_reason=None)
    return _told(body, status="disabled")


def disable_service_with_reason(core: ComputeCore, body: Body) -> Any:
    reason = body["disabled_reason"]
    if reason != reason.strip():
        raise Invalid("Disabled reason contains invalid characters or is too long")
    core.hosts.change_service(*_named(body), disabled=True, disabled_reason=reason)
    return _told(body, status="disabled", disabled_reason=reason)


def force_service_down(core: ComputeCore, body: Body) -> Any:
    if "forced_down" not in body:
        raise Invalid("Missing forced_down field")
    down = is_true(body["forced_down"])
    core.hosts.change_service(*_named(body), forced_down=down)
    return _told(body, forced_down=down)


def delete_service(core: ComputeCore, service_id: int) -> None:
    core.hosts.delete_service(service_id)


def _named(body: Body) -> tuple[str, str]:
    return body["host"], body["binary"]


def _told(body: Body, **values: Any) -> dict[str, Any]:
    return {"service": {"host": body["host"], "binary": body["binary"], **values}}
