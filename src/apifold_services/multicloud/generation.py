"""Generations: what stands below a cloud, as each of the two names it.

A file is written for both: what stands below `/{vimid}` (or `/{vim}`) in it is below `/{cloud-owner}/{cloud-region-id}`
in the newer one.
"""

from __future__ import annotations

from typing import Any, Literal

from apifold_services.multicloud.definition import document_of

Generation = Literal["v0", "v1"]
GENERATIONS: tuple[Generation, ...] = ("v0", "v1")

NEWER = "/{cloud-owner}/{cloud-region-id}"


def expand(data: dict[str, Any], name: str, generation: Generation, base_path: str) -> dict[str, Any]:
    """The Swagger 2.0 document that a file is in one generation.

    Args:
        data: a definition, or a Swagger document whose paths begin with `/{vim}`.
        name: of the file, without its ending.
        base_path: of the API that it is a part of.

    Raises:
        NotADescription: something in it can't be understood; tells everything.
    """
    document = data if "swagger" in data else document_of(data, name)
    paths: dict[str, Any] = {}
    for path, item in document["paths"].items():
        if generation in item.get("x-generations", GENERATIONS):
            kept = {key: _told(value, generation) for key, value in item.items() if not key.startswith("x-")}
            paths[_path(path, generation)] = {**kept, "parameters": _parameters(path, item, generation)}
    return {**document, "basePath": base_path, "paths": paths}


def _path(path: str, generation: Generation) -> str:
    for written in ("/{vim}", "/{vimid}"):
        if path == written or path.startswith(f"{written}/"):
            return ("/{vimid}" if generation == "v0" else NEWER) + path.removeprefix(written)
    return path


def _parameters(path: str, item: dict[str, Any], generation: Generation) -> list[dict[str, Any]]:
    others = [one for one in item.get("parameters") or () if one.get("name") not in ("vim", "vimid")]
    if _path(path, "v1") == path:
        return others
    names = ("vimid",) if generation == "v0" else ("cloud-owner", "cloud-region-id")
    return [{"name": name, "in": "path", "type": "string", "required": True} for name in names] + others


def _told(operation: Any, generation: Generation) -> Any:
    """An operation whose answers tell the cloud again, as a generation names it."""
    binding = (operation.get("x-apifold") or {}).get("binding") if isinstance(operation, dict) else None
    option = binding.get("upstream") if isinstance(binding, dict) else None
    if not option or "add" not in option:
        return operation
    vim = "{vimid}" if generation == "v0" else "{cloud-owner}_{cloud-region-id}"
    add = {key: vim if value == "{vim}" else value for key, value in option["add"].items()}
    if generation == "v1":
        add |= {"cloud-owner": "{cloud-owner}", "cloud-region-id": "{cloud-region-id}"}
    told = {**operation["x-apifold"], "binding": {"upstream": {**option, "add": add}}}
    return {**operation, "x-apifold": told}
