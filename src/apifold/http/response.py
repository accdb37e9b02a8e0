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
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


Responding = Response | Coroutine[Any, Any, Response]
"""A response, or where that takes time a coroutine that gives it."""


async def awaited(responding: Responding) -> Response:
    """The response, whichever way it comes."""
    return responding if isinstance(responding, Response) else await responding
