"""Handlers: plain functions, their arguments filled by name, their signatures checked when the file is loaded."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from apifold.bindings.modules import HandlerError
from apifold.bindings.names import argument_name
from apifold.bindings.tasks import in_task
from apifold.bindings.workplace import Workplace
from apifold.description import Operation
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.exchange import Call, Exchange, Result
from apifold.http import Response
from apifold.service import PerRequest

SPECIAL = {
    "caller": "who is asking: an `apifold.Caller`",
    "request": "the `apifold.Request` as it came in",
    "media": "the media type that the client likes best, of those that the description offers",
    "page": "with the `page` trait: which part of the list is wanted, an `apifold.Page`",
    "inside": "answers another `apifold.Request` as if it had come in beside this one; to be awaited",
    "expected": "with the `etag` trait: the ETag that the change is based on, or nothing",
}
"""Arguments that a handler gets for asking."""

INLINE_SECONDS = 0.001
"""How long an inline handler may take; it promised."""

log = logging.getLogger("apifold.handlers")


def bind(operation: Operation, option: Any, workplace: Workplace) -> Call:
    """The function that the operationId, or `binding: {handler: NAME}`, names."""
    function = _function(operation, option, workplace)
    plan, errors = _plan(function, operation, workplace)
    if errors:
        raise DescriptionErrors(errors)
    success = operation.success
    empty = 204 if "204" in operation.answers else success
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(inspect.unwrap(function)):
        return _suspending(function, plan, success, empty)
    inline = operation.extension.inline
    if (inline or (inline is None and workplace.description.extension.inline)) and not plan.made:
        return _inline(function, plan, success, empty, operation.title)
    return _threaded(function, plan, success, empty, workplace)


def to_result(value: Any, success: int, empty: int) -> Result:
    """What a handler returned: a value, `(value, status)`, `(value, status, headers)`, a Response or a Result."""
    if isinstance(value, tuple) and 2 <= len(value) <= 3 and isinstance(value[1], int):
        return Result(value[1], value[0], _pairs(value[2]) if len(value) == 3 else ())
    if isinstance(value, Result):
        return value
    if isinstance(value, Response):
        return Result(value.status, value)
    return Result(empty if value is None else success, value)


def _pairs(headers: Any) -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(name), str(text)) for name, text in (headers.items() if isinstance(headers, dict) else headers or ())
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a call's arguments are filled.

    `declared`: those the description gives. `drops`: given, but not taken. `absent`: taken without a default, but
    not always given. `special`: asked of the exchange. `provided`: from the service. `whole`: the body under its
    own name. `fields`: form fields under their own names. `inside`: answers another request.
    """

    drops: tuple[str, ...]
    absent: tuple[str, ...]
    special: tuple[str, ...]
    provided: tuple[tuple[str, Any], ...]
    made: tuple[tuple[str, PerRequest], ...]
    whole: str
    fields: tuple[str, ...]
    inside: Callable[..., Any]

    @property
    def is_plain(self) -> bool:
        """Whether a call takes just what was read."""
        return not (self.drops or self.absent or self.special or self.provided or self.whole or self.fields)

    async def all_arguments(self, exchange: Exchange) -> dict[str, Any]:
        """The arguments, those among them that take time to make."""
        made = {}
        for name, provided in self.made:
            value = provided.make(exchange)
            made[name] = await value if inspect.isawaitable(value) else value
        return self.arguments(exchange) | made

    def arguments(self, exchange: Exchange) -> dict[str, Any]:
        """The arguments that are there at once."""
        arguments = exchange.arguments
        if self.whole and "body" in arguments:
            arguments[self.whole] = arguments.pop("body")
        if self.fields:
            form = arguments.pop("body", None) or {}
            arguments.update((argument_name(name), form[name]) for name in self.fields if name in form)
        for name in self.drops:
            arguments.pop(name, None)
        for name in self.absent:
            arguments.setdefault(name, None)
        for name in self.special:
            if name == "page":
                arguments[name] = arguments.get("page")
            elif name == "inside":
                arguments[name] = partial(self.inside, exchange)
            else:
                arguments[name] = getattr(exchange, name)
        if self.provided:
            arguments.update(self.provided)
        return arguments


def _function(operation: Operation, option: Any, workplace: Workplace) -> Callable[..., Any]:
    name = option if isinstance(option, str) else operation.id
    below = "/operationId" if name == operation.id and name else ""
    if not name:
        remedy = "add `operationId: module.function`, or `x-apifold: {binding: mock}` to answer from examples"
        raise workplace.refused(operation, f"{operation.title} has neither an operationId nor a binding", remedy)
    handlers = workplace.description.extension.handlers
    try:
        return workplace.modules.function(f"{handlers}.{name}" if handlers and "." not in name else name)
    except HandlerError as error:
        raise workplace.unnamed(operation, error, below) from None


