"""Resources of one kind, each of a project; the base of everything that the cloud keeps."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from apifold import Conflict, Deployment, NotFound, Page, Query

SHARED = ""
"""The project of what everybody may see."""

MOST = 10_000
Resource = dict[str, Any]


def now() -> str:
    """This moment, as the APIs write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Resources:
    """The resources of a kind; to a project, another one's do not exist.

    Args:
        deployment: whose database holds them.
        kind: as the APIs call one: `Network`.
        seeds: those that exist from the start, each with its `id`.
        unique: a member of which no two may have the same value.
    """

    def __init__(self, deployment: Deployment, kind: str, seeds: Iterable[Resource] = (), unique: str = "") -> None:
        self.deployment = deployment
        self.kind = kind
        self.seeds = tuple(seeds)
        self.unique = (unique,) if unique else ()
        self._is_sown = False

    def create(self, project: str, members: Resource) -> Resource:
        """Keep a new one, under the `id` among its members or a new one.

        Raises:
            Conflict: its id or unique member is taken.
        """
        id = members.get("id") or str(uuid.uuid4())
        body: Resource = {"created_at": now(), "updated_at": now(), **members, "id": id, "project_id": project}
        try:
            self._kept.create(body, id)
        except Conflict:
            called = members.get("name", id)
            raise Conflict(f"The {self.kind} ({called}) already exists.", title=f"{self.kind}Exists") from None
        return body

    def page(self, project: str, page: Page | None = None, **wanted: Any) -> list[Resource]:
        """Those that a project sees, the oldest first; `wanted` are values by member, empty ones do not count."""
        filters = {name: (one,) for name, one in wanted.items() if one}
        return self._found({"project_id": (project, SHARED), **filters}, page)

    def every(self) -> list[Resource]:
        """Those of all projects."""
        return self._found({}, None)

    def get(self, project: str, id: str) -> Resource:
        """One of them.

        Raises:
            NotFound: there is none, or it is another project's.
        """
        with suppress(NotFound):
            return self._checked(project, id, self._kept.read(id).body)
        raise self.missing(id)

    def change(self, project: str, id: str, change: Callable[[Resource], Resource]) -> Resource:
        """Merge into one what `change` makes of it, with nobody in between.

        Raises:
            NotFound: as `get` does.
        """

        def changed(body: Resource) -> Resource:
            return {**self._checked(project, id, body), "updated_at": now(), **change(body)}

        self.get(project, id)
        return self._kept.change(id, changed).body  # type: ignore[no-any-return]  # a document's body is one

    def remove(self, project: str, id: str) -> Resource:
        """Forget one, and tell what it was. Raises as `get` does."""
        found = self.get(project, id)
        self._kept.delete(id)
        return found

    def missing(self, id: str) -> NotFound:
        """The fault for one that is not there."""
        return NotFound(f"{self.kind} {id} could not be found.", title=f"{self.kind}NotFound")

    @property
    def _kept(self) -> Any:
        made = self.deployment.collection(
            f"standin-{self.kind.lower()}", filterable=("project_id", "name"), unique=self.unique
        )
        if not self._is_sown:
            self._sow(made)
            self._is_sown = True
        return made

    def _sow(self, kept: Any) -> None:
        """Put the seeds in, once in the life of a database, so that what is deleted stays so."""
        sown = self.deployment.collection("standin-sown")
        with suppress(NotFound):
            sown.read(self.kind)
            return
        for seed in self.seeds:
            with suppress(Conflict):
                kept.create({"created_at": now(), "updated_at": now(), "project_id": SHARED, **seed}, seed["id"])
        with suppress(Conflict):
            sown.create({}, self.kind)

    def _found(self, filters: dict[str, tuple[Any, ...]], page: Page | None) -> list[Resource]:
        query = Query(filters, limit=page.limit, marker=page.marker or None) if page else Query(filters, limit=MOST)
        found = self._kept.page(query)
        if page:
            page.next_marker = found.next_marker or ""
        return [document.body for document in found.items]

    def _checked(self, project: str, id: str, body: Resource) -> Resource:
        if body["project_id"] not in (project, SHARED):
            raise self.missing(id)
        return body
