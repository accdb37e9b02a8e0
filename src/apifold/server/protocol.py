"""HTTP/1.1 on a socket: bytes to requests, responses to bytes, and nothing that a client can do to hang us.

Parsing is llhttp's, in its strict form (RFC 9112). A request is answered where its last byte is read: the
application is a coroutine that seldom suspends, and is driven in place; when it does suspend, it goes on from the
callback of what it waits for. Answers leave in the order of their requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Literal

import httptools
import orjson

from apifold.http import Request, Response, reason
from apifold.server.hub import Hub

MAX_QUEUED = 32
"""Requests of one connection that wait while one is answered; then no more is read."""

FOREVER = float("inf")

log = logging.getLogger("apifold.server")

_STATUS_LINES = {status: f"HTTP/1.1 {status} {reason(status)}\r\n".encode() for status in range(100, 600)}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ONCE = frozenset(("host", "content-length", "content-type", "authorization", "x-auth-token"))
_NO_LENGTH = frozenset((204, 304))

Phase = Literal["idle", "head", "body", "busy"]


class Refusal(Exception):
    """What came in is not to be read on; answered with a status, then the connection closes."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    def response(self) -> Response:
        """The refusal as a problem document (RFC 9457)."""
        body = {"type": "about:blank", "title": reason(self.status), "status": self.status, "detail": self.detail}
        return Response(self.status, orjson.dumps(body), (("Content-Type", "application/problem+json"),))


