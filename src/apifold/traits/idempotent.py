"""Idempotency keys: a repeated request gets the first answer again, and is not done twice.

draft-ietf-httpapi-idempotency-key-header-07. A key belongs to its caller, method and path, so that nobody meets
another's answer.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import orjson

from apifold.errors import Invalid, Problem
from apifold.exchange import Around, Exchange, Result
from apifold.http import Response
from apifold.traits.trait import Surroundings, with_parameter

HEADER = "Idempotency-Key"


class Idempotent:
    """`idempotent`, or `idempotent: required` where a request without a key is refused."""

    rank = 10

    def __init__(self, option: Any) -> None:
        if option not in (None, True, "required"):
            raise ValueError("`idempotent` stands alone, or as `idempotent: required`")
        self.required = option == "required"

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        return with_parameter(
            operation,
            {
                "name": HEADER,
                "in": "header",
                "required": self.required,
                "description": "made up by the client; the same key gets the same answer, and nothing is done twice",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            },
        )

    def around(self, surroundings: Surroundings) -> Around | None:
        async def once(exchange: Exchange, proceed: Callable[[Exchange], Awaitable[Result]]) -> Result:
            exchange.arguments.pop("idempotency_key", None)
            key = exchange.request.headers.get(HEADER.lower(), "").strip('"')
            if not key:
                if self.required:
                    raise Invalid(problems=[Problem("header", f"/{HEADER}", "is missing")])
                return await proceed(exchange)
            loop = asyncio.get_running_loop()
            kept = await loop.run_in_executor(surroundings.threads, lambda: KeptAnswers(surroundings.database()))
            scope, fingerprint = _scope(exchange, key), _fingerprint(exchange)
            before = await loop.run_in_executor(surroundings.threads, kept.begin, scope, fingerprint)
            if before is not None:
                value = msgspec.json.decode(before.body) if before.body else None
                return Result(before.status, value, (*before.headers, ("Idempotency-Replayed", "true")))
            try:
                result = await proceed(exchange)
            except BaseException:
                await asyncio.shield(loop.run_in_executor(surroundings.threads, kept.abandon, scope))
                raise
            if isinstance(result.value, Response):
                await loop.run_in_executor(surroundings.threads, kept.abandon, scope)
                return result
            body = orjson.dumps(result.value, default=str)
            await loop.run_in_executor(surroundings.threads, kept.finish, scope, result.status, result.headers, body)
            return result

        from apifold.store.kept import KeptAnswers  # noqa: PLC0415  # brings SQLAlchemy, for those who use it

        return once


def _scope(exchange: Exchange, key: str) -> str:
    caller, request = exchange.caller, exchange.request
    parts = (caller.project, caller.user, request.method, request.path, key)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _fingerprint(exchange: Exchange) -> str:
    version = str(exchange.version or "")
    parts = (version.encode(), exchange.request.query.encode(), exchange.request.body)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
