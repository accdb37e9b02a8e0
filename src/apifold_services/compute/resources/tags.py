"""Server tags: words that servers are found by."""

from __future__ import annotations

from collections.abc import Callable
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
    return {"tags": _set(core, ask, server_id, lambda _: tags)}


def delete_tags(core: ComputeCore, ask: Ask, server_id: str) -> None:
    _set(core, ask, server_id, lambda _: [])


def show_tag(core: ComputeCore, ask: Ask, server_id: str, tag: str) -> None:
    _has(core.servers.get(server_id, ask.project).row, tag)


def add_tag(core: ComputeCore, ask: Ask, address: str, server_id: str, tag: str) -> Any:
    if not 1 <= len(tag) <= LONGEST or not tag.isprintable() or {",", "/"} & set(tag):
        raise Invalid(f"Tag '{tag[:80]}' is invalid. It must have 1 to {LONGEST} characters, no comma and no slash.")
    is_new = True

    def tags(row: Any) -> list[str]:
        nonlocal is_new
        is_new = tag not in row.tags
        if is_new and len(row.tags) >= MOST:
            raise Invalid(f"The number of tags exceeded the per-server limit {MOST}")
        return [*row.tags, tag]

    _set(core, ask, server_id, tags)
    headers = {"Location": f"{address}/servers/{server_id}/tags/{tag}"} if tag.isascii() else {}
    return None, 201 if is_new else 204, headers


def delete_tag(core: ComputeCore, ask: Ask, server_id: str, tag: str) -> None:
    def tags(row: Any) -> list[str]:
        _has(row, tag)
        return [one for one in row.tags if one != tag]

    _set(core, ask, server_id, tags)


def _has(row: Any, tag: str) -> None:
    """Nothing, where a server has a tag. Raises NotFound."""
    if tag not in row.tags:
        raise NotFound(f"Server {row.id} has no tag '{tag}'")


def _set(core: ComputeCore, ask: Ask, server_id: str, tags: Callable[[Any], list[str]]) -> list[str]:
    """Have other tags on a server, each once; gives them."""
    changed = core.servers.change(ask, server_id, "update_tags", lambda row: {"tags": list(dict.fromkeys(tags(row)))})
    there: list[str] = changed.row.tags
    return there
