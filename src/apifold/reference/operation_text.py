"""One operation as a part of a page: what it takes, and what it answers."""

from __future__ import annotations

from html import escape
from typing import Any

from apifold.reference.outline import Operation, Outline, mapping, schema_of
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
            f"<td>{self._tree.kind(schema_of(parameter))}</td>"
            f"<td>{markdown(parameter.get('description'))}{self._examples(parameter)}</td></tr>"
        )

    def _body(self, operation: Operation) -> str:
        body, content = self._outline.body(operation)
        if not content:
            return ""
        needed = REQUIRED if body.get("required") is True else ""
        return f"<h4>Body{needed}</h4>{markdown(body.get('description'))}{self._content(content)}"

    def _responses(self, operation: Operation) -> str:
        shown = "".join(
            f"<dt><code>{escape(status)}</code></dt><dd>{self._response(operation, one)}</dd>"
            for status, one in self._outline.responses(operation)
        )
        return f'<h4>Responses</h4><dl class="responses">{shown}</dl>' if shown else ""

    def _response(self, operation: Operation, response: dict[str, Any]) -> str:
        names = ", ".join(f"<code>{escape(str(name))}</code>" for name in mapping(response.get("headers")))
        headers = f"<p>Headers: {names}</p>" if names else ""
        content = self._outline.content(operation, response)
        return f"{markdown(response.get('description'))}{headers}{self._content(content)}"

    def _content(self, content: dict[str, Any]) -> str:
        return "".join(self._media(str(media), self._outline.followed(one)) for media, one in content.items())

    def _media(self, media: str, described: dict[str, Any]) -> str:
        name = f"<p><code>{escape(media)}</code></p>" if media else ""
        tree = self._tree.draw(described["schema"]) if "schema" in described else ""
        return f"{name}{tree}{self._examples(described)}"

    def _examples(self, described: dict[str, Any]) -> str:
        return "".join(
            (f"<p>{escape(name)}</p>" if name else "") + example(value)
            for name, value in self._outline.examples(described)
        )


def _text(node: dict[str, Any], key: str) -> str:
    return escape(str(node.get(key, "")))
