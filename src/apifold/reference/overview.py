"""What is served, as people and programs are told: each API's place in the catalogue, its status, its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apifold.compare import Evidence
from apifold.generation import Generation, Loaded
from apifold.reference.pages import CatalogueEntry
from apifold.reference.whole import with_parts
from apifold.settings import ApiSettings, Settings, StatusRule


@dataclass(slots=True)
class Overview:
    """What is told of the generation in place.

    Attributes:
        settings: what the deployment changes.
        generation: gives the generation in place; None while there is none.
        evidence: gives what comparing implementations has shown.
    """

    settings: Settings
    generation: Callable[[], Generation | None]
    evidence: Callable[[], Evidence]

    @property
    def loaded(self) -> tuple[Loaded, ...]:
        """The APIs in place, and the parts of such."""
        generation = self.generation()
        return generation.loaded if generation else ()

    def parts(self, name: str) -> list[Loaded]:
        """The parts of an API."""
        return [one for one in self.loaded if one.part_of == name]

    def entries(self) -> list[CatalogueEntry]:
        """The APIs for the catalogue, by base path."""
        return [entry for entry, _ in self._whole()]

    def documents(self) -> list[tuple[CatalogueEntry, dict[str, Any]]]:
        """The APIs, each with its document, in which its parts are, too; by base path."""
        return [
            (
                entry,
                with_parts(one.description.written, [part.description.written for part in self.parts(one.api.name)]),
            )
            for entry, one in self._whole()
        ]

    def _whole(self) -> Iterator[tuple[CatalogueEntry, Loaded]]:
        added: Counter[str] = Counter()
        for one in self.loaded:
            added[one.part_of] += len(one.description.operations)
        for one in sorted((one for one in self.loaded if not one.part_of), key=lambda one: one.api.base):
            yield _entry(one, self.status(one), added[one.api.name]), one

    def states(self) -> list[dict[str, Any]]:
        """The APIs and parts for operators."""
        return [self._state(one) for one in self.loaded]

    def aside(self) -> list[dict[str, Any]]:
        """What is not served for want of something."""
        generation = self.generation()
        found = generation.aside if generation else ()
        return [{"name": one.name, "file": str(one.path), "reasons": list(one.reasons)} for one in found]

    def status_of(self, name: str) -> str:
        """The status of an API by its name; "" where it is not in place yet."""
        return next((self.status(one) for one in self.loaded if one.api.name == name), "")

    def status(self, one: Loaded) -> str:
        """An API's status at this moment; the one that a deployment gives it may have to wait for a fact."""
        changes = self.settings.apis.get(one.api.name, ApiSettings())
        now = datetime.now(UTC)
        holds = not changes.status_after or self._holds(changes.status_after, one)
        return one.lifecycle.status_at(now, holds=holds) or ""

    def unsucceeded(self, name: str) -> list[str]:
        """Operations of an API that name no successor, or one that is not served; by method and path."""
        return [title for one in self.loaded if name in (one.api.name, one.part_of) for title in self._unsucceeded(one)]

    def _unsucceeded(self, one: Loaded) -> Iterator[str]:
        name = one.lifecycle.successor
        there = [other.api for other in self.loaded if name and name in (other.api.name, other.part_of)]
        for operation in one.description.operations:
            wanted = operation.extension.successor
            if not wanted or not any(api.endpoint(wanted) for api in there):
                yield f"{operation.method} {one.description.template_base}{operation.path}"

    def _holds(self, rule: StatusRule, one: Loaded) -> bool:
        """Whether what must be so before an API gets its status is so."""
        if rule.succeeded:
            is_there = any(other.api.name == rule.succeeded for other in self.loaded)
            if not is_there or self.unsucceeded(rule.succeeded):
                return False
        apis = [one.api, *(part.api for part in self.parts(one.api.name))]
        pairs = {endpoint.shadow.pair for api in apis for endpoint in api.endpoints if endpoint.shadow}
        return not rule.same or self.evidence().alike(one.api.name, pairs) >= rule.same

    def _state(self, one: Loaded) -> dict[str, Any]:
        lifecycle = one.lifecycle
        dates = {"deprecated": lifecycle.deprecated, "sunset": lifecycle.sunset}
        successor = lifecycle.successor
        return {
            "name": one.api.name,
            "title": one.description.title,
            "version": one.description.version,
            "status": self.status(one),
            "base": one.api.base or "/",
            **({"part_of": one.part_of} if one.part_of else {}),
            **({"versions": dict(zip(("min", "max"), _range(one), strict=True))} if _range(one)[0] else {}),
            **{name: date.isoformat() for name, date in dates.items() if date},
            **({"successor": successor, "without_successor": list(self._unsucceeded(one))} if successor else {}),
            "file": str(one.path),
            "digest": one.digest[:12],
            "operations": len(one.description.operations),
            "errors": [str(error) for error in one.errors],
        }


def _range(one: Loaded) -> tuple[str, str]:
    limits = one.compiled.history.limits
    return (str(limits.least), str(limits.most)) if limits else ("", "")


def _entry(one: Loaded, status: str, added: int) -> CatalogueEntry:
    """An API in the catalogue; `added` is how many operations its parts have."""
    description, base = one.description, one.api.base
    written = description.written.get("info", {}).get("description") or ""
    document = "swagger.json" if description.flavour == "2.0" else "openapi.json"
    deprecated, sunset = one.lifecycle.deprecated, one.lifecycle.sunset
    oldest, newest = _range(one)
    return CatalogueEntry(
        name=one.api.name,
        id=description.extension.id or one.api.name,
        target=one.target,
        title=description.title,
        version=description.version,
        oldest=oldest,
        newest=newest,
        status=status,
        deprecated=deprecated.date().isoformat() if deprecated else "",
        sunset=sunset.date().isoformat() if sunset else "",
        base=base or "/",
        description=written.strip().partition("\n")[0].partition(". ")[0],
        operations=len(description.operations) + added,
        ui=f"{base}/ui",
        document=f"{base}/{document}",
        successor=description.extension.successor,
        problem="\n".join(map(str, one.errors)),
    )
