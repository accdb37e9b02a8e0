"""Workloads: stacks of a cloud's orchestration, with what an orchestrator says put into their parameters."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from apifold import Invalid, NotFound, Upstream
from apifold_services.multicloud.core.asked import asked

SERVICE = "orchestration"


async def create(upstream: Upstream, wish: dict[str, Any]) -> dict[str, Any]:
    """Begin a workload.

    Raises:
        Invalid: its template is of another type than Heat's.
        Fault: as the cloud says.
    """
    made = await asked(upstream, "POST", SERVICE, "/stacks", _stack(wish))
    return _told(made["stack"]["id"], "CREATE_IN_PROGRESS")


async def update(upstream: Upstream, id: str, wish: dict[str, Any]) -> dict[str, Any]:
    """Change one. Raises as `create` does, and NotFound."""
    stack = await _stack_of(upstream, id)
    body = {key: value for key, value in _stack(wish).items() if key != "stack_name"}
    await asked(upstream, "PUT", SERVICE, f"/stacks/{quote(stack['stack_name'], safe='')}/{stack['id']}", body)
    return _told(stack["id"], "UPDATE_IN_PROGRESS")


async def get(upstream: Upstream, id: str) -> dict[str, Any]:
    """How one is.

    Raises:
        NotFound: there is none of that id.
    """
    stack = await _stack_of(upstream, id)
    return _told(stack["id"], stack["stack_status"], stack.get("stack_status_reason") or "")


async def page(upstream: Upstream) -> list[dict[str, Any]]:
    """All of a tenant's."""
    stacks = (await asked(upstream, "GET", SERVICE, "/stacks"))["stacks"]
    return [_told(one["id"], one["stack_status"], one.get("stack_status_reason") or "") for one in stacks]


async def delete(upstream: Upstream, id: str) -> None:
    """End one. Raises as `get` does."""
    stack = await _stack_of(upstream, id)
    await asked(upstream, "DELETE", SERVICE, f"/stacks/{quote(stack['stack_name'], safe='')}/{stack['id']}")


async def _stack_of(upstream: Upstream, id: str) -> dict[str, Any]:
    stacks = (await asked(upstream, "GET", SERVICE, f"/stacks?id={quote(id, safe='')}"))["stacks"]
    for stack in stacks:
        if stack["id"] == id:
            return dict(stack)
    raise NotFound(f"There is no workload {id!r}.")


def _stack(wish: dict[str, Any]) -> dict[str, Any]:
    kind = str(wish.get("template_type", "")).lower()
    if kind not in ("heat", ""):
        raise Invalid(f"The template type {wish['template_type']!r} is not supported; heat is.")
    data = wish.get("template_data")
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            data = None
    if not isinstance(data, dict) or "template" not in data:
        raise Invalid("template_data needs a template.")
    stack = {key: value for key, value in data.items() if value is not None}
    stack["parameters"] = {**(stack.get("parameters") or {}), **_directed(wish)}
    stack["stack_name"] = stack.get("stack_name") or wish.get("vf-module-model-name") or wish.get("vf-module-id")
    if not stack["stack_name"]:
        raise Invalid("template_data needs a stack_name.")
    return stack


def _directed(wish: dict[str, Any]) -> dict[str, Any]:
    """Parameters that directives set: those of users win over those of optimisation and of the network."""
    found: dict[str, Any] = {}
    for name in ("oof_directives", "sdnc_directives", "user_directives"):
        for directive in _attributes(wish.get(name)):
            found[str(directive["attribute_name"])] = directive.get("attribute_value")
    return found


def _attributes(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [one for child in node for one in _attributes(child)]
    if not isinstance(node, dict):
        return []
    own = [node] if "attribute_name" in node else []
    return own + [one for child in node.values() if isinstance(child, list | dict) for one in _attributes(child)]


def _told(id: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "template_type": "heat",
        "workload_id": id,
        "workload_status": status,
        "workload_status_reason": reason or status,
    }
