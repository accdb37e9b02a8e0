"""The interface of engines: what makes a running application of an artifact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from apifold_services.platform.core.plan_file import Artifact

POINT = "apifold_platform.engines"
"""The entry points that engines are found by: each a class, made with the deployment and its own settings."""


class EngineFailed(Exception):
    """It could not be done; the text says why, to the application's owner."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One artifact of an assembly, on its way to run.

    Attributes:
        id: of its component; everything that is made for it is found by that.
        package: folder that relative addresses are in; None where the plan came alone.
        pack: folder of the language pack that builds it; None where the engine decides.
        key: private key for its source; "" for none.
        variables: the environment that it runs with.
        instances: how many of it run, behind one address.
    """

    id: str
    assembly_id: str
    name: str
    artifact: Artifact
    package: Path | None = None
    pack: Path | None = None
    key: str = field(default="", repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    instances: int = 1


@dataclass(frozen=True, slots=True)
class UnitState:
    """How a unit does.

    Attributes:
        alive: whether anything of it is there to run it; False is to be started again where it is wanted.
        ready: instances that answer.
        restarts: of its instances, since it was started.
        memory: bytes that its instances use.
        started: seconds since the epoch; 0 where it does not run.
    """

    alive: bool = False
    ready: int = 0
    restarts: int = 0
    memory: int = 0
    started: float = 0.0


class Engine(Protocol):
    """Runs units. Every call may be made again, by whichever process goes on with the work; each finds what the one
    before it left.

    Raises:
        EngineFailed: from all that do something.
    """

    name: str
    description: str

    def runtimes(self) -> Mapping[str, str]:
        """The versions of what applications may be written in: `python`, `node`."""

    def check(self, artifact: Artifact, *, packaged: bool) -> str:
        """Why an artifact can't be run here, as far as that is known without looking at it; "" where it may be."""

    def prepare(self, unit: Unit, stopped: Callable[[], bool]) -> dict[str, Any]:
        """Fetch it; what is known of it then, such as its `commit`."""

    def test(self, unit: Unit, stopped: Callable[[], bool]) -> None:
        """Run its tests, where it has some."""

    def build(self, unit: Unit, stopped: Callable[[], bool]) -> dict[str, Any]:
        """Build it; what is known of it then, such as its `builder`."""

    def start(self, unit: Unit) -> str:
        """Have it run, with as many instances as it says; the address where it will answer."""

    def settle(self, unit: Unit, stopped: Callable[[], bool]) -> None:
        """Wait until it answers. EngineFailed: it does not."""

    def stop(self, id: str) -> None:
        """Have nothing of it run."""

    def remove(self, id: str) -> None:
        """Leave nothing of it: no process, port, file."""

    def state(self, id: str) -> UnitState:
        """How it does."""

    def logs(self, id: str) -> Mapping[str, str]:
        """The logs that there are, by name, each with the moment of its last line."""

    def log(self, id: str, name: str, most: int) -> str:
        """The end of one, in bytes at most; "" where there is none."""

    def folder(self, id: str) -> Path | None:
        """Where the files of what was prepared are; None where an engine has none."""

    def forget_all_but(self, known: Callable[[], Set[str]]) -> None:
        """Remove what there is of others than those that are known once it was looked for."""
