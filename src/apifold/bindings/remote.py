"""Remote: another server answers, whole; for an API's implementation by address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote, urlsplit

from apifold.bindings.tasks import tasked
from apifold.bindings.workplace import Workplace
from apifold.description import Operation
from apifold.errors import NotFound
from apifold.exchange import Call, Exchange, Result
from apifold.http import Response, discard
from apifold.outgoing import Outgoing, forward

GATHERED_BYTES = 1024 * 1024
"""A JSON answer up to this size is held against the description."""


def bind(operation: Operation, option: Any, workplace: Workplace) -> Call:
    """`implementation: http://HOST`: the request goes there with its path; an address that has a path of its own takes
    the place of the API's base path.
    """
    address = urlsplit(option) if isinstance(option, str) else None
    if address is None or address.scheme not in ("http", "https") or not address.netloc or address.query:
        raise workplace.refused(operation, f"{option!r} is no address of a server", "such as http://127.0.0.1:9001")
    outgoing: Outgoing = workplace.deployment.outgoing()
    url = option.rstrip("/")
    steps = workplace.description.template_base.count("/") if address.path.strip("/") else 0

    async def answered(exchange: Exchange) -> Result:
        request = exchange.request
        if {".", ".."} & set(unquote(request.path).split("/")):
            raise NotFound("Nothing is served at this path.")
        path = "/".join(["", *request.path.split("/")[1 + steps :]])
        response = await forward(outgoing, request, url + path)
        if "json" in (response.header("content-type") or ""):
            await _gather(response)
        return Result(response.status, response)

    return tasked(answered)


async def _gather(response: Response) -> None:
    """Have a body whole, so that it can be held against the description; what is larger goes on as it comes."""
    if isinstance(response.body, bytes):
        return
    gathered, rest = bytearray(), response.body
    async for piece in rest:
        gathered += piece
        if len(gathered) > GATHERED_BYTES:
            response.body = _Joined(bytes(gathered), rest)
            return
    response.body = bytes(gathered)


class _Joined:
    """What was read of a body, and the rest of it."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first = first
        self._rest = rest

    def __aiter__(self) -> _Joined:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        return await anext(self._rest)

    async def aclose(self) -> None:
        """Read no more."""
        await discard(self._rest)
