"""`source`: where the members of an API's shape live in the core's. A schema becomes two functions, lift and lower.

A source is a path such as `a.b[0].c`: members and array items below the place where the object that declares the
property lives; a name with dots or brackets stands in quotes (`["a.b"]`). A property without one lives under its own
name, `.` is the declaring object's own place, and a source on the schema of an array's items is a place in each item.

A `link` is made of such places: `/plans/{plan.id}` is an address below the API's own, as the client named it; where one
of them has nothing, there is no link. `.` is the API's own address. What is `const` is so, whatever the core has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from apifold import extension_points
from apifold.description.extension import KEY
from apifold.description.walk import Schema
from apifold.marked import escape
from apifold.schema.members import children_of, copied, parts_of
from apifold.schema.projection import is_marked

Path = tuple[str | int, ...]

MISSING: Any = object()

_STEP = re.compile(r'(?:^|\.)([^.\[\]"]+)|\[(\d+)\]|\["([^"]+)"\]')
_PLACE = re.compile(r"\{([^{}]+)\}")


def parse_source(text: str) -> Path:
    """The steps of a source: names of members, and numbers of array items.

    Raises:
        ValueError: it is no source.
    """
    if text == ".":
        return ()
    steps: list[str | int] = []
    end = 0
    for match in _STEP.finditer(text):
        if match.start() != end:
            break
        name, index, quoted = match.groups()
        steps.append(int(index) if index is not None else name or quoted)
        end = match.end()
    if end != len(text) or not steps or isinstance(steps[0], int) or text[0] == ".":
        raise ValueError(f"{text!r} is no source; such as `a.b[0].c`")
    return tuple(steps)


def source_of(schema: Any) -> str:
    """The source that a schema declares, or nothing."""
    return str(_said(schema, "source", ""))


class Link:
    """An address below an API's own, with parts that live in the core's shape."""

    __slots__ = ("finders", "texts")

    def __init__(self, template: str) -> None:
        """Raises ValueError: a place in it is no source."""
        pieces = _PLACE.split("" if template == "." else template)
        self.texts: list[str] = pieces[::2]
        self.finders = [_finder(parse_source(place)) for place in pieces[1::2]]

    def of(self, value: dict[str, Any], address: str) -> Any:
        """The address, or MISSING where a part of it is."""
        made = [address, self.texts[0]]
        for find, text in zip(self.finders, self.texts[1:], strict=True):
            found = find(value)
            if found is MISSING or found is None:
                return MISSING
            made += (quote(str(found), safe=""), text)
        return "".join(made)


class _Way:
    """One value on its way to the API's shape: the API's address, and the pointers of what is not there."""

    __slots__ = ("address", "missing")

    def __init__(self, address: str) -> None:
        self.address = address
        self.missing: list[str] = []


class Mapping:
    """How the values of one schema come from the core's shape, and go back to it."""

    def __init__(self, node: Node, *, has_links: bool = False) -> None:
        self.node = node
        self.has_links = has_links

    def lower(self, value: Any, address: str = "") -> tuple[Any, list[str]]:
        """A value of the core's in the API's shape, and the pointers of required members that are not there.

        What the API does not describe is left out, unless its schema says `additionalProperties`.

        Args:
            address: of the API, for links.
        """
        way = _Way(address)
        if isinstance(value, Iterator):
            return (self.lower([item], address)[0][0] for item in value), way.missing
        return self.node.lower(value, "", way), way.missing

    def lift(self, value: Any) -> Any:
        """A value in the API's shape in the core's; read-only members stay behind, undescribed ones come along."""
        return self.node.lift(value)

    def fits(self, value: Any) -> bool:
        """Whether a value of the core's is an object where members are looked for, and a list where items are."""
        return isinstance(value, dict) if self.node.members else isinstance(value, list) or not self.node.items

    def both_ways(self, value: Any) -> Any:
        """A value in the API's shape without what is only written, or only read."""
        return self.node.both_ways(value)


def compile_mapping(schema: Schema, named: dict[str, Any]) -> Mapping | None:
    """The mapping that a schema declares, or None where nothing in it has a source.

    Args:
        named: the description's named schemas.

    Raises:
        ValueError: a source can't be read, or names an action that is not installed.
    """
    compiler = _Compiler(named)
    node = compiler.node([schema])
    return Mapping(node, has_links=compiler.has_links) if compiler.settle(node) else None


