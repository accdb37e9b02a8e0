"""Where schemas stand in an OpenAPI document, and where schemas stand in a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from apifold.marked import escape, unescape

Schema = dict[str, Any] | bool

ONE = frozenset(
    ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
    + ("unevaluatedItems", "unevaluatedProperties", "contentSchema", "additionalItems")
)
"""Keywords whose value is one schema (JSON Schema 2020-12, 10 and 11)."""

MANY = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
"""Keywords whose value is a list of schemas."""

NAMED = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
"""Keywords whose value is a mapping of names to schemas."""

LITERAL = frozenset(
    ("example", "examples", "default", "enum", "const", "value", "x-example", "x-examples", "x-apifold")
)
"""Keywords whose value is data, whatever it looks like."""


def subschemas(schema: Schema, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """A schema and every schema inside it, each with its JSON Pointer; references are not followed."""
    stack: list[tuple[str, Any]] = [(pointer, schema)]
    while stack:
        at, node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield at, node
        for key, value in node.items():
            if key in ONE:
                if isinstance(value, dict):
                    stack.append((f"{at}/{key}", value))
            elif key in MANY:
                if isinstance(value, list):
                    stack.extend((f"{at}/{key}/{index}", child) for index, child in enumerate(value))
            elif key in NAMED and isinstance(value, dict):
                stack.extend((f"{at}/{key}/{escape(name)}", child) for name, child in value.items())


def root_schemas(document: Any, pointer: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema that stands in a document rather than in another schema, with its JSON Pointer."""
    stack: list[tuple[str, Any]] = [(pointer, document)]
    while stack:
        at, node = stack.pop()
        if isinstance(node, list):
            stack.extend((f"{at}/{index}", child) for index, child in enumerate(node))
        elif isinstance(node, dict):
            for key, value in node.items():
                here = f"{at}/{escape(key)}"
                if key == "schema" and isinstance(value, dict | bool):
                    yield here, value
                elif here in ("/components/schemas", "/definitions") and isinstance(value, dict):
                    yield from ((f"{here}/{escape(name)}", child) for name, child in value.items())
                elif key not in LITERAL and not key.startswith("x-") and isinstance(value, dict | list):
                    stack.append((here, value))


def map_root_schemas(node: Any, change: Callable[[Schema], Schema], at: str = "") -> Any:
    """A copy of a document in which each schema that `root_schemas` names is replaced by `change` of it."""
    if isinstance(node, list):
        return [
            map_root_schemas(child, change, f"{at}/-") if isinstance(child, dict | list) else child for child in node
        ]
    copy: dict[str, Any] = {}
    for key, value in node.items():
        here = f"{at}/{key}" if len(at) < 32 else at
        if key == "schema" and isinstance(value, dict | bool):
            copy[key] = change(value)
        elif here in ("/components/schemas", "/definitions") and isinstance(value, dict):
            copy[key] = {name: change(child) for name, child in value.items()}
        elif key in LITERAL or key.startswith("x-") or not isinstance(value, dict | list):
            copy[key] = value
        else:
            copy[key] = map_root_schemas(value, change, here)
    return copy


def map_schema(schema: Schema, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Schema:
    """A copy of a schema in which `change` was applied to every schema in it, the innermost first."""
    if not isinstance(schema, dict):
        return schema
    copy: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ONE and isinstance(value, dict):
            copy[key] = map_schema(value, change)
        elif key in MANY and isinstance(value, list):
            copy[key] = [map_schema(child, change) for child in value]
        elif key in NAMED and isinstance(value, dict):
            copy[key] = {name: map_schema(child, change) for name, child in value.items()}
        else:
            copy[key] = value
    return change(copy)


def resolve_pointer(document: Any, pointer: str) -> Any:
    """What a JSON Pointer (RFC 6901) names.

    Raises:
        KeyError: nothing is there.
    """
    node = document
    for part in pointer.split("/")[1:]:
        key = unescape(part)
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            raise KeyError(pointer)
    return node
