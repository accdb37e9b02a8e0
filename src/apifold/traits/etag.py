"""ETags: answers that need not be sent again, and changes that don't overwrite what nobody saw (RFC 9110, 13)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from apifold.errors import NotFound, PreconditionFailed, PreconditionRequired
from apifold.exchange import Around, Exchange, Result
from apifold.http import Response
from apifold.traits.trait import Surroundings, with_response
from apifold.versions.version import Version

Proceed = Callable[[Exchange], Awaitable[Result]]


class Etag:
    """`etag`, or `etag: required` where a change must say what it is based on (428, RFC 6585)."""

    rank = 20

    def __init__(self, option: Any) -> None:
        if option not in (None, True, "required"):
            raise ValueError("`etag` stands alone, or as `etag: required`")
        self.required = option == "required"

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        described = with_response(operation, "304", "Not modified since the ETag in If-None-Match")
        return with_response(described, "412", "It is not as If-Match or If-None-Match says")

    def around(self, surroundings: Surroundings) -> Around | None:
        if surroundings.operation.method in ("GET", "HEAD"):
            return _reading
        read = surroundings.read

        async def changing(exchange: Exchange, proceed: Proceed) -> Result:
            headers = exchange.request.headers
            wanted, unwanted = headers.get("if-match"), headers.get("if-none-match")
            if wanted is None and unwanted is None:
                if self.required and surroundings.operation.method != "POST":
                    raise PreconditionRequired("Send If-Match with the ETag of what you are changing.")
                return await proceed(exchange)
            current = await _current(read, exchange) if read else ""
            if wanted is not None and not matches(wanted, current, weakly=False):
                raise PreconditionFailed("It has changed since; read it again.")
            if unwanted is not None and matches(unwanted, current, weakly=True):
                raise PreconditionFailed("It is there already.")
            exchange.expected = current
            return await proceed(exchange)

        return changing


async def _reading(exchange: Exchange, proceed: Proceed) -> Result:
    result = await proceed(exchange)
    tag = etag_of(result, exchange.version)
    if not tag:
        return result
    if not result.header("etag"):
        result.headers = (*result.headers, ("ETag", tag))
    unwanted = exchange.request.headers.get("if-none-match")
    if unwanted is not None and matches(unwanted, tag, weakly=True):
        kept = tuple(
            pair
            for pair in result.headers
            if pair[0].lower() in ("etag", "cache-control", "vary", "expires", "content-location")
        )
        return Result(304, None, kept)
    wanted = exchange.request.headers.get("if-match")
    if wanted is not None and not matches(wanted, tag, weakly=False):
        raise PreconditionFailed("It is not as If-Match says.")
    return result


async def _current(read: Proceed, exchange: Exchange) -> str:
    try:
        return etag_of(await read(exchange), exchange.version)
    except NotFound:
        return ""


def etag_of(result: Result, version: Version | None = None) -> str:
    """The ETag of a representation: the one its binding gives, else one of its content; "" where there is none.

    Args:
        version: by which it is shown: two versions show two representations of one content.
    """
    given = result.header("etag")
    if given or not 200 <= result.status < 300:
        return given
    if isinstance(result.value, Response):
        body = result.value.body
        return f'"{_digest(body)}"' if isinstance(body, bytes) else ""
    shown = "" if version is None else f"{version} "
    return f'"{_digest(shown.encode() + orjson.dumps(result.value, default=str))}"'


def matches(header: str, tag: str, *, weakly: bool) -> bool:
    """Whether a list of entity tags, or `*`, covers a tag (RFC 9110, 8.8.3.2); no tag means that nothing is there."""
    if not tag:
        return False
    if header.strip() == "*":
        return True
    listed = [one.strip() for one in header.split(",")]
    if weakly:
        return tag.removeprefix("W/") in [one.removeprefix("W/") for one in listed]
    return tag in listed and not tag.startswith("W/")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()
