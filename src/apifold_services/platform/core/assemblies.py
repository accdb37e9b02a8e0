"""Assemblies: applications made of plans, and what may be done to them. `launching` does what takes long."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from apifold import Conflict, Database, Invalid, Jobs, NotFound, PreconditionFailed, Problem
from apifold_services.platform.core import states
from apifold_services.platform.core.engines.engine import Engine
from apifold_services.platform.core.events import Events
from apifold_services.platform.core.offers import Offer, Use, uses
from apifold_services.platform.core.plan_file import PlanFile, read_plan
from apifold_services.platform.core.plans import Draft, Plans, name_of, revision
from apifold_services.platform.core.scope import Scope, now, only
from apifold_services.platform.core.tables import assemblies, components, plans

LAUNCH, REMOVE, OPERATE = "platform.launch", "platform.remove", "platform.operate"
START, STOP, RESTART, SCALE = "start", "stop", "restart", "scale"
MAX_INSTANCES = 100
MAX_NAME = 255
CHANGEABLE = ("name", "description", "tags")


class Overtaken(Exception):
    """It is being deleted, so that nothing else is to be done to it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An assembly that is asked for.

    Attributes:
        plan_id: of the plan that it is made of; "" where there is a `draft` of one.
        name: "" for the plan's, with `_application`.
        actions: of `states.ACTIONS`, what is to be done.
    """

    plan_id: str = ""
    draft: Draft | None = None
    name: str = ""
    description: str = ""
    tags: Sequence[str] = ()
    actions: Sequence[str] = states.ACTIONS
    instances: int = 1


@dataclass(frozen=True, slots=True)
class Assemblies:
    """The assemblies of everybody.

    Attributes:
        offers: services that fulfil requirements.
        jobs: gives what does long work.
    """

    database: Database
    events: Events
    plans: Plans
    engine: Engine
    offers: tuple[Offer, ...]
    jobs: Callable[[], Jobs]

    def create(self, scope: Scope, wanted: Wanted) -> dict[str, Any]:
        """A new one, with its components, and with its plan where that is new, too; all of them or none.

        Raises:
            NotFound: there is no such plan.
            Invalid: it can't be deployed; the text says why.
        """
        draft = wanted.draft
        row = None if draft else self.plans.row(scope, wanted.plan_id)
        document = draft.document if draft else row.document if row else {}
        plan = read_plan(document)
        found = self._checked(plan, packaged=bool(draft.package) if draft else bool(row and row.has_package))
        fresh = scope.fresh()
        preparing = self.plans.prepared(scope, draft) if draft else nullcontext()
        with preparing as prepared, self.database.writing() as connection:
            plan_id = prepared.id if prepared else wanted.plan_id
            if prepared:
                self.plans.insert(connection, prepared)
            elif self.plans.locked(connection, scope, plan_id).document != document:
                raise Conflict("The plan has changed meanwhile; try again.")
            named = plan.name or (name_of(row) if row else f"plan-{plan_id[:8]}")
            values = {
                "name": (wanted.name or f"{named}_application")[:MAX_NAME],
                "description": wanted.description or plan.description,
                "tags": list(wanted.tags),
                "plan_id": plan_id,
                "actions": list(wanted.actions),
                "instances": wanted.instances,
            }
            start = {"status": states.QUEUED, "reason": "", "done": [], "wanted": True, "address": ""}
            start |= {"operation": "", "attempt": 1}
            connection.execute(insert(assemblies).values(**fresh, **values, **start))
            self._add_components(connection, fresh, plan, plan_id, found)
            self.events.note(connection, "assembly.created", fresh, name=values["name"], plan_id=plan_id)
        return self._begun(scope, fresh["id"])

    def get(self, scope: Scope, id: str) -> dict[str, Any]:
        """One of them. Raises NotFound."""
        return self._shown([self.row(scope, id)])[0]

    def row(self, scope: Scope, id: str) -> Row[Any]:
        """What is kept of one. Raises NotFound."""
        with self.database.reading() as connection:
            return only(connection, _seen(scope, id), f"assembly {id}")

    def all(self, scope: Scope, ids: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Those that somebody sees, the newest first.

        Args:
            ids: only these.
        """
        wanted = () if ids is None else (assemblies.c.id.in_(list(ids)),)
        with self.database.reading() as connection:
            found = select(assemblies).where(*scope.sees(assemblies), *wanted).order_by(assemblies.c.number.desc())
            rows = list(connection.execute(found))
        return self._shown(rows)

    def change(self, scope: Scope, id: str, members: Mapping[str, Any], expected: str = "") -> dict[str, Any]:
        """Set its name, description or tags; nothing while it is deleted.

        Raises:
            NotFound, PreconditionFailed: it is not of the `expected` revision.
        """
        changes = {name: members[name] for name in CHANGEABLE if members.get(name) is not None}
        with self.database.writing() as connection:
            row = _locked(connection, scope, id)
            if expected and expected != revision(row):
                raise PreconditionFailed("It has changed since; read it again.")
            if row.status != states.DELETING and changes:
                changes["updated_at"] = now()
                connection.execute(update(assemblies).where(assemblies.c.id == id).values(**changes))
                self.events.note(connection, "assembly.updated", row._mapping, name=changes.get("name", row.name))
        return self.get(scope, id)

    def delete(self, scope: Scope, id: str) -> None:
        """Have it stopped and removed; who says it while that is being done says nothing new. Raises NotFound."""
        with self.database.writing() as connection:
            row = _locked(connection, scope, id)
            if row.status != states.DELETING:
                changes = {"status": states.DELETING, "wanted": False, "reason": "", "updated_at": now()}
                changes["attempt"] = row.attempt + 1
                connection.execute(update(assemblies).where(assemblies.c.id == id).values(**changes))
                self._tell(connection, row, states.DELETING, "")
        with suppress(NotFound):  # it may be gone by now
            self.start_job(self.row(scope, id))

    def operate(self, scope: Scope, id: str, operation: str, instances: int = 0) -> dict[str, Any]:
        """Have it started, stopped, restarted, or run with another number of instances.

        Raises:
            NotFound, Invalid.
            Conflict: its state does not allow it.
        """
        if operation == SCALE and not 1 <= instances <= MAX_INSTANCES:
            raise Invalid(problems=[Problem("body", "/instances", f"must be from 1 to {MAX_INSTANCES}")])
        with self.database.writing() as connection:
            row = _locked(connection, scope, id)
            if row.status not in states.DEPLOYED or states.DEPLOY not in row.actions:
                raise Conflict(f"An assembly that is {row.status} can't be asked to {operation}.")
            changes: dict[str, Any] = {"operation": operation, "attempt": row.attempt + 1, "updated_at": now()}
            changes["wanted"] = operation != STOP and (row.wanted or operation != SCALE)
            if operation == SCALE:
                changes["instances"] = instances
            if changes["wanted"]:
                changes["status"] = states.DEPLOYING
            connection.execute(update(assemblies).where(assemblies.c.id == id).values(**changes))
            self.events.note(connection, f"assembly.{operation}", row._mapping, name=row.name)
        return self._begun(scope, id)

    def advance(self, id: str, status: str, reason: str = "", **changes: Any) -> None:
        """Set its state. Raises Overtaken: it is being deleted, or is gone."""
        with self.database.writing() as connection:
            row = connection.execute(select(assemblies).where(assemblies.c.id == id).with_for_update()).first()
            if row is None or row.status == states.DELETING:
                raise Overtaken
            values = {"status": status, "reason": reason, "updated_at": now(), **changes}
            connection.execute(update(assemblies).where(assemblies.c.id == id).values(**values))
            told = states.component_status(status)
            connection.execute(update(components).where(components.c.assembly_id == id).values(status=told))
            if row.status != status:
                self._tell(connection, row, status, reason)

    def forget(self, id: str) -> None:
        """Nothing is known of one that was removed, nor of an app's plan that nothing else is made of."""
        with self.database.writing() as connection:
            row = connection.execute(select(assemblies).where(assemblies.c.id == id)).first()
            if row is None:
                return
            connection.execute(delete(components).where(components.c.assembly_id == id))
            connection.execute(delete(assemblies).where(assemblies.c.id == id))
            self.events.note(connection, "assembly.deleted", row._mapping, name=row.name)
            plan = connection.execute(select(plans).where(plans.c.id == row.plan_id)).first()
            if plan is not None and plan.app_id:
                with suppress(Conflict):
                    self.plans.forget(connection, plan)

    def fail(self, id: str, reason: str) -> None:
        """It could not be removed; whoever deletes it again tries again."""
        with self.database.writing() as connection:
            changes = {"status": states.ERROR_DELETE, "reason": reason, "updated_at": now()}
            connection.execute(update(assemblies).where(assemblies.c.id == id).values(**changes))

    def moving(self) -> list[Row[Any]]:
        """Those at which a job is to be at work."""
        with self.database.reading() as connection:
            of_state = assemblies.c.status.in_([*states.MOVING, states.DELETING])
            stopping = (assemblies.c.status == states.COMPLETE) & ~assemblies.c.wanted
            rows = list(connection.execute(select(assemblies).where(of_state | stopping)))
        return [row for row in rows if self.is_moving(row)]

    @staticmethod
    def is_moving(row: Row[Any]) -> bool:
        """Whether a job is to be at work at one."""
        if row.status == states.COMPLETE:
            return not row.wanted
        return states.skew(row.status, row.actions) != "NONE"

    @staticmethod
    def job_of(row: Row[Any]) -> str:
        """The id of the job that is at work at one."""
        if row.status == states.DELETING:
            return f"remove-{row.id}-{row.attempt}"
        return f"launch-{row.id}" if row.attempt == 1 else f"operate-{row.id}-{row.attempt}"

    def start_job(self, row: Row[Any]) -> None:
        """Have a job do what one is to become; once, however often that is said."""
        kind = REMOVE if row.status == states.DELETING else LAUNCH if row.attempt == 1 else OPERATE
        self.jobs().start(kind, {"id": row.id}, id=self.job_of(row))

    def running(self) -> list[Row[Any]]:
        """Those that should run."""
        with self.database.reading() as connection:
            found = select(assemblies).where(assemblies.c.status == states.COMPLETE, assemblies.c.wanted)
            return list(connection.execute(found))

    def components(self, id: str) -> list[Row[Any]]:
        """The components of one, those of its artifacts first."""
        with self.database.reading() as connection:
            found = select(components).where(components.c.assembly_id == id).order_by(components.c.number)
            return list(connection.execute(found))

    def units(self, id: str) -> list[Row[Any]]:
        """The components of its artifacts: what an engine runs."""
        return [component for component in self.components(id) if component.artifact is not None]

    def all_units(self) -> list[str]:
        """The ids of every component that there is of an artifact."""
        with self.database.reading() as connection:
            return list(connection.scalars(select(components.c.id).where(components.c.artifact.is_not(None))))

    def _begun(self, scope: Scope, id: str) -> dict[str, Any]:
        """One that has just been changed, once its job is told."""
        row = self.row(scope, id)
        self.start_job(row)
        return self._shown([row])[0]

    def _checked(self, plan: PlanFile, *, packaged: bool) -> tuple[Use, ...]:
        """What the artifacts of a plan get. Raises Invalid: it can't be deployed here."""
        if not plan.artifacts:
            raise Invalid(problems=[Problem("body", "/artifacts", "are missing: there is nothing to run")])
        problems = []
        for index, artifact in enumerate(plan.artifacts):
            refused = self.engine.check(artifact, packaged=packaged)
            if refused:
                problems.append(Problem("body", f"/artifacts/{index}/content", refused))
        if problems:
            raise Invalid(f"The plan can't be deployed: {problems[0].detail}", problems)
        return uses(plan, self.offers)

    @staticmethod
    def _add_components(
        connection: Connection, owner: Mapping[str, Any], plan: PlanFile, plan_id: str, found: Iterable[Use]
    ) -> None:
        """One component for each artifact, and one for each service that one uses."""
        common = {"assembly_id": owner["id"], "status": states.QUEUED, "address": "", "tags": [], "document": {}}
        common |= {name: owner[name] for name in ("project_id", "user_id", "created_at", "updated_at")}
        rows: list[dict[str, Any]] = []
        for index, artifact in enumerate(plan.artifacts):
            uri = artifact.content.href or f"urn:uuid:{plan_id}#/artifacts/{index}/content"
            name = artifact.name or f"artifact-{index + 1}"
            rows.append({"name": name, "description": "", "artifact": index, "artifact_uri": uri, "service_id": None})
        artifacts = rows[:]
        by_id: dict[str, dict[str, Any]] = {}
        for row in rows:
            row |= {"id": str(uuid.uuid4()), "related": []}
        for use in found:
            service = by_id.get(use.shared) if use.shared else None
            if service is None:
                of = {"artifact": None, "artifact_uri": None, "service_id": use.offer.id}
                service = {"id": str(uuid.uuid4()), "name": use.offer.name, "description": use.offer.description, **of}
                service["related"] = []
                rows.append(service)
                if use.shared:
                    by_id[use.shared] = service
            service["related"].append(artifacts[use.artifact]["id"])
            artifacts[use.artifact]["related"].append(service["id"])
        for row in rows:
            connection.execute(insert(components).values(**common, **row))

    def _tell(self, connection: Connection, row: Row[Any], status: str, reason: str) -> None:
        told = {"name": row.name, "status": status, "before": row.status, **({"reason": reason} if reason else {})}
        self.events.note(connection, "assembly.state", row._mapping, **told)

    def _shown(self, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
        """Assemblies with their components, in two queries however many there are."""
        inside: dict[str, list[dict[str, Any]]] = {row.id: [] for row in rows}
        with self.database.reading() as connection:
            for chunk in (list(inside)[at : at + 500] for at in range(0, len(inside), 500)):
                columns = (components.c.id, components.c.name, components.c.assembly_id)
                found = select(*columns).where(components.c.assembly_id.in_(chunk)).order_by(components.c.number)
                for one in connection.execute(found):
                    inside[one.assembly_id].append({"id": one.id, "name": one.name})
        return [self._whole(row, inside[row.id]) for row in rows]

    @staticmethod
    def _whole(row: Row[Any], inside: list[dict[str, Any]]) -> dict[str, Any]:
        known = {name: value for name, value in row._mapping.items() if value or name not in ("address", "reason")}
        return {
            **known,
            "components": inside,
            "skew": states.skew(row.status, row.actions),
            "is_deployed": row.status in states.DEPLOYED,
            "revision": revision(row),
        }


def _locked(connection: Connection, scope: Scope, id: str) -> Row[Any]:
    """What is kept of one, which nobody changes before the transaction ends. Raises NotFound."""
    return only(connection, _seen(scope, id).with_for_update(), f"assembly {id}")


def _seen(scope: Scope, id: str) -> Select[Any]:
    return select(assemblies).where(assemblies.c.id == id, *scope.sees(assemblies))
