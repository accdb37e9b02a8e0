"""Faults as a page; who is not known is asked for a name and a token, as browsers do it."""

from __future__ import annotations

from apifold import Fault, Request, Response, Unauthenticated, headers_of, status_of
from apifold_services.platform.console.page import HEADERS, problem

BASIC = ("WWW-Authenticate", 'Basic realm="platform", charset="UTF-8"')


class Page:
    """`platform-console`: a page that says what is wrong; 401 asks for HTTP Basic, with a token as the password."""

    def render(self, fault: Fault, request: Request) -> Response:
        status = status_of(fault)
        own = (BASIC,) if isinstance(fault, Unauthenticated) else headers_of(fault)
        text = problem(fault.title, fault.detail)
        return Response(status, text.encode(), (("Content-Type", "text/html; charset=utf-8"), *HEADERS, *own))
