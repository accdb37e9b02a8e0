"""The history of one description: every state that it has been in, each a description of its own.

A version belongs to a stretch: between two of them something comes or goes. What is compiled, validated and shown at a
version is its stretch's projection.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from apifold.description import Description, Operation
from apifold.description.lint import lint
from apifold.description.operations import read_operations
from apifold.description.walk import resolve_pointer, root_schemas, subschemas
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.marked import escape, unescape
from apifold.versions.marks import Mark, Span, marks, without
from apifold.versions.version import Version

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which versions a client may choose."""

    least: Version
    most: Version

    def __contains__(self, version: Version) -> bool:
        return self.least <= version <= self.most

    def named(self, text: str) -> Version:
        """The version that a text names, whether it is one of them or not; `latest` is the newest.

        Raises:
            ValueError: it names none.
        """
        return self.most if text.lower() == LATEST else Version.parse(text)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Something that is there in some stretches only, from the first to the last of them."""

    pointer: str
    first: int
    last: int
    can_go: bool

    def misses(self, stretch: int) -> bool:
        return not self.first <= stretch <= self.last


class History:
    """A description over time.

    Args:
        description: with everything in it that was or will be there.

    Raises:
        DescriptionErrors: its marks make no sense, or a state of it is no description.
    """

    def __init__(self, description: Description) -> None:
        self.whole = description
        self.limits = _limits(description)
        self.errors: list[DescriptionError] = []
        found = list(marks(description.document)) if description.may_vary else []
        self.edges = tuple(sorted({edge for mark in found for edge in self._edges(mark)}))
        self._refuse_if_wrong()
        self._placed = [self._place(mark) for mark in found]
        self._states: dict[tuple[str, int], frozenset[str]] = {}
        self._near: dict[str, list[_Placed]] = {}
        self._operations: dict[tuple[str, frozenset[str]], tuple[Operation, ...]] = {}
        self._projections: dict[int, Description] = {}
        if description.may_vary:
            self._check()
            self._refuse_if_wrong()

    @property
    def own(self) -> Version:
        """The version that the document gives itself; what has no number is newer than anything."""
        try:
            return Version.parse(self.whole.version)
        except ValueError:
            return self.edges[-1] if self.edges else Version.parse("0")

    @property
    def newest(self) -> Version:
        """The newest version that clients may have: by the limits, else the document's own."""
        return self.limits.most if self.limits else self.own

    @cached_property
    def served(self) -> Description:
        """The description at its newest version."""
        return self.projected(self.stretch(self.newest))

    def at(self, version: Version) -> Description:
        """The description at a version, which it then gives itself."""
        found = self.projected(self.stretch(version))
        written, document = (_numbered(one, version) for one in (found.written, found.document))
        return replace(found, version=str(version), written=written, document=document)

    def stretch(self, version: Version) -> int:
        """The number of the stretch that a version belongs to; 0 is the oldest."""
        return bisect_right(self.edges, version)

    def stretches(self) -> range:
        """The numbers of the stretches that clients may choose, the oldest first; without limits, of all."""
        if self.limits:
            return range(self.stretch(self.limits.least), self.stretch(self.limits.most) + 1)
        return range(len(self.edges) + 1)

    def projected(self, stretch: int) -> Description:
        """The description in a stretch."""
        if not self._placed:
            return self.whole
        found = self._projections.get(stretch)
        if found is None:
            found = self._projections[stretch] = self._project(stretch)
        return found

    def state(self, path: str, stretch: int) -> frozenset[str]:
        """What tells one state of a path from another: pointers of what it, or a component that it refers to, misses in
        a stretch."""
        if not self._placed:
            return frozenset()
        key = (path, stretch)
        if key not in self._states:
            if path not in self._near:
                reach = _reach(self.whole.document, path)
                self._near[path] = [one for one in self._placed if _root(one.pointer) in reach]
            self._states[key] = frozenset(one.pointer for one in self._near[path] if one.misses(stretch))
        return self._states[key]

    def steps(self) -> Iterator[tuple[Version, Description, Description]]:
        """Each version in which something changed, up to the newest, with what was before and what is since; the newest
        first."""
        for number in range(self.stretch(self.newest), 0, -1):
            yield self.edges[number - 1], self.projected(number - 1), self.projected(number)

    @cached_property
    def _written(self) -> list[_Placed]:
        """The marks of what clients are shown, which may be of an older form."""
        if self.whole.written is self.whole.document:
            return self._placed
        return [self._place(mark) for mark in marks(self.whole.written)]

    def _project(self, stretch: int) -> Description:
        document = without(self.whole.document, [one.pointer for one in self._placed if one.misses(stretch)])
        written = without(self.whole.written, [one.pointer for one in self._written if one.misses(stretch)])
        operations: list[Operation] = []
        for path, item in (document.get("paths") or {}).items():
            key = (path, self.state(path, stretch))
            if key not in self._operations:
                self._operations[key] = read_operations({**document, "paths": {path: item}})
            operations += self._operations[key]
        return replace(self.whole, document=document, written=written, operations=tuple(operations))

    def _edges(self, mark: Mark) -> Iterator[Version]:
        for since, until in mark.spans:
            try:
                first, after = Version.parse(since) if since else None, Version.parse(until).next() if until else None
            except ValueError as error:
                self._refuse(mark.pointer, str(error))
                continue
            if first is not None:
                yield first
            if after is not None:
                yield after
            if first is not None and after is not None and after <= first:
                self._refuse(
                    mark.pointer, f"it goes (until {until}) before it comes (since {since})", "turn them round"
                )

    def _place(self, mark: Mark) -> _Placed:
        def first(span: Span) -> int:
            return self.stretch(Version.parse(span[0])) if span[0] else 0

        def last(span: Span) -> int:
            return self.stretch(Version.parse(span[1]).next()) - 1 if span[1] else len(self.edges)

        return _Placed(mark.pointer, max(map(first, mark.spans)), min(map(last, mark.spans)), mark.can_go)

    def _check(self) -> None:
        """Find what would be no description in some stretch."""
        for one in self._placed:
            if not one.can_go and not self._goes_with_another(one):
                self._refuse(
                    one.pointer,
                    "this is not in every version, yet it can't be left out where it stands",
                    "put `since` and `until` on the property, the parameter, the response or the operation around it",
                )
        if self.errors:
            return
        for number in self.stretches():
            document = self.projected(number).document
            self.errors += lint(document, self.whole.places)
            if self._placed:
                self._check_state(number, document)
        self.errors = list(dict.fromkeys(self.errors))

    def _check_state(self, number: int, document: dict[str, Any]) -> None:
        for pointer in self._emptied(number, document):
            message = f"nothing of this is left at {self._called(number)}"
            self._refuse(pointer, message, "let one of them be in every version")
        if not any("/properties/" in one.pointer and one.misses(number) for one in self._placed):
            return
        for pointer, name in _unmet(document, self.whole.document):
            message = f"`{name}` is required at {self._called(number)}, where it is not there"
            self._refuse(pointer, message, "say `required` where the member is, or mark what requires it as well")

    def _goes_with_another(self, one: _Placed) -> bool:
        """Whether something around it is never there without it."""
        around = (other for other in self._placed if other.can_go and one.pointer.startswith(f"{other.pointer}/"))
        return any(other.first >= one.first and other.last <= one.last for other in around)

    def _emptied(self, stretch: int, document: dict[str, Any]) -> Iterator[str]:
        """Lists and mappings that lost all they had, and must not be empty."""
        around = {one.pointer.rpartition("/")[0] for one in self._placed if one.misses(stretch)}
        for pointer in sorted(around):
            last = pointer.rpartition("/")[2]
            must = last in ("anyOf", "oneOf") or (last == "responses" and pointer.startswith("/paths/"))
            if must and _at(document, pointer) in ({}, []):
                yield pointer

    def _called(self, stretch: int) -> str:
        """A stretch, for people."""
        return f"version {self.edges[stretch - 1]}" if stretch else f"versions before {self.edges[0]}"

    def _refuse(self, pointer: str, message: str, remedy: str = "") -> None:
        self.errors.append(self.whole.places.error(pointer, message, remedy))

    def _refuse_if_wrong(self) -> None:
        if self.errors:
            raise DescriptionErrors(self.errors)


