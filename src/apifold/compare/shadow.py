"""Shadow: a copy of a request goes to another implementation after it was answered, and the answers are compared."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from apifold.compare.differences import Noise, differences
from apifold.compare.evidence import Evidence
from apifold.compare.recording import Recording
from apifold.errors import Fault
from apifold.exchange import Exchange, Result
from apifold.http import Response
from apifold.observe.events import Observers
from apifold.pipeline.endpoint import Endpoint, Shadow
from apifold.pipeline.handle import SAFE

MAX_WAITING = 100
"""Comparisons that wait in one process; what comes on top is not compared."""

TIMEOUT_SECONDS = 30.0

log = logging.getLogger("apifold.compare")


@dataclass(frozen=True, slots=True)
class _Waiting:
    exchange: Exchange
    response: Response
    shadow: Shadow | None
    recording: Recording | None


class Shadowing:
    """Compares answers, one after the other, beside everything else.

    Args:
        evidence: where outcomes are noted.
        recordings: files that requests are noted in, by API; a part's are the whole's.
    """

    def __init__(self, evidence: Evidence, recordings: Mapping[str, Recording]) -> None:
        self.evidence = evidence
        self.recordings = recordings
        self._waiting: deque[_Waiting] = deque()
        self._working: asyncio.Task[None] | None = None

    def answered(self, exchange: Exchange, response: Response, seconds: float) -> None:
        """Take note of an answer that was given."""
        endpoint: Endpoint | None = exchange.endpoint
        if endpoint is None or exchange.request.pieces is not None:
            return
        recording = self.recordings.get(endpoint.api) or self.recordings.get(endpoint.api.partition("/")[0])
        shadow = endpoint.shadow if endpoint.shadow and _is_wanted(endpoint.shadow, exchange) else None
        is_full = len(self._waiting) >= MAX_WAITING
        if shadow and (is_full or not isinstance(response.body, bytes)):
            self.evidence.note_skipped(endpoint.api, shadow.pair, endpoint.name)
            shadow = None
        if is_full or not (shadow or recording):
            return
        self._waiting.append(_Waiting(exchange, response, shadow, recording))
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Leave what waits."""
        self._waiting.clear()
        if self._working:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)  # the answer goes first
                one = self._waiting.popleft()
                if one.recording:
                    await self._record(one.recording, one.exchange)
                if one.shadow:
                    await self._compare(one.exchange, one.response, one.shadow)
        finally:
            self._working = None

    async def _record(self, recording: Recording, exchange: Exchange) -> None:
        try:
            await asyncio.to_thread(recording.note, exchange.request)
        except OSError as error:
            log.warning("a request could not be recorded in %s: %s", recording.file, error.strerror)

    async def _compare(self, exchange: Exchange, response: Response, shadow: Shadow) -> None:
        endpoint: Endpoint = exchange.endpoint
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                other = await _answer_of(shadow, exchange)
        except Exception:  # whatever another implementation does is its own affair
            self.evidence.note_failed(endpoint.api, shadow.pair, endpoint.name)
            return
        if exchange.request.method == "HEAD":
            response, other = (Response(one.status, b"", one.headers) for one in (response, other))
        found = differences(response, other, Noise(shadow.settings.noise), shadow.settings.headers)
        self.evidence.note(endpoint.api, shadow.pair, endpoint.name, found)


async def _answer_of(shadow: Shadow, exchange: Exchange) -> Response:
    """What the other implementation answers to the same request, its body in bytes."""
    endpoint: Endpoint = exchange.endpoint
    copy = exchange.beside(exchange.request)
    copy.observers, copy.media, copy.is_shadow = Observers(), exchange.media, True
    try:
        endpoint.reader.read(copy)
        result = shadow.call(copy)
        if not isinstance(result, Result):
            result = await result
        response = endpoint.writer.render(result, copy.media)
    except Fault as fault:
        response = exchange.api.dialect.render(fault, exchange.request)
    await response.whole()
    return response


def _is_wanted(shadow: Shadow, exchange: Exchange) -> bool:
    settings = shadow.settings
    if not exchange.called:
        return False  # who was refused before must not come in by the back door
    if exchange.request.method not in SAFE and exchange.endpoint.name not in settings.unsafe:
        return False
    return settings.sample >= 1 or random.random() < settings.sample  # noqa: S311  # no secret
