"""Handlers: plain functions, their arguments filled by name, their signatures checked when the file is loaded."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from apifold.bindings.modules import HandlerError
from apifold.bindings.tasks import in_task
from apifold.bindings.workplace import Workplace
from apifold.description import Operation, Parameter
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.exchange import Call, Exchange, Result
from apifold.http import Response
from apifold.routing import split_choice
from apifold.schema.names import argument_name
from apifold.service import PerRequest

SPECIAL = {
    "caller": "who is asking: an `apifold.Caller`",
    "request": "the `apifold.Request` as it came in",
    "media": "the media type that the client likes best, of those that the description offers",
    "version": "the version that the client asked for, an `apifold.Version`; None where there is no choice",
    "page": "with the `page` trait: which part of the list is wanted, an `apifold.Page`",
    "inside": "answers another `apifold.Request` as if it had come in beside this one; to be awaited",
    "expected": "with the `etag` trait: the ETag that the change is based on, or nothing",
    "address": "the API's address for links, as the client named it: with the project, where its path has one",
    "allowed": "asks a rule of the policy file: `allowed(NAME)`, or `allowed(NAME, TARGET)` of a thing's values",
}
"""Arguments that a handler gets for asking."""

INLINE_SECONDS = 0.001
"""How long an inline handler may take; it promised."""

log = logging.getLogger("apifold.handlers")

_NONE = inspect.Parameter.empty
"""The default of what has none."""


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
    own name. `fields`: members of the body under their own names. `member`: the one that stands for the whole body.
    `inside`: answers another request.
    """

    drops: tuple[str, ...]
    absent: tuple[str, ...]
    special: tuple[str, ...]
    provided: tuple[tuple[str, Any], ...]
    made: tuple[tuple[str, PerRequest], ...]
    whole: str
    fields: tuple[str, ...]
    member: str
    inside: Callable[..., Any]

    @property
    def is_plain(self) -> bool:
        """Whether a call takes just what was read."""
        changes = (self.drops, self.absent, self.special, self.provided, self.whole, self.fields, self.member)
        return not any(changes)

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
        if self.member:
            arguments["body"] = (arguments.get("body") or {}).get(self.member)
        if self.whole and "body" in arguments:
            arguments[self.whole] = arguments.pop("body")
        if self.fields:
            body = arguments.pop("body", None)
            members = body if isinstance(body, dict) else {}
            arguments.update((argument_name(name), members[name]) for name in self.fields if name in members)
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


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a function takes: its parameters, those that can be filled by name, and whether it takes any name."""

    place: str
    parameters: Mapping[str, inspect.Parameter]
    named: frozenset[str]
    any: bool


@dataclass(frozen=True, slots=True)
class _Given:
    """What an operation gives: parameters by argument name; and a body, under its own name (`whole`), by its members
    (`fields`), or as `body`; where one `member` names the operation, what stands under it."""

    declared: Mapping[str, Parameter]
    has_body: bool
    whole: str
    fields: tuple[str, ...]
    member: str

    @property
    def names(self) -> set[str]:
        """All of it, by argument name."""
        body = ["body"] if self.has_body else []
        return {*self.declared, *body, *([self.whole] if self.whole else []), *map(argument_name, self.fields)}

    @property
    def only_as_body(self) -> bool:
        """Whether there is a body, and `body` is the one name that it has."""
        return self.has_body and not self.whole and not self.fields


def _plan(
    function: Callable[..., Any], operation: Operation, workplace: Workplace
) -> tuple[_Plan, list[DescriptionError]]:
    """How the arguments are filled, and why they can't be."""
    taken = _taken(function)
    given = _given(taken, operation, workplace)
    names = given.names
    special = {name for name in SPECIAL if name in taken.named and name not in given.declared}
    provided = {name: value for name, value in workplace.provides.items() if name in taken.named and name not in names}
    drops = () if taken.any else (*given.declared, *(["body"] if given.only_as_body else []))
    plan = _Plan(
        drops=tuple(name for name in (*drops, "page") if name not in taken.named),
        absent=tuple(name for name in taken.named & names if taken.parameters[name].default is _NONE),
        special=tuple(sorted(special)),
        provided=tuple((name, value) for name, value in provided.items() if not isinstance(value, PerRequest)),
        made=tuple((name, value) for name, value in provided.items() if isinstance(value, PerRequest)),
        whole=given.whole,
        fields=given.fields,
        member=given.member,
        inside=workplace.inside,
    )
    problems = [*_unfilled(taken, names | special | provided.keys()), *_ignored(taken, given, operation, workplace)]
    below = "/operationId" if operation.id else ""
    return plan, [workplace.error(operation, message, remedy, below) for message, remedy in problems]


