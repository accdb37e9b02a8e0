"""How the text of a parameter becomes a value of its declared type, style by style (OpenAPI 3.1.1, 4.8.12.3).

Text that does not have its declared type stays text: the checker then says what is wrong with it, together with all
else that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from apifold.description import Parameter
from apifold.description.walk import Schema
from apifold.http.fields import Fields

MISSING: Any = object()
"""What a coercer gives for a parameter that was not sent."""

Coercer = Callable[[Fields], Any]
Resolve = Callable[[Any], Any]
Text = Callable[[str], Any]

_INTEGER = re.compile(r"-?[0-9]{1,1000}")
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,3})?")
_SEPARATORS = {
    "form": ",",
    "simple": ",",
    "spaceDelimited": " ",
    "pipeDelimited": "|",
    "tabDelimited": "\t",
    "label": ".",
    "matrix": ",",
}
_ORDER = ("null", "boolean", "integer", "number")


def compile_coercer(parameter: Parameter, resolve: Resolve) -> Coercer:
    """How a parameter is read from the fields that were sent.

    Args:
        parameter: its style, explode and schema.
        resolve: follows the references of a schema.
    """
    name = parameter.name.lower() if parameter.where == "header" else parameter.name
    scalar = compile_scalar(parameter, resolve)
    if scalar is not None:
        return _single(name, scalar)
    if parameter.convention and isinstance(resolve(parameter.schema), dict):
        return _pairs(name, parameter, resolve) if parameter.convention == "pairs" else _list(name, parameter, resolve)
    is_object = "object" in types_of(parameter.schema, resolve)
    return _object(name, parameter, resolve) if is_object else _array(name, parameter, resolve)


def compile_scalar(parameter: Parameter, resolve: Resolve) -> Text | None:
    """How the one text of a parameter becomes a value; None where the parameter is an array or an object."""
    if parameter.convention:
        return None
    if parameter.media:
        return _json if "json" in parameter.media else _same
    kinds = types_of(parameter.schema, resolve)
    if ("object" in kinds and not kinds & {"string", "array"}) or (
        "array" in kinds and not kinds & {"string", "object"}
    ):
        return None
    text = compile_text(parameter.schema, resolve)
    if parameter.style == "label":
        return lambda raw: text(raw.removeprefix("."))
    if parameter.style == "matrix":
        return lambda raw: text(raw.partition("=")[2])
    return text


def types_of(schema: Schema, resolve: Resolve, depth: int = 0) -> frozenset[str]:
    """The types that a schema speaks of, in itself or in its alternatives; empty where it speaks of none."""
    schema = resolve(schema)
    if not isinstance(schema, dict) or depth > 8:
        return frozenset()
    kind = schema.get("type")
    found = {kind} if isinstance(kind, str) else set(kind or ())
    if not found:
        for key in ("enum", "const"):
            values = schema.get(key, []) if key == "enum" else [schema[key]] if key in schema else []
            found |= {_TYPE_NAMES.get(type(value), "object") for value in values}
    for key in ("allOf", "anyOf", "oneOf"):
        for child in schema.get(key, ()):
            found |= types_of(child, resolve, depth + 1)
    return frozenset(found)


_TYPE_NAMES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


def compile_text(schema: Schema, resolve: Resolve) -> Text:
    """How one text becomes a value: the most specific declared type that it has, else it stays text."""
    kinds = types_of(schema, resolve)
    readers = [_READERS[kind] for kind in _ORDER if kind in kinds]
    if kinds & {"array", "object"} and "string" not in kinds:
        readers.append(_json)
    if not readers:
        return _same
    if len(readers) == 1:
        return readers[0]

    def first(text: str) -> Any:
        for read in readers:
            value = read(text)
            if value is not text:
                return value
        return text

    return first


def _same(text: str) -> Any:
    return text


def _null(text: str) -> Any:
    return None if text in ("", "null") else text


def _boolean(text: str) -> Any:
    return True if text == "true" else False if text == "false" else text


def _integer(text: str) -> Any:
    return int(text) if _INTEGER.fullmatch(text) else text


def _number(text: str) -> Any:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        value = float(text)
        return value if value not in (float("inf"), float("-inf")) else text
    return text


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text


_READERS: dict[str, Text] = {"null": _null, "boolean": _boolean, "integer": _integer, "number": _number}


def _single(name: str, text: Text) -> Coercer:
    if text is _same:

        def plain(fields: Fields) -> Any:
            values = fields.get(name)
            return MISSING if values is None else values[-1]

        return plain

    def single(fields: Fields) -> Any:
        values = fields.get(name)
        return MISSING if values is None else text(values[-1])

    return single


def _array(name: str, parameter: Parameter, resolve: Resolve) -> Coercer:
    schema = resolve(parameter.schema)
    item = compile_text(schema.get("items", {}), resolve)
    separator, explode, style = _SEPARATORS.get(parameter.style, ","), parameter.explode, parameter.style

    def array(fields: Fields) -> Any:
        values = fields.get(name)
        if values is None and style == "form" and explode:
            values = fields.get(f"{name}[]")
        if values is None:
            return MISSING
        if style == "form" and explode:
            return [item(value) for value in values]
        text = values[-1]
        if style == "label":
            text = text.removeprefix(".")
            return [item(part) for part in text.split("." if explode else ",")] if text else []
        if style == "matrix":
            parts = text.removeprefix(";").split(f";{name}=") if explode else [text.partition("=")[2]]
            parts = [parts[0].removeprefix(f"{name}="), *parts[1:]] if explode else parts[0].split(",")
            return [item(part) for part in parts]
        return [item(part.strip() if style == "simple" else part) for part in text.split(separator)] if text else []

    return array


def _list(name: str, parameter: Parameter, resolve: Resolve) -> Coercer:
    """Values that are repeated, separated by commas, or both; nothing between two commas is no value."""
    item = compile_text(resolve(parameter.schema).get("items", {}), resolve)

    def listed(fields: Fields) -> Any:
        values = fields.get(name) or fields.get(f"{name}[]")
        return MISSING if values is None else [item(part) for part in _parts(values)]

    return listed


def _pairs(name: str, parameter: Parameter, resolve: Resolve) -> Coercer:
    """`key:value`, repeated, separated by commas, or both; of a key whose values are no list, the last one."""
    schema = resolve(parameter.schema)
    members = {key: _value(child, resolve) for key, child in (schema.get("properties") or {}).items()}
    other = _value(schema.get("additionalProperties", True), resolve)

    def paired(fields: Fields) -> Any:
        values = fields.get(name)
        if values is None:
            return MISSING
        found: dict[str, list[str]] = {}
        for part in _parts(values):
            key, colon, value = part.partition(":")
            if not key or not colon or ":" in value:
                return part
            found.setdefault(key, []).append(value)
        return {key: members.get(key, other)(texts) for key, texts in found.items()}

    return paired


def _value(schema: Any, resolve: Resolve) -> Callable[[list[str]], Any]:
    """How the texts of one key become a value: a list where that is declared, else the last of them."""
    if "array" in types_of(schema, resolve):
        item = compile_text(resolve(schema).get("items", {}), resolve)
        return lambda texts: [item(text) for text in texts]
    single = compile_text(schema, resolve)
    return lambda texts: single(texts[-1])


def _parts(values: list[str]) -> list[str]:
    return [part for value in values for part in value.split(",") if part]


def _object(name: str, parameter: Parameter, resolve: Resolve) -> Coercer:
    schema = resolve(parameter.schema)
    members = {key: compile_text(child, resolve) for key, child in (schema.get("properties") or {}).items()}
    extra = schema.get("additionalProperties")
    other = compile_text(extra, resolve) if isinstance(extra, dict) else _same
    style, explode = parameter.style, parameter.explode

    def typed(pairs: dict[str, str]) -> dict[str, Any]:
        return {key: members.get(key, other)(value) for key, value in pairs.items()}

    def deep(fields: Fields) -> Any:
        found: dict[str, Any] = {}
        for key, values in fields.items():
            if key.startswith(f"{name}[") and key.endswith("]"):
                _put(found, key[len(name) + 1 : -1].split("]["), values, schema, resolve)
        return found or MISSING

    def spread(fields: Fields) -> Any:
        found = {key: text(fields[key][-1]) for key, text in members.items() if key in fields}
        return found or MISSING

    def joined(fields: Fields) -> Any:
        values = fields.get(name)
        if values is None:
            return MISSING
        text = values[-1]
        if style == "matrix":
            text = text.removeprefix(";") if explode else text.partition("=")[2]
        elif style == "label":
            text = text.removeprefix(".")
        if explode:
            separator = {"matrix": ";", "label": "."}.get(style, ",")
            return typed(dict(pair.partition("=")[::2] for pair in text.split(separator) if pair))
        parts = text.split(
            "." if style == "label" and explode else _SEPARATORS.get(style, ",") if style != "label" else ","
        )
        return typed(dict(zip(parts[::2], parts[1::2], strict=False)))

    if style == "deepObject":
        return deep
    if style == "form" and explode:
        return spread
    return joined


def _put(found: dict[str, Any], path: list[str], values: list[str], schema: Any, resolve: Resolve) -> None:
    """Put what `filter[a][b]=1` says into its place."""
    node = found
    for part in path[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            return
        node, schema = child, (resolve(schema).get("properties") or {}).get(part, {})
    last = (resolve(schema).get("properties") or {}).get(path[-1], resolve(schema).get("additionalProperties") or {})
    if "array" in types_of(last, resolve):
        item = compile_text(resolve(last).get("items", {}), resolve)
        node[path[-1]] = [item(value) for value in values]
    else:
        node[path[-1]] = compile_text(last, resolve)(values[-1])
