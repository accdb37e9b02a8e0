"""A request's body on its way in: handed on in pieces, no faster than they are taken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from apifold.errors import Malformed

MAX_WAITING_BYTES = 256 * 1024
"""What may wait to be taken; then the client is kept waiting."""


class Incoming:
    """The pieces of one body, an async iterator.

    Args:
        begin: called when the first piece is asked for.
        want: called whenever a piece is asked for that has not come: the client may send, and its time runs.
        pause: keeps the client waiting.
    """

    def __init__(self, begin: Callable[[], None], want: Callable[[], None], pause: Callable[[], None]) -> None:
        self.whole = False
        self._begin: Callable[[], None] | None = begin
        self._want = want
        self._pause = pause
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._broken = False
        self._there = asyncio.Event()

    def __aiter__(self) -> Incoming:
        return self

    async def __anext__(self) -> bytes:
        """The next piece.

        Raises:
            Malformed: the client broke off, or was too slow.
        """
        if self._begin:
            begin, self._begin = self._begin, None
            begin()
        while not self._pieces:
            if self._broken:
                raise Malformed("The body broke off.")
            if self.whole:
                raise StopAsyncIteration
            self._want()
            self._there.clear()
            await self._there.wait()
        piece = self._pieces.popleft()
        was_full = self._size > MAX_WAITING_BYTES
        self._size -= len(piece)
        if was_full and self._size <= MAX_WAITING_BYTES and not self.whole:
            self._want()
        return piece

    @property
    def is_awaited(self) -> bool:
        """Whether the next piece is wanted, and not here."""
        return not self._pieces and not self.whole and self._begin is None

    def add(self, piece: bytes) -> None:
        """A piece has come."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > MAX_WAITING_BYTES:
            self._pause()
        self._there.set()

    def end(self) -> None:
        """That was all."""
        self.whole = True
        self._there.set()

    def break_off(self) -> None:
        """No more will come, although more was to."""
        self._broken = True
        self._there.set()
