"""Rating modules: what prices points, one after the other, by priority."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any, Protocol

from sqlalchemy import delete, insert, select

from apifold import Database, NotFound
from apifold_services.rating.core.hashmap import Hashmap
from apifold_services.rating.core.points import Frame
from apifold_services.rating.core.rules import Rules
from apifold_services.rating.core.scripts import Scripts
from apifold_services.rating.core.tables import modules

POINT = "apifold_rating.processors"
"""Entry points of processors that other packages bring: made as `processor(database)`."""


class Processor(Protocol):
    """Something that prices points.

    Attributes:
        name: by which deployments switch it on, and give it a priority.
        hot_config: whether its rules can be changed while it works.
    """

    name: str
    description: str
    hot_config: bool

    def rate(self, frame: Frame, tenant: str, at: datetime) -> Frame:
        """The frame at its prices.

        Args:
            frame: at the prices that the processors before gave it.
            tenant: whose usage it is.
            at: the moment whose rules hold.
        """


class Noop:
    """Leaves every price as it is."""

    name = "noop"
    description = "Dummy test module."
    hot_config = False

    def rate(self, frame: Frame, tenant: str, at: datetime) -> Frame:
        return frame


class HashmapProcessor:
    """Prices by the hashmap's rules."""

    name = "hashmap"
    description = "HashMap rating module."
    hot_config = True

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def rate(self, frame: Frame, tenant: str, at: datetime) -> Frame:
        return Hashmap(self.rules.in_force(at), tenant).rate(frame)


class ScriptProcessor:
    """Prices by scripts, each in a child process that can do nothing else."""

    name = "pyscripts"
    description = "PyScripts rating module."
    hot_config = True

    def __init__(self, scripts: Scripts) -> None:
        self.scripts = scripts

    def rate(self, frame: Frame, tenant: str, at: datetime) -> Frame:
        return self.scripts.rate(frame, at)


@dataclass(frozen=True, slots=True)
class Module:
    """A processor as a deployment has it."""

    processor: Processor
    enabled: bool
    priority: int


class Modules:
    """The processors of a deployment.

    Args:
        database: with the service's tables.
        processors: those that the service brings.
    """

    def __init__(self, database: Database, processors: Sequence[Processor]) -> None:
        self.database = database
        guests = [point.load()(database) for point in entry_points(group=POINT)]
        self.processors = {one.name: one for one in (*processors, *guests)}

    def all(self) -> list[Module]:
        """Every module, by name."""
        with self.database.reading() as connection:
            rows = {row.module_id: row._mapping for row in connection.execute(select(modules))}
        return [_module(one, rows.get(name)) for name, one in sorted(self.processors.items())]

    def get(self, name: str) -> Module:
        """One of them. Raises NotFound."""
        found = next((module for module in self.all() if module.processor.name == name), None)
        if found is None:
            raise NotFound(f"Module '{name}' not found")
        return found

    def change(self, name: str, *, enabled: bool | None = None, priority: int | None = None) -> Module:
        """Switch one on or off, or give it another priority. Raises NotFound."""
        before = self.get(name)
        row = {
            "module_id": name,
            "enabled": before.enabled if enabled is None else enabled,
            "priority": before.priority if priority is None else priority,
        }
        with self.database.writing() as connection:
            connection.execute(delete(modules).where(modules.c.module_id == name))
            connection.execute(insert(modules).values(row))
        return self.get(name)

    def rate(self, frame: Frame, tenant: str, at: datetime) -> Frame:
        """The frame as every enabled module prices it, the highest priority first."""
        enabled = [module for module in self.all() if module.enabled]
        for module in sorted(enabled, key=lambda one: (-one.priority, one.processor.name)):
            frame = module.processor.rate(frame, tenant, at)
        return frame


def _module(processor: Processor, row: Mapping[str, Any] | None) -> Module:
    is_noop = processor.name == Noop.name
    if row is None:
        return Module(processor, is_noop, 1)
    return Module(processor, is_noop or row["enabled"], row["priority"])