class HttpProtocol(asyncio.Protocol):
    """One connection.

    Args:
        hub: what it shares with the worker's other connections.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.settings = hub.settings
        self.deadline = FOREVER
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else is called
        self.parser = httptools.HttpRequestParser(self)
        self.phase: Phase = "idle"
        self.queue: deque[tuple[Request | Refusal, bool, bool]] = deque()
        self.running = False
        self.closing = False
        self.client = ""
        self.scheme = "http"
        self.stream: asyncio.Task[None] | None = None
        self.writable: asyncio.Event | None = None
        self.head_bytes = 0
        self._new_message()

    def _new_message(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.body_bytes = 0
        self.refusal: Refusal | None = None

    # The transport calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream transport
        peer = transport.get_extra_info("peername")
        self.client = peer[0] if isinstance(peer, tuple) else ""
        if transport.get_extra_info("sslcontext"):
            self.scheme = "https"
        if self.hub.full:
            self._refuse_now(Refusal(503, "There are too many connections; try again soon."))
            return
        self.hub.connections.add(self)
        self.deadline = self.hub.clock + self.settings.header_timeout

    def connection_lost(self, error: Exception | None) -> None:
        self.closing = True
        self.queue.clear()
        self.hub.leave(self)
        if self.writable:
            self.writable.set()
        if self.stream:
            self.stream.cancel()

    def eof_received(self) -> bool:
        """A client that sends no more may still be waiting for its answer."""
        if self.running or self.queue:
            self.closing = True
            return True
        return False

    def pause_writing(self) -> None:
        self.writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self.writable:
            self.writable.set()
            self.writable = None

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        if self.phase == "idle":
            self.phase, self.head_bytes = "head", 0
            self.deadline = self.hub.clock + self.settings.header_timeout
        if self.phase == "head":
            self.head_bytes += len(data)
        elif self.phase == "body":
            self.deadline = self.hub.clock + self.settings.body_timeout
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._last()  # No other protocol is spoken here: the request was answered as it stands.
        except httptools.HttpParserError as error:
            self._refuse(self.refusal or Refusal(400, f"This is not HTTP/1.1: {_said(error)}"))
            return
        if self.phase == "head" and self.head_bytes > self.settings.max_header_bytes:
            self._refuse(Refusal(431, f"Request line and headers may have {self.settings.max_header_bytes} bytes."))

    # The parser calls these.

    def on_message_begin(self) -> None:
        self.phase = "head"
        self._new_message()

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > self.settings.max_header_bytes:
            self._stop(414, "The request target is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers = self.headers
        if key not in headers:
            headers[key] = text
        elif key in _ONCE:
            self._stop(400, f"The header {key} stands twice.")
        else:
            headers[key] += ("; " if key == "cookie" else ", ") + text

    def on_headers_complete(self) -> None:
        headers = self.headers
        if "host" not in headers and self.parser.get_http_version() == "1.1":
            self._stop(400, "The header Host is missing.")
        size = sum(map(len, headers)) + sum(map(len, headers.values())) + len(self.url)
        if size > self.settings.max_header_bytes:
            self._stop(431, f"Request line and headers may have {self.settings.max_header_bytes} bytes.")
        length = headers.get("content-length")
        if length is not None and int(length) > self.settings.max_body_bytes:
            self._stop(413, f"A body may have {self.settings.max_body_bytes} bytes.")
        if (length and length != "0") or "transfer-encoding" in headers:
            self.phase = "body"
            self.deadline = self.hub.clock + self.settings.body_timeout
            if headers.get("expect", "").lower() == "100-continue" and not self.running:
                self.transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)
        if self.body_bytes > self.settings.max_body_bytes:
            self._stop(413, f"A body may have {self.settings.max_body_bytes} bytes.")
        self.body.append(body)

    def on_message_complete(self) -> None:
        if self.closing:
            return
        self.phase, self.head_bytes = "idle", 0
        method = self.parser.get_method().decode("latin-1")
        try:
            path, query = _target(self.url)
        except ValueError:
            self._stop(400, "The request target can't be read.")
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        request = Request(method, path, query, self.headers, body, self.client, self.scheme)
        keep = self.parser.should_keep_alive() and not self.hub.draining
        if self.running:
            self._queue(request, keep)
        else:
            self.deadline = FOREVER
            self._answer(request, keep, self.parser.get_http_version() == "1.0")

    # One request after the other.

    def _queue(self, request: Request | Refusal, keep: bool) -> None:
        self.queue.append((request, keep, self.parser.get_http_version() == "1.0"))
        if len(self.queue) >= MAX_QUEUED:
            self.transport.pause_reading()

    def _answer(self, request: Request, keep: bool, old: bool) -> None:
        self.running = True
        _Run(self, request, keep, old).step(None)

    def _next(self) -> None:
        """The answer before is out; on to the next request, or rest."""
        self.running = False
        if self.queue:
            request, keep, old = self.queue.popleft()
            if len(self.queue) == MAX_QUEUED // 2:
                self.transport.resume_reading()
            if isinstance(request, Refusal):
                self._refuse_now(request)
            else:
                self._answer(request, keep, old)
        elif self.closing or self.hub.draining:
            self._close()
        else:
            self.deadline = self.hub.clock + self._patience()

    def _patience(self) -> float:
        """How long the client may take for what comes next."""
        if self.phase == "idle":
            return self.settings.idle_timeout
        return self.settings.header_timeout if self.phase == "head" else self.settings.body_timeout

    def send(self, request: Request, response: Response, keep: bool, old: bool) -> None:
        """Write a response, at once or piece by piece."""
        keep = keep and not self.hub.draining and (not self.closing or bool(self.queue))
        if self.transport.is_closing():
            self.running = False
            return
        body = response.body
        if isinstance(body, bytes):
            length = b"" if response.status in _NO_LENGTH else b"Content-Length: %d\r\n" % len(body)
            head = self._head(response, keep, length, old)
            self.transport.write(head if request.method == "HEAD" or response.status in _NO_LENGTH else head + body)
            self._sent(keep)
        elif request.method == "HEAD":
            self.transport.write(self._head(response, keep, b"", old))
            self._sent(keep)
        else:
            self.stream = self.hub.loop.create_task(self._stream(response, body, keep and not old, old))

    def _sent(self, keep: bool) -> None:
        if keep:
            self._next()
        else:
            self.running = False
            self._close()

    async def _stream(self, response: Response, body: AsyncIterator[bytes], keep: bool, old: bool) -> None:
        sized = response.header("content-length") is not None
        chunked = not sized and not old
        whole = False
        try:
            self.transport.write(self._head(response, keep, b"Transfer-Encoding: chunked\r\n" if chunked else b"", old))
            async for piece in body:
                if piece:
                    self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                if self.writable:
                    await self.writable.wait()
                if self.transport.is_closing():
                    return
            if chunked:
                self.transport.write(b"0\r\n\r\n")
            whole = True
        except Exception:  # a body that fails half way can only be cut off, so that nobody takes it for whole
            log.exception("a streamed answer failed")
        finally:
            self.stream = None
            close = getattr(body, "aclose", None)
            if close:
                await close()
            if whole:
                self._sent(keep)
            else:
                self.running = False
                self.transport.abort()

    def _head(self, response: Response, keep: bool, length: bytes, old: bool) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
        if lines.count("\n") != len(response.headers) or lines.count("\r") != len(response.headers):
            log.error("a header holds a line break; it is left out: %r", response.headers)
            lines = "".join(
                [f"{name}: {value}\r\n" for name, value in response.headers if not set("\r\n") & set(f"{name}{value}")]
            )
        connection = b"Connection: keep-alive\r\n" if old and keep else b"" if keep else b"Connection: close\r\n"
        status = _STATUS_LINES.get(response.status) or f"HTTP/1.1 {response.status} Unknown\r\n".encode()
        return b"".join((status, lines.encode("latin-1", "replace"), length, self.hub.date, connection, b"\r\n"))

    # Ends.

    def _last(self) -> None:
        """Read no more of this connection; answer what was read."""
        self.closing = True
        if not self.running and not self.queue:
            self._close()

    def _stop(self, status: int, detail: str) -> None:
        """Called by the parser's callbacks: stops the parser, which then has `refusal` answered."""
        self.refusal = Refusal(status, detail)
        raise self.refusal

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal once everything before it is answered, then close."""
        if self.running:
            self._queue(refusal, keep=False)
            self.transport.pause_reading()
        else:
            self._refuse_now(refusal)

    def _refuse_now(self, refusal: Refusal) -> None:
        self.closing = True
        if not self.transport.is_closing():
            response = refusal.response()
            length = b"Content-Length: %d\r\n" % len(response.body)  # type: ignore[arg-type]  # a refusal's body is bytes
            self.transport.write(self._head(response, False, length, False) + response.body)  # type: ignore[operator]  # as above
        self._close()

    def _close(self) -> None:
        self.closing = True
        self.deadline = FOREVER
        self.transport.close()

    # The hub calls these.

    def expire(self) -> None:
        """A deadline has passed: too slow with a request, or at rest for too long."""
        self.deadline = FOREVER
        if self.running:
            return
        if self.phase == "idle":
            self._close()
        else:
            self._refuse(Refusal(408, "The request did not come in time."))

    def drain(self) -> None:
        """Finish what runs, then close."""
        if not self.running and not self.queue and self.phase == "idle":
            self._close()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()


class _Run:
    """Drives the application's coroutine for one request, without a task."""

    __slots__ = ("coroutine", "keep", "old", "protocol", "request")

    def __init__(self, protocol: HttpProtocol, request: Request, keep: bool, old: bool) -> None:
        self.protocol = protocol
        self.request = request
        self.keep = keep
        self.old = old
        self.coroutine: Coroutine[Any, Any, Response] = protocol.hub.answer(request)

    def step(self, _: Any) -> None:
        """Run until the coroutine ends or waits; then go on when what it waits for is done."""
        try:
            waited = self.coroutine.send(None)
        except StopIteration as end:
            self.protocol.send(self.request, end.value, self.keep, self.old)
        except Exception:
            log.exception("request %s failed outside of its application", self.request.id)
            failure = Refusal(500, "Something went wrong here.").response()
            self.protocol.send(self.request, failure, False, self.old)
        else:
            if waited is None:
                self.protocol.hub.loop.call_soon(self.step, None)
            else:
                # What `asyncio.Task` does with a future that is awaited in it.
                waited._asyncio_future_blocking = False
                waited.add_done_callback(self.step)


def _target(url: bytes) -> tuple[str, str]:
    """Path and query of a request target, in origin or absolute form (RFC 9112, 3.2).

    Raises:
        ValueError: it is in neither.
    """
    text = url.decode("ascii")
    if not text.startswith("/"):
        scheme, mark, rest = text.partition("://")
        if not mark or scheme.lower() not in ("http", "https"):
            if text == "*":
                return "/*", ""
            raise ValueError(text)
        slash = rest.find("/")
        text = rest[slash:] if slash >= 0 else "/"
    path, _, query = text.partition("#")[0].partition("?")
    return path, query


def _said(error: BaseException) -> str:
    return str(error.__context__ or error)[:120]
