"""Headers that belong to one connection, and those that go on to the next (RFC 9110, 7.6.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apifold.http.response import Headers

_CONNECTION = frozenset((
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
))  # fmt: skip
_REQUEST = _CONNECTION | {"host", "content-length", "expect", "x-request-id"}
_RESPONSE = _CONNECTION | {"content-length", "date", "server", "x-request-id"}
"""With those that each server writes itself."""


def request_headers_to_pass(headers: Mapping[str, str], without: Iterable[str] = ()) -> dict[str, str]:
    """The request headers, by lower-case name, that go on to the next server.

    Args:
        without: names of others that stay behind.
    """
    staying = _REQUEST | _named(headers.get("connection", "")) | set(without)
    return {name: value for name, value in headers.items() if name not in staying}


def response_headers_to_pass(headers: Iterable[tuple[str, str]]) -> Headers:
    """The response headers that go on to the client."""
    pairs = tuple(headers)
    staying = _RESPONSE.union(*(_named(value) for name, value in pairs if name.lower() == "connection"))
    return tuple((name, value) for name, value in pairs if name.lower() not in staying)


def _named(connection: str) -> set[str]:
    return {name.strip().lower() for name in connection.split(",") if name.strip()}