def _plan(
    function: Callable[..., Any], operation: Operation, workplace: Workplace
) -> tuple[_Plan, list[DescriptionError]]:
    takes = inspect.signature(function).parameters
    named = {name for name, taken in takes.items() if taken.kind in (taken.POSITIONAL_OR_KEYWORD, taken.KEYWORD_ONLY)}
    takes_any = any(taken.kind is taken.VAR_KEYWORD for taken in takes.values())
    declared = {argument_name(parameter.inner_name): parameter for parameter in operation.parameters}
    hidden = set(trait_arguments(operation))
    for name, value in workplace.provides.items():
        if name in named and isinstance(value, PerRequest):
            hidden.update(value.instead_of)
    body = None if operation.extension.stream else operation.body
    body_name = argument_name(body.name) if body and body.name else ""
    whole = body_name if body_name and "body" not in named and body_name in named else ""
    fields = _form_fields(operation, workplace) if body and "body" not in named and not whole and not takes_any else ()
    given = (
        set(declared)
        | ({"body"} if body else set())
        | {argument_name(name) for name in fields}
        | ({whole} if whole else set())
    )
    special = {name for name in SPECIAL if name in named and name not in declared}
    provided = {name: value for name, value in workplace.provides.items() if name in named and name not in given}
    place = f"{function.__module__}.{getattr(function, '__qualname__', function)}"
    errors = []
    for name, taken in takes.items():
        if taken.kind is taken.POSITIONAL_ONLY:
            errors.append((f"{place} takes {name!r} by position only", "arguments are filled by name"))
        elif name in named and taken.default is taken.empty and name not in given | special | set(provided):
            errors.append(
                (f"{place} needs {name!r}, which nothing gives", f"declare it as a parameter, or take it from {place}")
            )
    if not takes_any:
        missing = [
            name
            for name, parameter in declared.items()
            if name not in named and parameter.where in ("path", "query", "querystring") and name not in hidden
        ]
        errors += [
            (
                f"{place} does not take {declared[name].where} parameter {declared[name].name!r}",
                f"add `{name}` to its arguments",
            )
            for name in missing
        ]
        if body and "body" not in named and not whole and not fields:
            errors.append((f"{place} does not take the `body`", "add `body` to its arguments"))
    drops = (
        () if takes_any else tuple(sorted(({"body"} if body and fields == () and not whole else set()) | set(declared)))
    )
    plan = _Plan(
        drops=tuple(name for name in (*drops, "page") if name not in named),
        absent=tuple(name for name in named & given if takes[name].default is inspect.Parameter.empty),
        special=tuple(sorted(special)),
        provided=tuple((name, value) for name, value in provided.items() if not isinstance(value, PerRequest)),
        made=tuple((name, value) for name, value in provided.items() if isinstance(value, PerRequest)),
        whole=whole,
        fields=fields,
        inside=workplace.inside,
    )
    return plan, [
        workplace.error(operation, message, remedy, "/operationId" if operation.id else "")
        for message, remedy in errors
    ]


def trait_arguments(operation: Operation) -> Iterator[str]:
    """Arguments that a trait takes for itself, so that the handler need not."""
    habits = operation.extension.habits
    if "page" in habits:
        yield from ("limit", "marker", "offset")
    if "select" in habits:
        yield argument_name(habits["select"] if isinstance(habits["select"], str) else "fields")


def _form_fields(operation: Operation, workplace: Workplace) -> tuple[str, ...]:
    """The fields of a form that the handler may take one by one."""
    for media, described in (operation.body.content if operation.body else {}).items():
        if media in ("application/x-www-form-urlencoded", "multipart/form-data"):
            return tuple(workplace.description.resolve(described.get("schema", {})).get("properties") or ())
    return ()


def _suspending(function: Callable[..., Any], plan: _Plan, success: int, empty: int) -> Callable[[Exchange], Any]:
    async def called(exchange: Exchange) -> Any:
        return await function(**await plan.all_arguments(exchange))

    async def call(exchange: Exchange) -> Result:
        return to_result(await in_task(called(exchange)), success, empty)

    return call


def _threaded(
    function: Callable[..., Any], plan: _Plan, success: int, empty: int, workplace: Workplace
) -> Callable[[Exchange], Any]:
    threads = workplace.threads

    async def call(exchange: Exchange) -> Result:
        running = partial(
            function, **await in_task(plan.all_arguments(exchange)) if plan.made else plan.arguments(exchange)
        )
        return to_result(await asyncio.get_running_loop().run_in_executor(threads, running), success, empty)

    return call


def _inline(
    function: Callable[..., Any], plan: _Plan, success: int, empty: int, title: str
) -> Callable[[Exchange], Result]:
    is_plain = plan.is_plain

    def call(exchange: Exchange) -> Result:
        began = perf_counter()
        value = function(**(exchange.arguments if is_plain else plan.arguments(exchange)))
        took = perf_counter() - began
        if took > INLINE_SECONDS:
            log.warning("%s is inline and took %.1f ms; it holds up its worker", title, took * 1000)
        kind = type(value)
        return Result(success, value) if kind is dict or kind is list else to_result(value, success, empty)

    return call
