"""Pipelines: a plan that is made an application of whenever a trigger says so."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apifold_services.platform.core.assemblies import Assemblies, Wanted
from apifold_services.platform.core.records import Records
from apifold_services.platform.core.scope import EVERYBODY, Scope

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

    def triggered_by(self, trigger_id: str) -> dict[str, Any] | None:
        """The one that a trigger is of."""
        return next((one for one in self.records.all(EVERYBODY) if one.get("trigger_id") == trigger_id), None)

    def run(self, pipeline: Mapping[str, Any]) -> None:
        """Have an application made by one."""
        owner = Scope(pipeline["project_id"], pipeline["user_id"])
        made = self.assemblies.create(owner, Wanted(plan_id=pipeline["plan_id"], name=pipeline["name"]))
        executions = [*pipeline["executions"], made["id"]][-KEPT_EXECUTIONS:]
        self.records.change(owner, pipeline["id"], {"executions": executions, "last_execution": made["id"]})

    def executions(self, scope: Scope, id: str) -> list[dict[str, Any]]:
        """The applications that were made by one, as far as they are there. Raises NotFound."""
        return self.assemblies.all(scope, self.records.get(scope, id)["executions"])
