"""Server tags: words that servers are found by."""

from __future__ import annotations

from typing import Any

from apifold import Invalid, NotFound
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(__name__, "os-server-tags", "ServerTags", "Server tags support.", "2016-01-05T00:00:00Z")

MOST, LONGEST = 50, 60


def list_tags(core: ComputeCore, ask: Ask, server_id: str) -> Any:
    return {"tags": core.servers.get(server_id, ask.project).row.tags}


def replace_tags(core: ComputeCore, ask: Ask, server_id: str, tags: list[str]) -> Any:
    return {"tags": _set(core, ask, server_id, list(dict.fromkeys(tags)))}


def delete_tags(core: ComputeCore, ask: Ask, server_id: str) -> None:
    _set(core, ask, server_id, [])


def show_tag(core: ComputeCore, ask: Ask, server_id: str, tag: str) -> None:
    _has(core, ask, server_id, tag)


def add_tag(core: ComputeCore, ask: Ask, address: str, server_id: str, tag: str) -> Any:
    there = core.servers.get(server_id, ask.project).row.tags
    if not 1 <= len(tag) <= LONGEST or not tag.isprintable() or {",", "/"} & set(tag):
        raise Invalid(f"Tag '{tag[:80]}' is invalid. It must have 1 to {LONGEST} characters, no comma and no slash.")
    headers = {"Location": f"{address}/servers/{server_id}/tags/{tag}"} if tag.isascii() else {}
    if tag in there:
        _set(core, ask, server_id, there)
        return None, 204, headers
    if len(there) >= MOST:
        raise Invalid(f"The number of tags exceeded the per-server limit {MOST}")
    _set(core, ask, server_id, [*there, tag])
    return None, 201, headers


def delete_tag(core: ComputeCore, ask: Ask, server_id: str, tag: str) -> None:
    there = _has(core, ask, server_id, tag)
    _set(core, ask, server_id, [one for one in there if one != tag])


def _has(core: ComputeCore, ask: Ask, server_id: str, tag: str) -> list[str]:
    there: list[str] = core.servers.get(server_id, ask.project).row.tags
    if tag not in there:
        raise NotFound(f"Server {server_id} has no tag '{tag}'")
    return there


def _set(core: ComputeCore, ask: Ask, server_id: str, tags: list[str]) -> list[str]:
    core.servers.change(ask, server_id, "update_tags", tags=tags)
    return tags
