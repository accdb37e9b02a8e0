"""Results to responses: which media type, which bytes, and whether they are what the description promised."""

from __future__ import annotations

import asyncio
import datetime
import decimal
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
import orjson

from apifold import marked
from apifold.description import Description, Operation, json_schema
from apifold.errors import Broken, NotAcceptable, Problem
from apifold.exchange import Result
from apifold.http import Response, best_match, is_yaml
from apifold.schema.checker import Checker, Schemas
from apifold.schema.pruning import Pruner, compile_pruner
from apifold.settings import Mode

STREAMED_ITEMS = 100
"""Items of a streamed list that are in memory at a time."""

_NO_BODY = frozenset((204, 205, 304))
_JSON = (("Content-Type", "application/json"),)
_UNDESCRIBED: Any = object()


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
        media: the first of them, for clients that take any; "" where there is none.
        checkers: by status; None where there is nothing to check.
        ranges: the same for statuses that are not described one by one, by their first digit; 0 for all others.
        mode: what happens to a response that breaks the contract.
        pruners: by status, or as in `ranges`, what takes members out that other versions have.
        ignores_accept: whether a client gets the first media type that takes none of them (RFC 9110, 12.4.1).
    """

    offered: tuple[str, ...]
    media: str
    checkers: Mapping[int, Checker | None]
    ranges: Mapping[int, Checker | None]
    mode: Mode
    pruners: Mapping[int, Pruner]
    ignores_accept: bool = False

    def negotiate(self, accept: str) -> str:
        """The media type for a client that takes these; "" where none is described.

        Raises:
            NotAcceptable: the client takes none of them (RFC 9110, 12.5.1).
        """
        if accept in ("*/*", self.media) or not self.offered:
            return self.media
        chosen = best_match(accept, self.offered)
        if chosen is None:
            if self.ignores_accept:
                return self.media
            raise NotAcceptable(self.offered)
        return chosen

    def render(self, result: Result, media: str) -> Response:
        """The response that a result is."""
        value, status, headers = result.value, result.status, result.headers
        if self.pruners:
            prune = self.pruners.get(self._described(status))
            if prune is not None:
                value = result.value = prune(value)
        kind = type(value)
        if (kind is dict or kind is list) and media == "application/json" and status not in _NO_BODY:
            return Response(status, encode_json(value), _JSON + headers if headers else _JSON)
        if isinstance(value, Response):
            return Response(value.status, value.body, (*value.headers, *headers)) if headers else value
        if status in _NO_BODY:
            return Response(status, b"", headers)
        if isinstance(value, Iterator):
            result.partial = True
            return Response(status, _streamed(value), _JSON + headers)
        body, named = encode(value, media)
        return Response(status, body, (("Content-Type", named), *headers))

    def _described(self, status: int) -> int:
        """What an answer is described as: its status, its first digit, or 0."""
        return status if status in self.checkers else status // 100 if status // 100 in self.ranges else 0

    def refuse(self, result: Result, response: Response) -> tuple[Problem, ...]:
        """How a response breaks the contract; nothing where it does not, or where nobody asked.

        Raises:
            Broken: it does, and the mode is `reject`.
        """
        if self.mode == "off" or result.partial:
            return ()
        problems = self._problems(result, response)
        if problems and self.mode == "reject":
            raise ResponseRefused(problems)
        return problems

    def _problems(self, result: Result, response: Response) -> tuple[Problem, ...]:
        status = result.status
        key = self._described(status)
        checker = self.checkers.get(key, self.ranges.get(key, _UNDESCRIBED))
        if checker is _UNDESCRIBED:
            is_fine = status == 304 or not (self.checkers or self.ranges)
            return () if is_fine else (Problem("status", "", f"{status} is not described"),)
        if checker is None or status in _NO_BODY:
            return ()
        if isinstance(result.value, Response):
            return _told(checker, response)
        try:
            return tuple(checker.problems(result.value, "body"))
        except (ValueError, TypeError):
            # What is not plain JSON data, such as a date, is judged as the client will see it.
            return _told(checker, response)


def _told(checker: Checker, response: Response) -> tuple[Problem, ...]:
    """What is wrong with a response as the client will see it, where it is JSON and not in pieces."""
    media = response.header("content-type") or ""
    if not isinstance(response.body, bytes) or not response.body or "json" not in media:
        return ()
    try:
        return tuple(checker.problems(orjson.loads(response.body), "body"))
    except orjson.JSONDecodeError:
        return (Problem("body", "", "is not JSON"),)


def compile_writer(
    description: Description, operation: Operation, schemas: Schemas, mode: Mode, whole: Description
) -> Writer:
    """The writer of an operation.

    Args:
        whole: the description with everything that any version has.
    """
    checkers: dict[int, Checker | None] = {}
    ranges: dict[int, Checker | None] = {}
    for status, answer in operation.answers.items():
        shown = next((content for name, content in answer.content.items() if "json" in name), None)
        checker = schemas.checker(shown["schema"]) if shown and "schema" in shown else None
        (checkers if status.isdigit() else ranges)[_key(status)] = checker
    success = (
        operation.answers.get(str(operation.success))
        or operation.answers.get("2XX")
        or operation.answers.get("default")
    )
    described = success.content if success else {}
    # A range such as `*/*` promises nothing in particular: the handler says what it is.
    is_open = any("*" in name for name in described)
    offered = () if is_open else tuple(name for name in described if not name.startswith("application/problem"))
    pruners = dict(_pruners(description, operation, whole)) if whole.may_vary else {}
    ignores = description.extension.accept == "ignore"
    return Writer(offered, offered[0] if offered else "", checkers, ranges, mode, pruners, ignores)


def _pruners(description: Description, operation: Operation, whole: Description) -> Iterator[tuple[int, Pruner]]:
    of_all = whole.operation(operation.method, operation.path)
    for status, answer in operation.answers.items():
        before = of_all.answers.get(status)  # the whole has no traits, so it does not have what they answer
        then, now = json_schema(before.content) if before else None, json_schema(answer.content)
        if then is not None and now is not None:
            prune = compile_pruner(then, whole.schemas, now, description.schemas)
            if prune is not None:
                yield _key(status), prune


def _key(status: str) -> int:
    """A status, as descriptions write it: the number, or, of `2XX`, the first digit; 0 for `default`."""
    return int(status) if status.isdigit() else int(status[0]) if "X" in status.upper() else 0


async def _streamed(items: Iterator[Any]) -> AsyncIterator[bytes]:
    """A JSON array of items, some at a time; they are asked for in a thread, because that may block."""
    start = b"["
    while batch := await asyncio.to_thread(_batch, items):
        yield start + encode_json(batch)[1:-1]
        start = b","
    yield b"]" if start == b"," else b"[]"


def _batch(items: Iterator[Any]) -> list[Any]:
    return list(islice(items, STREAMED_ITEMS))


def encode(value: Any, media: str) -> tuple[bytes, str]:
    """A value in a media type, and the media type that it really has.

    Args:
        value: bytes and, for text types, str go as they are; anything else as JSON, or as YAML.
        media: the negotiated type, "" for JSON.
    """
    if isinstance(value, bytes):
        return value, media or "application/octet-stream"
    if isinstance(value, str) and media and "json" not in media:
        return value.encode(), media if "charset" in media else f"{media}; charset=utf-8"
    if value is None and not media:
        return b"", "application/json"
    if is_yaml(media):
        return marked.write(orjson.loads(encode_json(value))).encode(), media
    return encode_json(value), media if "json" in media or media == "*/*" else "application/json"


def encode_json(value: Any) -> bytes:
    """A value as JSON (RFC 8259)."""
    try:
        return orjson.dumps(value, default=plain)
    except TypeError:
        # Integers beyond 64 bits and keys that are no text; rare, so the fast library goes first.
        return _ENCODER.encode(value)


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
