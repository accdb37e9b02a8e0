"""What is done to a body before it is checked: unknown and read-only members go, defaults come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from apifold.description.walk import Schema
from apifold.errors import Problem
from apifold.marked import escape, unescape
from apifold.schema.projection import is_marked

Shaper = Callable[[Any, str, list[Problem]], None]
"""Changes a fresh value in place: `shape(value, pointer, problems)`."""

_NAMED_AT = "#/components/schemas/"


def compile_shaper(schema: Schema, named: dict[str, Any], *, strip: bool) -> Shaper | None:
    """How a request body is put in shape, or None where nothing is to be done.

    Read-only members are dropped, as a client that reads, changes and writes back will send them (OpenAPI 3.1.1,
    4.8.24.5); where `x-apifold: {read_only_reason: ...}` stands, they are refused with that reason. Defaults are
    filled in where they surely apply: under `properties`, `items` and `allOf`.

    Args:
        named: the description's named schemas.
        strip: drop members that are not described.
    """
    compiler = _Compiler(named, strip)
    node = compiler.node([schema])
    return node.shape if compiler.needed else None


def is_described(schema: Schema, named: dict[str, Any], pointer: str) -> bool:
    """Whether a schema describes the member that a JSON Pointer names, in whichever of its alternatives."""
    node: _Node | None = _Compiler(named, strip=True).node([schema])
    for part in pointer.split("/")[1:]:
        if node is None:
            return False
        name = unescape(part)
        node = node.members.get(name) or node.values or (node.items if name.isdigit() else None)
    return node is not None


def parts_of(
    schema: Any, named: dict[str, Any], *, sure: bool = True, seen: frozenset[str] = frozenset()
) -> list[tuple[dict[str, Any], bool]]:
    """The schemas that speak of the same value as a schema does, itself first, each with whether it surely applies."""
    if not isinstance(schema, dict):
        return []
    target = str(schema.get("$ref", ""))
    found = [(schema, sure)]
    if target and target not in seen:
        found += parts_of(named.get(target.removeprefix(_NAMED_AT)), named, sure=sure, seen=seen | {target})
    for key in ("allOf", "anyOf", "oneOf"):
        for child in schema.get(key, ()):
            found += parts_of(child, named, sure=sure and key == "allOf", seen=seen)
    for key in ("if", "then", "else"):
        found += parts_of(schema.get(key), named, sure=False, seen=seen)
    return found


@dataclass(frozen=True, slots=True)
class Children:
    """What schemas that speak of one value say of what is in it.

    Attributes:
        members: the schemas of its members, by name.
        items: those of its items.
        values: those of members that are not named.
    """

    members: dict[str, list[Any]]
    items: list[Any]
    values: list[Any]


def children_of(parts: Iterable[dict[str, Any]]) -> Children:
    """What some schemas that speak of one value say of what is in it."""
    found = Children({}, [], [])
    for part in parts:
        for name, child in (part.get("properties") or {}).items():
            found.members.setdefault(name, []).append(child)
        for key, into in (("items", found.items), ("additionalProperties", found.values)):
            if isinstance(part.get(key), dict):
                into.append(part[key])
    return found


class _Compiler:
    def __init__(self, named: dict[str, Any], strip: bool) -> None:
        self.named = named
        self.strip = strip
        self.needed = False
        self.nodes: dict[tuple[int, ...], _Node] = {}

    def node(self, schemas: list[Any]) -> _Node:
        parts = [part for schema in schemas for part in parts_of(schema, self.named)]
        key = tuple(id(schema) for schema, _ in parts)
        if key not in self.nodes:
            self.nodes[key] = node = _Node()
            self._fill(node, parts)
        return self.nodes[key]

    def _fill(self, node: _Node, parts: list[tuple[dict[str, Any], bool]]) -> None:
        children = children_of(schema for schema, _ in parts)
        for schema, sure in parts:
            for name, child in (schema.get("properties") or {}).items():
                if sure and isinstance(child, dict):
                    self._fill_default(node, name, child)
                if is_marked(child, "readOnly", self.named):
                    node.read_only[name] = (child.get("x-apifold") or {}).get("read_only_reason", "")
                    self.needed = True
        opened = any(
            schema.get(key, False) is not False
            for schema, _ in parts
            for key in ("additionalProperties", "unevaluatedProperties", "patternProperties")
        )
        if self.strip and children.members and not opened:
            node.known = frozenset(children.members)
            self.needed = True
        node.members = {name: self.node(schemas) for name, schemas in children.members.items()}
        node.items = self.node(children.items) if children.items else None
        node.values = self.node(children.values) if children.values else None

    def _fill_default(self, node: _Node, name: str, child: dict[str, Any]) -> None:
        target = self.named.get(str(child.get("$ref", "")).removeprefix(_NAMED_AT), {})
        for schema in (child, target):
            if "default" in schema and name not in node.defaults:
                node.defaults[name] = schema["default"]
                self.needed = True


class _Node:
    """What is to be done with one value and its members."""

    __slots__ = ("defaults", "items", "known", "members", "read_only", "values")

    def __init__(self) -> None:
        self.members: dict[str, _Node] = {}
        self.defaults: dict[str, Any] = {}
        self.read_only: dict[str, str] = {}
        self.known: frozenset[str] | None = None
        self.items: _Node | None = None
        self.values: _Node | None = None

    def shape(self, value: Any, pointer: str, problems: list[Problem]) -> None:
        if isinstance(value, list):
            if self.items:
                for index, item in enumerate(value):
                    self.items.shape(item, f"{pointer}/{index}", problems)
            return
        if not isinstance(value, dict):
            return
        for name, reason in self.read_only.items():
            if name in value:
                if reason:
                    problems.append(Problem("body", f"{pointer}/{escape(name)}", reason))
                del value[name]
        if self.known is not None:
            for name in [name for name in value if name not in self.known]:
                del value[name]
        for name, default in self.defaults.items():
            if name not in value:
                value[name] = copied(default)
        for name, member in value.items():
            below = self.members.get(name) or self.values
            if below is not None and isinstance(member, dict | list):
                below.shape(member, f"{pointer}/{escape(name)}", problems)


def copied(value: Any) -> Any:
    """A copy of plain data, so that nobody changes what a description says."""
    if isinstance(value, dict):
        return {key: copied(child) for key, child in value.items()}
    return [copied(child) for child in value] if isinstance(value, list) else value
