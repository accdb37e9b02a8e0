"""Discovery: the document in which clients look for the versions of an API, in the shape that they know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from apifold import extension_points
from apifold.http import Request, Response
from apifold.reference.pages import CONTENT_SECURITY_POLICY, CatalogueEntry
from apifold.reference.pages import catalogue as catalogue_page


class Discovery(Protocol):
    """A shape of discovery documents, found by name among the entry points of `apifold.discoveries`."""

    def all(self, apis: Sequence[CatalogueEntry], root: str) -> Any:
        """The document at a service's root.

        Args:
            apis: those that are served, in the order of their base paths.
            root: scheme, authority and public prefix, for links.
        """

    def one(self, api: CatalogueEntry, root: str) -> Any:
        """The document at the root of one API."""


class OpenStack:
    """`openstack`: `{"versions": [{id, status, links, ...}]}`, as OpenStack's services have it."""

    def all(self, apis: Sequence[CatalogueEntry], root: str) -> Any:
        return {"versions": [_openstack(api, root) for api in apis]}

    def one(self, api: CatalogueEntry, root: str) -> Any:
        return {"version": _openstack(api, root)}


def _openstack(api: CatalogueEntry, root: str) -> dict[str, Any]:
    """`version` and `min_version` are there where clients may choose one: keystoneauth reads them as microversions."""
    chosen = {"version": api.newest, "min_version": api.oldest} if api.newest else {}
    links = [{"href": f"{root}{api.base}", "rel": "self"}]
    return {"id": api.id, "links": links, "status": api.status or "CURRENT", "release": api.version, **chosen}


class Served(Protocol):
    """What these handlers ask of the process they run in."""

    def entries(self) -> list[CatalogueEntry]:
        """The APIs that are served."""


def versions(status: Served, service: str, shape: str, request: Request, media: str) -> Any:
    """The APIs of a service: as a page for people, as a document for clients."""
    entries = [entry for entry in status.entries() if entry.target == service]
    if media == "text/html":
        page = catalogue_page(entries, service, request.prefix)
        policy = ("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return Response(200, page.encode(), (("Content-Type", "text/html; charset=utf-8"), policy, ("Vary", "Accept")))
    served = [entry for entry in entries if entry.status != "RETIRED"]
    return _shape(shape).all(served, request.base_url), 200, {"Vary": "Accept"}


def version(status: Served, api: str, shape: str, request: Request) -> Any:
    """One of them."""
    entry = next(entry for entry in status.entries() if entry.name == api)
    return _shape(shape).one(entry, request.base_url)


def _shape(name: str) -> Discovery:
    made: Discovery = extension_points.load("apifold.discoveries", name)()
    return made
