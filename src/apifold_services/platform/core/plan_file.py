"""A plan as it is written: what it says, and whether that holds together. Plain data in, plain data out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from apifold import Invalid, Problem

CAMP_VERSION = "CAMP 1.1"

MAX_DEPTH = 100
"""Nodes in one another."""

Text = Annotated[str, msgspec.Meta(max_length=4096)]
Short = Annotated[str, msgspec.Meta(max_length=255)]
Tags = Annotated[tuple[Short, ...], msgspec.Meta(max_length=100)]


class Content(msgspec.Struct, frozen=True):
    """Where an artifact is: at an address, or in the plan itself, as Base64."""

    href: Text | None = None
    data: str | None = None
    private: bool = False
    public_key: str | None = None


class ServiceSpecification(msgspec.Struct, frozen=True):
    """A service that is wanted: one that is there (`href`), or one with certain characteristics."""

    id: Short = ""
    href: Text = ""
    name: Short = ""
    characteristics: tuple[dict[str, Any], ...] = ()


class Requirement(msgspec.Struct, frozen=True):
    """What an artifact needs."""

    requirement_type: Short
    fulfillment: ServiceSpecification | Short | None = None


class Health(msgspec.Struct, frozen=True):
    """When an application is well: `path` answers below 500, or with one of the `accepted` codes; `tcp` asks no more
    than that it takes connections."""

    path: Annotated[str, msgspec.Meta(pattern="^/[!-~]*$", max_length=1024)] = "/"
    accepted: tuple[int, ...] = ()
    tcp: bool = False


class Artifact(msgspec.Struct, frozen=True):
    """Something that is built and run."""

    name: Short = ""
    artifact_type: Short = "heroku"
    content: Content = Content()
    requirements: tuple[Requirement, ...] = ()
    language_pack: str | bool = "auto"
    unittest_cmd: Text = ""
    build_cmd: Text = ""
    run_cmd: Text = ""
    ports: int | tuple[int, ...] | dict[str, int] = 80
    health: Health = Health()


class PlanFile(msgspec.Struct, frozen=True):
    """A plan. Nodes that are not known are kept, and mean nothing here."""

    name: Short = ""
    description: Text = ""
    tags: Tags = ()
    camp_version: str | None = None
    origin: Text = ""
    artifacts: Annotated[tuple[Artifact, ...], msgspec.Meta(max_length=100)] = ()
    services: Annotated[tuple[ServiceSpecification, ...], msgspec.Meta(max_length=100)] = ()
    parameters: dict[str, Any] = {}
    version: int | str | None = None

    def service(self, reference: str) -> ServiceSpecification | None:
        """The service that `id:NAME` refers to."""
        wanted = reference.removeprefix("id:")
        return next((one for one in self.specifications() if one.id and one.id == wanted), None)

    def specifications(self) -> Iterator[ServiceSpecification]:
        """Every service that the plan specifies, wherever it does."""
        yield from self.services
        for artifact in self.artifacts:
            for requirement in artifact.requirements:
                if isinstance(requirement.fulfillment, ServiceSpecification):
                    yield requirement.fulfillment


def read_plan(document: Any) -> PlanFile:
    """What a plan says.

    Args:
        document: as it was sent, as plain data.

    Raises:
        Invalid: it is no plan, or does not hold together; the text says where.
    """
    if not isinstance(document, dict) or not document:
        raise Invalid("A plan is a mapping, such as `camp_version: CAMP 1.1`, with something in it.")
    try:
        plan = msgspec.convert(document, PlanFile)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$")
        pointer = "/" + place.strip("`.").replace("[", "/").replace("]", "").replace(".", "/").lstrip("/")
        raise Invalid(f"The plan can't be read: {said}", [Problem("body", pointer.rstrip("/"), said)]) from None
    problems = list(unkeepable(document))
    if problems:
        raise Invalid(f"The plan can't be kept: {problems[0].pointer} {problems[0].detail}", problems)
    problems = list(_problems(plan))
    if problems:
        raise Invalid(f"The plan does not hold together: {problems[0].detail}", problems)
    return plan


def for_camp(document: Any) -> PlanFile:
    """What a plan says that was sent by CAMP. Raises Invalid: it is none, or of another version."""
    plan = read_plan(document)
    if plan.camp_version != CAMP_VERSION:
        said = "says no version" if plan.camp_version is None else f"is of another version than {CAMP_VERSION!r}"
        raise Invalid(problems=[Problem("body", "/camp_version", f"{said}; write `camp_version: {CAMP_VERSION}`")])
    problems = []
    for index, artifact in enumerate(document.get("artifacts") or ()):
        for name in ("artifact_type", "content"):
            if name not in artifact:
                problems.append(Problem("body", f"/artifacts/{index}/{name}", "is missing"))
    if problems:
        raise Invalid(problems=problems)
    return plan


def for_v1(document: Any) -> PlanFile:
    """What a plan says that was sent by Solum's API. Raises Invalid: it is none, or of another version."""
    plan = read_plan(document)
    problems = []
    if "version" not in document or str(plan.version) not in ("1", "1.0"):
        problems.append(Problem("body", "/version", "must be 1"))
    if not plan.name or len(plan.name) > 100 or not plan.name.replace("-", "").replace("_", "").isalnum():
        problems.append(Problem("body", "/name", "must have 1 to 100 letters, digits, `-` and `_`"))
    if problems:
        raise Invalid(problems=problems)
    return plan


