"""What one version of an answer is: the whole, without the members that other versions describe and this one does not.

Handlers answer with everything that there is; each version promised some of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from apifold.description.walk import Schema
from apifold.schema.members import children_of, parts_of

Pruner = Callable[[Any], Any]
"""Gives a value without some of its members; what it changes it copies."""

Named = dict[str, Any]


def compile_pruner(whole: Schema, named_whole: Named, schema: Schema, named: Named) -> Pruner | None:
    """How a value of all versions becomes one of this version; None where they are the same.

    Args:
        whole: the schema with everything that any version has; `named_whole` what it refers to.
        schema: this version's; `named` what it refers to.
    """
    compiler = _Compiler(named_whole, named)
    node = compiler.node([whole], [schema])
    reach = _reach(compiler.nodes.values())
    for one in compiler.nodes.values():
        one.keep(reach)
    return node.prune if id(node) in reach else None


class _Compiler:
    def __init__(self, named_whole: Named, named: Named) -> None:
        self.named_whole = named_whole
        self.named = named
        self.nodes: dict[tuple[tuple[int, ...], tuple[int, ...]], _Node] = {}

    def node(self, whole: list[Any], schemas: list[Any]) -> _Node:
        all_parts = [part for one in whole for part, _ in parts_of(one, self.named_whole)]
        parts = [part for one in schemas for part, _ in parts_of(one, self.named)]
        key = tuple(map(id, all_parts)), tuple(map(id, parts))
        if key not in self.nodes:
            self.nodes[key] = node = _Node()
            then, now = children_of(all_parts), children_of(parts)
            node.gone = frozenset(then.members) - frozenset(now.members)
            both = then.members.keys() & now.members.keys()
            node.members = {name: self.node(then.members[name], now.members[name]) for name in both}
            node.items = self.node(then.items, now.items) if now.items else None
            node.values = self.node(then.values, now.values) if now.values else None
        return self.nodes[key]


@dataclass(slots=True, eq=False)
class _Node:
    """What is to be done with one value: members that go, and those in which something goes."""

    gone: frozenset[str] = frozenset()
    members: dict[str, _Node] = field(default_factory=dict)
    items: _Node | None = None
    values: _Node | None = None

    @property
    def below(self) -> Iterator[_Node]:
        """The nodes of what is in the value."""
        yield from self.members.values()
        yield from (node for node in (self.items, self.values) if node)

    def keep(self, reach: set[int]) -> None:
        """Forget the nodes that need not be looked at."""
        self.members = {name: node for name, node in self.members.items() if id(node) in reach}
        self.items = self.items if id(self.items) in reach else None
        self.values = self.values if id(self.values) in reach else None

    def prune(self, value: Any) -> Any:
        if value is None or isinstance(value, str | int | float | bytes):
            return value
        if isinstance(value, msgspec.Struct):
            value = msgspec.to_builtins(value)
        if isinstance(value, Mapping):
            return {name: self._member(name, member) for name, member in value.items() if name not in self.gone}
        if isinstance(value, list | tuple):
            return [self.items.prune(item) for item in value] if self.items else value
        if isinstance(value, Iterator):
            return map(self.items.prune, value) if self.items else value
        return value

    def _member(self, name: str, value: Any) -> Any:
        below = self.members.get(name) or self.values
        return below.prune(value) if below else value


def _reach(nodes: Collection[_Node]) -> set[int]:
    """The ids of nodes in or below which something goes; elsewhere nothing need be looked at."""
    found = {id(node) for node in nodes if node.gone}
    while True:
        more = {id(node) for node in nodes if any(id(below) in found for below in node.below)} - found
        if not more:
            return found
        found |= more
