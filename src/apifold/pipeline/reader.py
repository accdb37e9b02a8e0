"""Requests to arguments: parameters coerced, the body read and put in shape, everything checked, all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apifold.description import Description, Operation, Parameter
from apifold.description.extension import DocumentExtension, OperationExtension
from apifold.errors import Invalid, Problem, TooLarge, UnsupportedMedia
from apifold.exchange import Exchange
from apifold.http import is_yaml, matches, media_type
from apifold.http.fields import Fields, parse_cookies, parse_query
from apifold.pipeline.bodies import Decode, decoder, without_files
from apifold.routing import PLACEHOLDER
from apifold.schema.checker import MAX_PROBLEMS, Checker, Schemas
from apifold.schema.coerce import MISSING, Coercer, Text, compile_coercer, compile_scalar
from apifold.schema.members import Shaper, compile_shaper
from apifold.schema.names import argument_name
from apifold.settings import Mode, Unknown

LISTED_BYTES = 16 * 1024
"""Of a body up to this size all problems are told, of a larger one the first: to list them costs a hundred times as
much as to see that there are some, and must not be had for a large body."""

_EMPTY: Any = object()


@dataclass(frozen=True, slots=True)
class Input:
    """One parameter, ready to be read: its argument, its coercer, and a checker where text alone does not do.

    `scalar` coerces its text where it has but one.
    """

    name: str
    where: str
    argument: str
    coerce: Coercer
    scalar: Text | None
    checker: Checker | None
    required: bool
    default: Any

    def take(self, value: Any, arguments: dict[str, Any], problems: list[Problem]) -> None:
        """Put a value among the arguments, and what is wrong with it among the problems."""
        if self.checker is not None and not self.checker.accepts(value):
            problems += self.checker.problems(value, self.where, f"/{self.name}")
        arguments[self.argument] = value


@dataclass(frozen=True, slots=True)
class Content:
    """One media type of a body: how it is decoded, put in shape and checked."""

    decode: Decode
    shape: Shaper | None
    checker: Checker | None
    has_files: bool


@dataclass(frozen=True, slots=True)
class Undescribed:
    """What happens to members of a body, and to query parameters, that are not described."""

    body: Unknown
    query: Unknown

    @classmethod
    def of(cls, said: DocumentExtension) -> Undescribed:
        """What a document says; a lenient one drops it."""
        if said.lenient == "always":
            return cls("strip", "strip")
        return cls(said.unknown, said.unknown_query or said.unknown)

    def of_operation(self, said: OperationExtension) -> Undescribed:
        """What holds for an operation that may say another thing."""
        return Undescribed(said.unknown or self.body, said.unknown_query or said.unknown or self.query)


Step = Callable[[Exchange, list[Problem]], None]
"""Reads one part of a request: from the exchange into its arguments, and into problems."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How one operation's requests become arguments.

    Attributes:
        steps: one for each part of the request that the operation looks at.
        mode: what happens to a request that breaks the contract.
        strict: reads a request as the contract has it where this reads it loosely: what that finds is only told.
    """

    steps: tuple[Step, ...]
    mode: Mode
    strict: Reader | None = None

    def apart(self) -> tuple[Reader, Reader]:
        """What reads all but the body, and what reads that."""
        body = tuple(step for step in self.steps if isinstance(getattr(step, "__self__", None), _Body))
        return replace(self, steps=tuple(step for step in self.steps if step not in body)), replace(self, steps=body)

    def read(self, exchange: Exchange) -> Sequence[Problem]:
        """Fill the arguments of an exchange; tell what is wrong with it where that is only to be logged.

        Raises:
            Invalid: it breaks the contract and the mode is `reject`; it tells every breach.
            Malformed: it can't be read at all.
            UnsupportedMedia, TooLarge: the body is of a kind or size that is not taken.
        """
        told: Sequence[Problem] = ()
        if self.strict is not None:
            told = self.strict.read(exchange.beside(exchange.request))
        problems: list[Problem] = []
        for step in self.steps:
            step(exchange, problems)
        if problems:
            if self.mode == "reject":
                raise Invalid("The request breaks its contract.", problems[:MAX_PROBLEMS])
            if self.mode == "log":
                return problems
        return told


def _path_step(places: tuple[tuple[int, Input], ...]) -> Step:
    """The path's variables, each with its place among those that were captured."""

    def read(exchange: Exchange, problems: list[Problem]) -> None:
        captured, arguments = exchange.captured, exchange.arguments
        for index, one in places:
            text = captured[index]
            one.take(one.scalar(text) if one.scalar else one.coerce({one.name: [text]}), arguments, problems)

    return read


