"""Results to responses: which media type, which bytes, and whether they are what the description promised."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from apifold.description import Description, Operation
from apifold.errors import Broken, NotAcceptable, Problem
from apifold.exchange import Result
from apifold.http import Response, best_match
from apifold.schema.checker import Checker, Schemas
from apifold.settings import Mode

_NO_BODY = (204, 205, 304)


class ResponseRefused(Broken):
    """An answer that breaks its own contract; the log is told how, the client is not."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("The answer breaks its own contract.")
        self.found = problems


@dataclass(frozen=True, slots=True)
class Writer:
    """How one operation's results become responses.

    Attributes:
        offered: media types of the success response; empty where none is described.
        headers: the `Content-Type` pair of each.
        checkers: by status as described: `200`, `4XX`, `default`; None where there is nothing to check.
        mode: what happens to a response that breaks the contract.
    """

    offered: tuple[str, ...]
    headers: Mapping[str, tuple[tuple[str, str], ...]]
    checkers: Mapping[str, Checker | None]
    mode: Mode

    def negotiate(self, accept: str | None) -> str:
        """The media type to answer in; "" where none is described.

        Raises:
            NotAcceptable: the client takes none of them (RFC 9110, 12.5.1).
        """
        if not self.offered:
            return ""
        if accept is None or accept == "*/*":
            return self.offered[0]
        chosen = best_match(accept, self.offered)
        if chosen is None:
            raise NotAcceptable(self.offered)
        return chosen

    def render(self, result: Result, media: str) -> Response:
        """The response that a result is."""
        value = result.value
        if isinstance(value, Response):
            if result.headers:
                return Response(value.status, value.body, (*value.headers, *result.headers))
            return value
        if result.status in _NO_BODY:
            return Response(result.status, b"", result.headers)
        body, content = encode(value, media)
        headers = self.headers.get(content) or (("Content-Type", content),)
        return Response(result.status, body, headers + result.headers if result.headers else headers)

    def refuse(self, result: Result, response: Response) -> tuple[Problem, ...]:
        """How a response breaks the contract; nothing where it does not, or where nobody asked.

        Raises:
            Broken: it does, and the mode is `reject`.
        """
        if self.mode == "off" or result.partial or isinstance(result.value, Response) or not self.checkers:
            return ()
        problems = tuple(self._problems(result, response))
        if problems and self.mode == "reject":
            raise ResponseRefused(problems)
        return problems

    def _problems(self, result: Result, response: Response) -> list[Problem]:
        status = str(result.status)
        for key in (status, f"{status[0]}XX", "default"):
            if key in self.checkers:
                checker = self.checkers[key]
                break
        else:
            return [] if status == "304" else [Problem("status", "", f"{status} is not described")]
        if checker is None or result.status in _NO_BODY:
            return []
        try:
            return checker.problems(result.value, "body")
        except (ValueError, TypeError):
            # What is not plain JSON data, such as a date, is judged as the client will see it.
            return checker.problems(orjson.loads(response.body), "body") if isinstance(response.body, bytes) else []


def compile_writer(description: Description, operation: Operation, schemas: Schemas, mode: Mode) -> Writer:
    """The writer of an operation."""
    checkers: dict[str, Checker | None] = {}
    for status, answer in operation.answers.items():
        shown = next((content for name, content in answer.content.items() if "json" in name), None)
        checkers[status.upper() if "X" in status.upper() else status] = (
            schemas.checker(shown["schema"]) if shown and "schema" in shown else None
        )
    success = (
        operation.answers.get(str(operation.success))
        or operation.answers.get("2XX")
        or operation.answers.get("default")
    )
    described = success.content if success else {}
    # A range such as `*/*` promises nothing in particular: the handler says what it is.
    is_open = any("*" in name for name in described)
    offered = () if is_open else tuple(name for name in described if not name.startswith("application/problem"))
    return Writer(offered, {name: (("Content-Type", name),) for name in offered}, checkers, mode)


def encode(value: Any, media: str) -> tuple[bytes, str]:
    """A value in a media type, and the media type that it really has.

    Args:
        value: bytes and, for text types, str go as they are; anything else as JSON.
        media: the negotiated type, "" for JSON.
    """
    if isinstance(value, bytes):
        return value, media or "application/octet-stream"
    if isinstance(value, str) and media and "json" not in media:
        return value.encode(), media if "charset" in media else f"{media}; charset=utf-8"
    if value is None and not media:
        return b"", "application/json"
    try:
        encoded = orjson.dumps(value, default=plain)
    except TypeError:
        # Integers beyond 64 bits and keys that are no text; rare, so the fast library goes first.
        encoded = _ENCODER.encode(value)
    return encoded, media if "json" in media or media == "*/*" else "application/json"


def plain(value: Any) -> Any:
    """What the JSON libraries do not know, as JSON data."""
    if isinstance(value, decimal.Decimal):
        return orjson.Fragment(str(value))
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} can't be written as JSON")


_ENCODER = msgspec.json.Encoder(enc_hook=plain, decimal_format="number")
