"""Server groups: servers that are to be kept together, or apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import Allowed

RESOURCE = Resource(__name__, "os-server-groups", "ServerGroups", "Server group support.", "2013-06-20T00:00:00Z")


def list_server_groups(
    core: ComputeCore, ask: Ask, allowed: Allowed, all_projects: str | None = None, limit: int = 0, offset: int = 0
) -> Any:
    everyone = all_projects is not None and allowed("os_compute_api:os-server-groups:index:all_projects")
    found = core.groups.page("" if everyone else ask.caller.project, limit, offset)
    return {"server_groups": [_shown(core, row) for row in found]}


def create_server_group(core: ComputeCore, ask: Ask, server_group: Mapping[str, Any]) -> Any:
    made = core.groups.create(ask.caller, server_group["name"].strip(), server_group["policies"][0])
    return {"server_group": _shown(core, made)}


def show_server_group(core: ComputeCore, ask: Ask, group_id: str) -> Any:
    return {"server_group": _shown(core, core.groups.get(group_id, ask.project))}


def delete_server_group(core: ComputeCore, ask: Ask, group_id: str) -> None:
    core.groups.delete(group_id, ask.project)


def _shown(core: ComputeCore, row: Any) -> dict[str, Any]:
    own = {"id": row.id, "name": row.name, "policies": [row.policy], "members": core.groups.members(row.id)}
    return {**own, "metadata": {}, "project_id": row.project_id, "user_id": row.user_id}
