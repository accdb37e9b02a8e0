"""The one place that every request passes: it is counted, meets the faults that are armed, and shows its token."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from apifold import Denied, NotFound, Request, Result, Unauthenticated
from apifold_services.multicloud.standin.core.accounts import user_of
from apifold_services.multicloud.standin.core.faults import Faults
from apifold_services.multicloud.standin.core.tokens import Tokens

ARMED = {"message": "This fault was armed."}
"""What an armed fault is answered with where nothing was said."""

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking, for which project ("" for none), and the cloud's address as they know it."""

    user: str
    project: str
    cloud: str


class Gate:
    """Lets requests in, or not.

    Args:
        tokens: those that are out.
        faults: those that are armed.
    """

    def __init__(self, tokens: Tokens, faults: Faults) -> None:
        self.tokens = tokens
        self.faults = faults

    def fault(self, service: str, request: Request) -> dict[str, Any] | None:
        """Count a request, and tell the fault that it meets."""
        self.faults.count(service, request.method, request.path)
        return self.faults.take(service, request.method, request.path)

    def visitor(self, service: str, request: Request) -> Visitor:
        """Who is asking.

        Raises:
            Unauthenticated: no token that holds, or one without a project where one is needed.
            Denied: they may only read.
        """
        known = self.tokens.trusted(request.headers.get("x-auth-token", ""))
        if service != "identity":
            if not known["project"]:
                raise Unauthenticated("This needs a token of a project.", "Keystone")
            roles = user_of(known["user"]).roles[known["project"]]
            if request.method not in ("GET", "HEAD") and "member" not in roles:
                raise Denied("Policy doesn't allow this to be performed.")
        return Visitor(known["user"], known["project"], cloud_of(service, request))


def cloud_of(service: str, request: Request) -> str:
    """The cloud's address, as the one who asks knows it."""
    return f"{request.base_url}{request.path.partition(f'/{service}')[0]}"


def guarded(service: str, *, known: bool = True) -> Callable[[Handler], Handler]:
    """A decorator for the handlers of a service: those who come in passed the gate.

    The handler may take `visitor`; a `project_id` in the path has to be theirs.

    Args:
        known: whether a token is needed.
    """

    def decorate(handler: Handler) -> Handler:
        takes = inspect.signature(handler).parameters

        def let_in(gate: Gate, request: Request, named: dict[str, Any]) -> None:
            if known:
                visitor = gate.visitor(service, request)
                if named.get("project_id", visitor.project) != visitor.project:
                    raise NotFound("The resource could not be found.")
                if "visitor" in takes:
                    named["visitor"] = visitor

        def at_once(gate: Gate, request: Request, named: dict[str, Any]) -> Any:
            let_in(gate, request, named)
            return handler(**named)

        @functools.wraps(handler)
        async def answered(*, gate: Gate, request: Request, **named: Any) -> Any:
            fault = await asyncio.to_thread(gate.fault, service, request)
            if fault:
                await asyncio.sleep(fault["delay"])
                if "status" in fault:
                    return Result(fault["status"], fault.get("body", ARMED), partial=True)
            named |= {name: one for name, one in {"gate": gate, "request": request}.items() if name in takes}
            if inspect.iscoroutinefunction(handler):
                await asyncio.to_thread(let_in, gate, request, named)
                return await handler(**named)
            return await asyncio.to_thread(at_once, gate, request, named)

        own = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("gate", "request")]
        rest = [
            one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, one in takes.items()
            if name not in ("visitor", "gate", "request")
        ]
        answered.__signature__ = inspect.Signature([*own, *rest])  # type: ignore[attr-defined]
        return answered  # type: ignore[return-value]  # it is called by name, with what the handler takes

    return decorate
