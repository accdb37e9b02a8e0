"""How API v1 words its faults: as WSME and Pecan did."""

from __future__ import annotations

import orjson

from apifold import Fault, MethodNotAllowed, NotServed, Problem, Request, Response, headers_of, status_of

WAYS = {
    ("query", "is missing"): 'Missing argument: "{name}"',
    ("query", "is not a known parameter"): 'Unknown argument: "{name}"',
    ("body", "is missing"): "Invalid input for field/attribute {name}. Value: 'None'. Mandatory field missing.",
    ("body", "is not a known member"): "Unknown attribute for argument {what}_data: {name}",
}
"""What is wrong with a part of a request, in the words of old."""


class Wsme:
    """`rating-v1`: `{"faultcode": "Client", "faultstring": "...", "debuginfo": null}`; unknown paths are 405."""

    def render(self, fault: Fault, request: Request) -> Response:
        if isinstance(fault, NotServed | MethodNotAllowed):
            allow = headers_of(fault) or (("Allow", ""),)
            return _json(405, {"code": 405, "title": "Method Not Allowed", "description": ""}, *allow)
        status = status_of(fault)
        code = "Client" if status < 500 else "Server"
        problems = getattr(fault, "problems", ())
        said = "; ".join(_sentence(problem, request) for problem in problems) or fault.detail or fault.title
        return _json(status, {"faultcode": code, "faultstring": said, "debuginfo": None}, *headers_of(fault))


def _sentence(problem: Problem, request: Request) -> str:
    name = problem.pointer.rpartition("/")[2]
    form = WAYS.get((problem.where, problem.detail))
    if form is None:
        return f"Invalid input for field/attribute {name or problem.where}. It {problem.detail}."
    last = next((part for part in reversed(request.path.split("/")) if part.endswith("s")), "")
    return form.format(name=name, what=last.removesuffix("s"))


def _json(status: int, body: object, *headers: tuple[str, str]) -> Response:
    return Response(status, orjson.dumps(body), (("Content-Type", "application/json"), *headers))
