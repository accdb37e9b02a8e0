"""A service: one core with the APIs over it, as its `service.py` declares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apifold.exchange import Exchange
from apifold.jobs.duties import Duty
from apifold.jobs.job import JobKind


@dataclass(frozen=True, slots=True)
class PerRequest:
    """Something that a service provides anew for each request.

    Attributes:
        make: gives it, from the exchange; awaited where that takes time.
        instead_of: arguments that it stands for: a handler that takes it need not take them.
    """

    make: Callable[[Exchange], Any]
    instead_of: tuple[str, ...] = ()


Expand = Callable[[dict[str, Any], str], dict[str, Any]]
"""Makes an OpenAPI document of a file's content and its name without ending; raises `NotADescription`."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Files that add operations to one of a service's APIs, while it is served. Each stands and falls on its own.

    Attributes:
        api: name of the API, its `service` and `id` joined by `-`.
        directory: where they are: every YAML and JSON file in it is a part.
        expand: makes an OpenAPI document of each; its `servers`, or `basePath`, must be the API's.
        files: only those of these names, where any are said.
        handlers: the module that bare operationIds name functions of, where a file does not say.
        policy: file with rules of its own, beside those of the service.
    """

    api: str
    directory: Path
    expand: Expand | None = None
    files: tuple[str, ...] = ()
    handlers: str = ""
    policy: Path | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """One core with the APIs over it.

    Attributes:
        name: as users call it.
        apis: folders beside the service's module, each with its `openapi.yaml` (or `swagger.yaml`, or JSON).
        provides: what handlers may take by name, such as `core`; a `PerRequest` is made anew for each request.
        policy: file with the rules that its descriptions name, beside the service's module.
        jobs: the kinds of long work that it does, by name.
        duties: what it does again and again, by name, in the process that does long work.
        parts: directories of files that add to its APIs.
        overlays: files that change its descriptions (OpenAPI Overlay 1.0), by the folder of the API.
        implementations: who answers an API, or a part of one, by its name, where the deployment says nothing.
        named: implementations by names that settings may use for them.
        facts: what it says of itself, for descriptions that require something (`requires`).
        discovery: the shape of the document at its root that lists its APIs, such as `openstack`.
        close: called when the process stops.
    """

    name: str
    apis: tuple[str, ...]
    provides: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""
    jobs: Mapping[str, JobKind] = field(default_factory=dict)
    duties: Mapping[str, Duty] = field(default_factory=dict)
    parts: tuple[Parts, ...] = ()
    overlays: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    implementations: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    discovery: str = ""
    close: Callable[[], None] | None = None
