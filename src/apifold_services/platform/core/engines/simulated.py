"""The engine `simulated`: nothing runs. For trying clients out, and for tests of what stands before an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from apifold import Deployment
from apifold_services.platform.core.engines.engine import EngineFailed, Unit, UnitState
from apifold_services.platform.core.options import Options
from apifold_services.platform.core.plan_file import Artifact

FAILS = "false"
"""A command that fails, as it would in a shell."""


class Simulated:
    """`simulated`: every artifact is built and runs at once. One whose `unittest_cmd`, `build_cmd` or `run_cmd` is
    `false` fails its tests, its build, or never answers."""

    name = "simulated"
    description = "Nothing runs."

    def __init__(self, deployment: Deployment, settings: Mapping[str, Any], options: Options) -> None:
        pass

    def runtimes(self) -> Mapping[str, str]:
        return {"python": "3.11.2", "node": "20.0.0"}

    def check(self, artifact: Artifact, *, packaged: bool) -> str:
        content = artifact.content
        return "" if content.href or content.data is not None else "has no content: write `content: {href: ADDRESS}`"

    def prepare(self, unit: Unit, stopped: Callable[[], bool]) -> dict[str, Any]:
        return {"commit": ""}

    def test(self, unit: Unit, stopped: Callable[[], bool]) -> None:
        if unit.artifact.unittest_cmd == FAILS:
            raise EngineFailed("the tests failed: it ended with 1")

    def build(self, unit: Unit, stopped: Callable[[], bool]) -> dict[str, Any]:
        if unit.artifact.build_cmd == FAILS:
            raise EngineFailed("the build failed: it ended with 1")
        return {"builder": self.name}

    def start(self, unit: Unit) -> str:
        return f"http://{unit.id}.invalid"

    def settle(self, unit: Unit, stopped: Callable[[], bool]) -> None:
        if unit.artifact.run_cmd == FAILS:
            raise EngineFailed("it did not answer within 0 seconds: it ended with 1")

    def stop(self, id: str) -> None:
        pass

    def remove(self, id: str) -> None:
        pass

    def state(self, id: str) -> UnitState:
        return UnitState(alive=True, ready=1)

    def logs(self, id: str) -> Mapping[str, str]:
        return {}

    def log(self, id: str, name: str, most: int) -> str:
        return ""

    def folder(self, id: str) -> Path | None:
        return None

    def forget_all_but(self, known: Callable[[], Set[str]]) -> None:
        pass
