"""Pipelines: a plan that is made an application of whenever a trigger says so."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apifold_services.platform.core import states
from apifold_services.platform.core.assemblies import Assemblies, Wanted
from apifold_services.platform.core.records import Records
from apifold_services.platform.core.scope import Scope

KEPT_EXECUTIONS = 100


@dataclass(frozen=True, slots=True)
class Pipelines:
    """The pipelines of everybody.

    Attributes:
        records: what is kept of them: `plan_id`, `trigger_id` and `executions` beside what was sent.
    """

    records: Records
    assemblies: Assemblies

    def make(self, scope: Scope, document: Mapping[str, Any], plan_id: str) -> dict[str, Any]:
        """A new one. Raises NotFound: there is no such plan."""
        self.assemblies.plans.row(scope, plan_id)
        own = {"plan_id": plan_id, "trigger_id": str(uuid.uuid4()), "executions": []}
        return self.records.make(scope, {**document, **own})

    def change(self, scope: Scope, id: str, members: Mapping[str, Any], plan_id: str = "") -> dict[str, Any]:
        """Set some members, and the plan where one is named. Raises NotFound: there is no such pipeline, or plan."""
        self.records.get(scope, id)
        if plan_id:
            self.assemblies.plans.row(scope, plan_id)
        return self.records.change(scope, id, {**members, **({"plan_id": plan_id} if plan_id else {})})

    def triggered_by(self, trigger_id: str) -> dict[str, Any] | None:
        """The one that a trigger is of."""
        return self.records.first("trigger_id", trigger_id)

    def run(self, pipeline: Mapping[str, Any], actions: Sequence[str] = states.ACTIONS) -> None:
        """Have an application made by one; `actions` of `states.ACTIONS` are done."""
        owner = Scope(pipeline["project_id"], pipeline["user_id"])
        wanted = Wanted(plan_id=pipeline["plan_id"], name=pipeline["name"], actions=actions)
        made = self.assemblies.create(owner, wanted)
        executions = [*pipeline["executions"], made["id"]][-KEPT_EXECUTIONS:]
        self.records.change(owner, pipeline["id"], {"executions": executions, "last_execution": made["id"]})

    def executions(self, scope: Scope, id: str) -> list[dict[str, Any]]:
        """The applications that were made by one, as far as they are there. Raises NotFound."""
        return self.assemblies.all(scope, self.records.get(scope, id)["executions"])
