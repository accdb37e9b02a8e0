"""The schemas of a description as one side of its messages sees them.

Requests do without `readOnly` members, responses without `writeOnly` ones (OpenAPI 3.1.1, 4.8.24.5). Where unknown
members are refused, objects are closed: at the root of a composition by `unevaluatedProperties`, so that the parts of
an `allOf` do not refuse each other's members.
"""

from __future__ import annotations

from typing import Any, Literal

from apifold.description.walk import MANY, NAMED, ONE, Schema, map_schema

Side = Literal["request", "response"]

_HIDDEN = {"request": "readOnly", "response": "writeOnly"}
_OPEN = ("additionalProperties", "unevaluatedProperties", "patternProperties")
_COMPOSING = frozenset(("allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas"))
_NAMED_AT = "#/components/schemas/"
_PARTS_AT = "#/components/parts/"


def without_hidden(schema: Schema, side: Side, named: dict[str, Any]) -> Schema:
    """A copy in which nobody is required to send what the other side gives."""
    mark = _HIDDEN[side]

    def relaxed(node: dict[str, Any]) -> dict[str, Any]:
        required = node.get("required")
        if not isinstance(required, list) or not isinstance(node.get("properties"), dict):
            return node
        kept = [name for name in required if not is_marked(node["properties"].get(name), mark, named)]
        return node if len(kept) == len(required) else {**node, "required": kept}

    return map_schema(schema, relaxed)


def is_marked(schema: Any, mark: str, named: dict[str, Any]) -> bool:
    """Whether a property says `readOnly` or `writeOnly`, itself or where it refers to."""
    for _ in range(8):
        if not isinstance(schema, dict):
            return False
        if schema.get(mark) is True:
            return True
        schema = named.get(str(schema.get("$ref", "")).removeprefix(_NAMED_AT))
    return False


def closed(schema: Schema, named: dict[str, Any]) -> Schema:
    """A copy in which objects take no members but those that are described."""
    return _close(schema, named, composed=False)


def part(schema: Schema, named: dict[str, Any]) -> Schema:
    """A copy to be used inside a composition: open itself, its members closed."""
    return _close(schema, named, composed=True)


def _close(schema: Schema, named: dict[str, Any], *, composed: bool) -> Schema:
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and not composed and not schema.keys() & {"properties", *_COMPOSING}:
        return schema
    composition = composed or bool(_COMPOSING & schema.keys()) or "$ref" in schema
    copy: dict[str, Any] = {}
    for key, value in schema.items():
        inside = key in _COMPOSING
        if key == "$ref" and composition:
            copy[key] = value.replace(_NAMED_AT, _PARTS_AT, 1)
        elif key == "not":
            copy[key] = value
        elif key in ONE and isinstance(value, dict):
            copy[key] = _close(value, named, composed=inside)
        elif key in MANY:
            copy[key] = [_close(child, named, composed=inside) for child in value]
        elif key in NAMED and isinstance(value, dict):
            copy[key] = {name: _close(child, named, composed=inside) for name, child in value.items()}
        else:
            copy[key] = value
    if any(key in schema for key in _OPEN):
        return copy
    if not composed:
        if declares_members(schema, named):
            copy["unevaluatedProperties" if composition else "additionalProperties"] = False
    elif (
        schema.get("type") == "object"
        and "properties" not in schema
        and not _COMPOSING & schema.keys()
        and "$ref" not in schema
    ):
        copy["additionalProperties"] = True
    return copy


def declares_members(schema: Any, named: dict[str, Any], seen: frozenset[str] = frozenset()) -> bool:
    """Whether a schema, or a part it is composed of, describes members."""
    if not isinstance(schema, dict):
        return False
    if isinstance(schema.get("properties"), dict):
        return True
    target = str(schema.get("$ref", ""))
    if (
        target
        and target not in seen
        and declares_members(named.get(target.removeprefix(_NAMED_AT)), named, seen | {target})
    ):
        return True
    return any(
        declares_members(child, named, seen) for key in ("allOf", "anyOf", "oneOf") for child in schema.get(key, ())
    )
