"""A static reference: plain HTML pages that need no server and no script, from descriptions as they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from apifold.reference.pages import CatalogueEntry, asset, badge
from apifold.reference.static_pages import ApiPages, Names, static_page


def write_reference(documents: Iterable[tuple[CatalogueEntry, dict[str, Any]]], directory: Path) -> list[Path]:
    """Write an index and the pages of each API.

    Args:
        documents: what the catalogue says of each API, and its description; taken one after the other.
        directory: is made where it is missing; pages of the same names are written over.

    Returns:
        the files that were written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = [_write(directory / "apifold.css", asset("apifold.css")[0].decode())]
    names = Names("index")
    items = []
    for entry, document in documents:
        api = ApiPages(entry, document, names)
        written += [_write(directory / file, text) for file, text in api.pages()]
        items.append(_item(entry, api.file))
    count = f"{len(items)} API{'' if len(items) == 1 else 's'}"
    body = f'<h1>API reference</h1><p class="lead">{count}</p><ul class="apis">{"".join(items)}</ul>'
    return [*written, _write(directory / "index.html", static_page("API reference", body))]


def _item(entry: CatalogueEntry, file: str) -> str:
    about = f"<p>{escape(entry.description)}</p>" if entry.description else ""
    return (
        f'<li class="api"><article><header><h2><a href="{file}">{escape(entry.title)}</a></h2>'
        f'<span class="version">{escape(entry.version)}</span>{badge(entry.status)}</header>'
        f"<p><code>{escape(entry.base or '/')}</code></p>{about}</article></li>"
    )


def _write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8", "backslashreplace")
    return path
