"""The operations of a normalised document, with everything that is inherited or referred to in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from apifold.description.description import Answer, Body, Operation, Parameter
from apifold.description.extension import METHODS, operation_extension
from apifold.description.walk import resolve_pointer
from apifold.marked import escape

_STYLES = {"path": "simple", "header": "simple", "query": "form", "cookie": "form", "querystring": "form"}


def read_operations(document: dict[str, Any]) -> tuple[Operation, ...]:
    """Every operation of a document whose checks found nothing wrong, in the order they were written."""
    return tuple(
        _operation(document, path, method, operation, item, pointer)
        for path, method, operation, item, pointer in each_operation(document)
    )


def each_operation(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any], str]]:
    """Path, method, operation, path item and pointer of each operation."""
    for path, written in (document.get("paths") or {}).items():
        if path.startswith("x-"):
            continue
        item = _followed(document, written)
        at = f"/paths/{escape(path)}"
        for method in METHODS:
            if isinstance(item.get(method), dict):
                yield path, method.upper(), item[method], item, f"{at}/{method}"
        for method, operation in (item.get("additionalOperations") or {}).items():
            yield path, method, operation, item, f"{at}/additionalOperations/{escape(method)}"


def merged_parameters(
    document: dict[str, Any], operation: dict[str, Any], item: dict[str, Any], pointer: str
) -> Iterator[tuple[dict[str, Any], str]]:
    """An operation's parameters and those of its path that it does not replace, each with its pointer."""
    own = [
        (_followed(document, parameter), f"{pointer}/parameters/{index}")
        for index, parameter in enumerate(operation.get("parameters") or [])
    ]
    names = {(parameter.get("name"), parameter.get("in")) for parameter, _ in own}
    shared_at = pointer.rpartition("/additionalOperations")[0] or pointer.rpartition("/")[0]
    yield from own
    for index, written in enumerate(item.get("parameters") or []):
        parameter = _followed(document, written)
        if (parameter.get("name"), parameter.get("in")) not in names:
            yield parameter, f"{shared_at}/parameters/{index}"


def _followed(document: dict[str, Any], node: Any) -> Any:
    """A parameter, body, response or path item with its reference followed."""
    for _ in range(16):
        if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
            break
        siblings = {key: value for key, value in node.items() if key != "$ref"}
        try:
            node = {**resolve_pointer(document, unquote(node["$ref"][1:])), **siblings}
        except KeyError:
            break  # told already; what else is wrong shall be told, too
    return node


def _operation(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any], item: dict[str, Any], pointer: str
) -> Operation:
    body = _followed(document, operation.get("requestBody"))
    parameters = merged_parameters(document, operation, item, pointer)
    return Operation(
        id=operation.get("operationId", ""),
        method=method,
        path=path,
        pointer=pointer,
        parameters=tuple(_parameter(parameter, at) for parameter, at in parameters if not _ignored(parameter)),
        body=Body(
            bool(body.get("required")),
            body.get("content") or {},
            f"{pointer}/requestBody",
            operation.get("x-body-name", ""),
        )
        if body
        else None,
        answers={
            str(status): _answer(document, _followed(document, answer), f"{pointer}/responses/{escape(str(status))}")
            for status, answer in (operation.get("responses") or {}).items()
            if not str(status).startswith("x-")
        },
        security=operation.get("security", document.get("security")),
        extension=operation_extension(operation, method, document),
        written=operation,
    )


def _ignored(parameter: dict[str, Any]) -> bool:
    """Header parameters that OpenAPI leaves to other parts of a description (3.1.1, 4.8.12.2.1)."""
    return parameter.get("in") == "header" and parameter.get("name", "").lower() in (
        "accept",
        "content-type",
        "authorization",
    )


def _parameter(parameter: dict[str, Any], pointer: str) -> Parameter:
    style = parameter.get("style") or _STYLES[parameter["in"]]
    media, schema, said = "", parameter.get("schema", {}), parameter.get("x-apifold") or {}
    if parameter.get("content"):
        media, described = next(iter(parameter["content"].items()))
        schema = described.get("schema", {})
    return Parameter(
        name=parameter["name"],
        where=parameter["in"],
        required=bool(parameter.get("required")),
        schema=schema,
        style=style,
        explode=parameter.get("explode", style in ("form", "deepObject")),
        pointer=pointer,
        media=media,
        allow_reserved=bool(parameter.get("allowReserved")),
        source=said.get("source", ""),
        convention=said.get("style", ""),
    )


def _answer(document: dict[str, Any], answer: dict[str, Any], pointer: str) -> Answer:
    headers = {
        name: _followed(document, header).get("schema", {}) for name, header in (answer.get("headers") or {}).items()
    }
    return Answer(answer.get("content") or {}, headers, pointer)
