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

from apifold.description import Description, with_operations
from apifold.description.lint import lint
from apifold.description.walk import resolve_pointer
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.marked import escape
from apifold.versions.marks import Mark, Span, marks, without
from apifold.versions.version import Version


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which versions a client may choose."""

    least: Version
    most: Version


class History:
    """A description over time.

    Args:
        description: with everything in it that was or will be there.

    Raises:
        DescriptionErrors: its marks make no sense.
    """

    def __init__(self, description: Description) -> None:
        self.whole = description
        self.limits = _limits(description)
        self.errors: list[DescriptionError] = []
        self._reached: dict[str, tuple[str, ...]] = {}
        self._missing: dict[int, frozenset[str]] = {}
        found = list(marks(description.document)) if description.has_marks else []
        self.edges = tuple(sorted({edge for mark in found for edge in self._edges(mark)}))
        self._marks = [] if self.errors else [(mark.pointer, *self._stretches(mark)) for mark in found]
        self._check(found)
        if self.errors:
            raise DescriptionErrors(self.errors)

    @cached_property
    def written_marks(self) -> list[tuple[str, int, int]]:
        """The marks of what clients are shown, which may be of an older form, each with its stretches."""
        if not self._marks or self.whole.written is self.whole.document:
            return self._marks
        return [(mark.pointer, *self._stretches(mark)) for mark in marks(self.whole.written)]

    @property
    def newest(self) -> int:
        """The stretch of the newest version that clients may have: by the limits, else the document's own."""
        return self.stretch(self.limits.most if self.limits else self.own)

    @cached_property
    def served(self) -> Description:
        """The description at its newest stretch."""
        return self._projected(self.newest)

    @property
    def own(self) -> Version:
        """The version that the document gives itself; what has no number is newer than anything."""
        try:
            return Version.parse(self.whole.version)
        except ValueError:
            return self.edges[-1] if self.edges else Version.parse("0")

    def at(self, version: Version) -> Description:
        """The description at a version, which it then gives itself."""
        found = self._projected(self.stretch(version))
        shown = {**found.written, "info": {**found.written["info"], "version": version.text}}
        return replace(found, version=version.text, written=shown)

    def stretch(self, version: Version) -> int:
        """The number of the stretch that a version belongs to; 0 is the oldest."""
        return bisect_right(self.edges, version)

    def stretches(self) -> Iterator[tuple[int, Description]]:
        """The stretches that clients may choose, the newest first; without limits, all of them."""
        first, last = 0, len(self.edges)
        if self.limits:
            first, last = self.stretch(self.limits.least), self.stretch(self.limits.most)
        for number in range(last, first - 1, -1):
            yield number, self._projected(number)

    def state(self, path: str, stretch: int) -> frozenset[str]:
        """What tells one state of a path from another: pointers of what it, or a component that it refers to, misses in
        a stretch."""
        missing = self.missing(stretch)
        if not missing:
            return missing
        reach = self._reach(path)
        return frozenset(pointer for pointer in missing if _is_below(pointer, reach))

    def missing(self, stretch: int) -> frozenset[str]:
        """Pointers of what is not there in a stretch."""
        if stretch not in self._missing:
            gone = (pointer for pointer, first, last in self._marks if not first <= stretch <= last)
            self._missing[stretch] = frozenset(gone)
        return self._missing[stretch]

    def steps(self) -> Iterator[tuple[Version, Description, Description]]:
        """Each version in which something changed, up to the newest, with what was before and what is since; the newest
        first."""
        for number in range(self.newest, 0, -1):
            yield self.edges[number - 1], self._projected(number - 1), self._projected(number)

    def _reach(self, path: str) -> tuple[str, ...]:
        """Pointers of a path and of every component that it refers to."""
        if path not in self._reached:
            at = f"/paths/{escape(path)}"
            found = {at: None}
            open_ = [self.whole.document["paths"][path]]
            while open_:
                for target in _references(open_.pop()):
                    if target not in found:
                        found[target] = None
                        open_.append(_at(self.whole.document, target))
            self._reached[path] = tuple(found)
        return self._reached[path]

    def _projected(self, stretch: int) -> Description:
        if not self._marks:
            return self.whole
        document = without(self.whole.document, self.missing(stretch))
        gone = [pointer for pointer, first, last in self.written_marks if not first <= stretch <= last]
        return with_operations(self.whole, document, without(self.whole.written, gone))

    def _edges(self, mark: Mark) -> Iterator[Version]:
        for span in mark.spans:
            since, until = self._parsed(mark, span)
            if since is not None:
                yield since
            if until is not None:
                yield until.next()
            if since is not None and until is not None and until < since:
                self._refuse(mark, f"it goes (until {until}) before it comes (since {since})", "turn them round")

    def _parsed(self, mark: Mark, span: Span) -> tuple[Version | None, Version | None]:
        try:
            return tuple(Version.parse(text) if text else None for text in span)  # type: ignore[return-value]  # a pair
        except ValueError as error:
            self._refuse(mark, str(error))
            return None, None

    def _stretches(self, mark: Mark) -> tuple[int, int]:
        """The first and the last stretch in which something is there."""
        first, last = 0, len(self.edges)
        for since, until in mark.spans:
            first = max(first, self.stretch(Version.parse(since)) if since else 0)
            last = min(last, self.stretch(Version.parse(until)) if until else last)
        return first, last

    def _check(self, found: list[Mark]) -> None:
        places = self.whole.places
        for mark in found:
            if not mark.can_go:
                self._refuse(
                    mark,
                    "this is not in every version, yet it can't be left out where it stands",
                    "put `since` and `until` on the property, the parameter, the response or the operation around it",
                )
        if self.errors or not found:
            return
        for number, description in self.stretches():
            document = description.document
            self.errors += lint(document, places)
            for pointer in self._emptied(number, document):
                message = f"nothing of this is left at {self._called(number)}"
                self.errors.append(places.error(pointer, message, "let one of them be in every version"))
        self.errors = list(dict.fromkeys(self.errors))

    def _emptied(self, stretch: int, document: dict[str, Any]) -> Iterator[str]:
        """Lists and mappings that lost all they had, and must not be empty."""
        around = {pointer.rpartition("/")[0] for pointer in self.missing(stretch)}
        for pointer in sorted(around):
            if pointer.rpartition("/")[2] not in ("responses", "anyOf", "oneOf"):
                continue
            if _at(document, pointer) in ({}, []):
                yield pointer

    def _called(self, stretch: int) -> str:
        """A stretch, for people."""
        if not stretch:
            return f"versions before {self.edges[0]}"
        return f"version {self.edges[stretch - 1]}"

    def _refuse(self, mark: Mark, message: str, remedy: str = "") -> None:
        self.errors.append(self.whole.places.error(mark.pointer, message, remedy))


def _references(node: Any) -> Iterator[str]:
    """Pointers of the components that something refers to."""
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


def _is_below(pointer: str, roots: tuple[str, ...]) -> bool:
    return any(pointer == root or pointer.startswith(f"{root}/") for root in roots)


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
