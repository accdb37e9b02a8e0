"""Where clients look for the versions of compute: `{"versions": [...]}`, in the members that they know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apifold import CatalogueEntry

MEDIA = "application/vnd.openstack.compute+json;version="
UPDATED = {"v2.0": "2011-01-21T11:33:21Z", "v2.1": "2013-07-23T11:33:21Z"}
"""When each contract was made; clients do nothing with it, and expect it."""


class Nova:
    """`compute`: upstream's two versions, those of them that are served."""

    def all(self, apis: Sequence[CatalogueEntry], root: str) -> Any:
        return {"versions": [_brief(api, root) for api in apis if _is_compute(api)]}

    def one(self, api: CatalogueEntry, root: str) -> Any:
        if not _is_compute(api):
            return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": _links(api, root)}]}
        described = {"rel": "describedby", "type": "text/html", "href": f"{root}{api.ui}"}
        media = [{"base": "application/json", "type": f"{MEDIA}{api.id.removeprefix('v')}"}]
        version = _brief(api, root)
        return {"version": {**version, "links": [*version["links"], described], "media-types": media}}


def _is_compute(api: CatalogueEntry) -> bool:
    return str(api.name).startswith("compute-v")


def _brief(api: CatalogueEntry, root: str) -> dict[str, Any]:
    known = {"id": api.id, "status": api.status or "CURRENT", "version": api.newest, "min_version": api.oldest}
    return {**known, "updated": UPDATED.get(api.id, UPDATED["v2.1"]), "links": _links(api, root)}


def _links(api: CatalogueEntry, root: str) -> list[dict[str, str]]:
    return [{"rel": "self", "href": f"{root}{api.base}/"}]
