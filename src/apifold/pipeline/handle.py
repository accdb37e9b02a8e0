"""The line of a request. It reads from top to bottom and never grows: a new ability is a field of the endpoint.

A request that waits for nothing is answered by plain calls; one that waits (for its caller to be identified, for its
handler) goes on in a coroutine from there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from time import perf_counter

from msgspec.structs import replace

from apifold.errors import Broken, Denied, Fault, MethodNotAllowed, NotServed, TooLarge
from apifold.exchange import Exchange, Result
from apifold.http import Request, Responding, Response, awaited
from apifold.observe.events import Crashed, Observers, WouldRefuse
from apifold.pipeline.choice import chosen
from apifold.pipeline.endpoint import Api, Endpoint, Site
from apifold.routing import Choice

SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
"""Methods that change nothing (RFC 9110, 9.2.1)."""

MAX_JOINED_BYTES = 8 * 1024 * 1024
"""Of a body that came in pieces and is wanted whole."""


def handle(site: Site, request: Request, observers: Observers) -> Responding:
    """The response to a request, whatever happens on the way; a coroutine that gives it where that takes time.

    Args:
        site: what is served; a request finishes on the site it began with.
        observers: are told what happened.
    """
    exchange = Exchange(request, perf_counter(), site, observers)
    try:
        segments = request.segments
        api = exchange.api = find(site, segments)
        if api.versions is not None:
            api = negotiate(exchange, api, segments)
        endpoint, exchange.captured = match(api, request, segments)
        exchange.endpoint = endpoint
        if endpoint.ending is not None:
            endpoint.ending.admit(exchange)
        waiting = endpoint.gate.admit(exchange)
        if waiting is not None:
            return _later(site, exchange, observers, waiting)
        result = call(exchange, observers)
        if not isinstance(result, Result):
            return _later(site, exchange, observers, result)
        response = finish(exchange, result, observers)
    except Exception as error:  # even a handler's own mistake must not reach the client, nor end the worker
        response = failed(site, exchange, error, observers)
    return _told(exchange, response, observers)


async def _later(site: Site, exchange: Exchange, observers: Observers, waiting: Awaitable[Result | None]) -> Response:
    """The rest of the line, from where it had to wait: for the caller to be admitted, or for the result."""
    try:
        result = await waiting or call(exchange, observers)
        if not isinstance(result, Result):
            result = await result
        response = finish(exchange, result, observers)
    except Exception as error:  # as above
        response = failed(site, exchange, error, observers)
    return _told(exchange, response, observers)


def _told(exchange: Exchange, response: Response, observers: Observers) -> Response:
    """The response, once everybody was told of it."""
    seconds = perf_counter() - exchange.began
    api: Api | None = exchange.api
    if api is not None and api.identified_by and exchange.request.id:
        exchange.notice += tuple((name, exchange.request.named(form)) for name, form in api.identified_by)
    if exchange.notice:  # another response, because a handler may answer with the same one again
        response = replace(response, headers=(*response.headers, *exchange.notice))
    for tell in observers.answered:
        tell(exchange, response, seconds)
    return response


async def inside(exchange: Exchange, request: Request) -> Response:
    """The response to another request, on what the exchange's own began with.

    Raises:
        Denied: it would change something, for a request that is only compared.
    """
    if exchange.is_shadow and request.method not in SAFE:
        raise Denied("What is only compared changes nothing.")
    if request.pieces is not None and not takes_pieces(exchange.site, request):
        request.body, request.pieces = await _joined(request.pieces), None
    return await awaited(handle(exchange.site, request, exchange.observers))


async def _joined(pieces: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > MAX_JOINED_BYTES:
            raise TooLarge(f"A body may have {MAX_JOINED_BYTES} bytes.")
    return bytes(body)


def takes_pieces(site: Site, request: Request) -> bool:
    """Whether the operation that a request is for takes its body in pieces."""
    if not site.streams:
        return False
    try:
        exchange = Exchange(request)
        segments = request.segments
        api = exchange.api = find(site, segments)
        if api.versions is not None:
            api = negotiate(exchange, api, segments)
        return match(api, request, segments)[0].streams
    except Fault:
        return False


def find(site: Site, segments: list[str]) -> Api:
    """The API with the longest base path in front of the request's path.

    Raises:
        NotFound: there is none.
    """
    for base, api in site.by_first.get(segments[0], site.at_root):
        if not base or segments[: len(base)] == base:
            return api
    raise NotServed("Nothing is served at this path.")


def negotiate(exchange: Exchange, api: Api, segments: list[str]) -> Api:
    """The API at the version that the request asks for; as it is for its documents and pages, which have none.

    Raises:
        Malformed: what it asks for is no version.
        NotAcceptable: there is no such version.
    """
    request, versions = exchange.request, api.versions
    if versions is None or api.guests.find(request.path, segments, request.method):
        return api
    try:
        chosen, exchange.version, exchange.notice = versions.choose(request.headers)
    except Fault as fault:
        exchange.notice = versions.told_of(request.headers, fault)
        raise
    exchange.api = chosen
    return chosen


def match(api: Api, request: Request, segments: list[str]) -> tuple[Endpoint, Sequence[str]]:
    """The endpoint for the path and method, and the values of the path's variables.

    Raises:
        NotFound: no such path.
        MethodNotAllowed: the path has other methods.
        Invalid, Malformed, UnsupportedMedia: the path has several operations, and the body names none of them.
    """
    found = api.table.find(request.path, segments, request.method)
    if found is None:
        allowed = api.table.methods(segments)
        raise MethodNotAllowed(allowed) if allowed else NotServed("Nothing is served at this path.")
    endpoint, captured = found
    return (chosen(endpoint, request), captured) if isinstance(endpoint, Choice) else (endpoint, captured)


def call(exchange: Exchange, observers: Observers) -> Result | Awaitable[Result]:
    """What the binding answers to a request that is as it should be.

    Raises:
        Fault: the request breaks its contract, or the binding says so.
    """
    endpoint: Endpoint = exchange.endpoint
    accept = exchange.request.headers.get("accept")
    exchange.media = endpoint.writer.media if accept is None else endpoint.writer.negotiate(accept)
    problems = endpoint.reader.read(exchange)
    if problems:
        observers.tell(WouldRefuse(exchange, "request", problems))
    exchange.called = True
    return endpoint.call(exchange)


def finish(exchange: Exchange, result: Result, observers: Observers) -> Response:
    """The response that a result is.

    Raises:
        Broken: it is not what the description promises, and the mode is `reject`.
    """
    writer = exchange.endpoint.writer
    response: Response = writer.render(result, exchange.media)
    if writer.mode != "off":
        problems = writer.refuse(result, response)
        if problems:
            observers.tell(WouldRefuse(exchange, "response", problems))
    return response


def failed(site: Site, exchange: Exchange, error: Exception, observers: Observers) -> Response:
    """The response that a fault is; any other exception is our own mistake."""
    if not isinstance(error, Fault):
        observers.tell(Crashed(exchange, error))
        known_as = f" The log knows it as {exchange.request.id}." if exchange.request.id else ""
        error = Broken(f"Something went wrong here.{known_as}")
    elif isinstance(error, Broken):
        observers.tell(Crashed(exchange, error))
    return (exchange.api or site).dialect.render(error, exchange.request)
