"""What the server says by itself, where no application is asked."""

from __future__ import annotations

import orjson

from apifold.http import Response, reason


class Refusal(Exception):
    """What came in is not to be read on; answered with a status, then the connection closes."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    def response(self) -> Response:
        """The refusal as a problem document (RFC 9457)."""
        body = {"type": "about:blank", "title": reason(self.status), "status": self.status, "detail": self.detail}
        return Response(self.status, orjson.dumps(body), (("Content-Type", "application/problem+json"),))
