"""Mock answers: an example where there is one, else a value made from the schema; the same every time."""

from __future__ import annotations

from typing import Any

from apifold.bindings.workplace import Workplace
from apifold.description import Operation
from apifold.description.walk import resolve_pointer
from apifold.exchange import Call, Exchange, Result
from apifold.http import Response
from apifold.schema.generate import CannotGenerate, generate


def bind(operation: Operation, option: Any, workplace: Workplace) -> Call:
    """An answer with the first described 2xx status; `binding: {mock: {status: 202}}` picks another.

    The value is made at the first request and kept: large descriptions have answers that nobody ever asks for.
    """
    status = int(option.get("status", operation.success)) if isinstance(option, dict) else operation.success
    made: list[Result] = []

    def call(exchange: Exchange) -> Result:
        if not made:
            made.append(_result(operation, status, workplace))
        first = made[0]
        return Result(first.status, first.value, first.headers)

    return call


def _result(operation: Operation, status: int, workplace: Workplace) -> Result:
    answer = (
        operation.answers.get(str(status))
        or operation.answers.get(f"{status // 100}XX")
        or operation.answers.get("default")
    )
    if answer is None or not answer.content:
        return Result(status, None)
    media = next((name for name in answer.content if "json" in name), next(iter(answer.content)))
    value = _value(answer.content[media], workplace)
    if isinstance(value, str) and "json" not in media:
        return Result(status, Response(status, value.encode(), (("Content-Type", media),)))
    return Result(status, value)


def _value(described: dict[str, Any], workplace: Workplace) -> Any:
    description = workplace.description
    schema = described.get("schema", {})
    for example in _examples(described, description.document):
        if workplace.responses.checker(schema).accepts(example):
            return example
    try:
        return generate(
            schema,
            description.resolve,
            lambda part, value: workplace.responses.checker(part).accepts(value),
            "response",
        )
    except CannotGenerate:
        return None


def _examples(described: dict[str, Any], document: dict[str, Any]) -> list[Any]:
    found = [described["example"]] if "example" in described else []
    for example in (described.get("examples") or {}).values():
        if isinstance(example, dict) and "$ref" in example:
            try:
                example = resolve_pointer(document, example["$ref"][1:])  # noqa: PLW2901  # the example it refers to
            except KeyError:
                continue
        if isinstance(example, dict):
            found += [example[key] for key in ("value", "dataValue") if key in example]
    return found
