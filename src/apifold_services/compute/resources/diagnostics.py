"""Diagnostics: how servers do, as their hypervisor sees it."""

from __future__ import annotations

from typing import Any

from apifold_services.compute.core import states
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(
    __name__, "os-server-diagnostics", "ServerDiagnostics", "Server diagnostics.", "2011-12-21T00:00:00Z"
)


def show_diagnostics(core: ComputeCore, ask: Ask, server_id: str) -> Any:
    row = core.servers.get(server_id, ask.project).row
    states.admit("get_diagnostics", row, is_admin=ask.is_admin)
    return core.driver.diagnostics(core.machine(row))
