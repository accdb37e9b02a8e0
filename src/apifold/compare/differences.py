"""How two answers to the same request differ: in status, in headers that matter, in the body by JSON Pointer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from apifold.http import Response, media_type
from apifold.marked import escape

MAX_DIFFERENCES = 50
"""Told of one pair of answers at the most."""

HEADERS = ("Content-Type", "Location")
"""Those that matter where nobody says otherwise."""

_WORDS = {
    "times": (re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "TIME"),
    "ids": (re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|\b[0-9a-fA-F]{32}\b"), "ID"),
}


class Difference(msgspec.Struct, frozen=True):
    """One difference.

    `where` is `status`, `header NAME`, `body POINTER` or `answer`; `kind` is `value`, `type`, `missing` (only the first
    has it), `added` (only the second has it) or `media`. `first` and `second` are what stands there.
    """

    where: str
    kind: str
    first: Any = None
    second: Any = None


class Noise:
    """What may differ without meaning anything.

    Args:
        declared: JSON Pointers, `*` for any one member or item; `times` for every time, `ids` for every UUID.
    """

    def __init__(self, declared: Iterable[str] = ()) -> None:
        names = tuple(declared)
        self._patterns = [tuple(name.split("/")[1:]) for name in names if name.startswith("/")]
        self._words = [_WORDS[name] for name in names if name in _WORDS]

    def covers(self, steps: Sequence[str]) -> bool:
        """Whether what is at this place may differ."""
        return any(
            len(pattern) == len(steps) and all(part in ("*", step) for part, step in zip(pattern, steps, strict=True))
            for pattern in self._patterns
        )

    def without(self, text: str) -> str:
        """A text with what may differ in it replaced."""
        for pattern, word in self._words:
            text = pattern.sub(word, text)
        return text


def differences(first: Response, second: Response, noise: Noise, headers: Iterable[str] = HEADERS) -> list[Difference]:
    """Every difference of two answers, at most `MAX_DIFFERENCES`.

    Args:
        first, second: with bodies in bytes.
        noise: what may differ.
        headers: those that matter.
    """
    return list(islice(_found(first, second, noise, headers), MAX_DIFFERENCES))


def _found(first: Response, second: Response, noise: Noise, headers: Iterable[str]) -> Iterator[Difference]:
    if first.status != second.status:
        yield Difference("status", "value", first.status, second.status)
    for name in headers:
        one, other = _header(first, name, noise), _header(second, name, noise)
        if one != other:
            yield Difference(f"header {name}", "missing" if not other else "added" if not one else "value", one, other)
    bodies = [response.body if isinstance(response.body, bytes) else b"" for response in (first, second)]
    if bodies[0] == bodies[1]:
        return
    try:
        data = [msgspec.json.decode(body) if body else None for body in bodies]
    except msgspec.DecodeError:
        texts = [noise.without(body.decode("utf-8", "replace")) for body in bodies]
        if texts[0] != texts[1]:
            yield Difference("body ", "media", texts[0][:100], texts[1][:100])
        return
    yield from _between(data[0], data[1], noise, ())


def _between(one: Any, other: Any, noise: Noise, steps: tuple[str, ...]) -> Iterator[Difference]:
    if noise.covers(steps):
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys((*one, *other)):
            below = (*steps, name)
            if name in one and name in other:
                yield from _between(one[name], other[name], noise, below)
            elif not noise.covers(below):
                yield Difference(_place(below), "missing" if name in one else "added", one.get(name), other.get(name))
    elif isinstance(one, list) and isinstance(other, list):
        for index, (left, right) in enumerate(zip(one, other, strict=False)):
            yield from _between(left, right, noise, (*steps, str(index)))
        if len(one) != len(other):
            kind = "missing" if len(one) > len(other) else "added"
            yield Difference(_place((*steps, str(min(len(one), len(other))))), kind, len(one), len(other))
    elif isinstance(one, str) and isinstance(other, str):
        if noise.without(one) != noise.without(other):
            yield Difference(_place(steps), "value", one, other)
    elif type(one) is not type(other) and not _are_numbers(one, other):
        yield Difference(_place(steps), "type", one, other)
    elif one != other:
        yield Difference(_place(steps), "value", one, other)


def _are_numbers(one: Any, other: Any) -> bool:
    """`1` and `1.0` are one number in JSON (RFC 8259, 6)."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))


def _place(steps: Iterable[str]) -> str:
    return "body " + "".join(f"/{escape(step)}" for step in steps)


def _header(response: Response, name: str, noise: Noise) -> str:
    value = response.header(name) or ""
    return media_type(value)[0] if name.lower() == "content-type" else noise.without(value)
