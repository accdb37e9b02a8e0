"""Consoles: what servers write, and how one gets to their screens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Invalid
from apifold_services.compute.core import states
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(__name__, "os-consoles", "Consoles", "What servers write.", "2011-12-23T00:00:00Z")

Body = Mapping[str, Any]


def console_output(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> Any:
    row = core.servers.get(server_id, ask.project).row
    states.admit("get_console_output", row, is_admin=ask.is_admin)
    if not row.host:
        states.refuse("get_console_output", row)
    length = body.get("length")
    lines = None if length is None or int(length) == -1 else int(length)
    return {"output": core.driver.console_output(core.machine(row), lines)}


def vnc_console(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> Any:
    return _screen(core, ask, server_id, body["type"])


def spice_console(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> Any:
    return _screen(core, ask, server_id, body["type"])


def serial_console(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> Any:
    return _screen(core, ask, server_id, body["type"])


def remote_console(core: ComputeCore, ask: Ask, server_id: str, remote_console: Body) -> Any:
    return _screen(core, ask, server_id, remote_console["type"])


def _screen(core: ComputeCore, ask: Ask, server_id: str, kind: str) -> Any:
    """No driver has screens that a browser could show, as clouds without a console proxy have none. Raises Invalid."""
    states.admit("get_console", core.servers.get(server_id, ask.project).row, is_admin=ask.is_admin)
    raise Invalid(f"Unavailable console type {kind}.")
