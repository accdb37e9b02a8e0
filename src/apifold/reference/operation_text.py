"""One operation as a part of a page: what it takes, and what it answers."""

from __future__ import annotations

from html import escape
from typing import Any

from apifold.reference.outline import Operation, Outline, mapping
from apifold.reference.pages import badge
from apifold.reference.prose import example, markdown
from apifold.reference.schema_tree import SchemaTree

REQUIRED = ' <strong class="required">required</strong>'


class OperationText:
    """Draws operations.

    Args:
        outline: of the description they are in.
        tree: draws their schemas.
        base: the API's base path, in front of their paths.
    """

    def __init__(self, outline: Outline, tree: SchemaTree, base: str) -> None:
        self._outline = outline
        self._tree = tree
        self._base = base.rstrip("/")

    def draw(self, operation: Operation, anchor: str) -> str:
        """An article with an anchor."""
        written = operation.written
        mark = badge("DEPRECATED") if operation.is_deprecated else ""
        summary = f"<p>{escape(str(written['summary']))}</p>" if written.get("summary") else ""
        return (
            f'<article class="operation" id="{anchor}"><h3><span class="method">{escape(operation.method)}</span> '
            f'<a href="#{anchor}">{escape(self._base + operation.path)}</a> {mark}</h3>'
            f"{summary}{markdown(written.get('description'))}"
            f"{self._parameters(operation)}{self._body(operation)}{self._responses(operation)}</article>"
        )

    def _parameters(self, operation: Operation) -> str:
        rows = "".join(self._parameter(one) for one in operation.parameters if one.get("in") != "body")
        if not rows:
            return ""
        head = "<tr><th>Parameter</th><th>In</th><th>Kind</th><th>Description</th></tr>"
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
        return f'<div class="wide" tabindex="0" role="region" aria-label="Parameters">{table}</div>'

    def _parameter(self, parameter: dict[str, Any]) -> str:
        needed = REQUIRED if parameter.get("required") is True else ""
        gone = f" {badge('DEPRECATED')}" if parameter.get("deprecated") is True else ""
        return (
            f"<tr><td><code>{_text(parameter, 'name')}</code>{needed}{gone}</td><td>{_text(parameter, 'in')}</td>"
            f"<td>{self._tree.kind(_schema_of(parameter))}</td>"
            f"<td>{markdown(parameter.get('description'))}{self._examples(parameter)}</td></tr>"
        )

    def _body(self, operation: Operation) -> str:
        body = self._outline.followed(operation.written.get("requestBody"))
        content = mapping(body.get("content"))
        for parameter in operation.parameters:
            if parameter.get("in") == "body":
                body = parameter
                content = {self._outline.media_types(operation, "consumes"): {"schema": parameter.get("schema", {})}}
        if not content:
            return ""
        needed = REQUIRED if body.get("required") is True else ""
        return f"<h4>Body{needed}</h4>{markdown(body.get('description'))}{self._content(content)}"

    def _responses(self, operation: Operation) -> str:
        responses = mapping(operation.written.get("responses"))
        shown = "".join(
            f"<dt><code>{escape(str(status))}</code></dt>"
            f"<dd>{self._response(operation, self._outline.followed(one))}</dd>"
            for status, one in responses.items()
            if not str(status).startswith("x-")
        )
        return f'<h4>Responses</h4><dl class="responses">{shown}</dl>' if shown else ""

    def _response(self, operation: Operation, response: dict[str, Any]) -> str:
        content = mapping(response.get("content"))
        if self._outline.is_swagger2:
            # Swagger 2.0 has one schema for all media types, and an example for each of them.
            schema = {"schema": response["schema"]} if "schema" in response else {}
            content = {self._outline.media_types(operation, "produces"): schema} if schema else {}
            samples = mapping(response.get("examples")).items()
            content |= {f"{media} example": {"example": value} for media, value in samples}
        names = ", ".join(f"<code>{escape(str(name))}</code>" for name in mapping(response.get("headers")))
        headers = f"<p>Headers: {names}</p>" if names else ""
        return f"{markdown(response.get('description'))}{headers}{self._content(content)}"

    def _content(self, content: dict[str, Any]) -> str:
        return "".join(self._media(str(media), self._outline.followed(one)) for media, one in content.items())

    def _media(self, media: str, described: dict[str, Any]) -> str:
        name = f"<p><code>{escape(media)}</code></p>" if media else ""
        tree = self._tree.draw(described["schema"]) if "schema" in described else ""
        return f"{name}{tree}{self._examples(described)}"

    def _examples(self, described: dict[str, Any]) -> str:
        shown = example(described["example"]) if "example" in described else ""
        for name, written in mapping(described.get("examples")).items():
            one = self._outline.followed(written)
            value = next((one[key] for key in ("value", "dataValue", "serializedValue") if key in one), None)
            if value is not None:
                shown += f"<p>{escape(str(one.get('summary') or name))}</p>{example(value)}"
        return shown


def _schema_of(parameter: dict[str, Any]) -> Any:
    """A parameter's schema: its own, that of its only media type, or, in Swagger 2.0, the parameter itself."""
    content = mapping(parameter.get("content"))
    if content:
        return mapping(next(iter(content.values()))).get("schema", {})
    return parameter.get("schema", parameter)


def _text(node: dict[str, Any], key: str) -> str:
    return escape(str(node.get(key, "")))
