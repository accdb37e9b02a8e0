"""Bodies to values, by media type: JSON, YAML, forms, multipart, text, bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from multipart import MultipartError, MultipartParser

from apifold import marked
from apifold.description import Parameter
from apifold.errors import DescriptionErrors, Malformed, Problem
from apifold.http import is_yaml, media_type
from apifold.http.fields import Fields, parse_query
from apifold.schema.coerce import MISSING, Coercer, Resolve, compile_coercer

Decode = Callable[[bytes, str], Any]
"""A body's bytes and its `Content-Type`, to a value. Raises Malformed."""

MAX_PARTS = 256
MAX_YAML_VALUES = 50_000
"""Of a YAML body, aliases counted as often as they are used: nothing else is read meanwhile."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file in a multipart form."""

    filename: str
    media_type: str
    content: bytes


def decoder(media: str, described: Mapping[str, Any], resolve: Resolve) -> Decode:
    """How a body of a media type is read.

    Args:
        described: the media type object, with `schema` and `encoding`.
        resolve: follows the references of a schema.
    """
    name = media.partition(";")[0].strip().lower()
    if name == "application/json" or name.endswith("+json") or "json-patch" in name:
        return decode_json
    if is_yaml(name):
        return decode_yaml
    if name == "application/x-www-form-urlencoded":
        return _form(_fields(described, resolve))
    if name == "multipart/form-data":
        return _multipart(_fields(described, resolve))
    if name.startswith("text/"):
        return _text
    return _bytes if name != "*/*" else _any


def without_files(value: Any) -> Any:
    """A form as its schema sees it: a file is text (OpenAPI 3.0.4, 4.7.14.2)."""
    if isinstance(value, UploadedFile):
        return value.filename
    if isinstance(value, dict):
        return {name: without_files(member) for name, member in value.items()}
    return [without_files(item) for item in value] if isinstance(value, list) else value


def decode_json(raw: bytes, kind: str) -> Any:
    """A JSON text (RFC 8259), integers exact.

    Raises:
        Malformed: it is none: bad syntax, bad UTF-8, NaN, nested too deeply.
    """
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        said = str(error).partition(" - at")[0]
        raise Malformed("The body is not JSON.", [Problem("body", "", said)]) from None
    except (UnicodeDecodeError, RecursionError) as error:
        said = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else "is nested too deeply"
        raise Malformed("The body is not JSON.", [Problem("body", "", said)]) from None


def read_yaml(raw: bytes) -> Any:
    """A YAML text (RFC 9512) as the JSON data that it stands for.

    Raises:
        Malformed: it is none: bad syntax, bad UTF-8, duplicate keys, more aliases than are good.
    """
    try:
        return marked.read(raw.decode(), "the body", MAX_YAML_VALUES)
    except UnicodeDecodeError:
        raise Malformed("The body is not YAML.", [Problem("body", "", "is not UTF-8")]) from None
    except DescriptionErrors as error:
        found = [Problem("body", "", f"line {one.line}: {one.message}") for one in error.errors]
        raise Malformed("The body can't be read.", found) from None


def decode_yaml(raw: bytes, kind: str) -> Any:
    """A body in YAML."""
    return read_yaml(raw)


def _fields(described: Mapping[str, Any], resolve: Resolve) -> dict[str, Coercer]:
    """A coercer for each field of a form, as `encoding` says (OpenAPI 3.1.1, 4.8.15)."""
    schema = resolve(described.get("schema", {}))
    encoding = described.get("encoding") or {}
    coercers = {}
    for name, child in (schema.get("properties") or {}).items():
        how = encoding.get(name) or {}
        style = how.get("style", "form")
        kind = resolve(child)
        media = how.get("contentType", "") if "json" in how.get("contentType", "") else ""
        if not media and isinstance(kind, dict) and kind.get("type") == "object" and "style" not in how:
            media = "application/json"
        coercers[name] = compile_coercer(
            Parameter(name, "form", False, child, style, how.get("explode", style == "form"), "", media), resolve
        )
    return coercers


def _typed(fields: Fields, coercers: Mapping[str, Coercer]) -> dict[str, Any]:
    value: dict[str, Any] = {
        name: values[-1] if len(values) == 1 else values for name, values in fields.items() if name not in coercers
    }
    for name, coerce in coercers.items():
        found = coerce(fields)
        if found is not MISSING:
            value[name] = found
    return value


def _form(coercers: Mapping[str, Coercer]) -> Decode:
    def decode(raw: bytes, kind: str) -> Any:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise Malformed("The form is not UTF-8.") from None
        return _typed(parse_query(text), coercers)

    return decode


def _multipart(coercers: Mapping[str, Coercer]) -> Decode:
    def decode(raw: bytes, kind: str) -> Any:
        boundary = media_type(kind)[1].get("boundary", "")
        if not boundary:
            raise Malformed("The Content-Type has no boundary.")
        fields: Fields = {}
        files: dict[str, list[UploadedFile]] = {}
        try:
            parser = MultipartParser(
                io.BytesIO(raw),
                boundary,
                part_limit=MAX_PARTS,
                memory_limit=len(raw) + 1,
                spool_limit=len(raw) + 1,
                strict=True,
            )
            for part in parser:
                if part.filename is not None or not part.content_type.startswith(("text/plain", "application/json")):
                    files.setdefault(part.name, []).append(
                        UploadedFile(part.filename or "", part.content_type, part.raw)
                    )
                else:
                    fields.setdefault(part.name, []).append(part.value)
                part.close()
        except (MultipartError, UnicodeDecodeError, LookupError) as error:
            raise Malformed(f"The form can't be read: {error}") from None
        value = _typed(fields, coercers)
        value.update((name, found[0] if len(found) == 1 else found) for name, found in files.items())
        return value

    return decode


def _text(raw: bytes, kind: str) -> Any:
    charset = media_type(kind)[1].get("charset", "utf-8")
    try:
        return raw.decode(charset)
    except (UnicodeDecodeError, LookupError):
        raise Malformed(f"The body is not {charset} text.") from None


def _bytes(raw: bytes, kind: str) -> Any:
    return raw


def _any(raw: bytes, kind: str) -> Any:
    return decode_json(raw, kind) if "json" in kind else raw
