"""HTTP/1.1 on a socket: bytes to requests, responses to bytes, and nothing that a client can do to hang us.

Parsing is llhttp's, in its strict form (RFC 9112). A request is answered where its last byte is read: the
application mostly answers with a plain call; where it answers with a coroutine, that is driven in place, and goes on
from the callback of what it waits for. Answers leave in the order of their requests.

The way of an ordinary request (small, whole in one segment, answered at once) is kept short on purpose: what is only
now and then needed stands behind a test that costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from functools import partial

import httptools

from apifold.http import Request, Response, discard
from apifold.server.drive import Driven
from apifold.server.heads import head
from apifold.server.hub import FOREVER, LINGER_SECONDS, Hub
from apifold.server.incoming import Incoming
from apifold.server.refusal import Refusal

WAITED_BYTES = 64 * 1024
"""A body up to this size is waited for, whatever its operation takes."""

MAX_QUEUED = 32
"""Requests of one connection that wait while one is answered; then no more is read."""

IDLE, HEAD, BODY = range(3)
"""What a connection is reading: nothing, a request's head, a request's body."""

log = logging.getLogger("apifold.server")

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ONCE = frozenset(("host", "content-length", "content-type", "authorization", "x-auth-token"))
_BODILESS = frozenset((204, 304))


class _Names(dict[bytes, str]):
    """Names of headers in lower case; those that are frequent need not be decoded each time."""

    def __missing__(self, name: bytes) -> str:
        return name.decode("latin-1").lower()


_NAMES = _Names(
    (spelling.encode(), name.lower())
    for name in (
        "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection",
        "Content-Length", "Content-Type", "Cookie", "Host", "If-Match", "If-None-Match", "Origin", "Transfer-Encoding",
        "User-Agent", "X-Auth-Token", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id",
    )
    for spelling in (name, name.lower())
)  # fmt: skip


class _Trailers(dict[str, str]):
    """Where what stands behind a body goes (RFC 9110, 6.5): nowhere. It must not pass for a header of anybody."""

    def __setitem__(self, key: str, value: str) -> None:
        pass


_TRAILERS = _Trailers()


class HttpProtocol(asyncio.Protocol):
    """One connection.

    Args:
        hub: what it shares with the worker's other connections.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.settings = hub.settings
        self.max_head = hub.settings.max_header_bytes
        self.deadline = FOREVER
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # set before anything else is called
        self.parser = httptools.HttpRequestParser(self)
        self.client = ""
        self.scheme = "http"
        self.phase = IDLE
        self.url = b""
        self.headers: dict[str, str] = {}
        self.head: dict[str, str] = {}
        self.body: list[bytes] = []
        self.body_bytes = 0
        self.head_bytes = 0
        self.segment = 0
        self.refusal: Refusal | None = None
        self.running = False
        self.closing = False
        self.queue: deque[tuple[Request | Refusal, bool, bool]] = deque()
        self.stream: asyncio.Task[None] | None = None
        self.writable: asyncio.Event | None = None
        self.incoming: Incoming | None = None

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
        self.deadline = self.hub.head_deadline

    def connection_lost(self, error: Exception | None) -> None:
        self.closing = True
        self.queue.clear()
        self.hub.leave(self)
        if self.writable:
            self.writable.set()
        if self.stream:
            self.stream.cancel()
        if self.incoming:
            self.incoming.break_off()

    def eof_received(self) -> bool:
        """A client that sends no more may still be waiting for its answer."""
        if self.incoming:
            self.incoming.break_off()
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
        self.segment = len(data)
        if self.phase == IDLE:
            self.phase = HEAD
            self.head_bytes = self.segment
            self.deadline = self.hub.head_deadline
        elif self.phase == HEAD:
            self.head_bytes += self.segment
        else:
            self.deadline = self.hub.body_deadline
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._last()  # No other protocol is spoken here: the request was answered as it stands.
        except httptools.HttpParserError as error:
            self._refuse(self.refusal or Refusal(400, f"This is not HTTP/1.1: {_said(error)}"))
            return
        if self.phase == HEAD and self.head_bytes > self.max_head:
            self._refuse(self._too_large())

    # The parser calls these.

    def on_url(self, url: bytes) -> None:
        if self.phase == IDLE:  # it came behind another request, in one segment
            self.phase, self.deadline = HEAD, self.hub.head_deadline
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = _NAMES[name]
        if key in self.headers:
            self._repeated(key, value.decode("latin-1"))
        else:
            self.headers[key] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self.closing:
            return
        headers = self.headers
        # A segment may hold several heads, and a head may come in several segments: only then is there a doubt.
        if (self.head_bytes > self.max_head or self.segment > self.max_head) and self._head_size() > self.max_head:
            self._stop(self._too_large())
        if "host" not in headers and self.parser.get_http_version() == "1.1":
            self._stop(Refusal(400, "The header Host is missing."))
        if "content-length" in headers or "transfer-encoding" in headers:
            self._expect_body(headers)

    def on_body(self, body: bytes) -> None:
        if self.incoming:
            if not self.closing:
                self.incoming.add(body)
            return
        self.body_bytes += len(body)
        if self.body_bytes > self.settings.max_body_bytes:
            self._stop(self._body_too_large())
        self.body.append(body)

    def on_message_complete(self) -> None:
        if self.closing:
            return
        if self.phase == BODY:
            self.headers, self.head = self.head, {}
        self.phase = IDLE
        self.head_bytes = 0
        if self.incoming:
            self._incoming_whole(self.incoming)
            return
        request = self._request()
        if self.body_bytes:
            request.body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
            self.body = []
            self.body_bytes = 0
        keep, old = self._manners(request.headers)
        if self.running:
            self._queue(request, keep, old)
        else:
            self._answer(request, keep, old)

    def _request(self) -> Request:
        """What the head says, taken from the parser."""
        target = self.url.decode("latin-1")
        self.url = b""
        headers = self.headers
        self.headers = {}
        if target[0] != "/" or "#" in target or not target.isascii():
            target = self._origin_form(target)
        path, _, query = target.partition("?")
        return Request(self.parser.get_method().decode(), path, query, headers, b"", self.client, self.scheme)

    def _manners(self, headers: dict[str, str]) -> tuple[bool, bool]:
        """Whether the connection is kept, and whether the client speaks HTTP/1.0."""
        keep = self.parser.should_keep_alive()
        # Only a client that says `Connection: keep-alive`, or is not kept, can be one of HTTP/1.0.
        return keep, (not keep or "connection" in headers) and self.parser.get_http_version() == "1.0"

    # What only some requests need.

    def _origin_form(self, target: str) -> str:
        """Path and query of a request target in another form (RFC 9112, 3.2)."""
        if target == "*":
            return "/*"
        if target[0] != "/":
            scheme, mark, rest = target.partition("://")
            slash = rest.find("/")
            target = rest[slash:] if slash >= 0 else "/"
            if not mark or scheme.lower() not in ("http", "https"):
                target = ""
        if not target or not target.isascii():
            self._stop(Refusal(400, "The request target can't be read."))
        return target.partition("#")[0]

    def _repeated(self, key: str, text: str) -> None:
        """A header that stands twice (RFC 9110, 5.3)."""
        if key in _ONCE:
            self._stop(Refusal(400, f"The header {key} stands twice."))
        self.headers[key] += ("; " if key == "cookie" else ", ") + text

    def _expect_body(self, headers: dict[str, str]) -> None:
        length = headers.get("content-length", "")
        if (not length or int(length) > WAITED_BYTES) and not self.running and self._takes_pieces(headers):
            return
        if length and int(length) > self.settings.max_body_bytes:
            self._stop(self._body_too_large())
        if length != "0":
            self.phase, self.deadline = BODY, self.hub.body_deadline
            self.head, self.headers = headers, _TRAILERS
            if not self.running:
                self._continue(headers)

    def _continue(self, headers: dict[str, str]) -> None:
        """Let a client that waits for it send its body (RFC 9110, 10.1.1)."""
        if headers.get("expect", "").lower() == "100-continue" and not self.transport.is_closing():
            self.transport.write(_CONTINUE)

    def _takes_pieces(self, headers: dict[str, str]) -> bool:
        """Whether the request was handed on with its body still to come."""
        path = self.url.decode("latin-1").partition("?")[0]
        if not self.hub.takes_pieces(Request(self.parser.get_method().decode(), path)):
            return False
        self.phase = BODY
        keep, old = self._manners(headers)
        request = self._request()
        self.headers = _TRAILERS
        self.incoming = Incoming(partial(self._continue, headers), self._read_on, self.transport.pause_reading)
        request.pieces = self.incoming
        self._answer(request, keep, old)
        self.deadline = self.hub.body_deadline
        return True

    def _read_on(self) -> None:
        """More of a body is wanted."""
        if not self.transport.is_closing():
            self.deadline = self.hub.body_deadline
            self.transport.resume_reading()

    def _incoming_whole(self, incoming: Incoming) -> None:
        self.incoming = None
        incoming.end()
        if len(self.queue) < MAX_QUEUED and not self.transport.is_closing():
            self.transport.resume_reading()

    def _head_size(self) -> int:
        return len(self.url) + sum(map(len, self.headers)) + sum(map(len, self.headers.values()))

    def _too_large(self) -> Refusal:
        if len(self.url) > self.max_head:
            return Refusal(414, f"A request target may have {self.max_head} bytes.")
        return Refusal(431, f"Request line and headers may have {self.max_head} bytes.")

    def _body_too_large(self) -> Refusal:
        return Refusal(413, f"A body may have {self.settings.max_body_bytes} bytes.")

    # One request after the other.

    def _queue(self, request: Request | Refusal, keep: bool, old: bool) -> None:
        self.queue.append((request, keep, old))
        if len(self.queue) >= MAX_QUEUED:
            self.transport.pause_reading()

    def _answer(self, request: Request, keep: bool, old: bool) -> None:
        """Run the application; where it suspends, its answer is sent later."""
        hub = self.hub
        request.id = next(hub.ids)
        try:
            response = hub.answer(request)
        except Exception as error:  # whatever it is, the client is to have an answer
            response, keep = _failed(request, error), False
        if isinstance(response, Response):
            self._send(request, response, keep, old)
        else:
            self.running, self.deadline = True, FOREVER
            Driven(response, hub.loop, partial(self._send_late, request, keep, old)).step()

    def _send_late(self, request: Request, keep: bool, old: bool, answered: Response | Exception) -> None:
        """Send what was waited for, then go on with the requests that came in meanwhile."""
        if self.transport.is_closing():
            self.running = False
            if isinstance(answered, Response) and not isinstance(answered.body, bytes):
                self.hub.loop.create_task(discard(answered.body))
            return
        if isinstance(answered, Exception):
            answered, keep = _failed(request, answered), False
        self._send(request, answered, keep, old)
        if not self.stream:
            self._proceed()

    def _proceed(self) -> None:
        """What ran is over; on to the next requests, or rest."""
        self.running = False
        while self.queue and not self.running:
            request, keep, old = self.queue.popleft()
            if len(self.queue) == MAX_QUEUED // 2:
                self.transport.resume_reading()
            if isinstance(request, Refusal):
                self._refuse_now(request)
            else:
                self._answer(request, keep, old)
        if not self.running:
            if self.closing or self.hub.draining:
                self._close()
            elif self.phase != IDLE:
                self.deadline = self.hub.head_deadline if self.phase == HEAD else self.hub.body_deadline

    def _send(self, request: Request, response: Response, keep: bool, old: bool) -> None:
        """Write a response, at once or piece by piece."""
        hub, body = self.hub, response.body
        if not isinstance(body, bytes) and (response.status in _BODILESS or request.method == "HEAD"):
            hub.loop.create_task(discard(body))
            if response.status in _BODILESS:
                body = b""
        if hub.draining or self.incoming or (self.closing and not self.queue):
            keep = False  # of a body that is still to come nothing more is read
        if not isinstance(body, bytes):
            self._begin_stream(request, response, body, keep, old)
            return
        if response.status in _BODILESS:
            length, body = "", b""
        else:
            length = f"Content-Length: {len(body)}\r\n"
        end = "\r\n" if keep and not old else _connection(keep)
        text = f"{head(response)}{length}{hub.stamp}{request.id}\r\n{end}".encode("latin-1")
        self.transport.write(text if request.method == "HEAD" else text + body)
        if keep:
            self.deadline = hub.idle_deadline
        else:
            self._close()

    def _begin_stream(
        self, request: Request, response: Response, body: AsyncIterator[bytes], keep: bool, old: bool
    ) -> None:
        chunked = response.header("content-length") is None and not old
        keep = keep and not old
        framing = "Transfer-Encoding: chunked\r\n" if chunked and request.method != "HEAD" else ""
        common = f"{framing}{self.hub.stamp}{request.id}\r\n{_connection(keep)}"
        self.transport.write(f"{head(response)}{common}".encode("latin-1"))
        if request.method != "HEAD":
            self.running, self.deadline = True, FOREVER
            self.stream = self.hub.loop.create_task(self._stream(body, chunked, keep))
        elif keep:
            self.deadline = self.hub.idle_deadline
        else:
            self._close()

    async def _stream(self, body: AsyncIterator[bytes], chunked: bool, keep: bool) -> None:
        whole = False
        try:
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
            await discard(body)
            if not whole:
                self.running = False
                self.transport.abort()
            elif keep:
                self.deadline = self.hub.idle_deadline
                self._proceed()
            else:
                self._close()

    # Ends.

    def _last(self) -> None:
        """Read no more of this connection; answer what was read."""
        self.closing = True
        if not self.running and not self.queue:
            self._close()

    def _stop(self, refusal: Refusal) -> None:
        """Called by the parser's callbacks: stops the parser, which then has `refusal` answered."""
        self.refusal = refusal
        raise refusal

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal once everything before it is answered, then close."""
        if self.incoming:
            self.incoming.break_off()
        if self.running:
            self._queue(refusal, False, False)
            self.transport.pause_reading()
        else:
            self._refuse_now(refusal)

    def _refuse_now(self, refusal: Refusal) -> None:
        self.closing = True
        if not self.transport.is_closing():
            unread = Request("", "/")
            unread.id = next(self.hub.ids)
            self._send(unread, refusal.response(), False, False)

    def _close(self) -> None:
        self.running = False
        self.closing = True
        self.deadline = FOREVER
        self.queue.clear()
        if self.incoming and self.transport.can_write_eof():
            # A client that is still sending would be reset before it has read the answer (RFC 9112, 9.6).
            self.incoming.break_off()
            self.incoming = None
            self.transport.write_eof()
            self.transport.resume_reading()
            self.deadline = self.hub.loop.time() + LINGER_SECONDS
        else:
            self.transport.close()

    # The hub calls these.

    def expire(self) -> None:
        """A deadline has passed: too slow with a request, or at rest for too long."""
        self.deadline = FOREVER
        if self.closing and not self.running:
            self.transport.close()
            return
        if self.incoming:
            if self.incoming.is_awaited:
                self.incoming.break_off()
            else:
                self.deadline = self.hub.body_deadline
        if self.running:
            return
        if self.phase == IDLE:
            self._close()
        else:
            self._refuse(Refusal(408, "The request did not come in time."))

    def drain(self) -> None:
        """Finish what runs, then close."""
        if not self.running and not self.queue and self.phase == IDLE:
            self._close()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()


def _failed(request: Request, error: Exception) -> Response:
    """The answer to a request whose application failed."""
    log.error("request %s failed outside of its application", request.id, exc_info=error)
    return Refusal(500, "Something went wrong here.").response()


def _connection(keep: bool) -> str:
    """The end of a head with its `Connection` line, which clients of HTTP/1.0 need (RFC 9112, 9.3)."""
    return f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"


def _said(error: BaseException) -> str:
    return str(error.__context__ or error)[:120]
