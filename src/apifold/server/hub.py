"""What the connections of one worker share: the application, the limits, the clock, who is connected."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from email.utils import formatdate
from itertools import count
from typing import Protocol

from apifold.http import Request, Responding
from apifold.settings import Settings

Answer = Callable[[Request], Responding]
"""All that the server knows of the application: it answers at once, or with a coroutine where that takes time."""

TakesPieces = Callable[[Request], bool]
"""Whether the application takes a request's body in pieces; asked with its head."""

FOREVER = float("inf")

SWEEP_SECONDS = 0.25
"""How often connections are held against their deadlines. One timer for all of them costs less than one for each."""


LINGER_SECONDS = 1.0
"""How long a connection at rest may still send a request when its worker stops, and one that is closed may still send
what nobody reads, so that its client gets to read its answer."""


def request_ids() -> Iterator[str]:
    """Ids for the requests of one process, different from those of any other."""
    return map(f"{os.urandom(6).hex()}-%x".__mod__, count(1))


class Connection(Protocol):
    """What the hub knows of a connection."""

    deadline: float

    def expire(self) -> None:
        """Its deadline has passed."""

    def drain(self) -> None:
        """Finish what runs, then close."""

    def abort(self) -> None:
        """Close at once."""


class Hub:
    """What the connections of one worker share.

    Args:
        answer: the application.
        settings: limits and time-outs.
        loop: the worker's loop.
        takes_pieces: whether a large body is handed on as it comes.

    Attributes:
        ids: of requests.
        head_deadline, body_deadline, idle_deadline: of what begins now, in the loop's time.
        stamp: the headers that every answer has, up to the request's id.
    """

    def __init__(
        self,
        answer: Answer,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        takes_pieces: TakesPieces = lambda request: False,
    ) -> None:
        self.answer = answer
        self.takes_pieces = takes_pieces
        self.settings = settings
        self.loop = loop
        self.connections: set[Connection] = set()
        self.draining = False
        self.ids = request_ids()
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._sweep()

    @property
    def full(self) -> bool:
        """Whether one more connection is one too many."""
        return len(self.connections) >= self.settings.max_connections

    def leave(self, connection: Connection) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    async def drain(self, seconds: float) -> None:
        """Let running requests finish, at most so long; close everything that is left.

        A connection at rest may have its next request on the way already, so it is given a moment: that request is
        answered, and told that it is the last.
        """
        self.draining = True
        if not await self._emptied(min(LINGER_SECONDS, seconds)):
            for connection in tuple(self.connections):
                connection.drain()
            if not await self._emptied(seconds):
                for connection in tuple(self.connections):
                    connection.abort()
        self.close()

    async def _emptied(self, seconds: float) -> bool:
        """Whether every connection is gone within so many seconds."""
        self._empty.clear()
        if not self.connections:
            return True
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Stop the timer."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        """Work out what all requests of the next moment share, and end what took too long."""
        now = self.loop.time()
        settings = self.settings
        self.head_deadline = now + settings.header_timeout
        self.body_deadline = now + settings.body_timeout
        self.idle_deadline = now + settings.idle_timeout
        self.stamp = f"Date: {formatdate(usegmt=True)}\r\nX-Request-Id: "
        for connection in [one for one in self.connections if one.deadline < now]:
            connection.expire()
        self._timer = self.loop.call_later(SWEEP_SECONDS, self._sweep)
