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

from apifold.http import takes_gzip

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

    `base`, `ui` and `document` are paths without the public prefix; `oldest` and `newest` are the versions between which
    clients may choose, "" where they may not; `deprecated` and `sunset` are dates; `target` is what brings it; `problem`
    says why its newest files are not served, where the last good ones are.
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
    id: str = ""
    target: str = ""
    oldest: str = ""
    newest: str = ""
    deprecated: str = ""
    sunset: str = ""


def catalogue(entries: Iterable[CatalogueEntry], title: str, root: str, errors: Iterable[str] = ()) -> str:
    """The page that lists APIs.

    Args:
        entries: the APIs, in the order in which they are shown.
        title: of the page.
        root: the public prefix, "" for none.
        errors: of files that are not served at all.
    """
    listed = list(entries)
    served = {entry.name: entry for entry in listed}
    count = f"{len(listed)} API{'' if len(listed) == 1 else 's'} served here"
    items = "".join(_item(entry, root, served.get(entry.successor)) for entry in listed)
    body = f'<main><h1>{escape(title)}</h1><p class="lead">{count}</p>{_refused(errors)}<ul class="apis">{items}</ul></main>'
    return page(title, body, f"{root}/-/assets")


def swagger_ui(title: str, document: str, root: str, status: str = "") -> str:
    """The page with Swagger UI, to try operations.

    Args:
        title: of the API.
        document: where its description is fetched from, the public prefix included.
        root: the public prefix, "" for none.
        status: of the API, shown beside its title.
    """
    bar = _bar(title, root, status)
    return _ui("swagger-ui", title, document, root, bar, ("swagger-ui-bundle.js",), ("swagger-ui.css",))


def redoc(title: str, document: str, root: str, status: str = "") -> str:
    """The page with Redoc, to read; the arguments are those of `swagger_ui`."""
    return _ui("redoc", title, document, root, _bar(title, root, status), ("redoc.standalone.js",), ())


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

    Args:
        name: a key of `ASSETS`; it never becomes a part of a path otherwise.
        accept_encoding: the request's header (RFC 9110, 12.5.3).

    Raises:
        KeyError: there is none of that name.
    """
    media = ASSETS[name]
    content, packed = _content(name)
    if packed and not takes_gzip(accept_encoding):
        return _unpacked(name), media, ""
    return content, media, "gzip" if packed else ""


def badge(status: str) -> str:
    """A status as a mark."""
    return f'<span class="status {escape(status.lower())}">{escape(status)}</span>' if status else ""


@cache
def _content(name: str) -> tuple[bytes, bool]:
    folder = files("apifold.reference") / "assets"
    packed = folder / f"{name}.gz"
    return (packed.read_bytes(), True) if packed.is_file() else ((folder / name).read_bytes(), False)


@cache
def _unpacked(name: str) -> bytes:
    return gzip.decompress(_content(name)[0])


def _refused(errors: Iterable[str]) -> str:
    items = "".join(f'<li class="problem">{escape(error)}</li>' for error in errors)
    heading = '<h2 id="refused">Not served, because of errors</h2>'
    return f'<section aria-labelledby="refused" class="refused">{heading}<ul>{items}</ul></section>' if items else ""


def _item(entry: CatalogueEntry, root: str, successor: CatalogueEntry | None) -> str:
    ui, document = escape(root + entry.ui), escape(root + entry.document)
    description = f"<p>{escape(entry.description)}</p>" if entry.description else ""
    operations = f"{entry.operations} operation{'' if entry.operations == 1 else 's'}"
    if entry.newest:
        operations += f" · versions {escape(entry.oldest)} to {escape(entry.newest)}"
    links = f'<a href="{ui}">Try it</a><a href="{ui}/reference">Reference</a><a href="{document}">Description</a>'
    return (
        f'<li class="api"><article><header><h2>{escape(entry.title)}</h2><span class="version">{escape(entry.version)}</span>{badge(entry.status)}</header>'
        f"<p><code>{escape(root + entry.base)}</code> · {operations}</p>{description}{_succeeded(entry, root, successor)}"
        f'<nav aria-label="{escape(entry.title)}">{links}</nav>{_held_back(entry)}</article></li>'
    )


def _succeeded(entry: CatalogueEntry, root: str, successor: CatalogueEntry | None) -> str:
    when = f"Deprecated since {escape(entry.deprecated)}. " if entry.deprecated else ""
    when += f"Served until {escape(entry.sunset)}. " if entry.sunset else ""
    if not entry.successor:
        return f"<p>{when.strip()}</p>" if when else ""
    name = escape(entry.successor)
    if successor:
        name = f'<a href="{escape(root + successor.ui)}">{escape(f"{successor.title} {successor.version}")}</a>'
    return f"<p>{when}Its successor is {name}.</p>"


def _held_back(entry: CatalogueEntry) -> str:
    lead = "The last good version is served."
    return f'<p class="problem">{lead}\n{escape(entry.problem)}</p>' if entry.problem else ""


def _bar(title: str, root: str, status: str) -> str:
    return (
        f'<header class="bar"><a href="{escape(root)}/">All APIs</a>'
        f"<strong>{escape(title)}</strong>{badge(status)}</header>"
    )


def _ui(
    kind: str, title: str, document: str, root: str, bar: str, scripts: tuple[str, ...], styles: tuple[str, ...]
) -> str:
    assets = escape(f"{root}/-/assets")
    without = f'<p class="lead">This page needs JavaScript; the <a href="{escape(document)}">description</a> can be read without it.</p>'
    body = (
        f"{bar}<noscript>{without}</noscript>"
        f'<div id="ui" role="main" data-kind="{kind}" data-document="{escape(document)}" data-root="{escape(root)}"></div>'
    )
    sheets = "".join(f'<link rel="stylesheet" href="{assets}/{name}">' for name in styles)
    loaded = "".join(f'<script src="{assets}/{name}"></script>' for name in (*scripts, "apifold-ui.js"))
    return page(title, body, f"{root}/-/assets", sheets, loaded)
