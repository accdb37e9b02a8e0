"""Server passwords: what servers told, encrypted for their owners."""

from __future__ import annotations

from typing import Any

from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(
    __name__, "os-server-password", "ServerPassword", "Server password support.", "2012-11-29T00:00:00Z"
)


def show_password(core: ComputeCore, ask: Ask, server_id: str) -> Any:
    return {"password": core.servers.get(server_id, ask.project).row.details.get("password", "")}


def clear_password(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.servers.change(ask, server_id, "update", lambda row: {"details": {**row.details, "password": ""}})
