"""Partial responses: only the members that the client names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Set
from typing import Any

from apifold.errors import Invalid, Problem
from apifold.exchange import Around, Exchange, Result
from apifold.http import Response
from apifold.schema.names import argument_name
from apifold.traits.trait import Surroundings, with_parameter


class Select:
    """`select`, `select: NAME` of the query parameter (`fields` by default), or `select: {name: NAME, strict: true}`.

    Members are named by commas, those of members by dots: `name,owner.email`. Where it is `strict`, only members of the
    thing itself are named, each once, and one that it can't have is refused.
    """

    rank = 15  # around `etag`: a part has the ETag of the whole, so that it can be changed by it

    def __init__(self, option: Any) -> None:
        options = option if isinstance(option, dict) else {"name": option if isinstance(option, str) else "fields"}
        if option not in (None, True, options, options.get("name")) or not options.keys() <= {"name", "strict"}:
            raise ValueError("`select` takes the name of a query parameter, such as `select: fields`")
        self.name = str(options.get("name", "fields"))
        self.strict = bool(options.get("strict"))

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        deeper = "" if self.strict else ", those of members after a dot: `name,owner.email`"
        return with_parameter(operation, selecting_parameter(self.name, f"only these members{deeper}"))

    def around(self, surroundings: Surroundings) -> Around | None:
        name, whole = argument_name(self.name), surroundings.whole
        if self.strict and whole is None:
            raise ValueError("a strict `select` needs a GET whose answer has a schema")

        async def selecting(exchange: Exchange, proceed: Callable[[Exchange], Awaitable[Result]]) -> Result:
            wanted = exchange.arguments.pop(name, None)
            if wanted is not None and self.strict and whole is not None:
                wanted = named_members(wanted, self.name, whole.members)
            result = await proceed(exchange)
            if wanted and 200 <= result.status < 300 and not isinstance(result.value, Response):
                result.value = select(result.value, _tree(wanted))
                result.partial = True
            return result

        return selecting


def selecting_parameter(name: str, description: str) -> dict[str, Any]:
    """The query parameter in which members are named."""
    schema = {"type": "array", "items": {"type": "string"}, "maxItems": 100}
    # Repeated or separated by commas: both are read.
    return {"name": name, "in": "query", "description": description, "x-apifold": {"style": "list"}, "schema": schema}


def named_members(names: list[str], parameter: str, known: Set[str]) -> list[str]:
    """The members that a client names, spaces around them apart.

    Raises:
        Invalid: there are none, one of them twice, or some that there can't be.
    """
    wanted = [name.strip() for name in names]
    if not any(wanted):
        raise Invalid(problems=[Problem("query", f"/{parameter}", "names nothing")])
    found = [f"names {name!r}, which there is not" for name in wanted if name not in known]
    found += [f"names {name!r} more than once" for name in dict.fromkeys(wanted) if wanted.count(name) > 1]
    if found:
        raise Invalid(problems=[Problem("query", f"/{parameter}", detail) for detail in found])
    return wanted


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
