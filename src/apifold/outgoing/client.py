"""The one client of a process: a pool of connections to everybody it talks to."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from apifold.errors import UpstreamFailed, UpstreamTimeout
from apifold.http import first_header
from apifold.http.response import Headers
from apifold.outgoing.addresses import Addresses

CONNECTIONS = 200
"""Connections of one process to one address at the most; more requests wait."""

CONNECT_SECONDS = 5.0
PAUSE_SECONDS = 0.1
"""Before the first retry; twice as long before each further one."""

MAX_REPLY_BYTES = 64 * 1024 * 1024
"""A reply that is read whole has at most so many."""

_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "PUT"))
_PASSING = frozenset((502, 503, 504))


@dataclass(frozen=True, slots=True)
class Sending:
    """A request to another service.

    Attributes:
        url: the whole address, percent-encoded.
        body: bytes, or pieces as they come.
        seconds: how long everything may take; for a streamed reply until its head, and between two pieces; for a
            streamed body from its last piece on.
        retries: how often it may be sent again: after a failed connection always; once it was sent, only where that
            does no harm (RFC 9110, 9.2.2).
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | AsyncIterator[bytes] = b""
    seconds: float = 30.0
    retries: int = 2


@dataclass(slots=True)
class Reply:
    """What another service answered; `body` is in pieces where that was asked for."""

    status: int
    headers: Headers
    body: bytes | AsyncIterator[bytes]

    def header(self, name: str) -> str:
        """The first value of a header, or nothing."""
        return first_header(self.headers, name) or ""

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            UpstreamFailed: it is none.
        """
        try:
            return msgspec.json.decode(self.body) if isinstance(self.body, bytes) and self.body else None
        except msgspec.DecodeError:
            raise UpstreamFailed("The other service's answer is not JSON.") from None


class Outgoing:
    """Sends requests to other services, over connections that are kept.

    Args:
        allowed: hosts and networks that may be called.
        ca: file with the certificates (PEM) that others are trusted by; "" for the system's.
    """

    def __init__(self, allowed: Iterable[str], ca: str = "") -> None:
        self.addresses = Addresses(allowed)
        self._ca = ca
        self._session: aiohttp.ClientSession | None = None

    async def send(self, sending: Sending, *, stream: bool = False) -> Reply:
        """The reply to a request, whatever its status.

        Raises:
            AddressRefused: the address may not be called.
            UpstreamFailed: the other service can't be reached, or breaks off.
            UpstreamTimeout: it takes too long.
        """
        self.addresses.check(sending.url)
        try:
            async with asyncio.timeout(sending.seconds) as limit:
                if not isinstance(sending.body, bytes):
                    sending = replace(sending, body=_renewing(sending.body, limit, sending.seconds))
                return await self._sent(sending, stream)
        except TimeoutError:
            raise UpstreamTimeout(f"{_place(sending.url)} did not answer within {sending.seconds:g} s.") from None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _sent(self, sending: Sending, stream: bool) -> Reply:
        """Send, and send again while that may help."""
        left = sending.retries if isinstance(sending.body, bytes) else 0
        repeatable = sending.method in _REPEATABLE
        for attempt in range(left + 1):
            is_last = attempt == left
            try:
                reply = await self._once(sending, stream)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                if is_last:
                    raise UpstreamFailed(f"{_place(sending.url)} can't be reached.") from None
            except (aiohttp.ClientError, OSError):
                if is_last or not repeatable:
                    raise UpstreamFailed(f"{_place(sending.url)} broke off.") from None
            else:
                if is_last or not repeatable or reply.status not in _PASSING:
                    return reply
                if isinstance(reply.body, _Pieces):
                    await reply.body.aclose()
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, sending: Sending, stream: bool) -> Reply:
        answer = await self._opened().request(
            sending.method,
            URL(sending.url, encoded=True),
            headers=sending.headers,
            data=sending.body or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=sending.seconds),
        )
        headers = tuple(answer.headers.items())
        if stream:
            return Reply(answer.status, headers, _Pieces(answer))
        body = bytearray()
        async with answer:
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > MAX_REPLY_BYTES:
                    answer.close()
                    raise UpstreamFailed(f"{_place(sending.url)} answered more than {MAX_REPLY_BYTES} bytes.")
        return Reply(answer.status, headers, bytes(body))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            context: ssl.SSLContext | bool = ssl.create_default_context(cafile=self._ca) if self._ca else True
            session = self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, limit_per_host=CONNECTIONS, resolver=self.addresses, ttl_dns_cache=10, ssl=context
                ),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                requote_redirect_url=False,
                skip_auto_headers=("User-Agent", "Content-Type"),
            )
            session._retry_connection = False  # what is sent again, and how often, is for us to say
        return self._session


async def _renewing(body: AsyncIterator[bytes], limit: asyncio.Timeout, seconds: float) -> AsyncIterator[bytes]:
    """A body whose every piece gives the request its time anew."""
    async for piece in body:
        limit.reschedule(asyncio.get_running_loop().time() + seconds)
        yield piece


class _Pieces:
    """The body of an answer as it comes; closed, it lets its connection go, whether or not anybody began to read."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self._chunks = answer.content.iter_any()

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Read no more."""
        self.answer.close()


def _place(url: str) -> str:
    """Who was called, without what a path or query may tell."""
    parts = URL(url, encoded=True)
    return f"{parts.scheme}://{parts.authority}"
