"""A service: one core with the APIs over it, as its `service.py` declares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apifold.jobs.job import JobKind


@dataclass(frozen=True, slots=True)
class Service:
    """One core with the APIs over it.

    Attributes:
        name: as users call it.
        apis: folders beside the service's module, each with its `openapi.yaml` (or `swagger.yaml`, or JSON).
        provides: what handlers may take by name, such as `core`.
        policy: file with the rules that its descriptions name, beside the service's module.
        jobs: the kinds of long work that it does, by name.
        close: called when the process stops.
    """

    name: str
    apis: tuple[str, ...]
    provides: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""
    jobs: Mapping[str, JobKind] = field(default_factory=dict)
    close: Callable[[], None] | None = None
