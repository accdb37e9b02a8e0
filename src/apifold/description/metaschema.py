"""A document held against the published meta-schema of its own version."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

import jsonschema_rs

from apifold.description.places import Places
from apifold.description.walk import root_schemas
from apifold.errors import DescriptionError
from apifold.marked import escape

VERSIONS = {"2.0": r"2\.0", "3.0": r"3\.0\.\d+(-.+)?", "3.1": r"3\.1\.\d+(-.+)?", "3.2": r"3\.2\.\d+(-.+)?"}
"""The versions that are read, and how a document says which it has."""

PORTION = 50
"""Entries of a document's large mappings that are checked at a time."""

_LARGE = ("paths", "webhooks", "definitions")
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


def flavour(data: Any, places: Places) -> tuple[str, list[DescriptionError]]:
    """Which version a document says it has: a key of `VERSIONS`, or "" with the reason."""
    if not isinstance(data, dict):
        found = "nothing" if data is None else f"a {type(data).__name__}"
        return "", [
            places.error(
                "", f"an API description is a mapping; this file holds {found}", "begin it with `openapi: 3.1.0`"
            )
        ]
    for key in ("openapi", "swagger"):
        if key in data:
            said = data[key]
            if not isinstance(said, str):
                return "", [
                    places.error(f"/{key}", f"{key}: {said} is a number", f'write it in quotes: {key}: "{said}"')
                ]
            for version, pattern in VERSIONS.items():
                if re.fullmatch(pattern, said):
                    return version, []
            return "", [places.error(f"/{key}", f"{key} {said} is not read", f"these are: {', '.join(VERSIONS)}")]
    return "", [places.error("", "neither `openapi` nor `swagger` says what this is", "begin it with `openapi: 3.1.0`")]


def check_document(data: dict[str, Any], version: str, places: Places) -> list[DescriptionError]:
    """Every breach of the meta-schema, each with its place, told in one sentence."""
    validator = _validator(version)
    found = [
        leaf
        for portion in _portions(data)
        if not validator.is_valid(portion)
        for error in validator.iter_errors(portion)
        for leaf in _leaves(error)
    ]
    # What is wrong with the rest of the document is wrong with each of its portions.
    errors = [places.error(pointer, message, remedy) for pointer, message, remedy in dict.fromkeys(found)]
    if version in ("3.1", "3.2"):
        errors.extend(_check_schemas(data, places))
    return errors


def _portions(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A document in parts, each of which is a document: what is wrong with it is wrong with one of them.

    Nothing else in the process runs while the validator does, so it is not given everything at once.
    """
    large = [name for name in _LARGE if isinstance(data.get(name), dict)]
    rest = data | {name: {} for name in large}
    components = data.get("components")
    if isinstance(components, dict):
        kinds = {kind: named for kind, named in components.items() if isinstance(named, dict)}
        rest["components"] = components | {kind: {} for kind in kinds}
        for kind, named in kinds.items():
            for entries in _batches(named):
                yield rest | {"components": {kind: entries}}
    yield rest
    for name in large:
        for entries in _batches(data[name]):
            yield rest | {name: entries}


def _batches(entries: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pairs = iter(entries.items())
    while batch := dict(islice(pairs, PORTION)):
        yield batch


@cache
def _validator(version: str) -> Any:
    schema = json.loads((files("apifold.description") / "metaschemas" / f"{version}.json").read_text("utf-8"))
    return jsonschema_rs.validator_for(schema, validate_formats=True)


@cache
def _schema_validator() -> Any:
    return jsonschema_rs.Draft202012Validator(
        {"$ref": "https://json-schema.org/draft/2020-12/schema"}, validate_formats=True
    )


def _check_schemas(data: dict[str, Any], places: Places) -> Iterator[DescriptionError]:
    """The schemas of a 3.1 or 3.2 document, whose meta-schema leaves them to JSON Schema itself."""
    validator = _schema_validator()
    for pointer, schema in root_schemas(data):
        if not validator.is_valid(schema):
            for error in validator.iter_errors(schema):
                for below, message, remedy in _leaves(error):
                    yield places.error(pointer + below, message, remedy)


def _leaves(error: Any) -> Iterator[tuple[str, str, str]]:
    """The errors that a person would mend: of alternatives, those of the one that fits best."""
    kind = error.kind.name
    if kind in ("oneOf", "anyOf") and getattr(error.kind, "context", None):
        branches = [branch for branch in error.kind.context if branch]
        real = [branch for branch in branches if not _is_other_alternative(branch, len(error.instance_path))]
        best = min(real or branches, key=lambda branch: (-max(len(one.instance_path) for one in branch), len(branch)))
        for one in best:
            yield from _leaves(one)
        return
    yield _say(error)


def _is_other_alternative(branch: list[Any], depth: int) -> bool:
    """Whether an alternative fails because the thing is of another kind altogether: it is no `$ref`, say."""
    return any(
        len(one.instance_path) == depth
        and (one.kind.name == "type" or (one.kind.name == "required" and one.kind.property == "$ref"))
        for one in branch
    )


def _say(error: Any) -> tuple[str, str, str]:
    kind = error.kind
    pointer = "".join(f"/{escape(str(part))}" for part in error.instance_path)
    here = str(error.instance_path[-1]) if error.instance_path else "the document"
    match kind.name:
        case "required":
            return pointer, f"`{kind.property}` is missing from `{here}`", f"add `{kind.property}:`"
        case "additionalProperties" | "unevaluatedProperties":
            name = str(next(iter(kind.unexpected)))
            return (
                f"{pointer}/{escape(name)}",
                f"`{name}` is not a key of `{here}`",
                "is it spelled right, indented as it should be, and is text with a comma in quotes?",
            )
        case "type":
            wanted = " or ".join(kind.types if hasattr(kind, "types") else [])
            return pointer, f"`{here}` must be {wanted}", "check the value and its indentation"
        case "enum":
            options = [str(option) for option in kind.options]
            near = get_close_matches(str(error.instance), options, 1)
            return (
                pointer,
                f"`{here}` is {error.instance!r}",
                f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(options)}",
            )
        case "format" if kind.format == "regex":
            return (
                pointer,
                f"`{here}`: {error.instance!r} is not a regular expression",
                "check its brackets and backslashes",
            )
        case "pattern":
            return (
                pointer,
                f"`{here}`: {str(error.instance)[:60]!r} does not have the right form",
                f"it must match {kind.pattern}",
            )
        case _:
            words = error.message if len(error.message) < 160 else f"breaks the rule `{kind.name}`"
            return pointer, f"`{here}`: {words}", ""
