"""Cross-origin calls from web pages (WHATWG Fetch, 3.2)."""

from __future__ import annotations

from collections.abc import Iterable

from apifold.http import Request, Response, awaited
from apifold.server.hub import Answer

MAX_AGE = "600"
"""Seconds that a browser may remember a preflight."""

EXPOSED = ("ETag", "Link", "Location", "X-Request-Id", "Retry-After", "Deprecation", "Sunset")


class Cors:
    """Lets pages of some origins call.

    Args:
        origins: such as `https://app.example.org`, or `*` for all.
        credentials: let them send cookies and credentials; then `*` is answered with the page's own origin.
    """

    def __init__(self, origins: Iterable[str], credentials: bool) -> None:
        self.origins = frozenset(origin.rstrip("/") for origin in origins)
        self.credentials = credentials

    def around(self, answer: Answer) -> Answer:
        """The application with CORS around it: on errors, too."""

        async def cors(request: Request) -> Response:
            origin = request.headers.get("origin")
            if origin is None:
                return await awaited(answer(request))
            allowed = self._allowed(origin)
            if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
                return Response(204, b"", (*self._preflight(request), *allowed) if allowed else (("Vary", "Origin"),))
            response = await awaited(answer(request))
            return Response(
                response.status,
                response.body,
                (*response.headers, *allowed, ("Access-Control-Expose-Headers", _exposed(response))),
            )

        return cors

    def _allowed(self, origin: str) -> tuple[tuple[str, str], ...]:
        if origin not in self.origins and "*" not in self.origins:
            return ()
        if "*" in self.origins and not self.credentials:
            return (("Access-Control-Allow-Origin", "*"),)
        headers = (("Access-Control-Allow-Origin", origin), ("Vary", "Origin"))
        return (*headers, ("Access-Control-Allow-Credentials", "true")) if self.credentials else headers

    @staticmethod
    def _preflight(request: Request) -> tuple[tuple[str, str], ...]:
        asked = request.headers.get("access-control-request-headers")
        headers = (
            ("Access-Control-Allow-Methods", request.headers["access-control-request-method"]),
            ("Access-Control-Max-Age", MAX_AGE),
        )
        return (*headers, ("Access-Control-Allow-Headers", asked)) if asked else headers


def _exposed(response: Response) -> str:
    """What pages may read: what is always there for them, and headers that answers vary by, as versions are told in."""
    vary = {name.strip().lower() for key, value in response.headers if key == "Vary" for name in value.split(",")}
    return ", ".join((*EXPOSED, *(name for name, _ in response.headers if name.lower() in vary)))