def ports_of(artifact: Artifact) -> Mapping[str, int]:
    """The ports that an artifact says it listens on, by name."""
    ports = artifact.ports
    if isinstance(ports, dict):
        return ports
    listed = (ports,) if isinstance(ports, int) else ports
    return {f"port_{index}" if index else "web": port for index, port in enumerate(listed)}


def unkeepable(value: Any, pointer: str = "", depth: int = 0) -> Iterator[Problem]:
    """What can't be kept as it is in plain data that came from a client."""
    if isinstance(value, dict | list) and depth == MAX_DEPTH:
        yield Problem("body", pointer, f"is nested deeper than {MAX_DEPTH} nodes")
    elif isinstance(value, dict):
        for name, member in value.items():
            at = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            if "\0" in name:
                yield Problem("body", at, "has a NUL in its name")
            yield from unkeepable(member, at, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unkeepable(item, f"{pointer}/{index}", depth + 1)
    elif isinstance(value, str) and "\0" in value:
        yield Problem("body", pointer, "has a NUL in it")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem("body", pointer, "is no finite number")


def _problems(plan: PlanFile) -> Iterator[Problem]:
    ids = [one.id for one in plan.specifications() if one.id]
    for id in dict.fromkeys(ids):
        if ids.count(id) > 1:
            yield Problem("body", "/services", f"the id {id!r} is given more than once")
    for index, artifact in enumerate(plan.artifacts):
        at = f"/artifacts/{index}"
        if artifact.content.href is not None and artifact.content.data is not None:
            yield Problem("body", f"{at}/content", "has both `href` and `data`; one of them is enough")
        for name, port in ports_of(artifact).items():
            if not 1 <= port <= 65535:
                yield Problem("body", f"{at}/ports", f"{name}: {port} is no port")
        for number, requirement in enumerate(artifact.requirements):
            wanted = requirement.fulfillment
            if isinstance(wanted, str) and (not wanted.startswith("id:") or plan.service(wanted) is None):
                detail = f"{wanted!r} names no service of the plan; write `id:` and the id of one"
                yield Problem("body", f"{at}/requirements/{number}/fulfillment", detail)
            if isinstance(wanted, ServiceSpecification):
                yield from _untyped(wanted, f"{at}/requirements/{number}/fulfillment")
    for index, service in enumerate(plan.services):
        yield from _untyped(service, f"/services/{index}")


def _untyped(service: ServiceSpecification, at: str) -> Iterator[Problem]:
    for index, characteristic in enumerate(service.characteristics):
        if not isinstance(characteristic.get("characteristic_type"), str):
            yield Problem("body", f"{at}/characteristics/{index}/characteristic_type", "is missing")
