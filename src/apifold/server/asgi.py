"""The application as a plain ASGI callable, for uvicorn, granian, hypercorn (ASGI 3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from apifold.application import Application
from apifold.errors import Malformed, TooLarge
from apifold.http import Request, Response, awaited
from apifold.pipeline.dialects import ProblemDialect
from apifold.server.edge import edge
from apifold.server.hub import Answer, request_ids
from apifold.settings import Settings

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def asgi(application: Application, settings: Settings) -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
    """An ASGI 3 application.

    Args:
        application: started and stopped by the host's lifespan messages; by the first request where it sends none.
        settings: limits, and what stands around the application.
    """
    answer = edge(application.answer, settings, application.limits)
    ids = request_ids()

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(application, receive, send)
        elif scope["type"] == "http":
            request = _request(scope, next(ids))
            if application.running.takes_pieces(request):
                request.pieces = _pieces(receive)
            await _http(request, answer, settings, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    return app


async def _lifespan(application: Application, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await application.start()
            except Exception as error:  # the host wants to be told, whatever it was
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        else:
            await application.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _request(scope: dict[str, Any], identifier: str) -> Request:
    """The request of a scope, still without its body."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("ascii", "replace").partition("?")[0]
    client = scope.get("client")
    request = Request(
        scope["method"],
        path,
        scope["query_string"].decode("latin-1"),
        _headers(scope["headers"]),
        b"",
        client[0] if client else "",
        scope["scheme"],
    )
    request.id = identifier
    prefix = scope.get("root_path", "").rstrip("/")
    if prefix:
        request.prefix = prefix
        request.path = path.removeprefix(prefix) or "/"
    return request


async def _http(request: Request, answer: Answer, settings: Settings, receive: Receive, send: Send) -> None:
    body = b"" if request.pieces else await _body(request.headers, settings.max_body_bytes, receive)
    if body is None:
        fault = TooLarge(f"A body may have {settings.max_body_bytes} bytes.")
        response = ProblemDialect().render(fault, request)
        response.headers = (*response.headers, ("Connection", "close"))
    else:
        request.body = body
        response = await awaited(answer(request))
    await _send(request, response, send)


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}{'; ' if name == 'cookie' else ', '}{value}" if name in headers else value
    return headers


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    """The body as it comes.

    Raises:
        Malformed: the client broke off.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("The body broke off.")
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _body(headers: dict[str, str], most: int, receive: Receive) -> bytes | None:
    """The body, or None where it is larger than it may be."""
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(request: Request, response: Response, send: Send) -> None:
    body, head = response.body, request.method == "HEAD"
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in response.headers]
    headers.append((b"x-request-id", request.id.encode()))
    if isinstance(body, bytes):
        if response.status not in (204, 304):
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else body})
        return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if not head:
        async for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
