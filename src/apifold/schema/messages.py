"""What a schema's refusal says to a client: one sentence, no schema, no echo of what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from apifold.marked import escape

UNKNOWN = "is not a known member"

_NAMES = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}

_SAYS: dict[str, Callable[[Any], str]] = {
    "type": lambda kind: f"must be {_either([_NAMES[name] for name in kind.types])}",
    "enum": lambda kind: f"must be one of {_listed(kind.options)}",
    "const": lambda kind: f"must be {_short(kind.expected_value)}",
    "minimum": lambda kind: f"must be at least {kind.limit}",
    "maximum": lambda kind: f"must be at most {kind.limit}",
    "exclusiveMinimum": lambda kind: f"must be more than {kind.limit}",
    "exclusiveMaximum": lambda kind: f"must be less than {kind.limit}",
    "multipleOf": lambda kind: f"must be a multiple of {kind.value}",
    "minLength": lambda kind: f"must have at least {_counted(kind.limit, 'character')}",
    "maxLength": lambda kind: f"must have at most {_counted(kind.limit, 'character')}",
    "minItems": lambda kind: f"must have at least {_counted(kind.limit, 'item')}",
    "maxItems": lambda kind: f"must have at most {_counted(kind.limit, 'item')}",
    "minProperties": lambda kind: f"must have at least {_counted(kind.limit, 'member')}",
    "maxProperties": lambda kind: f"must have at most {_counted(kind.limit, 'member')}",
    "pattern": lambda kind: f"must match {_short(kind.pattern)}",
    "format": lambda kind: f"must be a valid {kind.format}",
    "uniqueItems": lambda _: "must not hold the same item twice",
    "contains": lambda _: "must hold an item that it does not",
    "falseSchema": lambda _: "must not be given",
    "not": lambda _: "has a form that is not allowed here",
    "propertyNames": lambda _: "has a member whose name is not allowed",
    "unevaluatedItems": lambda _: "has more items than are described",
    "additionalItems": lambda _: "has more items than are described",
}


def describe(error: Any) -> Iterator[tuple[str, str]]:
    """Pointer and sentence of each thing that would mend a refusal.

    Of alternatives (`oneOf`, `anyOf`), those of the one that fits best: it gets deepest into the value with the
    fewest complaints.
    """
    kind = error.kind
    name = kind.name
    pointer = _pointer(error.instance_path)
    if name in _SAYS:
        yield pointer, _SAYS[name](kind)
        return
    match name:
        case "required":
            yield f"{pointer}/{escape(kind.property)}", "is missing"
        case "additionalProperties" | "unevaluatedProperties":
            for name in kind.unexpected:
                yield f"{pointer}/{escape(str(name))}", UNKNOWN
        case "oneOf" | "anyOf":
            branches = [branch for branch in getattr(kind, "context", ()) if branch]
            if not branches:
                yield pointer, "fits more than one of the alternatives, and must fit exactly one"
                return
            best = min(branches, key=lambda branch: (-max(len(one.instance_path) for one in branch), len(branch)))
            if all(
                one.kind.name == "type" and len(one.instance_path) == len(error.instance_path)
                for branch in branches
                for one in branch
            ):
                types = [name for branch in branches for one in branch for name in one.kind.types]
                yield pointer, f"must be {_either([_NAMES[name] for name in dict.fromkeys(types)])}"
                return
            for one in best:
                yield from describe(one)
        case _:
            yield pointer, f"breaks the rule {name}"


def _pointer(path: list[str | int]) -> str:
    plain = "".join([f"/{part}" for part in path])
    if "~" in plain or plain.count("/") > len(path):
        return "".join([f"/{escape(str(part))}" for part in path])
    return plain


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _listed(options: list[Any]) -> str:
    shown = ", ".join(_short(option) for option in options[:12])
    return f"{shown}, ..." if len(options) > 12 else shown


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
