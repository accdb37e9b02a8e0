"""What a file that adds operations to an API need not say, because the API says it already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apifold.description.description import Description
from apifold.description.extension import KEY
from apifold.description.walk import resolve_pointer
from apifold.marked import unescape

HERITABLE = (
    ("auth", "errors", "validation", "unknown", "unknown_query", "lenient", "inline", "trailing_slash", "aliases")
    + ("project_in_path", "accept")
)  # fmt: skip
"""Keys of a document's `x-apifold` that are a part's, too, where it does not say otherwise."""


def is_complete(data: dict[str, Any]) -> bool:
    """Whether a document says itself what it is."""
    return "openapi" in data or "swagger" in data


def inherited(data: dict[str, Any], whole: Description, base: str) -> dict[str, Any]:
    """The document of a file that leaves out what the API says that it adds to.

    Args:
        data: its content: paths, and whatever else it says.
        whole: the API; the components that the file refers to and does not define are taken from it.
        base: the API's base path.
    """
    own, said = data.get(KEY) or {}, whole.written.get(KEY) or {}
    title = (data.get("info") or {}).get("title", whole.title)
    document: dict[str, Any] = {
        **{key: whole.written[key] for key in ("openapi", "security") if key in whole.written},
        **data,
        "info": {**(data.get("info") or {}), "title": title, "version": whole.version},
        "servers": [{"url": base or "/"}],
        KEY: {**{key: said[key] for key in HERITABLE if key in said}, **own},
    }
    return _with_components(document, whole.written)


def _with_components(document: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {kind: dict(named) for kind, named in (document.get("components") or {}).items()}
    open_ = [document]
    while open_:
        for kind, name in _referred(open_.pop()):
            if name in found.get(kind, {}):
                continue
            try:
                component = resolve_pointer(whole, f"/components/{kind}/{name}")
            except KeyError:
                continue  # told as a reference that leads nowhere
            found.setdefault(kind, {})[name] = component
            open_.append(component)
    schemes = (whole.get("components") or {}).get("securitySchemes")
    if schemes:
        found["securitySchemes"] = {**schemes, **found.get("securitySchemes", {})}
    return {**document, "components": found}


def _referred(node: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of each component that something refers to."""
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str) and target.startswith("#/components/") and target.count("/") >= 3:
                kind, name = target.split("/")[2:4]
                yield kind, unescape(name)
            stack += node.values()
        elif isinstance(node, list):
            stack += node
