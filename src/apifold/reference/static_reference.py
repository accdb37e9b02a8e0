"""A static reference: plain HTML pages that need no server and no script, from descriptions as they are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from apifold.description.extension import METHODS
from apifold.description.walk import resolve_pointer
from apifold.reference.pages import CatalogueEntry, asset, badge, page

MOST_ON_ONE_PAGE = 200
"""Operations on one page; an API with more has one page for each tag."""

DEPTH = 5
"""How deep schemas are drawn before a reference is left to be followed."""

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def write_reference(documents: Sequence[tuple[CatalogueEntry, dict[str, Any]]], directory: Path) -> list[Path]:
    """Write an index and the pages of each API.

    Args:
        documents: what the catalogue says of each API, and its description.
        directory: is made where it is missing; pages of the same names are written over.

    Returns:
        the files that were written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = [_write(directory / "apifold.css", asset("apifold.css")[0].decode())]
    items = []
    for entry, document in documents:
        name = _file_name(entry.name)
        pages = _Reference(entry, document).pages(name)
        written += [_write(directory / file, text) for file, text in pages]
        items.append(
            f'<li class="api"><h2><a href="{name}.html">{escape(entry.title)}</a> <span class="version">{escape(entry.version)}</span> '
            f"{badge(entry.status)}</h2><p><code>{escape(entry.base)}</code></p></li>"
        )
    body = f'<main><h1>API reference</h1><p class="lead">{len(items)} APIs</p><ul class="apis">{"".join(items)}</ul></main>'
    return [*written, _write(directory / "index.html", page("API reference", body, "."))]


def _write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)


