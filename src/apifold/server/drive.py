"""An answer that takes time: its coroutine, driven by the callbacks of what it waits for, without a task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from apifold.http import Response


class Driven:
    """Runs a coroutine to its end.

    Args:
        coroutine: gives a response.
        loop: it runs on.
        done: is given the response, or the exception that came instead.
    """

    __slots__ = ("coroutine", "done", "loop")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Response],
        loop: asyncio.AbstractEventLoop,
        done: Callable[[Response | Exception], None],
    ) -> None:
        self.coroutine = coroutine
        self.loop = loop
        self.done = done

    def step(self, _: Any = None) -> None:
        """Run until the coroutine ends or waits; then go on when what it waits for is done."""
        try:
            waited = self.coroutine.send(None)
        except StopIteration as end:
            self.done(end.value)
        except Exception as error:  # whatever it is, the client is to have an answer
            self.done(error)
        else:
            if waited is None:
                self.loop.call_soon(self.step)
            else:
                # What `asyncio.Task` does with a future that is awaited in it.
                waited._asyncio_future_blocking = False
                waited.add_done_callback(self.step)