def _numbered(document: dict[str, Any], version: Version) -> dict[str, Any]:
    return {**document, "info": {**document["info"], "version": str(version)}}


def _root(pointer: str) -> str:
    """The path or the component that a pointer lies in."""
    parts = pointer.split("/")
    return "/".join(parts[:3] if parts[1] == "paths" else parts[:4])


def _reach(document: dict[str, Any], path: str) -> set[str]:
    """Pointers of a path and of every component that it refers to."""
    at = f"/paths/{escape(path)}"
    found, open_ = {at}, [_at(document, at)]
    while open_:
        for pointer in _references(open_.pop()):
            root = _root(pointer)
            if root not in found:
                found.add(root)
                open_.append(_at(document, root))
    return found


def _references(node: Any) -> Iterator[str]:
    """Pointers that something refers to."""
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str) and target.startswith("#/"):
                yield unquote(target[1:])
            stack += node.values()
        elif isinstance(node, list):
            stack += node


def _at(document: dict[str, Any], pointer: str) -> Any:
    try:
        return resolve_pointer(document, pointer)
    except KeyError:
        return None


def _unmet(document: dict[str, Any], whole: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a schema requires that was described in the whole document, and is not in this state of it."""
    named, all_named = ((one.get("components") or {}).get("schemas") or {} for one in (document, whole))
    for root, schema in root_schemas(document):
        for pointer, node in subschemas(schema, root):
            for key, required in _required(node):
                missing = required - _members(node, named)
                before = _at(whole, pointer) if missing else None
                yield from ((f"{pointer}/{key}", name) for name in sorted(missing & _members(before, all_named)))


def _required(node: dict[str, Any]) -> Iterator[tuple[str, set[str]]]:
    """What a schema that has members requires, and what its parts require of each other, each by its keyword."""
    required, parts = node.get("required"), node.get("allOf")
    if isinstance(required, list) and node.keys() & {"allOf", "anyOf", "oneOf", "$ref", "properties"}:
        yield "required", set(required)
    if isinstance(parts, list):
        yield "allOf", {name for part in parts if isinstance(part, dict) for name in part.get("required") or ()}


def _members(schema: Any, named: dict[str, Any], seen: frozenset[str] = frozenset()) -> set[str]:
    """The names of the members that a schema, or a part that it is composed of, describes."""
    if not isinstance(schema, dict):
        return set()
    found = set(schema.get("properties") or ())
    target = str(schema.get("$ref", ""))
    if target and target not in seen:
        found |= _members(named.get(unescape(target.rpartition("/")[2])), named, seen | {target})
    for key in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(key) or ():
            found |= _members(part, named, seen)
    return found


def _limits(description: Description) -> Limits | None:
    said = description.extension.microversions
    if said is None:
        return None
    place = "/x-apifold/microversions"
    try:
        limits = Limits(Version.parse(said.min), Version.parse(said.max or description.version))
    except ValueError as error:
        raise DescriptionErrors([description.places.error(place, str(error))]) from None
    if limits.most < limits.least:
        message = f"the newest version ({limits.most}) is older than the oldest ({limits.least})"
        raise DescriptionErrors([description.places.error(place, message, "turn them round")])
    return limits
