"""One request on its way through the stages, and what a binding hands back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from apifold.http import Request


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking.

    `user` and `project` are ids ("" where there is none); `roles` are names in lower case; `scopes` come
    from OAuth tokens; `names` holds what else the identity service told, such as `user_name`, `domain_id`,
    `is_admin_project`.
    """

    user: str = ""
    project: str = ""
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    names: tuple[tuple[str, str], ...] = ()


NOBODY = Caller()


class Result:
    """What a binding answers: a status, a value that is still to be rendered, extra headers."""

    __slots__ = ("headers", "status", "value")

    def __init__(self, status: int, value: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.status = status
        self.value = value
        self.headers = headers


class Exchange:
    """One request on its way: each stage of `handle` adds what it found.

    Attributes:
        request: as it came in.
        api: the API that was found, or None.
        endpoint: the operation that was matched, or None.
        caller: who is asking.
        arguments: checked and coerced, by the names a handler takes; the body under `body`.
        version: the version that was negotiated.
    """

    __slots__ = ("api", "arguments", "caller", "endpoint", "request", "version")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.api: Any = None
        self.endpoint: Any = None
        self.caller = NOBODY
        self.arguments: dict[str, Any] = {}
        self.version = ""


Call = Callable[[Exchange], Result | Awaitable[Result]]
"""How an operation gets its answer: at once, or as something to await."""

Around = Callable[[Exchange, Callable[[Exchange], Awaitable[Result]]], Awaitable[Result]]
"""A trait at work: `async def around(exchange, proceed)` calls `await proceed(exchange)`, or not."""
