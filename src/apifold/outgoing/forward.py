"""A request as it came in, sent on; and the answer to it, sent back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apifold.http import Request, Response, request_headers_to_pass, response_headers_to_pass
from apifold.outgoing.client import Outgoing, Sending


async def forward(
    outgoing: Outgoing,
    request: Request,
    url: str,
    headers: Mapping[str, str] | None = None,
    seconds: float = 60.0,
    without: Iterable[str] = (),
) -> Response:
    """The answer that another server gives to a request; its body comes as it arrives.

    Args:
        url: where to send it, without the query.
        headers: set beside, and instead of, the client's own.
        seconds: how long the answer's head, and each next piece of it, may take.
        without: the client's headers that are not for the other server, in lower case.

    Raises:
        AddressRefused, UpstreamFailed, UpstreamTimeout: it can't be had.
    """
    address = f"{url}?{request.query}" if request.query else url
    own = {
        "accept-encoding": "identity",
        "x-request-id": request.id,
        "x-forwarded-for": request.client or "unknown",
        "x-forwarded-proto": request.scheme,
        "x-forwarded-host": request.host,
    }
    given = {name.lower(): value for name, value in (headers or {}).items()}
    passed = {name: _as_sent(value) for name, value in request_headers_to_pass(request.headers, without).items()}
    sent = {**passed, **own, **given}
    if request.pieces is not None and "content-length" in request.headers:
        sent["content-length"] = request.headers["content-length"]
    body = request.body if request.pieces is None else request.pieces
    reply = await outgoing.send(Sending(request.method, address, sent, body, seconds), stream=True)
    headers_back = tuple((name, _as_got(value)) for name, value in response_headers_to_pass(reply.headers))
    return Response(reply.status, reply.body, headers_back)


def _as_sent(value: str) -> str:
    """A header's bytes, which stand as Latin-1 here, as the client writes them: in UTF-8."""
    try:
        return value if value.isascii() else value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _as_got(value: str) -> str:
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("latin-1")
