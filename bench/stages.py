"""Where the time of a request goes in this process: no socket, no kernel, the same bytes again and again.

    python bench/stages.py

First each row as a whole, bytes in and bytes out, beside the raw protocol; then the stages of two of them, one by one.
A stage by itself is cheaper than in its place, where the processor has just done something else.
"""

from __future__ import annotations

import asyncio
import sys
import timeit
from collections.abc import Callable
from typing import Any

import uvloop
from asks import ROWS
from stacks import APPS, WORK

from apifold import Settings
from apifold.application import Application
from apifold.exchange import Exchange
from apifold.http import Request
from apifold.pipeline.handle import call, find, finish, handle, match
from apifold.server.edge import edge
from apifold.server.hub import Hub
from apifold.server.protocol import HttpProtocol
from servers import Ask

sys.path.insert(0, str(APPS))
from raw import Raw  # it lies beside the peers

CALLS, ROUNDS = 5_000, 7


class Nowhere:
    """A transport that throws away what is written."""

    def write(self, data: bytes) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else None


def as_bytes(ask: Ask) -> bytes:
    lines = [
        f"{ask.method} {ask.path} HTTP/1.1",
        "Host: 127.0.0.1:8080",
        *(f"{name}: {text}" for name, text in ask.headers),
    ]
    if ask.body:
        lines.append(f"Content-Length: {len(ask.body)}")
    return "\r\n".join([*lines, "", ""]).encode() + ask.body


def microseconds(work: Callable[[], Any]) -> float:
    """Of one call; the least of some rounds, because nothing makes it quicker than it is."""
    return min(timeit.repeat(work, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def connected(protocol: Any) -> Any:
    protocol.connection_made(Nowhere())
    return protocol


def stages(application: Application, ask: Ask) -> list[tuple[str, Callable[[], Any]]]:
    """What happens to a request, in its order."""
    path, _, query = ask.path.partition("?")
    headers = {name.lower(): text for name, text in ask.headers}
    request = Request(ask.method, path, query, headers, ask.body, "127.0.0.1", "http")
    site, observers = application.running.generation.site, application.running.observers
    segments = request.segments
    api = find(site, segments)
    endpoint, captured = match(api, request, segments)
    exchange = Exchange(request, 0.0, site, observers, api, endpoint, captured)
    endpoint.gate.admit(exchange)
    result: Any = call(exchange, observers)
    response = finish(exchange, result, observers)
    return [
        ("handle, all of it", lambda: handle(site, request, observers)),
        ("find", lambda: find(site, request.segments)),
        ("match", lambda: match(api, request, segments)),
        ("admit: identify, permit", lambda: endpoint.gate.admit(exchange)),
        ("call: negotiate, read, the handler", lambda: call(exchange, observers)),
        ("finish: render", lambda: finish(exchange, result, observers)),
        ("count", lambda: observers.answered[0](exchange, response, 0.0001)),
    ]


async def main() -> None:
    sys.path.insert(0, str(WORK))
    settings = Settings(auth="tokens", tokens=str(WORK / "tokens.yaml"), state="", watch=False)
    application = Application.serving([str(WORK / "apis")], settings)
    application.build()
    hub = Hub(edge(application.running.answer, settings), settings, asyncio.get_running_loop())
    ours, raw = connected(HttpProtocol(hub)), connected(Raw())
    print("| us | raw protocol | apifold |\n|---|---|---|")
    for row in ROWS:
        sent = as_bytes(row.ask)
        costs = [microseconds(lambda one=one, sent=sent: one.data_received(sent)) for one in (raw, ours)]
        print(f"| {row.name} | {costs[0]:.2f} | {costs[1]:.2f} |")
    for row in ROWS[:2]:
        print(f"\n| us | {row.name} |\n|---|---|")
        for name, work in stages(application, row.ask):
            print(f"| {name} | {microseconds(work):.2f} |")
    application.close()


if __name__ == "__main__":
    uvloop.run(main())
