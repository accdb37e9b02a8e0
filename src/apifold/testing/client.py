"""A client in the same process: a request is a call, no socket between."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from apifold.application import Application
from apifold.deployment import Deployment
from apifold.generation import Target
from apifold.http import Request, awaited
from apifold.settings import Settings


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Client:
    """Talks to an application in this process.

    Args:
        application: built or not; it is built at the first request.
        headers: sent with every request.
    """

    def __init__(self, application: Application, headers: Mapping[str, str] | None = None) -> None:
        self.application = application
        self.headers = dict(headers or {})
        self.loop = asyncio.new_event_loop()
        self._numbers = itertools.count(1)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Answer:
        """Send a request and wait for its answer.

        Args:
            json: a body to send as JSON, or `body` as bytes.
            headers: beside those of the client.
            query: query parameters; lists are repeated.
        """
        sent = (
            {"host": "testserver", "accept": "*/*"}
            | self.headers
            | {name.lower(): value for name, value in (headers or {}).items()}
        )
        if json is not None:
            body = _json(json)
            sent.setdefault("content-type", "application/json")
        path, _, given = path.partition("?")
        asked = "&".join(part for part in (given, urlencode(query, doseq=True)) if part)
        return self.loop.run_until_complete(self._send(Request(method, path, asked, sent, body, client="127.0.0.1")))

    async def _send(self, request: Request) -> Answer:
        request.id = f"test-{next(self._numbers):x}"
        response = await awaited(self.application.answer(request))
        headers: dict[str, str] = {}
        for name, value in response.headers:
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        return Answer(response.status, headers, await response.whole())

    def get(self, path: str, **more: Any) -> Answer:
        """GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> Answer:
        """POST."""
        return self.request("POST", path, **more)

    def put(self, path: str, **more: Any) -> Answer:
        """PUT."""
        return self.request("PUT", path, **more)

    def patch(self, path: str, **more: Any) -> Answer:
        """PATCH."""
        return self.request("PATCH", path, **more)

    def delete(self, path: str, **more: Any) -> Answer:
        """DELETE."""
        return self.request("DELETE", path, **more)

    def close(self) -> None:
        """Stop the application, and close the loop."""
        if not self.loop.is_closed():
            self.loop.run_until_complete(self.application.stop())
            self.loop.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def client(
    *served: str | Path, settings: Settings | None = None, targets: Iterable[Target] = (), **changes: Any
) -> Client:
    """A client of some directories, files or installed services.

    Args:
        settings: those in force; `changes` are made to them.
    """

    chosen = settings or Settings(state="")
    chosen = msgspec.structs.replace(chosen, **changes)
    return Client(
        Application(Deployment(chosen), targets) if targets else Application.serving(map(str, served), chosen)
    )


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
