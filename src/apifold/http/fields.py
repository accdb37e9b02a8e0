"""Query strings, urlencoded forms and cookies as fields: each name with every value it was given."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from apifold.errors import Malformed

MAX_FIELDS = 1000
"""Fields in one query string or form."""

Fields = dict[str, list[str]]


def parse_query(raw: str) -> Fields:
    """The fields of a query string or urlencoded form (WHATWG URL, 5.1).

    Raises:
        Malformed: it is not UTF-8, or has too many fields.
    """
    fields: Fields = {}
    if not raw:
        return fields
    pairs = raw.split("&")
    if len(pairs) > MAX_FIELDS:
        raise Malformed(f"There are more than {MAX_FIELDS} fields.")
    encoded = "%" in raw or "+" in raw
    for pair in pairs:
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if encoded:
            name, value = _decoded(name), _decoded(value)
        fields.setdefault(name, []).append(value)
    return fields


def parse_cookies(header: str) -> Fields:
    """The fields of a `Cookie` header (RFC 6265, 5.4)."""
    fields: Fields = {}
    for pair in header.split(";")[:MAX_FIELDS]:
        name, equals, value = pair.strip().partition("=")
        if equals:
            fields.setdefault(name, []).append(value.strip('"'))
    return fields


def _decoded(text: str) -> str:
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise Malformed("The query is not UTF-8.") from None
