"""The generation that a process serves: built, watched, swapped."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from apifold.generation.build import Builder
from apifold.generation.generation import Generation
from apifold.generation.watch import Watch
from apifold.http import Request, Responding
from apifold.observe.events import LeftOut, Observers, Quarantined, Swapped
from apifold.pipeline.handle import handle, takes_pieces

log = logging.getLogger("apifold.server")

TURN_SECONDS = 0.0005
"""How long one thread keeps another waiting while a generation is built."""

USUAL_TURN_SECONDS = sys.getswitchinterval()
"""The same at other times; read once, because where several applications build at once it is changed already."""


class Running:
    """Serves the newest generation that could be built.

    Args:
        builder: builds generations.
        first: the generation to begin with.
        observers: are told of swaps, errors and requests.
        seconds: how long the first took to build.
    """

    def __init__(self, builder: Builder, first: Generation, observers: Observers, seconds: float = 0.0) -> None:
        self.builder = builder
        self.observers = observers
        self.since = time.time()
        self.generation = first
        self._tell(first, seconds)

    def answer(self, request: Request) -> Responding:
        """The response to a request, on the generation in place when it begins; a coroutine where that takes time."""
        return handle(self.generation.site, request, self.observers)

    def takes_pieces(self, request: Request) -> bool:
        """Whether a request's body is not to be waited for; judged by its head."""
        return takes_pieces(self.generation.site, request)

    async def follow(self, watch: Watch, swapped: Callable[[], None]) -> None:
        """Swap in a new generation whenever files change, until cancelled.

        Args:
            watch: knows when they do.
            swapped: called after each swap.
        """
        async for _ in watch.changes():
            began = time.perf_counter()
            try:
                with _unnoticed():
                    generation = await asyncio.to_thread(self.builder.build, self.generation)
            except Exception:  # whatever it was, the next change is to be followed
                log.exception("the changed files could not be built; what was served goes on")
                continue
            changed = generation.id != self.generation.id
            self.generation = generation
            if changed:
                self.since = time.time()
                self._tell(generation, time.perf_counter() - began)
                swapped()

    def _tell(self, generation: Generation, seconds: float) -> None:
        self.observers.tell(Swapped(generation.id, len(generation.loaded), seconds))
        served = {one.path for one in generation.loaded}
        for one in generation.aside:
            self.observers.tell(LeftOut(one.name, one.reasons))
        for file, errors in generation.errors.items():
            self.observers.tell(Quarantined(str(file), errors, file in served))


@contextmanager
def _unnoticed() -> Iterator[None]:
    """A block in which another thread works hard, and this one goes on answering.

    The threads take turns more often; and the collector, which would stop both, neither looks at what is being built
    nor, afterwards, at what was: it lives as long as it is served, and goes by itself then.
    """
    sys.setswitchinterval(TURN_SECONDS)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(USUAL_TURN_SECONDS)


def files_of(generation: Generation, policy: str) -> set[Path]:
    """Which files a generation was read from."""
    found = {Path(name) for one in generation.loaded for name in one.description.raw if "://" not in name}
    return found | ({Path(policy)} if policy else set())
