"""Errors in QTIP's words, for controllers that are written in its style."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from apifold import NotFound, ToBeDone

Controller = TypeVar("Controller", bound=Callable[..., Any])


def check_endpoint_for_error(resource: str, operation: str = "") -> Callable[[Controller], Controller]:
    """A decorator for controllers, sync or async and whatever they take: what they raise is told as QTIP tells it.

    `NotFound` becomes 404, "<Resource> not found"; `ToBeDone` becomes 501, "<Operation> handler not implemented". Both
    are problem documents (RFC 9457). Anything else is for the framework.

    Args:
        resource: what it is about, such as `Plan`.
        operation: what it does with it, such as `Run`; without one, `ToBeDone` is told as it was raised.
    """

    def decorate(controller: Controller) -> Controller:
        takes = inspect.signature(controller)

        def told(fault: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
            if isinstance(fault, NotFound):
                name = takes.bind_partial(*arguments, **named).arguments.get("name", "")
                return NotFound(
                    f"Requested {resource.lower()} `{name}` not found.",
                    title=f"{resource[:1].upper()}{resource[1:]} not found",
                )
            return not_implemented(resource, operation) if operation else fault

        if inspect.iscoroutinefunction(controller):

            @functools.wraps(controller)
            async def waiting(*arguments: Any, **named: Any) -> Any:
                try:
                    return await controller(*arguments, **named)
                except (NotFound, ToBeDone) as fault:
                    raise told(fault, arguments, named) from None

            return waiting  # type: ignore[return-value]  # it takes and gives what the controller does

        @functools.wraps(controller)
        def at_once(*arguments: Any, **named: Any) -> Any:
            try:
                return controller(*arguments, **named)
            except (NotFound, ToBeDone) as fault:
                raise told(fault, arguments, named) from None

        return at_once  # type: ignore[return-value]  # as above

    return decorate


def not_implemented(resource: str, operation: str) -> ToBeDone:
    """An operation on a resource that is known and not built, as QTIP tells it."""
    return ToBeDone(
        f"Requested operation `{operation.lower()}` on {resource.lower()} not implemented.",
        title=f"{operation.capitalize()} handler not implemented",
    )
