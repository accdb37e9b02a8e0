"""PATCH as JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396)."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer
import orjson

from apifold.errors import Conflict, Problem, Unprocessable
from apifold.exchange import Exchange
from apifold.traits.change import Change
from apifold.traits.trait import Whole

MAX_OPERATIONS = 200
"""Operations in one JSON Patch."""

MAX_BYTES = 16 * 1024 * 1024
"""Size of a patched thing, written as JSON, so that a few `copy` operations can't make it endless."""

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


class JsonPatch(Change):
    """`json-patch`: a list of operations, all of them or none."""

    media = "application/json-patch+json"
    schema = {"type": "array", "maxItems": MAX_OPERATIONS, "items": _OPERATION_SCHEMA}

    def changed(self, thing: Any, change: Any, exchange: Exchange, whole: Whole | None) -> Any:
        """The thing after every operation.

        Raises:
            Conflict: a `test` found something else.
            Unprocessable: an operation names what is not there, or the outcome is too large.
        """
        for index, operation in enumerate(change):
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


class MergePatch(Change):
    """`merge-patch`: members to set; null removes."""

    media = "application/merge-patch+json"
    schema = {"type": "object"}

    def changed(self, thing: Any, change: Any, exchange: Exchange, whole: Whole | None) -> Any:
        """The thing with the patch merged in (RFC 7396, 2)."""
        return merged(thing, change)


def merged(thing: Any, patch: Any) -> Any:
    """A thing with a patch merged in (RFC 7396, 2)."""
    if not isinstance(patch, dict):
        return patch
    whole = dict(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if value is None:
            whole.pop(key, None)
        else:
            whole[key] = merged(whole.get(key), value)
    return whole
