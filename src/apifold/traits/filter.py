"""Filters of a list: each may be repeated, and may hold several values at once, separated by commas."""

from __future__ import annotations

from typing import Any

from apifold.exchange import Around
from apifold.traits.trait import Surroundings, with_parameter

PAIRS = "pairs"


class Filter:
    """`filter: [name, status]`, or `filter: {status: {enum: [up, down]}, filters: pairs}`.

    Each name is a query parameter; a thing is wanted whose value is one of those that were sent, as often as the
    parameter was sent and wherever a comma stands. Beside a name stands the schema of one value, text where none does.
    `pairs` is for any attribute: `filters=type:cpu,type:ram&filters=project:a`. The handler gets a list under
    the name, of pairs a mapping of lists.
    """

    rank = 60

    def __init__(self, option: Any) -> None:
        named = dict.fromkeys(option) if isinstance(option, list) else option
        if not isinstance(named, dict) or not named or not all(_is_fine(one) for one in named.values()):
            raise ValueError("`filter` is a list of names, or a mapping of names to schemas, or to `pairs`")
        self.named = named

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        for name, schema in self.named.items():
            operation = with_parameter(operation, _pairs(name) if schema == PAIRS else _values(name, schema))
        return operation

    def around(self, surroundings: Surroundings) -> Around | None:
        return None


def _is_fine(option: Any) -> bool:
    return option is None or option == PAIRS or isinstance(option, dict)


def _values(name: str, schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": f"only those whose {name} is this, or one of these: repeated, or separated by commas",
        "x-apifold": {"style": "list"},
        "schema": {"type": "array", "items": schema or {"type": "string"}},
    }


def _pairs(name: str) -> dict[str, Any]:
    texts = {"type": "array", "items": {"type": "string"}}
    return {
        "name": name,
        "in": "query",
        "description": "only those with these attributes, each `key:value`: repeated, or separated by commas; of one "
        "key, any of its values",
        "x-apifold": {"style": "pairs"},
        "schema": {"type": "object", "additionalProperties": texts},
    }
