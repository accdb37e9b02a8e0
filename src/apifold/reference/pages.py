"""Pages as text: the catalogue of APIs, and a frame for each documentation UI. Values in, HTML out.

Nothing is fetched from elsewhere, no script stands in a page, and all text is escaped.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src *; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""What the pages may load: our own scripts only. The UIs write style attributes, draw images from data, and try
operations on whatever server their description names."""

ASSETS = {
    "apifold.css": "text/css; charset=utf-8",
    "apifold-ui.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "redoc.standalone.js": "text/javascript; charset=utf-8",
}
"""Scripts and styles by name, with their media types."""


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One API in the catalogue.

    `base`, `ui` and `document` are paths without the public prefix; `problem` says why its newest files are not
    served, where the last good ones are.
    """

    name: str
    title: str
    version: str
    status: str
    base: str
    description: str
    operations: int
    ui: str
    document: str
    successor: str = ""
    problem: str = ""


def catalogue(entries: Iterable[CatalogueEntry], title: str, root: str, errors: Iterable[str] = ()) -> str:
    """The page that lists APIs.

    Args:
        root: the public prefix, "" for none.
        errors: of files that are not served at all.
    """
    listed = list(entries)
    count = f"{len(listed)} API{'' if len(listed) == 1 else 's'} served here"
    refused = "".join(f'<p class="problem" role="alert">{escape(error)}</p>' for error in errors)
    items = "".join(_item(entry, root) for entry in listed)
    body = f'<main><h1>{escape(title)}</h1><p class="lead">{count}</p>{refused}<ul class="apis">{items}</ul></main>'
    return page(title, body, f"{root}/-/assets")


def swagger_ui(title: str, document: str, root: str) -> str:
    """The page with Swagger UI, to try operations."""
    return _ui("swagger-ui", title, document, root, ("swagger-ui-bundle.js",), ("swagger-ui.css",))


def redoc(title: str, document: str, root: str) -> str:
    """The page with Redoc, to read."""
    return _ui("redoc", title, document, root, ("redoc.standalone.js",), ())


def page(title: str, body: str, assets: str, more: str = "", scripts: str = "") -> str:
    """A whole page around a body that is HTML already."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="{escape(assets)}/apifold.css">{more}</head><body>{body}{scripts}</body></html>'
    )


def asset(name: str, accept_encoding: str = "") -> tuple[bytes, str, str]:
    """A script or style: content, media type, content encoding ("" for none).

    Raises:
        KeyError: there is none of that name.
    """
    media = ASSETS[name]
    content, packed = _content(name)
    if packed and "gzip" not in accept_encoding:
        return gzip.decompress(content), media, ""
    return content, media, "gzip" if packed else ""


def badge(status: str) -> str:
    """A status as a mark."""
    return f'<span class="status {escape(status.lower())}">{escape(status)}</span>' if status else ""


@cache
def _content(name: str) -> tuple[bytes, bool]:
    folder = files("apifold.reference") / "assets"
    packed = folder / f"{name}.gz"
    return (packed.read_bytes(), True) if packed.is_file() else ((folder / name).read_bytes(), False)


def _item(entry: CatalogueEntry, root: str) -> str:
    ui, document = escape(root + entry.ui), escape(root + entry.document)
    successor = f"<p>Its successor is {escape(entry.successor)}.</p>" if entry.successor else ""
    problem = (
        f'<p class="problem" role="alert">The last good version is served.\n{escape(entry.problem)}</p>'
        if entry.problem
        else ""
    )
    description = f"<p>{escape(entry.description)}</p>" if entry.description else ""
    operations = f"{entry.operations} operation{'' if entry.operations == 1 else 's'}"
    return (
        f'<li class="api"><article><header><h2>{escape(entry.title)}</h2><span class="version">{escape(entry.version)}</span>{badge(entry.status)}</header>'
        f"<p><code>{escape(root + entry.base)}</code> · {operations}</p>{description}{successor}"
        f'<nav aria-label="{escape(entry.title)}"><a href="{ui}">Try it</a><a href="{ui}/reference">Reference</a><a href="{document}">Description</a></nav>'
        f"{problem}</article></li>"
    )


def _ui(kind: str, title: str, document: str, root: str, scripts: tuple[str, ...], styles: tuple[str, ...]) -> str:
    assets = escape(f"{root}/-/assets")
    body = (
        f'<header class="bar"><a href="{escape(root)}/">All APIs</a><strong>{escape(title)}</strong></header>'
        f'<div id="ui" data-kind="{kind}" data-document="{escape(document)}" data-root="{escape(root)}"></div>'
    )
    more = "".join(f'<link rel="stylesheet" href="{assets}/{name}">' for name in styles)
    return page(
        title,
        body,
        f"{root}/-/assets",
        more,
        "".join(f'<script src="{assets}/{name}"></script>' for name in (*scripts, "apifold-ui.js")),
    )
