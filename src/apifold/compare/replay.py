"""Recorded requests, answered by two sides and held against each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

from apifold.compare.differences import Difference, Noise, differences
from apifold.compare.recording import RecordedRequest
from apifold.http import Request, Responding, Response, awaited


class Side(Protocol):
    """Somebody who answers recorded requests."""

    async def answer(self, recorded: RecordedRequest) -> Response:
        """The answer, its body in bytes."""


class Answers(Protocol):
    """An application in this process."""

    def answer(self, request: Request) -> Responding:
        """The response to a request."""


class ProcessSide:
    """An application in this process.

    Args:
        application: built.
        headers: as for a server.
    """

    def __init__(self, application: Answers, headers: Mapping[str, str]) -> None:
        self.application = application
        self.headers = headers

    async def answer(self, recorded: RecordedRequest) -> Response:
        sent = {"host": "localhost", "accept": "*/*", **recorded.headers, **self.headers}
        path, _, query = recorded.path.partition("?")
        headers = {name.lower(): text for name, text in sent.items()}
        request = Request(recorded.method, path, query, headers, recorded.content, "127.0.0.1", id="compare")
        response = await awaited(self.application.answer(request))
        await response.whole()
        return response


async def replay(
    requests: Iterable[RecordedRequest], first: Side, second: Side, noise: Noise, headers: Iterable[str]
) -> AsyncIterator[tuple[RecordedRequest, list[Difference]]]:
    """Each request with the differences of its two answers, one request after the other."""
    for recorded in requests:
        one = await first.answer(recorded)
        other = await second.answer(recorded)
        yield recorded, differences(one, other, noise, headers)
