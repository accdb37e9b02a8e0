"""Changes of a thing as its GET shows it: the handler gets the whole new thing, checked, as `body`."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any

from apifold.errors import Conflict, Denied, Invalid, PreconditionFailed, Problem
from apifold.exchange import Around, Exchange, Result
from apifold.http import media_type
from apifold.traits.etag import etag_of
from apifold.traits.trait import Surroundings, Whole

_ATTEMPTS = 5

Proceed = Callable[[Exchange], Awaitable[Result]]


class Change:
    """What all kinds share: read, change, check, hand over; once more when somebody else was faster.

    The thing is looked for before anything is said about a body: one that is not there is 404, whatever was sent.
    `read_only: denied` answers 403 where a client changes what it may not, and not 400.
    """

    rank = 30
    method = "PATCH"
    media: str
    schema: dict[str, Any]

    def __init__(self, option: Any) -> None:
        options = option if isinstance(option, dict) else {}
        if option not in (None, True, options) or not self._takes(options):
            raise ValueError("it takes no option but `read_only: denied`")
        self.denies = bool(options.get("read_only"))

    @staticmethod
    def _takes(options: dict[str, Any]) -> bool:
        return options in ({}, {"read_only": "denied"})

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        body = operation.get("requestBody") or {"required": True, "content": {}}
        content = {**body.get("content", {}), self.media: {"schema": self.schema}}
        return {**operation, "requestBody": {**body, "content": content}}

    def around(self, surroundings: Surroundings) -> Around | None:
        read, whole = surroundings.read, surroundings.whole
        if surroundings.operation.method != self.method or read is None:
            raise ValueError(f"it needs {self.method}, and a GET on the same path that tells what is changed")

        async def changing(exchange: Exchange, proceed: Proceed) -> Result:
            if media_type(exchange.request.headers.get("content-type", self.media))[0] != self.media:
                return await proceed(exchange)
            change, based_on = exchange.arguments["body"], exchange.expected
            for attempt in range(_ATTEMPTS):
                current = await read(exchange)
                changed = self.changed(copy.deepcopy(current.value), change, exchange, whole)
                exchange.arguments["body"] = self._checked(changed, current.value, whole)
                exchange.expected = based_on or etag_of(current, exchange.version)
                try:
                    return await proceed(exchange)
                except PreconditionFailed:
                    if based_on or attempt == _ATTEMPTS - 1:
                        raise
            raise Conflict("Others keep changing it; try again.")

        return changing

    def changed(self, thing: Any, change: Any, exchange: Exchange, whole: Whole | None) -> Any:
        """The thing as the client wants it; may change what it is given."""
        raise NotImplementedError

    def _checked(self, changed: Any, current: Any, whole: Whole | None) -> Any:
        if whole is None:
            return changed
        problems: list[Problem] = []
        if isinstance(current, dict) and isinstance(changed, dict):
            problems = [
                Problem("body", f"/{name}", "is read-only")
                for name in sorted(whole.read_only)
                if changed.get(name) != current.get(name)
            ]
        if problems and self.denies:
            raise Denied("; ".join(f"{problem.pointer[1:]} {problem.detail}" for problem in problems) + ".")
        if whole.shaper:
            whole.shaper(changed, "", problems)
        problems += whole.checker.problems(changed, "body")
        if problems:
            raise Invalid("The changed thing would not be valid.", problems)
        return changed