def _query_step(inputs: tuple[Input, ...], known: frozenset[str] | None, deep: tuple[str, ...]) -> Step:
    """The query's parameters; `known` are the names that it may have, None where it may have any, and as often as a
    client likes."""
    once = frozenset(one.name for one in inputs if one.scalar)

    def read(exchange: Exchange, problems: list[Problem]) -> None:
        fields = parse_query(exchange.request.query)
        _take(inputs, fields, exchange.arguments, problems)
        if known is None:
            return
        for name, values in fields.items():
            if name not in known:
                if not (name.partition("[")[0] in deep and "[" in name):
                    problems.append(Problem("query", f"/{name}", "is not a known parameter"))
            elif len(values) > 1 and name in once:
                problems.append(Problem("query", f"/{name}", "is given more than once"))

    return read


def _querystring_step(one: Input, decode: Decode) -> Step:
    """The parameter that is the whole query (OpenAPI 3.2, 4.12)."""

    def read(exchange: Exchange, problems: list[Problem]) -> None:
        query = exchange.request.query
        if not query:
            if one.required:
                problems.append(Problem("query", "", "is missing"))
            return
        value = decode(query.encode(), "")
        if one.checker is not None:
            problems += one.checker.problems(value, "query")
        exchange.arguments[one.argument] = value

    return read


def _header_step(inputs: tuple[Input, ...]) -> Step:
    names = tuple(one.name.lower() for one in inputs)

    def read(exchange: Exchange, problems: list[Problem]) -> None:
        headers = exchange.request.headers
        fields = {name: [headers[name]] for name in names if name in headers}
        _take(inputs, fields, exchange.arguments, problems)

    return read


def _cookie_step(inputs: tuple[Input, ...]) -> Step:
    def read(exchange: Exchange, problems: list[Problem]) -> None:
        fields = parse_cookies(exchange.request.headers.get("cookie", ""))
        _take(inputs, fields, exchange.arguments, problems)

    return read


@dataclass(frozen=True, slots=True)
class _Body:
    """The body by media type; whether there must be one; how large it may be."""

    contents: Mapping[str, Content]
    required: bool
    max_bytes: int

    def read(self, exchange: Exchange, problems: list[Problem]) -> None:
        request = exchange.request
        raw = request.body
        if not raw:
            if self.required:
                problems.append(Problem("body", "", "is missing"))
            return
        if len(raw) > self.max_bytes:
            raise TooLarge(f"A body may have {self.max_bytes} bytes.")
        kind = request.headers.get("content-type", "")
        content = self.contents.get(kind) or self._content(kind)
        value = content.decode(raw, kind)
        if content.shape:
            content.shape(value, "", problems)
        if content.checker is not None:
            judged = without_files(value) if content.has_files else value
            if not content.checker.accepts(judged):
                find = content.checker.problems if len(raw) <= LISTED_BYTES else content.checker.first_problem
                problems += find(judged, "body")
        exchange.arguments["body"] = value

    def _content(self, kind: str) -> Content:
        """How a body of a media type is read.

        Raises:
            UnsupportedMedia: it is none that the operation takes (RFC 9110, 15.5.16).
        """
        if not kind and len(self.contents) == 1:
            return next(iter(self.contents.values()))
        name, parameters = media_type(kind)
        charset = parameters.get("charset", "utf-8").lower()
        if ("json" in name or "form" in name) and charset not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMedia(self.contents, "Send it as UTF-8.")
        if name in self.contents:
            return self.contents[name]
        for pattern, content in self.contents.items():
            if matches(pattern.partition(";")[0].strip().lower(), name):
                return content
        raise UnsupportedMedia(self.contents)


