"""What stands between the socket and the application: proxies, rate limits, CORS, compression.

Each is switched on by a setting and costs nothing while it is off.
"""

from __future__ import annotations

import asyncio
import gzip
import re

from apifold.errors import Limited
from apifold.http import Request, Responding, Response, awaited, takes_gzip
from apifold.pipeline.dialects import ProblemDialect
from apifold.server.cors import Cors
from apifold.server.forwarded import Forwarded
from apifold.server.hub import Answer
from apifold.server.limiter import SharedLimits, limiter
from apifold.settings import Settings

_COMPRESSIBLE = re.compile(r"text/|application/(.*\+)?(json|xml|yaml|javascript)|image/svg")
_SMALLEST = 1024


def edge(answer: Answer, settings: Settings, limits: SharedLimits | None = None) -> Answer:
    """The application with everything around it that the settings ask for; itself where they ask for nothing."""
    if settings.rate_limit:
        answer = with_rate_limit(answer, settings.rate_limit, limits or SharedLimits())
    if settings.cors_origins:
        answer = Cors(settings.cors_origins, settings.cors_credentials).around(answer)
    if settings.compression:
        answer = with_compression(answer)
    if settings.prefix.rstrip("/"):
        answer = with_prefix(answer, settings.prefix.rstrip("/"))
    if settings.trusted_proxies:
        answer = Forwarded(settings.trusted_proxies).around(answer)
    return answer


def with_prefix(answer: Answer, prefix: str) -> Answer:
    """Tells the application where clients see it, unless a proxy said so."""

    def prefixed(request: Request) -> Responding:
        request.prefix = request.prefix or prefix
        return answer(request)

    return prefixed


def with_rate_limit(answer: Answer, rate: str, limits: SharedLimits) -> Answer:
    """Answers 429 to clients that ask too often."""
    check = limiter(rate, limits)
    dialect = ProblemDialect()

    def limited(request: Request) -> Responding:
        try:
            check(request)
        except Limited as fault:
            return dialect.render(fault, request)
        return answer(request)

    return limited


def with_compression(answer: Answer) -> Answer:
    """Sends larger answers compressed to clients that take gzip (RFC 9110, 8.4.1.3)."""

    async def compressed(request: Request) -> Response:
        response = await awaited(answer(request))
        body = response.body
        if not isinstance(body, bytes) or len(body) < _SMALLEST or response.header("content-encoding"):
            return response
        if not _COMPRESSIBLE.match(response.header("content-type") or ""):
            return response
        headers = (*response.headers, ("Vary", "Accept-Encoding"))
        if not takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(response.status, body, headers)
        smaller = await asyncio.to_thread(gzip.compress, body, 5, mtime=0)
        weak = tuple(
            (name, f"W/{value}" if name.lower() == "etag" and value.startswith('"') else value)
            for name, value in headers
        )
        return Response(response.status, smaller, (*weak, ("Content-Encoding", "gzip")))

    return compressed
