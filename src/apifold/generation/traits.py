"""Traits at work: what they add to a description, and a call with them around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from apifold import extension_points
from apifold.description import Description, Operation, with_operations
from apifold.description.extension import operation_extension
from apifold.description.operations import each_operation
from apifold.description.walk import resolve_pointer
from apifold.errors import DescriptionError, Fault, Invalid, SettingsError, UnsupportedMedia
from apifold.exchange import Around, Call, Exchange, Result
from apifold.http import Request
from apifold.marked import unescape
from apifold.observe.events import WouldRefuse
from apifold.pipeline.reader import Reader
from apifold.routing import PLACEHOLDER
from apifold.traits import Surroundings, Trait


def with_traits(description: Description) -> tuple[Description, dict[str, list[Trait]], list[DescriptionError]]:
    """The description with what traits add to it: to the internal form, and to what clients are shown.

    Returns:
        the description; the traits of each operation, by its title, the outermost first; what is wrong with them.
    """
    traits: dict[str, list[Trait]] = {}
    errors: list[DescriptionError] = []
    document, written = description.document, description.written
    for path, method, operation, _, pointer in each_operation(description.document):
        habits = operation_extension(operation, method, description.document).habits
        made = []
        for name, option in habits.items():
            at = f"{pointer}/x-apifold/traits"
            try:
                made.append(extension_points.load("apifold.traits", name)(option))
            except (ValueError, SettingsError) as error:
                errors.append(
                    description.places.error(at, f"the trait {name!r}: {error}", "see the reference of traits")
                )
        if made:
            traits[f"{method} {path}"] = sorted(made, key=lambda trait: trait.rank)
            for trait in made:
                document = _changed(document, pointer, trait.describe)
                if description.flavour != "2.0":
                    written = _changed(written, pointer, trait.describe)
    return with_operations(description, document, written) if traits else description, traits, errors


def around(call: Call, traits: Iterable[Trait], surroundings: Surroundings) -> Call:
    """A call with traits around it, the first of them outermost.

    Raises:
        ValueError: one of them can't work here.
    """
    arounds = []
    for trait in traits:
        try:
            arounds.append(trait.around(surroundings))
        except ValueError as error:
            raise ValueError(f"the trait {type(trait).__name__}: {error}") from None
    working = [one for one in arounds if one is not None]
    if not working:
        return call
    proceed = _awaiting(call)
    for one in reversed(working):
        proceed = _wrapped(one, proceed)
    return proceed


def reading(operation: Operation, reader: Reader, call: Call) -> Callable[[Exchange], Awaitable[Result]]:
    """What a GET of the same path answers, for traits that need to know what is changed."""
    proceed = _awaiting(call)
    captures = PLACEHOLDER.findall(operation.path)

    async def read(exchange: Exchange) -> Result:
        request = exchange.request
        inner = exchange.beside(Request("GET", request.path, "", request.headers))
        inner.captured = exchange.captured[: len(captures)]
        reader.read(inner)
        return await proceed(inner)

    return read


def after_looking(call: Call, body: Reader, look: Callable[[Exchange], Awaitable[Result]]) -> Call:
    """A call that reads the body itself; where that fails, what is not there is told of first."""

    async def told(exchange: Exchange, fault: Fault) -> Result:
        await look(exchange)
        raise fault

    def reading_first(exchange: Exchange) -> Result | Awaitable[Result]:
        try:
            problems = body.read(exchange)
        except (Invalid, UnsupportedMedia) as fault:
            return told(exchange, fault)
        if problems:
            exchange.observers.tell(WouldRefuse(exchange, "request", problems))
        return call(exchange)

    return reading_first


def _changed(
    document: dict[str, Any], pointer: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """A copy of a document with one operation changed; all else is shared."""
    copy = dict(document)
    node = copy
    parts = [unescape(part) for part in pointer.split("/")[1:]]
    for part in parts[:-1]:
        child = node[part]
        if isinstance(child, dict) and "$ref" in child:
            child = resolve_pointer(document, child["$ref"][1:])
        node[part] = dict(child)
        node = node[part]
    node[parts[-1]] = change(node[parts[-1]])
    return copy


def _awaiting(call: Call) -> Callable[[Exchange], Awaitable[Result]]:
    async def proceed(exchange: Exchange) -> Result:
        result = call(exchange)
        if not isinstance(result, Result):
            result = await result
        if isinstance(result.value, Iterator):  # traits look at the whole of it
            result.value = await asyncio.to_thread(list, result.value)
        return result

    return proceed


def _wrapped(
    around: Around, proceed: Callable[[Exchange], Awaitable[Result]]
) -> Callable[[Exchange], Awaitable[Result]]:
    def call(exchange: Exchange) -> Awaitable[Result]:
        return around(exchange, proceed)

    return call
