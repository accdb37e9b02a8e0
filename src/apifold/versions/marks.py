"""Where a document says `since` and `until`, and the document without what is not there at some version.

A mark may stand at whatever can be left out: a path, an operation, a parameter, a response, a property, a named schema,
an alternative of `allOf`, `anyOf` or `oneOf`. What refers to a marked component is marked with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from apifold.description.extension import KEY, METHODS
from apifold.description.walk import LITERAL, resolve_pointer
from apifold.marked import escape, unescape

Span = tuple[str, str]
"""`since` and `until` as written, "" where nothing is said."""

_NAMES = frozenset(
    ("paths", "parameters", "responses", "schemas", "definitions", "properties", "patternProperties", "$defs")
    + ("dependentSchemas", "headers", "content", "requestBodies", "pathItems", "additionalOperations")
)
"""Keys whose value is a mapping of names; whatever a name is, it is no keyword."""

_KEPT = frozenset(("headers", "content", "requestBodies"))
"""Mappings of names that can't do without one."""

_LISTS = frozenset(("parameters", "allOf", "anyOf", "oneOf"))
"""Keys whose value is a list that can do without an item."""

_HOPS = 16


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that is not in every version.

    Attributes:
        pointer: where it stands.
        spans: what it says, and what the components say that it refers to.
        can_go: whether the document makes sense without it.
    """

    pointer: str
    spans: tuple[Span, ...]
    can_go: bool


def span(node: dict[str, Any]) -> Span:
    """Since and until when something is there, as it says itself."""
    said = node.get(KEY)
    since, until = (said.get("since"), said.get("until")) if isinstance(said, dict) else ("", "")
    return str(since or ""), str(until or "")


def marks(document: dict[str, Any]) -> Iterator[Mark]:
    """Everything in a document that is not in every version."""
    stack: list[tuple[Any, str, str, bool]] = [(document, "", "", False)]
    while stack:
        node, pointer, key, is_name = stack.pop()
        if isinstance(node, list):
            stack += [
                (child, f"{pointer}/{index}", key, True)
                for index, child in enumerate(node)
                if isinstance(child, dict | list)
            ]
            continue
        spans = tuple(_spans(document, node)) if pointer else ()
        if spans:
            yield Mark(pointer, spans, _can_go(key, is_name))
        elif key == "allOf" and is_name and isinstance(node.get("then"), dict):
            # An alternative that a discriminator chooses is a condition, which goes as a whole.
            spans = tuple(_spans(document, node["then"]))
            if spans:
                yield Mark(pointer, spans, True)
                continue
        holds_names = not is_name and key in _NAMES
        for name, child in node.items():
            if isinstance(child, dict | list) and (holds_names or (name not in LITERAL and not name.startswith("x-"))):
                inner = key if holds_names else name
                stack.append((child, f"{pointer}/{escape(name)}", inner, holds_names))


def without(document: dict[str, Any], pointers: Iterable[str]) -> dict[str, Any]:
    """A copy of a document in which some things are not; what is untouched is shared with it."""
    gone: _Gone = {}
    for pointer in pointers:
        node = gone
        for part in map(unescape, pointer.split("/")[1:]):
            node = node.setdefault(part, {})
        node[None] = {}
    pruned: dict[str, Any] = _pruned(document, gone) if gone else document
    paths = pruned.get("paths")
    if isinstance(paths, dict) and "paths" in gone:
        pruned["paths"] = {path: item for path, item in paths.items() if path.startswith("x-") or _has_methods(item)}
    return pruned


_Gone = dict[str | None, Any]
"""What goes, by the parts of its pointers; None stands below what goes itself."""


def _pruned(node: Any, gone: _Gone) -> Any:
    if isinstance(node, list):
        return [
            _pruned(child, gone[str(index)]) if str(index) in gone else child
            for index, child in enumerate(node)
            if not _is_gone(gone, str(index))
        ]
    copy = {
        name: _pruned(child, gone[name]) if name in gone else child
        for name, child in node.items()
        if not _is_gone(gone, name)
    }
    lost = {name for name in gone.get("properties", ()) if _is_gone(gone["properties"], name)}
    if lost and isinstance(copy.get("required"), list):
        copy["required"] = [name for name in copy["required"] if name not in lost]
        if not copy["required"]:
            del copy["required"]
    if lost and isinstance(copy.get("dependentRequired"), dict):
        copy["dependentRequired"] = {
            name: [one for one in names if one not in lost]
            for name, names in copy["dependentRequired"].items()
            if name not in lost
        }
    if "allOf" in gone:
        _prune_choices(copy, [one for index, one in enumerate(node["allOf"]) if _is_gone(gone["allOf"], str(index))])
    return copy


def _prune_choices(schema: dict[str, Any], lost: list[Any]) -> None:
    """Take what discriminated alternatives were chosen by out of what there is to choose from."""
    chosen = [
        (name, said["const"])
        for one in lost
        for name, said in ((one.get("if") or {}).get("properties") or {}).items()
        if "const" in said
    ]
    schema["allOf"] = [_without_choices(part, chosen) for part in schema["allOf"]]
    if not schema["allOf"]:
        del schema["allOf"]


def _without_choices(part: Any, chosen: list[tuple[str, Any]]) -> Any:
    for name, value in chosen:
        listed = ((part.get("properties") or {}).get(name) or {}).get("enum")
        if listed and value in listed:
            rest = {**part["properties"][name], "enum": [one for one in listed if one != value]}
            part = {**part, "properties": {**part["properties"], name: rest}}
    return part


def _is_gone(gone: _Gone, name: str) -> bool:
    return name in gone and None in gone[name]


def _spans(document: dict[str, Any], node: dict[str, Any]) -> Iterator[Span]:
    """What a node says, and what is said where it refers to."""
    for _ in range(_HOPS):
        said = span(node)
        if any(said):
            yield said
        target = node.get("$ref")
        if not isinstance(target, str) or not target.startswith("#"):
            return
        yield from _around(document, target[1:])
        try:
            node = resolve_pointer(document, target[1:])
        except KeyError:
            return
        if not isinstance(node, dict):
            return


def _around(document: dict[str, Any], pointer: str) -> Iterator[Span]:
    """What is said of what something stands in."""
    node: Any = document
    for part in map(unescape, pointer.split("/")[1:-1]):
        node = node.get(part) if isinstance(node, dict) else None
        said = span(node) if isinstance(node, dict) else ("", "")
        if any(said):
            yield said


def _can_go(key: str, is_name: bool) -> bool:
    """Whether what stands under a key, or as a name or an item under it, can be left out."""
    if is_name:
        return (key in _NAMES and key not in _KEPT) or key in _LISTS
    return key in METHODS


def _has_methods(item: Any) -> bool:
    return (
        not isinstance(item, dict)
        or "$ref" in item
        or any(key in METHODS for key in item)
        or (bool(item.get("additionalOperations")))
    )
