"""Partial responses: only the members that the client names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from apifold.exchange import Around, Exchange, Result
from apifold.http import Response
from apifold.schema.names import argument_name
from apifold.traits.trait import Surroundings, with_parameter


class Select:
    """`select`, or `select: NAME` of the query parameter; `fields` where none is given.

    Members are named by commas, those of members by dots: `name,owner.email`.
    """

    rank = 40

    def __init__(self, option: Any) -> None:
        if option not in (None, True) and not isinstance(option, str):
            raise ValueError("`select` takes the name of a query parameter, such as `select: fields`")
        self.name = option if isinstance(option, str) else "fields"

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        return with_parameter(
            operation,
            {
                "name": self.name,
                "in": "query",
                "explode": False,
                "description": "only these members, those of members after a dot: `name,owner.email`",
                "schema": {"type": "array", "items": {"type": "string"}, "maxItems": 100},
            },
        )

    def around(self, surroundings: Surroundings) -> Around | None:
        name = argument_name(self.name)

        async def selecting(exchange: Exchange, proceed: Callable[[Exchange], Awaitable[Result]]) -> Result:
            wanted = exchange.arguments.pop(name, None)
            result = await proceed(exchange)
            if wanted and 200 <= result.status < 300 and not isinstance(result.value, Response):
                result.value = select(result.value, _tree(wanted))
                result.partial = True
            return result

        return selecting


def _tree(names: list[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name in names:
        node = tree
        for part in name.split("."):
            node = node.setdefault(part, {})
    return tree


def select(value: Any, tree: dict[str, Any]) -> Any:
    """The value with only the members that a tree names; an empty tree names all. Lists: of each item."""
    if not tree:
        return value
    if isinstance(value, list):
        return [select(item, tree) for item in value]
    if isinstance(value, dict):
        return {name: select(value[name], below) for name, below in tree.items() if name in value}
    return value
