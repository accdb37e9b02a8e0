"""Path templates to what stands for them: static paths by one look-up, the rest by a tree of segments.

Literal segments win over mixed ones (`{name}.json`), mixed over variables, variables over those that take the rest of
the path; a path that leads nowhere is tried again with the next best. The cost of a look-up grows with the number
of segments in the path, not with the number of templates.

A template may end with a name: `/servers/{id}/action#reboot`. Several targets then share a path and a method, and
what stands there is a `Choice` among them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

T = TypeVar("T")


def split_choice(template: str) -> tuple[str, str]:
    """A template without the name that it ends with, and that name; "" for none."""
    path, _, name = template.partition("#")
    return path, name


class Choice(Generic[T]):
    """Targets at one path and method, by name; what a request says decides which one it gets."""

    __slots__ = ("targets",)

    def __init__(self, targets: Mapping[str, T]) -> None:
        self.targets = targets


class Node(Generic[T]):
    """One place in the tree: what may come next, and what stands here, by method."""

    __slots__ = ("literals", "methods", "mixed", "rest", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, Node[T]] = {}
        self.mixed: list[tuple[re.Pattern[str], Node[T]]] = []
        self.variable: Node[T] | None = None
        self.rest: Node[T] | None = None
        self.methods: dict[str, T | Choice[T]] = {}


class Table(Generic[T]):
    """Endpoints by path and method. Filled once, then only read."""

    def __init__(self) -> None:
        self.root: Node[T] = Node()
        self.static: dict[str, Mapping[str, T | Choice[T]]] = {}
        self._added: list[tuple[str, str, T, bool]] = []

    def extended(self, more: Iterable[Table[T]], wanted: Callable[[T], bool]) -> Table[T]:
        """Another table, with those of some more that are wanted."""
        other: Table[T] = Table()
        for template, method, target, rest in self._added:
            other.add(template, method, target, rest=rest)
        for table in more:
            for template, method, target, rest in table._added:
                if wanted(target):
                    other.add(template, method, target, rest=rest)
        return other

    def add(self, template: str, method: str, target: T, *, rest: bool = False) -> None:
        """Put a target at a template and method.

        Args:
            template: `/plans/{name}`, or `/plans/{name}#run`; percent-encoding is not used in templates.
            method: upper case.
            target: what `find` shall give.
            rest: whether the last variable takes the whole rest of the path, slashes included.
        """
        self._added.append((template, method, target, rest))
        node = self.root
        path, name = split_choice(template)
        segments = path.split("/")[1:]
        for index, segment in enumerate(segments):
            node = _child(node, segment, rest=rest and index == len(segments) - 1)
        if name:
            known = node.methods.get(method)
            node.methods[method] = Choice({**(known.targets if isinstance(known, Choice) else {}), name: target})
        else:
            node.methods[method] = target
        if "{" not in path:
            self.static[path] = node.methods

    def find(self, path: str, segments: Sequence[str], method: str) -> tuple[T | Choice[T], Sequence[str]] | None:
        """The target for a path and method with the values of its variables, or None where there is none.

        Args:
            path: the path as sent, for the static look-up.
            segments: its decoded segments.
            method: upper case; HEAD finds GET where there is no HEAD.
        """
        methods = self.static.get(path)
        if methods is not None and method in methods:
            return methods[method], ()
        # Nearly always the best step at each segment leads to the target; only where it does not, all are tried.
        node = self.root
        captured: list[str] = []
        for segment in segments:
            child = node.literals.get(segment)
            if child is None:
                child = node.variable
                if child is None or node.mixed or not segment:
                    return self._searched(segments, method)
                captured.append(segment)
            node = child
        if method in node.methods:
            return node.methods[method], captured
        return self._searched(segments, method)

    def methods(self, segments: Sequence[str]) -> frozenset[str]:
        """The methods that a path has."""
        allowed: set[str] = set()
        _search(self.root, segments, 0, "", allowed)
        return frozenset(allowed | {"HEAD"} if "GET" in allowed else allowed)

    def _searched(self, segments: Sequence[str], method: str) -> tuple[T | Choice[T], Sequence[str]] | None:
        found = _search(self.root, segments, 0, method, set())
        if found is None and method == "HEAD":
            found = _search(self.root, segments, 0, "GET", set())
        if found is not None:
            found[1].reverse()
        return found


def _child(node: Node[Any], segment: str, *, rest: bool) -> Node[Any]:
    names = PLACEHOLDER.findall(segment)
    if not names:
        return node.literals.setdefault(segment, Node())
    if len(names) == 1 and segment == f"{{{names[0]}}}":
        if rest:
            node.rest = node.rest or Node()
            return node.rest
        node.variable = node.variable or Node()
        return node.variable
    pattern = re.compile("([^/]+?)".join(re.escape(text) for text in PLACEHOLDER.split(segment)[::2]))
    for known, child in node.mixed:
        if known.pattern == pattern.pattern:
            return child
    child = Node[Any]()
    node.mixed.append((pattern, child))
    node.mixed.sort(key=lambda pair: -len(pair[0].pattern.replace("([^/]+?)", "")))
    return child


def _search(
    node: Node[T], segments: Sequence[str], index: int, method: str, allowed: set[str]
) -> tuple[T | Choice[T], list[str]] | None:
    """The best target for a method, its variables' values last first; `allowed` collects the methods met."""
    if index == len(segments):
        if method in node.methods:
            return node.methods[method], []
        allowed.update(node.methods)
        return None
    segment = segments[index]
    child = node.literals.get(segment)
    if child is not None:
        found = _search(child, segments, index + 1, method, allowed)
        if found is not None:
            return found
    for pattern, mixed in node.mixed:
        match = pattern.fullmatch(segment)
        if match:
            found = _search(mixed, segments, index + 1, method, allowed)
            if found is not None:
                found[1].extend(reversed(match.groups()))
                return found
    if node.variable is not None and segment:
        found = _search(node.variable, segments, index + 1, method, allowed)
        if found is not None:
            found[1].append(segment)
            return found
    if node.rest is not None and segment:
        if method in node.rest.methods:
            return node.rest.methods[method], ["/".join(segments[index:])]
        allowed.update(node.rest.methods)
    return None
