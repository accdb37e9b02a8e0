"""WSGI: an application of that kind answers, in this process (PEP 3333). The calling is the standard library's."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.handlers import SimpleHandler
from wsgiref.headers import Headers

from apifold.bindings.workplace import Workplace
from apifold.description import Operation
from apifold.errors import Broken
from apifold.exchange import Call, Exchange, Result
from apifold.http import Request, Response, response_headers_to_pass

log = logging.getLogger("apifold.wsgi")

_NOT_PASSED = frozenset(("content-type", "content-length", "transfer-encoding", "proxy"))

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


def bind(operation: Operation, option: Any, workplace: Workplace) -> Call:
    """`implementation: wsgi:MODULE:NAME`: the application of that name answers, in a thread.

    Its environment has `apifold.caller`, who is asking, and `apifold.provides`, what the service gives to handlers.
    """
    application: Application = workplace.named(operation, option)
    provides, threads = workplace.provides, workplace.threads

    async def call(exchange: Exchange) -> Result:
        environ = environment(exchange, operation.method, provides)
        response = await asyncio.get_running_loop().run_in_executor(threads, answer, application, environ)
        return Result(response.status, response)

    return call


def environment(exchange: Exchange, method: str, provides: Mapping[str, Any]) -> dict[str, Any]:
    """The environment of a request (PEP 3333, "environ Variables").

    Args:
        method: the operation's; a HEAD is a GET whose body nobody sends.
    """
    request = exchange.request
    host, port = request.authority
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": request.prefix,
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.client,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": io.BytesIO(request.body),
        "apifold.caller": exchange.caller,
        "apifold.provides": provides,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in _headers(request)},
    }
    if "content-type" in request.headers:
        environ["CONTENT_TYPE"] = request.headers["content-type"]
    return environ


def answer(application: Application, environ: dict[str, Any]) -> Response:
    """What an application answers.

    Raises:
        Broken: it raised an exception before it began to answer.
    """
    calling = _Calling(environ)
    calling.run(application)
    if calling.error is not None or calling.status is None or calling.headers is None:
        log.error("a WSGI application failed: %s", environ["PATH_INFO"], exc_info=calling.error)
        raise Broken("The application behind this API failed.")
    status = int(calling.status.partition(" ")[0])
    return Response(status, calling.body.getvalue(), response_headers_to_pass(calling.headers.items()))


class _Calling(SimpleHandler):
    """One call; what is written is kept in memory, what is raised is kept, too."""

    os_environ: dict[str, str] = {}
    environ: dict[str, Any]
    status: str | None
    headers: Headers | None
    result: Any

    def __init__(self, environ: dict[str, Any]) -> None:
        self.body = io.BytesIO()
        self.error: BaseException | None = None
        super().__init__(environ["wsgi.input"], self.body, sys.stderr, environ, multiprocess=True)

    def run(self, application: Application) -> None:
        """Call it, and keep whatever it raises; the library lets some of that pass for an end."""
        try:
            self.setup_environ()
            self.result = application(self.environ, self.start_response)
            self.finish_response()
        except Exception as error:  # the client is to have an answer
            self.error = error

    def get_scheme(self) -> str:
        """The client's, not that of a variable."""
        return str(self.environ["wsgi.url_scheme"])

    def send_headers(self) -> None:
        """They are taken from here, not written."""
        self.headers_sent = True

    def finish_content(self) -> None:
        """An empty body is an empty body."""
        self.headers_sent = True

    def close(self) -> None:
        """End the answer; what it said stays."""
        if hasattr(self.result, "close"):
            self.result.close()


def _headers(request: Request) -> list[tuple[str, str]]:
    # A name with an underscore could pass for another one, and `Proxy` for a setting of the process.
    return [(name, value) for name, value in request.headers.items() if "_" not in name and name not in _NOT_PASSED]
