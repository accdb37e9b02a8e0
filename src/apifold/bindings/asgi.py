"""ASGI: an application of that kind answers, in this process (ASGI 3)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from apifold.bindings.tasks import tasked
from apifold.bindings.workplace import Workplace
from apifold.deployment import Deployment
from apifold.description import Operation
from apifold.errors import Broken
from apifold.exchange import Call, Exchange, Result
from apifold.http import Response, response_headers_to_pass

START_SECONDS = 30.0
"""How long an application may take to say that it has started, or stopped."""

log = logging.getLogger("apifold.asgi")

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def bind(operation: Operation, option: Any, workplace: Workplace) -> Call:
    """`implementation: asgi:MODULE:NAME`: the application of that name answers.

    Its scope has `apifold`: the `caller`, and what the service `provides` to handlers.
    """
    application: Application = workplace.named(operation, option)
    hosted: Hosted = workplace.deployment.once(f"asgi {option}", lambda: Hosted(application, workplace.deployment))
    provides = workplace.provides

    async def answered(exchange: Exchange) -> Result:
        response = await hosted.answer(scope_of(exchange, operation.method, provides), exchange.request.body)
        return Result(response.status, response)

    return tasked(answered)


def scope_of(exchange: Exchange, method: str, provides: Mapping[str, Any]) -> dict[str, Any]:
    """The scope of a request (ASGI, HTTP Connection Scope).

    Args:
        method: the operation's; a HEAD is a GET whose body nobody sends.
    """
    request = exchange.request
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": request.scheme,
        "path": request.prefix + unquote(request.path),
        "raw_path": (request.prefix + request.path).encode(),
        "query_string": request.query.encode("latin-1"),
        "root_path": request.prefix,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()],
        "client": (request.client, 0),
        "server": request.authority,
        "apifold": {"caller": exchange.caller, "provides": provides},
    }


class Hosted:
    """An application that lives in this process; started before its first request, stopped with the process."""

    def __init__(self, application: Application, deployment: Deployment) -> None:
        self.application = application
        self._deployment = deployment
        self._starting: asyncio.Task[None] | None = None
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._living: asyncio.Task[None] | None = None
        self._state: dict[str, Any] = {}
        self._talking: set[asyncio.Task[None]] = set()

    async def answer(self, scope: dict[str, Any], body: bytes) -> Response:
        """What the application answers.

        Raises:
            Broken: it raised an exception before it began to answer, or did not start.
        """
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())
        await asyncio.shield(self._starting)
        if self._state:
            scope["state"] = dict(self._state)
        conversation = _Conversation(self.application, scope, body)
        talking = asyncio.get_running_loop().create_task(conversation.run())
        self._talking.add(talking)
        talking.add_done_callback(self._talking.discard)
        return await conversation.response(talking)

    async def _start(self) -> None:
        self._told, self._said = asyncio.Queue(), asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        self._living = asyncio.get_running_loop().create_task(self._live(scope))
        try:
            if await self._exchanged("lifespan.startup") == "lifespan.startup.failed":
                raise Broken("The application behind this API did not start.")
        except BaseException:
            self._starting = None  # the next request tries again
            self._living.cancel()
            raise
        self._deployment.at_stop(self._stop)

    async def _stop(self) -> None:
        if self._talking:
            await asyncio.wait(self._talking, timeout=START_SECONDS)
        if self._living and not self._living.done():
            with suppress(TimeoutError):
                await self._exchanged("lifespan.shutdown")
            self._living.cancel()
            await asyncio.gather(self._living, return_exceptions=True)

    async def _exchanged(self, message: str) -> str:
        await self._told.put({"type": message})
        async with asyncio.timeout(START_SECONDS):
            return str((await self._said.get())["type"])

    async def _live(self, scope: dict[str, Any]) -> None:
        try:
            await self.application(scope, self._told.get, self._said.put)
        except Exception:  # an application need not know of lifespans; it says so by failing
            log.debug("an ASGI application takes no lifespan")
        await self._said.put({"type": "lifespan.over"})


class _Conversation:
    """One request to an application, and what it sends; the body as it comes, where there is more of it."""

    def __init__(self, application: Application, scope: dict[str, Any], body: bytes) -> None:
        self.application = application
        self.scope = scope
        self.sent: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(16)
        self.body: bytes | None = body
        self.over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._first = b""
        self._more = True

    async def response(self, task: asyncio.Task[None]) -> Response:
        """The answer.

        Raises:
            Broken: it ended before it had begun one.
        """
        self._task = task
        try:
            start = await self.sent.get()
            first = await self.sent.get() if start else None
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if start is None or first is None or start["type"] != "http.response.start":
            await self.aclose()
            raise Broken("The application behind this API failed.")
        headers = response_headers_to_pass(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in start.get("headers", ())
        )
        self._first, self._more = first.get("body", b""), first.get("more_body", False)
        if not self._more:
            self.over.set()
            return Response(start["status"], self._first, headers)
        return Response(start["status"], self, headers)

    def __aiter__(self) -> _Conversation:
        return self

    async def __anext__(self) -> bytes:
        """The next piece.

        Raises:
            ConnectionError: the application ended half way; nobody must take that for whole.
        """
        if self._first:
            first, self._first = self._first, b""
            return first
        if not self._more:
            self.over.set()
            raise StopAsyncIteration
        message = await self.sent.get()
        if message is None:
            raise ConnectionError("the application ended in the middle of its answer")
        self._more = message.get("more_body", False)
        return bytes(message.get("body", b""))

    async def aclose(self) -> None:
        """The client is gone, or wants no more."""
        self.over.set()
        if self._task and self._more:
            self._task.cancel()

    async def run(self) -> None:
        """Have the application answer."""
        try:
            await self.application(self.scope, self._receive, self.sent.put)
        except Exception:  # whatever it is, the client is to have an answer
            log.exception("an ASGI application failed: %s", self.scope["path"])
        finally:
            self.over.set()
        await self.sent.put(None)

    async def _receive(self) -> dict[str, Any]:
        if self.body is not None:
            body, self.body = self.body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.over.wait()
        return {"type": "http.disconnect"}