def _take(inputs: tuple[Input, ...], fields: Fields, arguments: dict[str, Any], problems: list[Problem]) -> None:
    for one in inputs:
        value = one.coerce(fields)
        if value is not MISSING:
            one.take(value, arguments, problems)
        elif one.required:
            problems.append(Problem(one.where, f"/{one.name}", "is missing"))
        elif one.default is not _EMPTY:
            arguments[one.argument] = one.default


def compile_reader(
    description: Description, operation: Operation, schemas: Schemas, unknown: Undescribed, mode: Mode, max_bytes: int
) -> Reader:
    """The reader of an operation."""
    places: dict[str, list[Input]] = {"path": [], "query": [], "header": [], "cookie": [], "querystring": []}
    known: set[str] = set()
    deep = []
    for parameter in operation.parameters:
        places[parameter.where].append(_input(parameter, description, schemas))
        if parameter.where == "path":
            known.add(parameter.name)  # some clients say again in the query what the path says already
        if parameter.where == "query":
            known |= {parameter.name, f"{parameter.name}[]"}
            if parameter.style == "deepObject":
                deep.append(parameter.name)
            elif parameter.explode and parameter.style == "form":
                known |= (description.resolve(parameter.schema) or {}).get("properties", {}).keys()
    steps: list[Step] = []
    if places["path"]:
        order = PLACEHOLDER.findall(operation.path)
        steps.append(_path_step(tuple((order.index(one.name), one) for one in places["path"])))
    is_closed = unknown.query == "reject" and not places["querystring"]
    if places["query"] or is_closed:
        steps.append(_query_step(tuple(places["query"]), frozenset(known) if is_closed else None, tuple(deep)))
    for one, parameter in zip(places["querystring"], _whole_queries(operation), strict=True):
        steps.append(
            _querystring_step(one, decoder(parameter.media, {"schema": parameter.schema}, description.resolve))
        )
    if places["header"]:
        steps.append(_header_step(tuple(places["header"])))
    if places["cookie"]:
        steps.append(_cookie_step(tuple(places["cookie"])))
    body = operation.body
    if body and body.content and not operation.extension.stream:
        contents = {
            name.lower(): _content(name, described, description, schemas, unknown.body)
            for name, described in body.content.items()
        }
        steps.append(_Body(contents, body.required, max_bytes).read)
    return Reader(tuple(steps), mode)


def _input(parameter: Parameter, description: Description, schemas: Schemas) -> Input:
    schema = description.resolve(parameter.schema)
    default = schema.get("default", _EMPTY) if isinstance(schema, dict) else _EMPTY
    return Input(
        name=parameter.name,
        where=parameter.where,
        argument=argument_name(parameter.inner_name),
        coerce=compile_coercer(parameter, description.resolve),
        scalar=compile_scalar(parameter, description.resolve),
        checker=None if _is_plain_text(schema) else schemas.checker(parameter.schema),
        required=parameter.required,
        default=default,
    )


def _is_plain_text(schema: Any) -> bool:
    """Whether every text fits, so that there is nothing to check."""
    return schema is True or (
        isinstance(schema, dict) and schema.get("type") == "string" and schema.keys() <= _HARMLESS
    )


_HARMLESS = {"type", "description", "default", "example", "examples", "title", "deprecated"}


def _content(
    media: str, described: Mapping[str, Any], description: Description, schemas: Schemas, unknown: Unknown
) -> Content:
    schema = described.get("schema")
    is_data = "json" in media or "form" in media or is_yaml(media)
    shape: Shaper | None = None
    if schema is not None and is_data:
        shape = compile_shaper(schema, description.schemas, strip=unknown == "strip")
    checker = schemas.checker(schema) if schema is not None and (is_data or media.startswith("text/")) else None
    return Content(decoder(media, described, description.resolve), shape, checker, has_files="multipart" in media)


def _whole_queries(operation: Operation) -> list[Parameter]:
    return [parameter for parameter in operation.parameters if parameter.where == "querystring"]
