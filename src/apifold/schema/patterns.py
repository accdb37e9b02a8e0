"""Texts that match a regular expression, made from its parse tree; lookarounds are hoped for, not planned."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from re import _constants as code  # type: ignore[attr-defined]  # the parse tree has no other door
from re import _parser as parser  # type: ignore[attr-defined]  # as above
from typing import Any

REPEAT = 1
"""How often something optional is repeated, at first."""

_CATEGORIES = {
    code.CATEGORY_DIGIT: "1",
    code.CATEGORY_NOT_DIGIT: "a",
    code.CATEGORY_WORD: "a",
    code.CATEGORY_NOT_WORD: "-",
    code.CATEGORY_SPACE: " ",
    code.CATEGORY_NOT_SPACE: "a",
}
_PREFERRED = "a1A-_ .:/@b2Bzx0"


class CannotMatch(ValueError):
    """No text could be made."""


def matching(pattern: str, least: int = 0, most: int | None = None) -> Iterator[str]:
    """Texts that match a pattern, of a length within bounds where that can be had, the simplest first.

    Args:
        pattern: as JSON Schema has it (ECMA-262); what Python reads otherwise is not made.

    Raises:
        CannotMatch: none could be made.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            translated = re.sub(r"\\p\{(L|Lu|Ll|Alpha)\}", "[A-Za-z]", pattern).replace(r"\p{N}", "[0-9]")
            tree = parser.parse(translated)
            compiled = re.compile(translated)
    except (re.error, RecursionError, OverflowError):
        raise CannotMatch(pattern) from None
    found = False
    open_start, open_end = not pattern.startswith("^"), not pattern.endswith("$")
    for extra in (0, 1, 2, max(0, least - 1), least, 2 * least):
        text = _Writer(extra).sequence(tree)
        if len(text) < least and open_end:
            text += "a" * (least - len(text))
        if len(text) < least and open_start:
            text = "a" * (least - len(text)) + text
        if compiled.search(text) and len(text) >= least and (most is None or len(text) <= most):
            found = True
            yield text
    if not found:
        raise CannotMatch(pattern)


class _Writer:
    """Writes one text for a parse tree; `extra` repetitions go to the first thing that takes them."""

    def __init__(self, extra: int) -> None:
        self.extra = extra
        self.groups: dict[int, str] = {}

    def sequence(self, tree: Any) -> str:
        return "".join(self._one(kind, value) for kind, value in tree)

    def _one(self, kind: Any, value: Any) -> str:
        if kind is code.LITERAL:
            return chr(value)
        if kind is code.NOT_LITERAL:
            return next(letter for letter in _PREFERRED if ord(letter) != value)
        if kind is code.ANY:
            return "a"
        if kind is code.IN:
            return self._of_set(value)
        if kind is code.BRANCH:
            return self.sequence(value[1][0])
        if kind is code.SUBPATTERN:
            text = self.sequence(value[3])
            if value[0] is not None:
                self.groups[value[0]] = text
            return text
        if kind in (code.MAX_REPEAT, code.MIN_REPEAT, getattr(code, "POSSESSIVE_REPEAT", None)):
            return self._repeated(*value)
        if kind is code.GROUPREF:
            return self.groups.get(value, "")
        if kind is getattr(code, "ATOMIC_GROUP", None):
            return self.sequence(value)
        return ""

    def _repeated(self, least: int, most: int, tree: Any) -> str:
        count = max(least, 1 if least == 0 and most is code.MAXREPEAT and not self.extra else least)
        room = (self.extra if most is code.MAXREPEAT else min(self.extra, int(most) - count)) if self.extra else 0
        if room > 0:
            count += room
            self.extra -= room
        return "".join(self.sequence(tree) for _ in range(count))

    def _of_set(self, members: Any) -> str:
        negated = members and members[0][0] is code.NEGATE
        listed = members[1:] if negated else members
        for letter in _PREFERRED:
            if self._is_in(letter, listed) is not bool(negated):
                return letter
        for kind, value in listed:
            if not negated:
                return (
                    chr(value)
                    if kind is code.LITERAL
                    else chr(value[0])
                    if kind is code.RANGE
                    else _CATEGORIES.get(value, "a")
                )
        return "~"

    @staticmethod
    def _is_in(letter: str, members: Any) -> bool:
        point = ord(letter)
        for kind, value in members:
            if kind is code.LITERAL and value == point:
                return True
            if kind is code.RANGE and value[0] <= point <= value[1]:
                return True
            if kind is code.CATEGORY:
                word, digit, space = letter.isalnum() or letter == "_", letter.isdigit(), letter.isspace()
                if {
                    code.CATEGORY_DIGIT: digit, code.CATEGORY_NOT_DIGIT: not digit,
                    code.CATEGORY_WORD: word, code.CATEGORY_NOT_WORD: not word,
                    code.CATEGORY_SPACE: space, code.CATEGORY_NOT_SPACE: not space,
                }.get(value, False):  # fmt: skip
                    return True
        return False
