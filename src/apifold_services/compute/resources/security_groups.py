"""Security groups: the names of those that servers are in."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from apifold import Invalid, NotFound
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(__name__, "os-security-groups", "SecurityGroups", "Security group support.", "2013-05-28T00:00:00Z")

_NAMESPACE = uuid.UUID("b3f5c0de-7d0f-4e9e-8a25-1b0f3c0f6f11")


def list_security_groups(core: ComputeCore, ask: Ask, server_id: str) -> Any:
    row = core.servers.get(server_id, ask.project).row
    return {
        "security_groups": [
            {
                "id": str(uuid.uuid5(_NAMESPACE, f"{row.project_id}/{name}")),
                "name": name,
                "description": "",
                "tenant_id": row.project_id,
                "rules": [],
            }
            for name in row.security_groups
        ]
    }


def add_security_group(core: ComputeCore, ask: Ask, server_id: str, body: Mapping[str, str]) -> None:
    name = body["name"]

    def values(row: Any) -> dict[str, Any]:
        if name in row.security_groups:
            raise Invalid(f"Security group {name} is already associated with the instance {server_id}")
        return {"security_groups": [*row.security_groups, name]}

    core.servers.change(ask, server_id, "addSecurityGroup", values)


def remove_security_group(core: ComputeCore, ask: Ask, server_id: str, body: Mapping[str, str]) -> None:
    name = body["name"]

    def values(row: Any) -> dict[str, Any]:
        if name not in row.security_groups:
            raise NotFound(f"Security group {name} not found for instance {server_id}.")
        return {"security_groups": [one for one in row.security_groups if one != name]}

    core.servers.change(ask, server_id, "addSecurityGroup", values)
