"""Services that come with the platform, and which of them fulfils a requirement."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from apifold import Invalid, Problem
from apifold_services.platform.core.plan_file import Artifact, PlanFile, Requirement, ServiceSpecification

TYPE = "characteristic_type"
_NAMESPACE = uuid.UUID("6c2b5c0e-6f0b-4b7e-9d2a-0d0c7a1f5e11")


@dataclass(frozen=True, slots=True)
class Offer:
    """A service that the platform offers to every application.

    Attributes:
        name: as users see it.
        characteristics: what it is, in the form that plans ask for it.
        makes: what is made for an application that uses it: `sqlite`, `postgresql`; "" for nothing.
    """

    name: str
    description: str
    characteristics: tuple[dict[str, Any], ...]
    makes: str = ""

    @property
    def id(self) -> str:
        """The same on every machine."""
        return str(uuid.uuid5(_NAMESPACE, self.name))

    def has(self, wanted: dict[str, Any]) -> bool:
        """Whether it has a characteristic; of a version, the parts that are asked for."""
        return any(_fits(offered, wanted) for offered in self.characteristics)


@dataclass(frozen=True, slots=True)
class Use:
    """A service that an artifact gets, because it requires it.

    Attributes:
        artifact: the artifact's place in its plan.
        shared: the id that several requirements know it by; "" for one of its own.
    """

    artifact: int
    requirement: str
    offer: Offer
    shared: str


def offers(python: str, node: str, *, postgresql: bool) -> tuple[Offer, ...]:
    """What there is.

    Args:
        python: the version of Python that applications get; "" where there is none. `node` likewise.
        postgresql: whether there is a server for it.
    """
    found = [
        Offer("sqlite", "A SQLite database of its own", _types("org.sqlite:sqlite", "org.sql:database"), "sqlite"),
    ]
    if python:
        runtime = {TYPE: "org.python:python", "version": python}
        found.append(Offer("python", f"Python {python}", (runtime,)))
    if node:
        found.append(Offer("nodejs", f"Node.js {node}", ({TYPE: "org.nodejs:node", "version": node},)))
    if postgresql:
        types = _types("org.postgresql:postgresql", "org.sql:database")
        found.append(Offer("postgresql", "A PostgreSQL database of its own", types, "postgresql"))
    return tuple(sorted(found, key=lambda one: one.name))


def uses(plan: PlanFile, offered: Sequence[Offer]) -> tuple[Use, ...]:
    """The services that the artifacts of a plan get.

    Raises:
        Invalid: a requirement can't be fulfilled; it is named.
    """
    found: list[Use] = []
    problems = []
    for index, artifact in enumerate(plan.artifacts):
        for number, requirement in enumerate(artifact.requirements):
            specification = _specification(plan, requirement)
            offer = _fulfilling(requirement, specification, offered)
            if offer is None:
                detail = _unfulfilled(artifact, requirement, specification, offered)
                problems.append(Problem("body", f"/artifacts/{index}/requirements/{number}", detail))
                continue
            shared = (specification.id or "") if specification else ""
            found.append(Use(index, requirement.requirement_type, offer, shared))
    if problems:
        raise Invalid(f"The plan can't be deployed: {problems[0].detail}", problems)
    return tuple(found)


def _specification(plan: PlanFile, requirement: Requirement) -> ServiceSpecification | None:
    wanted = requirement.fulfillment
    return plan.service(wanted) if isinstance(wanted, str) else wanted


def _fulfilling(
    requirement: Requirement, wanted: ServiceSpecification | None, offered: Iterable[Offer]
) -> Offer | None:
    if wanted is not None and wanted.href:
        return next((one for one in offered if one.id == wanted.href.rstrip("/").rpartition("/")[2]), None)
    # A requirement that says nothing else is for what has its very type.
    asked = (wanted.characteristics if wanted else ()) or ({TYPE: requirement.requirement_type},)
    return next((one for one in offered if all(one.has(characteristic) for characteristic in asked)), None)


def _unfulfilled(
    artifact: Artifact, requirement: Requirement, wanted: ServiceSpecification | None, offered: Iterable[Offer]
) -> str:
    named = f" of {artifact.name!r}" if artifact.name else ""
    asked = ", ".join(str(one.get(TYPE)) for one in wanted.characteristics) if wanted else ""
    what = f" ({wanted.href or asked})" if wanted and (wanted.href or asked) else ""
    known = ", ".join(sorted({str(one[TYPE]) for offer in offered for one in offer.characteristics}))
    return f"nothing fulfils the requirement {requirement.requirement_type!r}{named}{what}; there is: {known}"


def _types(*names: str) -> tuple[dict[str, Any], ...]:
    return tuple({TYPE: name} for name in names)


def _fits(offered: dict[str, Any], wanted: dict[str, Any]) -> bool:
    if offered[TYPE] != wanted.get(TYPE):
        return False
    version = str(wanted.get("version", ""))
    return not version or "version" not in offered or f"{offered['version']}.".startswith(f"{version}.")
