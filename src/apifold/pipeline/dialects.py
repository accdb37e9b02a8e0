"""Dialects: how one API words its faults. Only here is it known which status a fault has.

A dialect is found by name among the entry points of `apifold.dialects`, or declared in the description:

    x-apifold:
      errors:
        template: {error: {code: "{status}", message: "{detail}", request: "{request_id}"}}
        media_type: application/json
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import orjson

from apifold import errors
from apifold.errors import Fault
from apifold.http import Request, Response, reason

STATUSES: dict[type[Fault], int] = {
    errors.Invalid: 400,
    errors.Malformed: 400,
    errors.Unprocessable: 422,
    errors.Unauthenticated: 401,
    errors.Denied: 403,
    errors.NotFound: 404,
    errors.NotServed: 404,
    errors.Gone: 410,
    errors.MethodNotAllowed: 405,
    errors.NotAcceptable: 406,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.PreconditionRequired: 428,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.Limited: 429,
    errors.ToBeDone: 501,
    errors.Unavailable: 503,
    errors.UpstreamFailed: 502,
    errors.UpstreamTimeout: 504,
    errors.Broken: 500,
    Fault: 500,
}
"""The status of each fault (RFC 9110, 15; RFC 6585)."""

_HEADERS: dict[type[Fault], Callable[[Any], tuple[tuple[str, str], ...]]] = {
    errors.Unauthenticated: lambda fault: (("WWW-Authenticate", fault.challenge),),
    errors.MethodNotAllowed: lambda fault: (("Allow", ", ".join(fault.allowed)),),
    errors.UnsupportedMedia: lambda fault: _accepted(fault.accepted),
    errors.Limited: lambda fault: (("Retry-After", str(fault.retry_after)),),
    errors.Unavailable: lambda fault: (("Retry-After", str(fault.retry_after)),) if fault.retry_after else (),
}


class Dialect(Protocol):
    """How one API words its faults."""

    def render(self, fault: Fault, request: Request) -> Response:
        """The response that a fault is."""


def status_of(fault: Fault, statuses: dict[type[Fault], int] = STATUSES) -> int:
    """The status of a fault, or of the nearest kind of fault that has one."""
    known = statuses.get(type(fault))
    return known or next(statuses[kind] for kind in type(fault).__mro__ if kind in statuses)


def headers_of(fault: Fault) -> tuple[tuple[str, str], ...]:
    """The headers that HTTP asks for beside a fault's status."""
    for kind in type(fault).__mro__:
        if kind in _HEADERS:
            return _HEADERS[kind](fault)
    return ()


def problems_of(fault: Fault) -> list[dict[str, str]]:
    """What is wrong, one by one: `in`, `pointer`, `detail`."""
    found = getattr(fault, "problems", ())
    return [{"in": problem.where, "pointer": problem.pointer, "detail": problem.detail} for problem in found]


def respond(status: int, body: Any, media: str, fault: Fault) -> Response:
    """A response with a JSON body and the fault's headers."""
    return Response(status, orjson.dumps(body, default=str), (("Content-Type", media), *headers_of(fault)))


class ProblemDialect:
    """`problem`: RFC 9457, with `errors: [{in, pointer, detail}]` for what is wrong with a request."""

    def render(self, fault: Fault, request: Request) -> Response:
        status = status_of(fault)
        body: dict[str, Any] = {"type": "about:blank", "title": fault.title, "status": status, "detail": fault.detail}
        found = problems_of(fault)
        if found:
            body["errors"] = found
        if status >= 500:
            body["request_id"] = request.id
        return respond(status, body, "application/problem+json", fault)


class MessageDialect:
    """`message`: `{"message": "..."}`, what is wrong in one line."""

    def render(self, fault: Fault, request: Request) -> Response:
        return respond(status_of(fault), {"message": one_line(fault)}, "application/json", fault)


class WsmeDialect:
    """`wsme`: `{"faultcode": "Client", "faultstring": "...", "debuginfo": null}`, as services made by WSME have it."""

    def render(self, fault: Fault, request: Request) -> Response:
        status = status_of(fault)
        body = {"faultcode": "Client" if status < 500 else "Server", "faultstring": one_line(fault), "debuginfo": None}
        return respond(status, body, "application/json", fault)


class OpenStackDialect:
    """`openstack`: `{"badRequest": {"code": 400, "message": "..."}}`, as OpenStack's older APIs have it."""

    names = {
        400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
        409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented",
        503: "serviceUnavailable",
    }  # fmt: skip

    def render(self, fault: Fault, request: Request) -> Response:
        status = status_of(fault)
        name = self.names.get(status, "computeFault")
        return respond(status, {name: {"code": status, "message": one_line(fault)}}, "application/json", fault)


class TemplateDialect:
    """A dialect declared in a description: a template with `{status}`, `{title}`, `{detail}`, `{message}`,
    `{problems}`, `{reason}` and `{request_id}`; one that stands alone keeps its type."""

    def __init__(
        self, template: Any, media_type: str = "application/json", statuses: dict[str, int] | None = None
    ) -> None:
        self.template = template
        self.media_type = media_type
        named = {kind.__name__: kind for kind in STATUSES}
        unknown = sorted(set(statuses or {}) - set(named))
        if unknown:
            raise ValueError(f"there is no fault named {unknown[0]!r}; there are: {', '.join(named)}")
        self.statuses = STATUSES | {named[name]: status for name, status in (statuses or {}).items()}
        _filled(template, dict.fromkeys(_WORDS, ""))

    def render(self, fault: Fault, request: Request) -> Response:
        status = status_of(fault, self.statuses)
        values = {
            "status": status,
            "title": fault.title,
            "detail": fault.detail,
            "message": one_line(fault),
            "problems": problems_of(fault),
            "reason": reason(status),
            "request_id": request.id,
        }
        return respond(status, _filled(self.template, values), self.media_type, fault)


_WORDS = ("status", "title", "detail", "message", "problems", "reason", "request_id")


def one_line(fault: Fault) -> str:
    """Everything that a fault says to a client, in one line."""
    found = getattr(fault, "problems", ())
    if found:
        return "; ".join(f"{problem.pointer.lstrip('/') or problem.where}: {problem.detail}" for problem in found)
    return fault.detail or fault.title


def _filled(template: Any, values: dict[str, Any]) -> Any:
    if isinstance(template, dict):
        return {key: _filled(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    if not isinstance(template, str):
        return template
    if template[:1] == "{" and template[1:-1] in values and template[-1:] == "}":
        return values[template[1:-1]]
    for word, value in values.items():
        template = template.replace(f"{{{word}}}", str(value))
    return template


def _accepted(media: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    patches = [name for name in media if "patch" in name]
    both = (("Accept", ", ".join(media)),)
    return (*both, ("Accept-Patch", ", ".join(patches))) if patches else both