class _Reference:
    """One API's pages."""

    def __init__(self, entry: CatalogueEntry, document: dict[str, Any]) -> None:
        self.entry = entry
        self.document = document

    def pages(self, name: str) -> list[tuple[str, str]]:
        """File names and texts."""
        groups: dict[str, list[tuple[str, str, dict[str, Any], list[Any]]]] = {}
        for path, method, operation, shared in self._operations():
            groups.setdefault((operation.get("tags") or ["operations"])[0], []).append(
                (path, method, operation, shared)
            )
        info = self.document.get("info", {})
        head = f'<p><a href="index.html">All APIs</a></p><h1>{escape(self.entry.title)} <span class="version">{escape(self.entry.version)}</span> {badge(self.entry.status)}</h1>'
        about = _markdown(info.get("description"))
        count = sum(map(len, groups.values()))
        if count <= MOST_ON_ONE_PAGE:
            parts = [self._group(tag, operations) for tag, operations in groups.items()]
            contents = "".join(self._contents(operations, "") for operations in groups.values())
            body = f'<main>{head}{about}<ul class="contents">{contents}</ul>{"".join(parts)}</main>'
            return [(f"{name}.html", page(self.entry.title, body, "."))]
        made = []
        links = []
        for tag, operations in groups.items():
            file = f"{name}-{_file_name(tag)}.html"
            links.append(f'<li><a href="{file}">{escape(tag)}</a> ({len(operations)})</li>')
            body = f'<main><p><a href="{name}.html">{escape(self.entry.title)}</a></p><ul class="contents">{self._contents(operations, "")}</ul>{self._group(tag, operations)}</main>'
            made.append((file, page(f"{tag} · {self.entry.title}", body, ".")))
        body = f'<main>{head}{about}<ul class="contents">{"".join(links)}</ul></main>'
        return [(f"{name}.html", page(self.entry.title, body, ".")), *made]

    def _operations(self) -> Iterator[tuple[str, str, dict[str, Any], list[Any]]]:
        for path, written in (self.document.get("paths") or {}).items():
            item = self._followed(written)
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    yield path, method.upper(), item[method], item.get("parameters") or []
            for method, operation in (item.get("additionalOperations") or {}).items():
                yield path, method, operation, item.get("parameters") or []

    def _contents(self, operations: list[tuple[str, str, dict[str, Any], list[Any]]], file: str) -> str:
        return "".join(
            f'<li><a href="{file}#{_anchor(method, path)}">{escape(operation.get("summary") or f"{method} {path}")}</a></li>'
            for path, method, operation, _ in operations
        )

    def _group(self, tag: str, operations: list[tuple[str, str, dict[str, Any], list[Any]]]) -> str:
        shown = "".join(self._operation(*one) for one in operations)
        return f"<section><h2>{escape(tag)}</h2>{shown}</section>"

    def _operation(self, path: str, method: str, operation: dict[str, Any], shared: list[Any]) -> str:
        gone = ' class="gone"' if operation.get("deprecated") else ""
        base = "" if self.entry.base == "/" else self.entry.base
        parts = [
            f'<h3 id="{_anchor(method, path)}"><span class="method">{escape(method)}</span> <span{gone}>{escape(base + path)}</span></h3>',
            f"<p>{escape(operation['summary'])}</p>" if operation.get("summary") else "",
            _markdown(operation.get("description")),
            self._parameters([*shared, *(operation.get("parameters") or [])]),
            self._body(operation.get("requestBody")),
            self._responses(operation.get("responses") or {}),
        ]
        return f'<article class="operation">{"".join(parts)}</article>'

    def _parameters(self, parameters: list[Any]) -> str:
        rows = []
        for written in parameters:
            parameter = self._followed(written)
            schema = self._followed(parameter.get("schema") or parameter)
            needed = "required" if parameter.get("required") else ""
            rows.append(
                f"<tr><td><code>{escape(str(parameter.get('name', '')))}</code></td><td>{escape(str(parameter.get('in', '')))}</td>"
                f"<td>{escape(_kind(schema))}</td><td>{needed}</td><td>{_markdown(parameter.get('description'))}</td></tr>"
            )
        head = "<tr><th>parameter</th><th>in</th><th>type</th><th></th><th></th></tr>"
        return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""

    def _body(self, written: Any) -> str:
        body = self._followed(written)
        content = (body or {}).get("content") or {}
        return "".join(
            f"<p>Body, <code>{escape(media)}</code></p>{self._media(described)}" for media, described in content.items()
        )

    def _responses(self, responses: dict[str, Any]) -> str:
        rows = []
        for status, written in responses.items():
            response = self._followed(written)
            content = response.get("content") or ({"": {"schema": response["schema"]}} if "schema" in response else {})
            shown = "".join(
                f"<code>{escape(media)}</code>{self._media(described)}" for media, described in content.items()
            )
            rows.append(
                f"<tr><td><code>{escape(str(status))}</code></td><td>{_markdown(response.get('description'))}{shown}</td></tr>"
            )
        return (
            f"<table><thead><tr><th>status</th><th></th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
            if rows
            else ""
        )

    def _media(self, described: dict[str, Any]) -> str:
        shown = self._schema(described.get("schema"), 0, ())
        if "example" in described:
            shown += f"<pre>{escape(json.dumps(described['example'], indent=2, ensure_ascii=False, default=str))}</pre>"
        return shown

    def _schema(self, written: Any, depth: int, trail: tuple[str, ...]) -> str:
        schema = self._followed(written)
        if not isinstance(schema, dict):
            return ""
        name = str(written.get("$ref", "")).rpartition("/")[2] if isinstance(written, dict) else ""
        if depth >= DEPTH or (name and name in trail):
            return f"<p>{escape(name or _kind(schema))}</p>"
        trail = (*trail, name) if name else trail
        members = dict(schema.get("properties") or {})
        if schema.get("type") == "array" and "items" in schema:
            members = {"(each)": schema["items"]}
        rows = []
        for member, child in members.items():
            followed = self._followed(child)
            needed = " required" if member in (schema.get("required") or ()) else ""
            text = _markdown(followed.get("description")) if isinstance(followed, dict) else ""
            inner = self._schema(child, depth + 1, trail) if _has_members(followed) else ""
            rows.append(f"<li><code>{escape(member)}</code> {escape(_kind(followed))}{needed}{text}{inner}</li>")
        for key in ("allOf", "oneOf", "anyOf"):
            rows += [f"<li>{key}{self._schema(child, depth + 1, trail)}</li>" for child in schema.get(key, ())]
        return f'<ul class="schema">{"".join(rows)}</ul>' if rows else f"<p>{escape(_kind(schema))}</p>"

    def _followed(self, node: Any) -> Any:
        for _ in range(16):
            if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
                break
            try:
                node = resolve_pointer(self.document, node["$ref"].removeprefix("#"))
            except KeyError:
                return {}
        return node


def _has_members(schema: Any) -> bool:
    return isinstance(schema, dict) and any(key in schema for key in ("properties", "items", "allOf", "oneOf", "anyOf"))


def _kind(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "anything"
    kind = schema.get("type", "")
    text = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if schema.get("format"):
        text += f" ({schema['format']})"
    if "enum" in schema:
        text += f": {', '.join(json.dumps(one, ensure_ascii=False) for one in schema['enum'][:20])}"
    return text or "anything"


def _markdown(text: Any) -> str:
    return str(_MARKDOWN.render(text)) if isinstance(text, str) and text else ""


def _anchor(method: str, path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{method}-{path}".lower()).strip("-")
