"""Grouping: one row for all things that are alike in the attributes that the client names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from apifold.exchange import Around, Exchange, Result
from apifold.schema.names import argument_name
from apifold.traits.trait import Surroundings, with_parameter

_KEYS = ("name", "by")


class Group:
    """`group`, `group: NAME` of the query parameter (`groupby` by default), or `group: {name: NAME, by: [...]}`.

    The attributes may be repeated and separated by commas; `by` are those that may be named, any where nothing is said.
    The handler gets a list of them, each once, under the parameter's name.
    """

    rank = 60

    def __init__(self, option: Any) -> None:
        options = option if isinstance(option, dict) else {"name": option or "groupby"}
        by = options.get("by")
        if not options.keys() <= set(_KEYS) or not (by is None or (isinstance(by, list) and by)):
            raise ValueError("`group` is the name of a query parameter, or a mapping of `name` and `by`")
        self.name = str(options.get("name", "groupby"))
        self.by = by

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        attribute = {"type": "string", "minLength": 1} | ({"enum": self.by} if self.by else {})
        return with_parameter(
            operation,
            {
                "name": self.name,
                "in": "query",
                "description": "one row for all that are alike in these attributes: repeated, or separated by commas",
                "x-apifold": {"style": "list"},
                "schema": {"type": "array", "items": attribute, "default": []},
            },
        )

    def around(self, surroundings: Surroundings) -> Around | None:
        name = argument_name(self.name)

        async def grouping(exchange: Exchange, proceed: Callable[[Exchange], Awaitable[Result]]) -> Result:
            exchange.arguments[name] = list(dict.fromkeys(exchange.arguments.get(name, ())))
            return await proceed(exchange)

        return grouping
