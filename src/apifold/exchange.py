"""One request on its way through the stages, and what a binding hands back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from apifold.http import Request, first_header
from apifold.http.response import Headers

T = TypeVar("T")


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


class Result(msgspec.Struct, eq=False):
    """What a binding answers: a status, a value that is still to be rendered, extra headers.

    `partial` says that members were left out on purpose, so that the value need not fit its schema; `foreign` that the
    value is another service's, so that what it lacks is that service's mistake.
    """

    status: int
    value: Any
    headers: Headers = ()
    partial: bool = False
    foreign: bool = False

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        return first_header(self.headers, name) or ""


class Exchange(msgspec.Struct, eq=False):
    """One request on its way: each stage of `handle` adds what it found.

    Attributes:
        request: as it came in.
        began: when, by `time.perf_counter`.
        site: what is served, as the request found it.
        observers: who is told what happens.
        api: the API that was found, at the version that was asked for; or None.
        endpoint: the operation that was matched, or None.
        captured: the values of the path's variables, as sent.
        project: the one that the path names in front of everything, where it does.
        media: the media type to answer in, "" where none is described.
        caller: who is asking.
        arguments: checked and coerced, by the names a handler takes; the body under `body`.
        called: whether the binding was asked: nothing had kept the request from it.
        is_shadow: whether it is a copy, for comparing: it must change nothing that its original did not.
        expected: the ETag that the client, or a patch, takes the thing to have; "" where nobody said.
        version: the `apifold.Version` that was asked for; None where there is no choice.
        notice: headers of the answer, whatever it is.
    """

    request: Request
    began: float = 0.0
    site: Any = None
    observers: Any = None
    api: Any = None
    endpoint: Any = None
    captured: Sequence[str] = ()
    media: str = ""
    caller: Caller = NOBODY
    arguments: dict[str, Any] = {}  # a struct makes a new one for each
    called: bool = False
    is_shadow: bool = False
    expected: str = ""
    version: Any = None
    notice: Headers = ()
    project: str = ""

    @property
    def address(self) -> str:
        """The API's address, as this client names it: with the project, where its path has one."""
        base: str = self.api.base
        return f"{self.request.base_url}{base}{f'/{self.project}' if self.project else ''}"

    def allowed(self, name: str, target: Mapping[str, Any] | None = None) -> bool:
        """Whether a rule of the policy file lets the caller do something; whatever the rule, where there is no file.

        Args:
            target: values of the thing that it is about; the caller's own project and user where nothing is said.
        """
        caller, policy = self.caller, self.endpoint.policy
        own = {"project_id": caller.project, "user_id": caller.user}
        return policy is None or bool(policy.rule(name)(caller, own if target is None else target))

    def beside(self, request: Request) -> Exchange:
        """Another one for the same caller and API, on what this one began with."""
        site, observers = self.site, self.observers
        other = Exchange(request, self.began, site, observers, self.api, self.endpoint, self.captured)
        other.caller, other.is_shadow, other.version = self.caller, self.is_shadow, self.version
        other.project = self.project
        return other


Call = Callable[[Exchange], Result | Awaitable[Result]]
"""How an operation gets its answer: at once, or as something to await."""

Around = Callable[[Exchange, Callable[[Exchange], Awaitable[Result]]], Awaitable[Result]]
"""A trait at work: `async def around(exchange, proceed)` calls `await proceed(exchange)`, or not."""


class Page:
    """Which part of a list is wanted, and, once the list was read, where it goes on.

    A handler reads `limit`, `marker` and `offset`, and sets `next_marker` (marker paging, "" at the end) or
    `total` (offset paging, where `counts` says that it is wanted).
    """

    __slots__ = ("counts", "limit", "marker", "next_marker", "offset", "total")

    def __init__(self, limit: int, marker: str = "", offset: int = 0, *, counts: bool = False) -> None:
        self.limit = limit
        self.marker = marker
        self.offset = offset
        self.counts = counts
        self.next_marker = ""
        self.total: int | None = None

    def cut(self, items: Sequence[T]) -> Sequence[T]:
        """The part of a list that is all there; its length is the total."""
        self.total = len(items)
        return items[self.offset : self.offset + self.limit]
