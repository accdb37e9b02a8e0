"""Version numbers and their order: `2.0-beta.1` < `2.0-beta.2` < `2.0` < `2.1` < `2.10`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Self

_VERSION = re.compile(
    r"v?(?P<numbers>(?:0|[1-9][0-9]{0,9})(?:\.(?:0|[1-9][0-9]{0,9})){0,3})"
    r"(?:-(?P<pre>[0-9A-Za-z-]{1,32}(?:\.[0-9A-Za-z-]{1,32}){0,7}))?"
    r"(?:\+[0-9A-Za-z.-]{1,64})?"
)

Key = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version, ordered as Semantic Versioning 2.0.0 says in 11; numbers that are left out are 0.

    It compares with text, too, so that a handler may say `version >= "2.5"`.

    Attributes:
        text: as it was written.
        key: what it is compared by: numbers, whether it is no pre-release, identifiers of the pre-release.
    """

    text: str
    key: Key

    @classmethod
    def parse(cls, text: str) -> Self:
        """The version that a text names: `2`, `2.1`, `v2.0.3`, `2.0-beta.4`.

        Raises:
            ValueError: it names none.
        """
        found = _VERSION.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no version; write it like 2.1 or 2.0-beta.4")
        numbers = [int(number) for number in found["numbers"].split(".")]
        while numbers and not numbers[-1]:
            numbers.pop()
        identifiers = (found["pre"] or "").split(".") if found["pre"] else []
        return cls(text, (tuple(numbers), not identifiers, tuple(map(_ranked, identifiers))))

    def next(self) -> Version:
        """The version after all that this one stands for: the last number that it says is one more.

        What is until 2.9 goes with 2.10, what is until 2 with 3.
        """
        head, dot, last = str(self).rpartition(".")
        if last.isdigit():
            return Version.parse(f"{head}{dot}{int(last) + 1}")
        return Version.parse(f"{self}.0")

    def __str__(self) -> str:
        """As it is told: without what does not matter to the order."""
        return self.text.removeprefix("v").partition("+")[0]

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return bool(_VERSION.fullmatch(other)) and self.key == Version.parse(other).key
        return self.key == other.key if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version | str) -> bool:
        return self.key < (Version.parse(other) if isinstance(other, str) else other).key


def _ranked(identifier: str) -> tuple[bool, int, str]:
    """Numbers are below words, and compared as numbers (11.4.1 to 11.4.3)."""
    return (False, int(identifier), "") if identifier.isdigit() else (True, 0, identifier)
