"""Control: versions, faults and counts."""

from __future__ import annotations

from typing import Any

from apifold import NotFound, Request
from apifold_services.multicloud.standin.core.faults import Faults
from apifold_services.multicloud.standin.gate import cloud_of

VERSIONS = {
    "network": ("v2.0", "v2.0"),
    "image": ("v2", "v2.16"),
    "volume": ("v3", "v3.0"),
    "orchestration": ("v1", "v1.0"),
}
"""Where each is served, and what it is called."""


def list_versions(request: Request, service: str) -> dict[str, Any]:
    if service not in VERSIONS:
        raise NotFound("Nothing is served at this path.")
    path, id = VERSIONS[service]
    links = [{"rel": "self", "href": f"{cloud_of(service, request)}/{service}/{path}/"}]
    return {"versions": [{"id": id, "status": "CURRENT", "links": links}]}


def list_faults(faults: Faults) -> dict[str, Any]:
    return {"faults": faults.armed(), "token_seconds": faults.token_seconds()}


def arm_fault(faults: Faults, body: dict[str, Any]) -> dict[str, Any]:
    faults.arm(body)
    return list_faults(faults)


def clear_faults(faults: Faults) -> None:
    faults.clear()


def list_requests(faults: Faults) -> dict[str, Any]:
    return {"requests": faults.counts()}


def forget_requests(faults: Faults) -> None:
    faults.forget()
