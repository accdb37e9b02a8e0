"""Lists in pages: by marker (nothing skipped or repeated while things are added) or by offset, with links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from apifold.exchange import Around, Exchange, Page, Result
from apifold.http import Request
from apifold.traits.trait import Surroundings, with_parameter

_KEYS = ("by", "limit", "max", "links", "total")


class Paging:
    """`page: marker`, `page: offset`, or `page: {by: marker, limit: 50, max: 500, links: servers_links}`.

    `limit` is the page's size where the client says nothing, `max` the most it may ask for; `links` names a member
    of the answer that gets the links too (`[{rel: next, href: ...}]`), `total` one that gets how many there are, where
    that is known. The handler gets a `page`.
    """

    rank = 50

    def __init__(self, option: Any) -> None:
        options: dict[str, Any] = option if isinstance(option, dict) else {"by": option or "marker"}
        if options.get("by", "marker") not in ("marker", "offset") or not options.keys() <= set(_KEYS):
            raise ValueError(f"`page` is `marker`, `offset`, or a mapping of {', '.join(_KEYS)}")
        self.by = options.get("by", "marker")
        self.limit: int = options.get("limit", 100)
        self.max: int = options.get("max", 1000)
        self.links = options.get("links", "")
        self.total = options.get("total", "")

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        size = {"type": "integer", "minimum": 1, "maximum": self.max, "default": self.limit}
        described = with_parameter(
            operation, {"name": "limit", "in": "query", "description": "how many at the most", "schema": size}
        )
        if self.by == "marker":
            marker = {
                "name": "marker",
                "in": "query",
                "description": "after this one: the marker of the page before",
                "schema": {"type": "string"},
            }
            return with_parameter(described, marker)
        offset = {"type": "integer", "minimum": 0, "maximum": 2**53, "default": 0}
        return with_parameter(
            described, {"name": "offset", "in": "query", "description": "how many to leave out first", "schema": offset}
        )

    def around(self, surroundings: Surroundings) -> Around | None:
        async def paging(exchange: Exchange, proceed: Callable[[Exchange], Awaitable[Result]]) -> Result:
            arguments = exchange.arguments
            page = Page(
                _within(arguments.pop("limit", self.limit), 1, self.max, self.limit),
                arguments.pop("marker", ""),
                _within(arguments.pop("offset", 0), 0, 2**53, 0),
                counts=self.by == "offset",
            )
            arguments["page"] = page
            result = await proceed(exchange)
            if self.total and page.total is not None and isinstance(result.value, dict):
                result.value = {self.total: page.total, **result.value}
            links = self._links(exchange.request, page)
            if links:
                value = ", ".join(f'<{href}>; rel="{rel}"' for rel, href in links)
                result.headers = (*result.headers, ("Link", value))
                if self.links and isinstance(result.value, dict):
                    result.value[self.links] = [{"rel": rel, "href": href} for rel, href in links]
            return result

        return paging

    def _links(self, request: Request, page: Page) -> list[tuple[str, str]]:
        """Links to other pages (RFC 8288): the request's own address with another place in the list."""
        if self.by == "marker":
            return (
                [("next", _address(request, marker=page.next_marker, limit=str(page.limit)))]
                if page.next_marker
                else []
            )
        links = []
        if page.total is not None and page.offset + page.limit < page.total:
            links.append(("next", _address(request, offset=str(page.offset + page.limit), limit=str(page.limit))))
        if page.offset:
            links.append(
                ("prev", _address(request, offset=str(max(0, page.offset - page.limit)), limit=str(page.limit)))
            )
        return links


def _within(value: Any, least: int, most: int, otherwise: int) -> int:
    """A number within bounds: where requests are only logged, anything may have been sent."""
    return value if isinstance(value, int) and least <= value <= most else otherwise


def _address(request: Request, **changes: str) -> str:
    pairs = [(name, value) for name, value in parse_qsl(request.query, keep_blank_values=True) if name not in changes]
    return f"{request.base_url}{request.path}?{urlencode([*pairs, *changes.items()])}"
