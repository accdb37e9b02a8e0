"""PATCH as JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396): the handler gets the whole new thing as `body`."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any

import jsonpatch
import jsonpointer
import orjson

from apifold.errors import Conflict, Invalid, PreconditionFailed, Problem, Unprocessable
from apifold.exchange import Around, Exchange, Result
from apifold.http import media_type
from apifold.traits.etag import etag_of
from apifold.traits.trait import Surroundings

MAX_OPERATIONS = 200
"""Operations in one JSON Patch."""

MAX_BYTES = 16 * 1024 * 1024
"""Size of a patched thing, written as JSON, so that a few `copy` operations can't make it endless."""

_ATTEMPTS = 5

Proceed = Callable[[Exchange], Awaitable[Result]]

_OPERATION_SCHEMA = {
    "type": "object",
    "required": ["op", "path"],
    "properties": {
        "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
        "path": {"type": "string", "pattern": "^(/([^~]|~[01])*)*$"},
        "from": {"type": "string", "pattern": "^(/([^~]|~[01])*)*$"},
        "value": {},
    },
    "allOf": [
        {"if": {"properties": {"op": {"enum": ["add", "replace", "test"]}}}, "then": {"required": ["value"]}},
        {"if": {"properties": {"op": {"enum": ["move", "copy"]}}}, "then": {"required": ["from"]}},
    ],
}


class _Patch:
    """What both kinds share: read, patch, check, hand over; once more when somebody else was faster."""

    rank = 30
    media: str
    schema: dict[str, Any]

    def __init__(self, option: Any) -> None:
        if option not in (None, True):
            raise ValueError("it takes no option")

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        body = operation.get("requestBody") or {"required": True, "content": {}}
        content = {**body.get("content", {}), self.media: {"schema": self.schema}}
        return {**operation, "requestBody": {**body, "content": content}}

    def around(self, surroundings: Surroundings) -> Around | None:
        read, replacement = surroundings.read, surroundings.replacement
        if surroundings.operation.method != "PATCH" or read is None:
            raise ValueError("a patch needs PATCH, and a GET on the same path that tells what is patched")

        async def patching(exchange: Exchange, proceed: Proceed) -> Result:
            if media_type(exchange.request.headers.get("content-type", ""))[0] != self.media:
                return await proceed(exchange)
            patch, based_on = exchange.arguments["body"], exchange.expected
            for attempt in range(_ATTEMPTS):
                current = await read(exchange)
                patched = self.apply(copy.deepcopy(current.value), patch)
                exchange.arguments["body"] = _checked(patched, current.value, replacement)
                exchange.expected = based_on or etag_of(current, exchange.version)
                try:
                    return await proceed(exchange)
                except PreconditionFailed:
                    if based_on or attempt == _ATTEMPTS - 1:
                        raise
            raise Conflict("Others keep changing it; try again.")

        return patching

    def apply(self, thing: Any, patch: Any) -> Any:
        raise NotImplementedError


class JsonPatch(_Patch):
    """`json-patch`: a list of operations, all of them or none."""

    media = "application/json-patch+json"
    schema = {"type": "array", "maxItems": MAX_OPERATIONS, "items": _OPERATION_SCHEMA}

    def apply(self, thing: Any, patch: Any) -> Any:
        """The thing after every operation.

        Raises:
            Conflict: a `test` found something else.
            Unprocessable: an operation names what is not there, or the outcome is too large.
        """
        for index, operation in enumerate(patch):
            try:
                thing = jsonpatch.JsonPatch([operation]).apply(thing, in_place=True)
            except jsonpatch.JsonPatchTestFailed:
                raise Conflict(f"The test of operation {index} at {operation['path']!r} failed.") from None
            except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError):
                problem = Problem("body", f"/{index}/path", "names nothing that this can be done to")
                raise Unprocessable(f"Operation {index} can't be carried out.", [problem]) from None
            if operation["op"] == "copy" and len(orjson.dumps(thing, default=str)) > MAX_BYTES:
                raise Unprocessable("The patched thing would be too large.")
        return thing


class MergePatch(_Patch):
    """`merge-patch`: members to set; null removes."""

    media = "application/merge-patch+json"
    schema = {"type": "object"}

    def apply(self, thing: Any, patch: Any) -> Any:
        """The thing with the patch merged in (RFC 7396, 2)."""
        if not isinstance(patch, dict):
            return patch
        merged = dict(thing) if isinstance(thing, dict) else {}
        for key, value in patch.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = self.apply(merged.get(key), value)
        return merged


def _checked(patched: Any, current: Any, replacement: Any) -> Any:
    if replacement is None:
        return patched
    checker, shaper, read_only = replacement
    problems: list[Problem] = []
    if isinstance(current, dict) and isinstance(patched, dict):
        problems = [
            Problem("body", f"/{name}", "is read-only") for name in read_only if patched.get(name) != current.get(name)
        ]
    if shaper:
        shaper(patched, "", problems)
    problems += checker.problems(patched, "body")
    if problems:
        raise Invalid("The patched thing would not be valid.", problems)
    return patched