class Member:
    """One property: its name in the API, its place in the core."""

    __slots__ = (
        "absent", "action", "constant", "find", "link", "name", "node", "path", "read_only", "required", "write_only",
    )  # fmt: skip

    def __init__(self, name: str, schemas: list[Any], node: Node, named: dict[str, Any]) -> None:
        self.name = name
        source = _first_source(schemas)
        self.path: Path = parse_source(source) if source else (name,)
        self.find = _finder(self.path)
        self.node: Node | None = node
        self.required = False
        self.absent = next((found for found in map(_absent_of, schemas) if found is not MISSING), MISSING)
        self.read_only = any(is_marked(schema, "readOnly", named) for schema in schemas)
        self.write_only = any(is_marked(schema, "writeOnly", named) for schema in schemas)
        link = next((text for schema in schemas if (text := _said(schema, "link", ""))), "")
        self.link = Link(str(link)) if link else None
        self.constant = next((one["const"] for one in schemas if isinstance(one, dict) and "const" in one), MISSING)
        action = next((name for schema in schemas if (name := _said(schema, "action", ""))), "")
        self.action: Any = extension_points.load("apifold.actions", str(action)) if action else None

    def found(self, value: dict[str, Any], address: str) -> Any:
        """What it is in a value of the core's, or MISSING."""
        if self.constant is not MISSING:
            return copied(self.constant)
        return self.find(value) if self.link is None else self.link.of(value, address)


