"""A response: status, headers, and a body that is bytes or comes in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from http import HTTPStatus
from typing import Any

import msgspec

Headers = tuple[tuple[str, str], ...]

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    422: "Unprocessable Content",
}


def reason(status: int) -> str:
    """The reason phrase of a status (RFC 9110, 15), or `Unknown`."""
    return _REASONS.get(status, "Unknown")


class Response(msgspec.Struct, eq=False):
    """One HTTP response.

    `body` is bytes, or an async iterator of bytes for what is too large or not yet known. `headers` are
    pairs; `Content-Length`, `Date`, `X-Request-Id` and the connection's own headers are the server's to add.
    """

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    headers: Headers = ()

    def __post_init__(self) -> None:
        if not isinstance(self.headers, tuple):
            self.headers = tuple(self.headers)

    def header(self, name: str) -> str | None:
        """The first value of a header, by its name in any case."""
        return first_header(self.headers, name)

    async def whole(self) -> bytes:
        """The body, read to its end where it comes in pieces; from then on it is bytes."""
        if not isinstance(self.body, bytes):
            self.body = b"".join([piece async for piece in self.body])
        return self.body


def first_header(headers: Headers, name: str) -> str | None:
    """The first value of a header among pairs, by its name in any case."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


async def discard(body: bytes | AsyncIterator[bytes]) -> None:
    """End a body that nobody will read, so that what it holds is let go."""
    close = getattr(body, "aclose", None)
    if close:
        await close()


Responding = Response | Coroutine[Any, Any, Response]
"""A response, or where that takes time a coroutine that gives it."""


async def awaited(responding: Responding) -> Response:
    """The response, whichever way it comes."""
    return responding if isinstance(responding, Response) else await responding
