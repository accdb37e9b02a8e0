"""What an API requires of its deployment: `requires: {storage: ">=2"}` held against facts."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import Any

from apifold.versions.version import Version

_COMPARISON = re.compile(r"(>=|<=|==|!=|>|<)\s*(\S+)")
_COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def unmet(requires: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Each requirement that the facts do not fulfil, as a sentence; a fact that nobody gives fulfils none.

    Args:
        requires: by the fact's name, comparisons of versions (`>=2`, or several: `>=2, <3`), or the value it must have.

    Raises:
        ValueError: a requirement can't be read.
    """
    return [
        f"it requires {name} {_shown(wanted)}, and {_told(name, facts)}"
        for name, wanted in requires.items()
        if not _is_met(wanted, facts.get(name))
    ]


def _is_met(wanted: Any, fact: Any) -> bool:
    comparisons = _comparisons(wanted)
    if not comparisons:
        return fact is not None and str(fact) == str(wanted)
    if fact is None:
        return False
    try:
        version = Version.parse(str(fact))
    except ValueError:
        return False
    return all(bool(_COMPARE[sign](version, other)) for sign, other in comparisons)


def _comparisons(wanted: Any) -> list[tuple[str, Version]]:
    if not isinstance(wanted, str) or not wanted.lstrip().startswith(("<", ">", "=", "!")):
        return []
    found = []
    for part in wanted.split(","):
        comparison = _COMPARISON.fullmatch(part.strip())
        if comparison is None:
            raise ValueError(f"{wanted!r} is no comparison; write it like '>=2' or '>=2, <3'")
        found.append((comparison[1], Version.parse(comparison[2])))
    return found


def _shown(wanted: Any) -> str:
    return str(wanted).lower() if isinstance(wanted, bool) else str(wanted)


def _told(name: str, facts: Mapping[str, Any]) -> str:
    return f"{name} is {_shown(facts[name])}" if name in facts else f"nothing says what {name} is"
