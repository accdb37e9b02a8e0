"""How compute words its faults: `{"itemNotFound": {"code": 404, "message": ...}}`, as its clients know them."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from apifold import Denied, Fault, Invalid, Limited, Problem, Request, Response, Unauthenticated, headers_of, status_of

NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
"""The names of faults by status; all others are a `computeFault`."""


class Nova:
    """`compute`: upstream's faults; who is not known is told so in Keystone's words."""

    def render(self, fault: Fault, request: Request) -> Response:
        status = status_of(fault)
        if isinstance(fault, Unauthenticated):
            said = {
                "code": 401,
                "title": "Unauthorized",
                "message": "The request you have made requires authentication.",
            }
            return _respond(401, {"error": said}, fault)
        found: dict[str, object] = {"code": status, "message": _message(fault)}
        if isinstance(fault, Limited):
            found["retryAfter"] = fault.retry_after
        return _respond(status, {NAMES.get(status, "computeFault"): found}, fault)


def _respond(status: int, body: object, fault: Fault) -> Response:
    return Response(status, orjson.dumps(body), (("Content-Type", "application/json"), *headers_of(fault)))


def _message(fault: Fault) -> str:
    if isinstance(fault, Invalid) and fault.problems:
        return "; ".join(_sentences(fault.problems))
    if isinstance(fault, Denied) and fault.rule:
        return f"Policy doesn't allow {fault.rule} to be performed."
    return str(fault.detail or fault.title)


def _sentences(problems: Iterable[Problem]) -> Iterable[str]:
    for problem in problems:
        name = problem.pointer.rpartition("/")[2]
        if not name:
            yield problem.detail if problem.where != "body" else f"The body {problem.detail}"
        elif problem.detail == "is missing":
            yield f"{name!r} is a required property"
        elif problem.where == "query":
            yield f"Invalid input for query parameters {name}: it {problem.detail}"
        else:
            yield f"Invalid input for field/attribute {name}: it {problem.detail}"
