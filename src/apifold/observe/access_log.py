"""The access log: one line for each request, written once for all requests that one turn of the loop answered."""

from __future__ import annotations

import asyncio
import time
from typing import TextIO

import msgspec

from apifold.exchange import Exchange
from apifold.http import Response
from apifold.observe.moments import timestamp

_ENCODER = msgspec.json.Encoder()


class Line(msgspec.Struct, gc=False, tag_field="logger", tag="apifold.access"):
    """One line, as JSON has it."""

    time: str
    request_id: str
    client: str
    method: str
    path: str
    status: int
    milliseconds: float
    user: str
    api: str
    operation: str
    level: str = "info"
    message: str = "answered"

    def text(self) -> str:
        """The same for people."""
        request = f"{self.client} {self.method} {self.path}"
        return f"{self.time} I {request} {self.status} {self.milliseconds:.1f} ms\n"


class AccessLog:
    """Writes a line for each answer.

    Lines wait until the loop has done what is ready now, so that many of them are one write when there is much to do,
    and none waits when there is little.

    Args:
        stream: where they go.
        as_json: one JSON object a line, else text for people.
    """

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self.stream = stream
        self.as_json = as_json
        self._lines: list[Line] = []
        self._time = ""

    def answered(self, exchange: Exchange, response: Response, seconds: float) -> None:
        """Note an answer."""
        if not self._lines:
            self._time = timestamp(time.time()) if self.as_json else time.strftime("%H:%M:%S")
            asyncio.get_running_loop().call_soon(self.write)
        request, endpoint = exchange.request, exchange.endpoint
        self._lines.append(
            Line(
                self._time,
                request.id,
                request.client,
                request.method,
                request.path,
                response.status,
                int(seconds * 100_000) / 100,
                exchange.caller.user,
                endpoint.api if endpoint else "",
                endpoint.name if endpoint else "",
            )
        )

    def write(self) -> None:
        """Write the lines that wait."""
        lines, self._lines = self._lines, []
        text = _ENCODER.encode_lines(lines).decode() if self.as_json else "".join([line.text() for line in lines])
        self.stream.write(text)
        self.stream.flush()