def _taken(function: Callable[..., Any]) -> _Taken:
    parameters = inspect.signature(function).parameters
    named = {name for name, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    place = f"{function.__module__}.{getattr(function, '__qualname__', function)}"
    return _Taken(place, parameters, frozenset(named), any(one.kind is one.VAR_KEYWORD for one in parameters.values()))


def _given(taken: _Taken, operation: Operation, workplace: Workplace) -> _Given:
    body = None if operation.extension.stream else operation.body
    name = argument_name(body.name) if body and body.name else ""
    whole = name if name in taken.named and "body" not in taken.named else ""
    member = split_choice(operation.path)[1]
    by_field = body and "body" not in taken.named and not whole and not taken.any and not member
    declared = {argument_name(parameter.inner_name): parameter for parameter in operation.parameters}
    # What the rule was asked about is in the path: a member of the body never takes its place.
    members = _fields(operation, workplace) if by_field else ()
    fields = tuple(one for one in members if argument_name(one) not in declared)
    return _Given(
        declared=declared,
        has_body=body is not None,
        whole=whole,
        fields=fields if taken.named & set(map(argument_name, fields)) else (),
        member=member if body else "",
    )


def _unfilled(taken: _Taken, names: Set[str]) -> Iterator[tuple[str, str]]:
    """Message and remedy of each argument that can't be filled."""
    for name, one in taken.parameters.items():
        if one.kind is one.POSITIONAL_ONLY:
            yield f"{taken.place} takes {name!r} by position only", "arguments are filled by name"
        elif name in taken.named and one.default is _NONE and name not in names:
            remedy = f"declare it as a parameter, or take it from {taken.place}"
            yield f"{taken.place} needs {name!r}, which nothing gives", remedy


def _ignored(taken: _Taken, given: _Given, operation: Operation, workplace: Workplace) -> Iterator[tuple[str, str]]:
    """Message and remedy of each thing that a client may say and that the function does not take."""
    if taken.any:
        return
    instead = [one for name, one in workplace.provides.items() if name in taken.named and isinstance(one, PerRequest)]
    fine = {*taken.named, *trait_arguments(operation), *(name for one in instead for name in one.instead_of)}
    for name, parameter in given.declared.items():
        if name not in fine and parameter.where in ("path", "query", "querystring"):
            what = f"{parameter.where} parameter {parameter.name!r}"
            yield f"{taken.place} does not take {what}", f"add `{name}` to its arguments"
    if given.only_as_body and not given.member and "body" not in taken.named:
        yield f"{taken.place} does not take the `body`", "add `body` to its arguments"


def trait_arguments(operation: Operation) -> Iterator[str]:
    """Arguments that a trait takes for itself, so that the handler need not."""
    habits = operation.extension.habits
    if "page" in habits:
        yield from ("limit", "marker", "offset")
    for option in (habits[name] for name in ("select", "replace") if name in habits):
        named = option.get("select") or option.get("name") if isinstance(option, dict) else option
        yield argument_name(named if isinstance(named, str) else "fields")


def _fields(operation: Operation, workplace: Workplace) -> tuple[str, ...]:
    """The members of a form, or of a JSON object, that the handler may take one by one."""
    for media, described in (operation.body.content if operation.body else {}).items():
        if media in ("application/x-www-form-urlencoded", "multipart/form-data", "application/json"):
            schema = workplace.description.resolve(described.get("schema", {}))
            return tuple(schema.get("properties") or ()) if isinstance(schema, dict) else ()
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
