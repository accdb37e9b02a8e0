"""The pages of one API in a static reference: its operations by tag, and its schemas, linked to each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from typing import Any

from apifold.reference.operation_text import OperationText
from apifold.reference.outline import Operation, Outline, mapping
from apifold.reference.pages import CatalogueEntry, badge, page
from apifold.reference.prose import markdown
from apifold.reference.schema_tree import SchemaTree

MOST_ON_ONE_PAGE = 200
"""Operations on one page, and schemas on one page; an API with more operations has a page for each tag."""

STATIC_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)
"""A static page loads its own style sheet and nothing else; `style` attributes align the columns of tables."""


class Names:
    """Gives names that are safe in URLs and file systems, each only once, whatever case a file system sees."""

    def __init__(self, *taken: str) -> None:
        self._taken = set(taken)

    def give(self, wanted: str) -> str:
        """A name that looks like the one that is wanted."""
        plain = re.sub(r"[^a-z0-9._]+", "-", wanted.lower()).strip("-.")[:80] or "x"
        name, count = plain, 1
        while name in self._taken:
            count += 1
            name = f"{plain}-{count}"
        self._taken.add(name)
        return name


@dataclass(slots=True)
class _Place:
    """A file, and what stands in it."""

    file: str
    title: str
    tags: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)


class ApiPages:
    """Draws one API.

    Args:
        entry: what the catalogue says of it.
        document: OpenAPI 3.x or Swagger 2.0, every reference local.
        names: gives the names of the files, without `.html`.
    """

    def __init__(self, entry: CatalogueEntry, document: dict[str, Any], names: Names) -> None:
        self._entry = entry
        self._outline = Outline(document)
        self._groups = self._outline.by_tag()
        self._places = self._placed(names)
        self.file = self._places[0].file
        anchors = Names()
        self._operation_anchors = {
            (one.method, one.path): anchors.give(f"{one.method}-{one.path}") for one in self._outline.operations
        }
        self._schema_places = {
            name: (place.file, anchors.give(f"schema-{name}")) for place in self._places for name in place.schemas
        }
        self._tree = SchemaTree(self._link)
        self._operation_text = OperationText(self._outline, self._tree, entry.base)

    def pages(self) -> Iterator[tuple[str, str]]:
        """File names and texts, the API's first page first."""
        for place in self._places:
            yield place.file, self._page(place)

    def _placed(self, names: Names) -> list[_Place]:
        """Which page each tag and each schema is on."""
        first = _Place(f"{names.give(self._entry.name)}.html", self._entry.title)
        places = [first]
        if len(self._outline.operations) <= MOST_ON_ONE_PAGE:
            first.tags.extend(self._groups)
        else:
            places += [
                _Place(f"{names.give(f'{self._entry.name}-{tag}')}.html", tag, tags=[tag]) for tag in self._groups
            ]
        if len(places) == 1 and len(self._outline.schemas) <= MOST_ON_ONE_PAGE:
            first.schemas.extend(self._outline.schemas)
            return places
        waiting = iter(self._outline.schemas)
        while some := list(islice(waiting, MOST_ON_ONE_PAGE)):
            title = f"Schemas, {some[0]} to {some[-1]}"
            places.append(_Place(f"{names.give(f'{self._entry.name}-schemas')}.html", title, schemas=some))
        return places

    def _page(self, place: _Place) -> str:
        is_first = place is self._places[0]
        head = self._head() if is_first else f"<h1>{escape(place.title)}</h1>"
        others = self._other_pages() if is_first and len(self._places) > 1 else ""
        contents = "".join(self._contents(tag) for tag in place.tags)
        groups = "".join(map(self._group, place.tags))
        title = self._entry.title if is_first else f"{place.title} · {self._entry.title}"
        up = "" if is_first else f'<a href="{self.file}">{escape(self._entry.title)}</a>'
        return static_page(title, f"{head}{others}{contents}{groups}{self._schemas(place)}", up)

    def _head(self) -> str:
        entry = self._entry
        successor = f"<p>Its successor is {escape(entry.successor)}.</p>" if entry.successor else ""
        about = markdown(mapping(self._outline.document.get("info")).get("description"), 1)
        return (
            f'<h1>{escape(entry.title)} <span class="version">{escape(entry.version)}</span> {badge(entry.status)}</h1>'
            f'<p class="lead"><code>{escape(entry.base or "/")}</code></p>{successor}{about}'
        )

    def _other_pages(self) -> str:
        items = []
        for place in self._places[1:]:
            count = sum(len(self._groups[tag]) for tag in place.tags) or len(place.schemas)
            items.append(f'<li><a href="{place.file}">{escape(place.title)}</a> ({count})</li>')
        return f'<nav aria-label="Pages"><ul class="contents">{"".join(items)}</ul></nav>'

    def _contents(self, tag: str) -> str:
        links = "".join(f'<li><a href="#{self._anchor(one)}">{escape(one.label)}</a></li>' for one in self._groups[tag])
        return f'<nav aria-label="{escape(tag)}"><p><strong>{escape(tag)}</strong></p><ul class="contents">{links}</ul></nav>'

    def _group(self, tag: str) -> str:
        drawn = "".join(self._operation_text.draw(one, self._anchor(one)) for one in self._groups[tag])
        return f"<section><h2>{escape(tag)}</h2>{markdown(self._outline.about_tag(tag), 2)}{drawn}</section>"

    def _schemas(self, place: _Place) -> str:
        drawn = "".join(
            f'<article class="operation" id="{self._schema_places[name][1]}"><h3>{escape(name)}</h3>'
            f"{self._tree.draw(self._outline.schemas[name])}</article>"
            for name in place.schemas
        )
        return f"<section><h2>Schemas</h2>{drawn}</section>" if drawn else ""

    def _anchor(self, operation: Operation) -> str:
        return self._operation_anchors[operation.method, operation.path]

    def _link(self, reference: str) -> str:
        name, rest = self._outline.schema_named_by(reference)
        if not name:
            return f"<code>{escape(reference)}</code>"
        file, anchor = self._schema_places[name]
        return f'<a href="{file}#{anchor}">{escape(name + rest)}</a>'


def static_page(title: str, body: str, up: str = "") -> str:
    """A whole page of the static reference, its header leading back to the index, and to `up` (HTML)."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{escape(STATIC_POLICY)}">'
    bar = f'<header class="bar"><a href="index.html">All APIs</a>{up}</header>'
    return page(title, f"{bar}<main>{body}</main>", ".", policy)
