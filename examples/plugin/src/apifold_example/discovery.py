"""A discovery: the APIs of a service in a shape of one's own."""

from collections.abc import Sequence
from typing import Any

from apifold import CatalogueEntry


class Shelfmarks:
    """`Service(discovery="shelfmarks")`: `{"v1": "http://.../v1"}`."""

    def all(self, apis: Sequence[CatalogueEntry], root: str) -> Any:
        return {api.id: f"{root}{api.base}" for api in apis}

    def one(self, api: CatalogueEntry, root: str) -> Any:
        return {"title": api.title, "status": api.status}