class Node:
    """One value of the API's shape: what is to be done with its members, items or values."""

    __slots__ = ("inner", "is_mapped", "items", "keeps", "members", "taken", "values")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.items: Node | None = None
        self.inner: Path = ()
        self.values: Node | None = None
        self.keeps = False
        self.taken: frozenset[str] = frozenset()
        self.is_mapped = False

    @property
    def children(self) -> list[Node]:
        """The nodes right below."""
        below = [member.node for member in self.members.values()]
        return [node for node in (*below, self.items, self.values) if node is not None]

    def lower(self, value: Any, pointer: str, way: _Way) -> Any:
        if isinstance(value, list) and self.items is not None:
            return [self._lower_item(item, f"{pointer}/{index}", way) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if not self.members:
            return {
                name: self._below(self.values, child, f"{pointer}/{escape(name)}", way) for name, child in value.items()
            }
        shaped: dict[str, Any] = {}
        for name, member in self.members.items():
            if member.write_only:
                continue
            found = member.found(value, way.address)
            if found is MISSING:
                if member.absent is not MISSING:
                    shaped[name] = copied(member.absent)
                elif member.required:
                    way.missing.append(f"{pointer}/{escape(name)}")
                continue
            if member.action is not None:
                found = member.action.lower(found)
            if member.node is not None:
                before = len(way.missing)
                found = member.node.lower(found, f"{pointer}/{escape(name)}", way)
                if found == {} and member.path == () and not member.required:
                    del way.missing[before:]
                    continue
            shaped[name] = found
        if self.keeps:
            for key, child in value.items():
                if key not in self.taken and key not in shaped:
                    shaped[key] = self._below(self.values, child, f"{pointer}/{escape(key)}", way)
        return shaped

    def lift(self, value: Any) -> Any:
        if isinstance(value, list) and self.items is not None:
            return [self._lift_item(item) for item in value]
        if not isinstance(value, dict):
            return value
        if not self.members:
            return {name: child if self.values is None else self.values.lift(child) for name, child in value.items()}
        core: dict[str, Any] = {}
        for name, child in value.items():
            member = self.members.get(name)
            if member is None:
                if name not in self.taken:  # else it would be a member's place, past what the member may be
                    core.setdefault(name, child if self.values is None else self.values.lift(child))
            elif not member.read_only and member.link is None:
                lifted = child if member.node is None else member.node.lift(child)
                _put(core, member.path, lifted if member.action is None else member.action.lift(lifted))
        return core

    def both_ways(self, value: Any) -> Any:
        if isinstance(value, list) and self.items is not None:
            return [self.items.both_ways(item) for item in value]
        if not isinstance(value, dict):
            return value
        kept = {}
        for name, child in value.items():
            member = self.members.get(name)
            if member is None or not (member.write_only or member.read_only):
                node = self.values if member is None else member.node
                kept[name] = child if node is None else node.both_ways(child)
        return kept

    @staticmethod
    def _below(node: Node | None, value: Any, pointer: str, way: _Way) -> Any:
        return value if node is None else node.lower(value, pointer, way)

    def _lower_item(self, item: Any, pointer: str, way: _Way) -> Any:
        found = _found(item, self.inner)
        return None if found is MISSING else self._below(self.items, found, pointer, way)

    def _lift_item(self, item: Any) -> Any:
        assert self.items is not None
        lifted = self.items.lift(item)
        if not self.inner:
            return lifted
        core: dict[str, Any] = {}
        _put(core, self.inner, lifted)
        return core


class _Compiler:
    def __init__(self, named: dict[str, Any]) -> None:
        self.named = named
        self.nodes: dict[tuple[int, ...], Node] = {}

    @property
    def has_links(self) -> bool:
        return any(member.link for node in self.nodes.values() for member in node.members.values())

    def node(self, schemas: list[Any]) -> Node:
        found = [part for schema in schemas for part in parts_of(schema, self.named)]
        key = tuple(id(part) for part, _ in found)
        if key not in self.nodes:
            self.nodes[key] = node = Node()
            required = {name for part, is_sure in found if is_sure for name in part.get("required") or ()}
            self._fill(node, [part for part, _ in found], required)
        return self.nodes[key]

    def settle(self, root: Node) -> bool:
        """Whether anything is mapped at all; what is not, is no longer looked into."""
        nodes = list(self.nodes.values())
        changed = True
        while changed:
            changed = False
            for node in nodes:
                if not node.is_mapped and any(child.is_mapped for child in node.children):
                    node.is_mapped = changed = True
        for node in nodes:
            for member in node.members.values():
                member.node = member.node if member.node and member.node.is_mapped else None
            node.values = node.values if node.values and node.values.is_mapped else None
            if node.items and not node.items.is_mapped and not node.inner:
                node.items = None
        return root.is_mapped

    def _fill(self, node: Node, parts: list[dict[str, Any]], required: set[str]) -> None:
        children = children_of(parts)
        for name, schemas in children.members.items():
            below = [part for schema in schemas for part, _ in parts_of(schema, self.named)]
            member = Member(name, below, self.node(schemas), self.named)
            member.required = name in required
            node.members[name] = member
            if not member.path and member.node:
                member.node.is_mapped = True  # it must not take everything that is there
            node.is_mapped |= any(map(source_of, below)) or not (member.action is None and member.link is None)
        if children.items:
            node.items = self.node(children.items)
            source = _first_source(children.items)
            node.inner = parse_source(source) if source else ()
            node.is_mapped |= bool(source)
        node.values = self.node(children.values) if children.values else None
        node.keeps = bool(children.values) or any(
            one.get("additionalProperties") is True or "patternProperties" in one for one in parts
        )
        node.taken = frozenset(str(member.path[0]) for member in node.members.values() if member.path)


def _said(schema: Any, key: str, otherwise: Any) -> Any:
    """What a schema's `x-apifold` says under a key."""
    return (schema.get(KEY) or {}).get(key, otherwise) if isinstance(schema, dict) else otherwise


def _first_source(schemas: list[Any]) -> str:
    return next((text for text in map(source_of, schemas) if text), "")


def _absent_of(schema: Any) -> Any:
    """What a member is where the core has none, as its schema says."""
    return _said(schema, "absent", schema.get("default", MISSING) if isinstance(schema, dict) else MISSING)


def _finder(path: Path) -> Callable[[dict[str, Any]], Any]:
    if len(path) == 1:
        key = str(path[0])
        return lambda value: value.get(key, MISSING)
    return lambda value: _found(value, path)


def _found(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, str):
            value = value.get(step, MISSING) if isinstance(value, dict) else MISSING
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else MISSING
        if value is MISSING:
            return MISSING
    return value


def _put(core: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value at a path, making the objects and arrays on the way."""
    if not path:
        if isinstance(value, dict):
            core.update(value)
        return
    place: Any = core
    for step, after in pairwise(path):
        place = _entered(place, step, [] if isinstance(after, int) else {})
    last = path[-1]
    if isinstance(last, int):
        place.extend([None] * (last + 1 - len(place)))
    place[last] = value


def _entered(place: Any, step: str | int, empty: Any) -> Any:
    """What is at a step of a place, made where it is not there."""
    if isinstance(step, int):
        place.extend({} for _ in range(step + 1 - len(place)))
        if not isinstance(place[step], type(empty)):
            place[step] = empty
    elif not isinstance(place.get(step), type(empty)):
        place[step] = empty
    return place[step]
