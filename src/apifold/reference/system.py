"""What the server says of itself: health, what is loaded, metrics, the catalogue of its APIs."""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from apifold.errors import Denied, NotFound, Unavailable
from apifold.exchange import Caller
from apifold.http import Request, Response
from apifold.reference.pages import (
    CONTENT_SECURITY_POLICY,
    CatalogueEntry,
)
from apifold.reference.pages import (
    asset as asset_file,
)
from apifold.reference.pages import (
    catalogue as catalogue_page,
)


class Status(Protocol):
    """What these handlers ask of the process they run in."""

    @property
    def ready(self) -> bool:
        """Whether requests are welcome."""

    def entries(self) -> list[CatalogueEntry]:
        """The APIs that are served."""

    def errors(self) -> list[str]:
        """What keeps files from being served at all."""

    def state(self) -> dict[str, Any]:
        """What is loaded, in every worker."""

    def shadow(self) -> dict[str, Any]:
        """What comparing implementations has shown, in every worker."""

    def use(self) -> list[dict[str, Any]]:
        """Who calls what, in every worker."""

    def would_refuse(self) -> list[dict[str, Any]]:
        """Who would be refused, were nothing let through, in every worker."""

    def metrics(self) -> tuple[bytes, str]:
        """The metrics of every worker, and their media type."""


def live() -> dict[str, str]:
    return {"status": "live"}


def ready(status: Status) -> dict[str, str]:
    if not status.ready:
        raise Unavailable("Not ready.", retry_after=1)
    return {"status": "ready"}


def apis(status: Status) -> dict[str, Any]:
    return status.state()


def shadow(status: Status) -> dict[str, Any]:
    return {"apis": status.shadow()}


def use(status: Status, caller: Caller) -> dict[str, Any]:
    if "admin" not in caller.roles:
        raise Denied("Who calls what is shown to callers with the role admin.")
    return {"use": status.use()}


def refusals(status: Status, caller: Caller) -> dict[str, Any]:
    if "admin" not in caller.roles:
        raise Denied("Who would be refused is shown to callers with the role admin.")
    return {"refusals": status.would_refuse()}


def metrics(status: Status) -> Response:
    content, media = status.metrics()
    return Response(200, content, (("Content-Type", media),))


def asset(name: str, request: Request) -> Response:
    try:
        content, media, encoding = asset_file(name, request.headers.get("accept-encoding", ""))
    except KeyError:
        raise NotFound("There is no such file.") from None
    headers = (("Content-Type", media), ("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding"))
    return Response(200, content, (*headers, ("Content-Encoding", encoding)) if encoding else headers)


def catalogue(status: Status, request: Request, media: str) -> Response:
    entries = status.entries()
    if media == "text/html":
        page = catalogue_page(entries, "APIs", request.prefix, status.errors())
        policy = ("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return Response(200, page.encode(), (("Content-Type", "text/html; charset=utf-8"), policy, ("Vary", "Accept")))
    listed = [_listed(entry, request) for entry in entries]
    return _json({"apis": listed}, "application/json", ("Vary", "Accept"))


def api_catalog(status: Status, request: Request) -> Response:
    """RFC 9727, 4.1: one link set, with `service-desc` and `service-doc` of each API (RFC 8631)."""
    root = request.base_url
    linkset = [
        {
            "anchor": f"{root}{entry.base or '/'}",
            "service-desc": [{"href": f"{root}{entry.document}", "type": "application/json"}],
            "service-doc": [{"href": f"{root}{entry.ui}", "type": "text/html"}],
        }
        for entry in status.entries()
    ]
    items = [{"href": one["anchor"]} for one in linkset]
    everything = [{"anchor": f"{root}/.well-known/api-catalog", "item": items}, *linkset]
    return _json({"linkset": everything}, 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"')


_SAID = ("status", "description", "oldest", "newest", "deprecated", "sunset", "successor", "problem")


def _listed(entry: CatalogueEntry, request: Request) -> dict[str, Any]:
    root = request.base_url
    listed = {
        "name": entry.name,
        "title": entry.title,
        "version": entry.version,
        "base": f"{root}{entry.base or '/'}",
        "document": f"{root}{entry.document}",
        "ui": f"{root}{entry.ui}",
        "operations": entry.operations,
    }
    return listed | {key: value for key in _SAID if (value := getattr(entry, key))}


def _json(value: Any, media: str, *headers: tuple[str, str]) -> Response:
    return Response(200, orjson.dumps(value), (("Content-Type", media), *headers))
