"""The access log: one line for each request, written once for all requests that one turn of the loop answered."""

from __future__ import annotations

import asyncio
import time
from typing import TextIO

import orjson

from apifold.exchange import Exchange
from apifold.http import Response


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
        self._lines: list[str] = []
        self._second = 0
        self._clock = ""

    def answered(self, exchange: Exchange, response: Response, seconds: float) -> None:
        """Note an answer."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.write)
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            form = "%Y-%m-%dT%H:%M:%S" if self.as_json else "%H:%M:%S"
            self._clock = time.strftime(form, time.gmtime(now) if self.as_json else time.localtime(now))
        if self.as_json:
            self._lines.append(self._json(exchange, response, seconds, int(now % 1 * 1000)))
        else:
            request = exchange.request
            self._lines.append(
                f"{self._clock} I {request.client} {request.method} {request.path} {response.status} "
                f"{seconds * 1000:.1f} ms\n"
            )

    def _json(self, exchange: Exchange, response: Response, seconds: float, milliseconds: int) -> str:
        request, endpoint = exchange.request, exchange.endpoint
        line = {
            "time": f"{self._clock}.{milliseconds:03d}Z",
            "level": "info",
            "logger": "apifold.access",
            "message": "answered",
            "request_id": request.id,
            "client": request.client,
            "method": request.method,
            "path": request.path,
            "status": response.status,
            "milliseconds": round(seconds * 1000, 2),
            "user": exchange.caller.user,
            "api": endpoint.api if endpoint else "",
            "operation": endpoint.name if endpoint else "",
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE).decode()

    def write(self) -> None:
        """Write the lines that wait."""
        lines, self._lines = self._lines, []
        self.stream.write("".join(lines))
        self.stream.flush()
