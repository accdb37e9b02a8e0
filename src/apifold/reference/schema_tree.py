"""A schema as a tree to read: members, kinds, constraints. A reference is a link and is never unfolded.

So a page grows with what was written, however schemas refer to one another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from apifold.reference.prose import example, markdown

DEEPEST = 24
"""Levels of one tree that are drawn."""

MOST_CHOICES = 30
"""Values of an `enum` that are shown."""

_CONSTRAINTS = {
    "const": "is {}",
    "default": "default {}",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "{} characters or more",
    "maxLength": "{} characters or fewer",
    "pattern": "matches {}",
    "minItems": "{} items or more",
    "maxItems": "{} items or fewer",
    "minProperties": "{} members or more",
    "maxProperties": "{} members or fewer",
}

_MARKS = {
    "uniqueItems": "no item twice",
    "readOnly": "read only",
    "writeOnly": "write only",
    "nullable": "or null",
    "x-nullable": "or null",
    "deprecated": "deprecated",
}

_PARTS = {"allOf": "all of", "oneOf": "one of", "anyOf": "any of", "prefixItems": "in this order"}

_ONES = {
    "items": "each item",
    "contains": "some item",
    "additionalProperties": "any other member",
    "propertyNames": "every member's name",
    "not": "not",
    "if": "if",
    "then": "then",
    "else": "else",
}

_NAMED = ("properties", "patternProperties")

_MORE_THAN_A_LINE = frozenset((*_NAMED, *_ONES, *_PARTS, "description", "example"))

Link = Callable[[str], str]
"""HTML for a `$ref`."""


class SchemaTree:
    """Draws schemas.

    Args:
        link: how references are shown.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def draw(self, schema: Any) -> str:
        """The whole tree of a schema, headed by its kind."""
        return f'<div class="schema"><p>{self.kind(schema)}</p>{_about(schema)}{self._inside(schema, 0)}</div>'

    def kind(self, schema: Any) -> str:
        """What a schema takes, on one line: its type or its name, and its constraints."""
        if schema is False:
            return "nothing"
        if not isinstance(schema, dict):
            return "anything"
        if isinstance(schema.get("$ref"), str):
            return self._link(schema["$ref"])
        says_more = "enum" in schema or "const" in schema
        parts = [] if says_more and "type" not in schema else [self._type(schema)]
        if isinstance(schema.get("enum"), list):
            more = ", …" if len(schema["enum"]) > MOST_CHOICES else ""
            parts.append(f"one of {', '.join(map(_literal, schema['enum'][:MOST_CHOICES]))}{more}")
        parts += [text.format(_literal(schema[key])) for key, text in _CONSTRAINTS.items() if _is_given(schema, key)]
        parts += [mark for key, mark in _MARKS.items() if schema.get(key) is True]
        return " · ".join(parts)

    def _type(self, schema: dict[str, Any]) -> str:
        kind, items = schema.get("type"), schema.get("items")
        text = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind or _kind_without_type(schema))
        of = f" of {self.kind(items)}" if kind == "array" and _is_plain(items) else ""
        form = f" ({escape(str(schema['format']))})" if schema.get("format") else ""
        return f"{escape(text)}{of}{form}"

    def _inside(self, schema: Any, depth: int) -> str:
        if _is_plain(schema):
            return ""
        if depth >= DEEPEST:
            return "<p>…</p>"
        rows = "".join(self._row(label, mark, child, depth) for label, mark, child in _children(schema))
        return f"<ul>{rows}</ul>" if rows else ""

    def _row(self, label: str, mark: str, child: Any, depth: int) -> str:
        return (
            f'<li>{label} <span class="kind">{self.kind(child)}</span>{mark}{_about(child)}'
            f"{self._inside(child, depth + 1)}</li>"
        )


def _kind_without_type(schema: dict[str, Any]) -> str:
    if "properties" in schema:
        return "object"
    return next((text for key, text in _PARTS.items() if key in schema), "anything")


def _children(schema: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Each schema inside another: its label as HTML, a mark, and itself."""
    required = schema.get("required")
    needed = set(map(str, required)) if isinstance(required, list) else set()
    for key in _NAMED:
        members = schema.get(key)
        for name, child in members.items() if isinstance(members, dict) else ():
            mark = ' <strong class="required">required</strong>' if key == "properties" and name in needed else ""
            yield f"<code>{escape(str(name))}</code>", mark, child
    for key, label in _ONES.items():
        child = schema.get(key)
        is_in_kind = key == "items" and schema.get("type") == "array" and _is_plain(child)
        if isinstance(child, dict) and not is_in_kind:
            yield f"<em>{label}</em>", "", child
    for key, label in _PARTS.items():
        parts = schema.get(key)
        for child in parts if isinstance(parts, list) else ():
            yield f"<em>{label}</em>", "", child


def _is_plain(schema: Any) -> bool:
    """Whether one line says everything about it."""
    return not isinstance(schema, dict) or "$ref" in schema or _MORE_THAN_A_LINE.isdisjoint(schema)


def _about(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    shown = example(schema["example"]) if "example" in schema else ""
    return markdown(schema.get("description"), 4) + shown


def _is_given(schema: dict[str, Any], key: str) -> bool:
    """3.0 and 2.0 write `exclusiveMinimum: true` beside `minimum`: a mark without a value of its own."""
    return key in schema and not (key.startswith("exclusive") and isinstance(schema[key], bool))


def _literal(value: Any) -> str:
    return f"<code>{escape(json.dumps(value, ensure_ascii=False, default=str))}</code>"
