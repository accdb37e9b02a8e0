"""The line of a request. It reads from top to bottom and never grows: a new ability is a field of the endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from time import perf_counter

from apifold.errors import Broken, Denied, Fault, MethodNotAllowed, NotFound, Unauthenticated
from apifold.exchange import NOBODY, Caller, Exchange, Result
from apifold.http import Request, Response
from apifold.observe.events import Crashed, Observers, WouldRefuse
from apifold.pipeline.endpoint import Api, Endpoint, Gate, Site

_NO_SCOPES: frozenset[str] = frozenset()


async def handle(site: Site, request: Request, observers: Observers) -> Response:
    """The response to a request, whatever happens on the way.

    Each stage adds what it found to the exchange.

    Args:
        site: what is served; a request finishes on the site it began with.
        observers: are told what happened.
    """
    began = perf_counter()
    exchange = Exchange(request)
    try:
        segments = request.segments
        api = exchange.api = find(site, segments)
        endpoint, captured = match(api, request, segments)
        exchange.endpoint, exchange.captured = endpoint, captured
        exchange.media = endpoint.writer.negotiate(request.headers.get("accept"))
        caller, scopes = identify(endpoint.gate, request)
        exchange.caller = caller if isinstance(caller, Caller) else await caller
        permit(endpoint.gate, exchange.caller, scopes, captured)
        exchange.arguments, problems = endpoint.reader.read(request, captured)
        if problems:
            observers.tell(WouldRefuse(exchange, "request", problems))
        result = endpoint.call(exchange)
        if not isinstance(result, Result):
            result = await result
        response = endpoint.writer.render(result, exchange.media)
        problems = endpoint.writer.refuse(result, response)
        if problems:
            observers.tell(WouldRefuse(exchange, "response", problems))
    except Fault as fault:
        if isinstance(fault, Broken):
            observers.tell(Crashed(exchange, fault))
        response = (exchange.api or site).dialect.render(fault, request)
    except Exception as error:  # a handler's own mistake must not reach the client, nor end the worker
        observers.tell(Crashed(exchange, error))
        known_as = f" The log knows it as {request.id}." if request.id else ""
        broken = Broken(f"Something went wrong here.{known_as}")
        response = (exchange.api or site).dialect.render(broken, request)
    seconds = perf_counter() - began
    for tell in observers.answered:
        tell(exchange, response, seconds)
    return response


def find(site: Site, segments: list[str]) -> Api:
    """The API with the longest base path in front of the request's path.

    Raises:
        NotFound: there is none.
    """
    for base, api in site.by_first.get(segments[0], site.at_root):
        if segments[: len(base)] == base:
            return api
    raise NotFound("Nothing is served at this path.")


def match(api: Api, request: Request, segments: list[str]) -> tuple[Endpoint, Sequence[str]]:
    """The endpoint for the path and method, and the values of the path's variables.

    Raises:
        NotFound: no such path.
        MethodNotAllowed: the path has other methods.
    """
    found = api.table.find(request.path, segments, request.method)
    if isinstance(found, frozenset):
        if found:
            raise MethodNotAllowed(found)
        raise NotFound("Nothing is served at this path.")
    return found


def identify(gate: Gate, request: Request) -> tuple[Caller | Awaitable[Caller], frozenset[str]]:
    """Who is asking, and the scopes that the description asks of whoever comes in this way.

    Raises:
        Unauthenticated: nobody, where somebody is needed; or somebody who can't prove it.
    """
    for alternative in gate.security.alternatives:
        credential = alternative.find(request)
        if credential:
            return gate.method.identify(credential), alternative.scopes
    if gate.method.open:
        return gate.method.identify(""), _NO_SCOPES
    if gate.public or gate.security.optional:
        return NOBODY, _NO_SCOPES
    raise Unauthenticated(challenge=gate.method.challenge)


def permit(gate: Gate, caller: Caller, scopes: frozenset[str], captured: Sequence[str]) -> None:
    """Whether the scopes and the rule that the description names let the caller do this.

    Raises:
        Denied: it does not.
    """
    if scopes and not scopes <= caller.scopes and not gate.method.open:
        raise Denied(f"This needs the scope {', '.join(sorted(scopes - caller.scopes))}.")
    if gate.rule is None:
        return
    target = {"project_id": caller.project, "user_id": caller.user}
    if captured:
        target.update(zip(gate.captures, captured, strict=True))
    if not gate.rule(caller, target):
        raise Denied("You are not allowed to do this.")
