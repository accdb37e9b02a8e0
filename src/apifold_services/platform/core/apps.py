"""Apps and their workflows: Solum's newer way to say what is built, and to have it built again and again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from apifold import Conflict, Database, Denied, Invalid, NotFound, Problem
from apifold_services.platform.core import states
from apifold_services.platform.core.assemblies import MAX_INSTANCES, SCALE, Assemblies, Wanted
from apifold_services.platform.core.events import Events
from apifold_services.platform.core.language_packs import called, names_one
from apifold_services.platform.core.plan_file import Artifact, Content
from apifold_services.platform.core.plans import Draft
from apifold_services.platform.core.scope import EVERYBODY, Scope, now, only
from apifold_services.platform.core.tables import apps, assemblies, language_packs, workflows

MERGED = ("source", "workflow_config")
"""Members of which a change names only what changes."""

KEPT_ACTIONS = (*states.ACTIONS, SCALE)


@dataclass(frozen=True, slots=True)
class Apps:
    """The apps of everybody.

    Attributes:
        most: apps of one project.
    """

    database: Database
    events: Events
    assemblies: Assemblies
    most: int

    def make(self, scope: Scope, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """A new one.

        Raises:
            Denied: the project has as many as it may have.
            Invalid: it could never be built; the text says why.
        """
        fresh = scope.fresh()
        with self.database.writing() as connection:
            self.database.lock(connection, f"apps {scope.project}")
            count = select(func.count()).select_from(apps).where(apps.c.project_id == scope.project)
            if (connection.scalar(count) or 0) >= self.most:
                raise Denied(f"A project may have {self.most} apps; delete one first.")
            self._check(connection, scope.project, document, document)
            values = {"name": name, "trigger_id": str(uuid.uuid4()), "document": dict(document)}
            connection.execute(insert(apps).values(**fresh, **values))
            self.events.note(connection, "app.created", fresh, name=name)
        return self.get(scope, fresh["id"])

    def get(self, scope: Scope, id: str) -> dict[str, Any]:
        """One of them. Raises NotFound."""
        return self._shown([self._row(scope, id)])[0]

    def all(self, scope: Scope) -> list[dict[str, Any]]:
        """Those that somebody sees, the newest first."""
        with self.database.reading() as connection:
            rows = list(connection.execute(select(apps).where(*scope.sees(apps)).order_by(apps.c.number.desc())))
        return self._shown(rows)

    def change(self, scope: Scope, id: str, members: Mapping[str, Any]) -> dict[str, Any]:
        """Set some members. Raises NotFound; Invalid: it could never be built."""
        with self.database.writing() as connection:
            row = _seen(connection, scope, id)
            document = {**row.document, **{key: value for key, value in members.items() if key != "name"}}
            for key in MERGED:
                if key in members:
                    document[key] = {**(row.document.get(key) or {}), **(members[key] or {})}
            self._check(connection, row.project_id, document, members)
            values = {"name": members.get("name") or row.name, "document": document, "updated_at": now()}
            connection.execute(update(apps).where(apps.c.id == id).values(**values))
            self.events.note(connection, "app.updated", row._mapping, name=values["name"])
        return self.get(scope, id)

    def delete(self, scope: Scope, id: str) -> None:
        """Forget one, and have removed what was made of it. Raises NotFound."""
        row = self._row(scope, id)
        with self.database.reading() as connection:
            made = list(connection.scalars(select(workflows.c.assembly_id).where(workflows.c.app_id == id)))
        for one in self.assemblies.all(scope, made):
            self.assemblies.delete(scope, one["id"])
        with self.database.writing() as connection:
            connection.execute(delete(apps).where(apps.c.id == id))
            self.events.note(connection, "app.deleted", row._mapping, name=row.name)

    def triggered_by(self, trigger_id: str) -> Row[Any] | None:
        """The app that a trigger is of."""
        with self.database.reading() as connection:
            found: Row[Any] | None = connection.execute(select(apps).where(apps.c.trigger_id == trigger_id)).first()
            return found

    def run(self, scope: Scope, id: str, actions: Sequence[str], more: Mapping[str, Any]) -> dict[str, Any]:
        """Have an app tested, built, deployed, or scaled; the new workflow.

        Args:
            actions: of `KEPT_ACTIONS`.
            more: `source` to build instead, and `scale_target`.

        Raises:
            Invalid: that is nothing to be done.
            Conflict: there is nothing to be scaled.
        """
        row = self._row(scope, id)
        unknown = [action for action in actions if action not in KEPT_ACTIONS]
        if unknown or not actions:
            detail = f"has {unknown[0]!r}; there are: {', '.join(KEPT_ACTIONS)}" if unknown else "names nothing to do"
            raise Invalid(problems=[Problem("body", "/actions", detail)])
        source = {**(row.document.get("source") or {}), **(more.get("source") or {})}
        if SCALE in actions:
            if len(actions) > 1:
                raise Invalid(problems=[Problem("body", "/actions", f"{SCALE!r} is done alone")])
            assembly_id = self._scaled(scope, id, int(more.get("scale_target") or 0))
        else:
            draft = Draft(_plan(row, source), app_id=id, private_key=source.get("private_ssh_key") or "")
            wanted = Wanted(draft=draft, name=row.name, actions=states.up_to(actions))
            owner = Scope(row.project_id, scope.user or row.user_id)
            assembly_id = self.assemblies.create(owner, wanted)["id"]
        document = {"source": source, "config": row.document.get("workflow_config") or {}, "actions": list(actions)}
        document["scale_target"] = int(more.get("scale_target") or 1)
        fresh = {**scope.fresh(), "project_id": row.project_id}
        with self.database.writing() as connection:
            self.database.lock(connection, f"workflows {id}")
            highest = select(func.max(workflows.c.wf_id)).where(workflows.c.app_id == id)
            number = (connection.scalar(highest) or 0) + 1
            values = {"app_id": id, "wf_id": number, "assembly_id": assembly_id, "status": states.QUEUED, "reason": ""}
            connection.execute(insert(workflows).values(**fresh, **values, document=document))
            self.events.note(connection, "workflow.created", fresh, app_id=id, actions=list(actions))
        return self.workflow(scope, id, fresh["id"])

    def workflow(self, scope: Scope, app_id: str, wf_id_or_id: str) -> dict[str, Any]:
        """One workflow, by its number in its app, or its id. Raises NotFound."""
        found = next(
            (one for one in self.workflows(scope, app_id) if wf_id_or_id in (one["id"], str(one["wf_id"]))), None
        )
        if found is None:
            raise NotFound(f"There is no workflow {wf_id_or_id} of this app.")
        return found

    def workflows(self, scope: Scope, app_id: str) -> list[dict[str, Any]]:
        """Those of an app, in their order. Raises NotFound: there is no such app."""
        self._row(scope, app_id)
        joined = workflows.outerjoin(assemblies, assemblies.c.id == workflows.c.assembly_id)
        now_known = (assemblies.c.status.label("now"), assemblies.c.address, assemblies.c.reason.label("why"))
        with self.database.reading() as connection:
            found = select(workflows, *now_known).select_from(joined).where(workflows.c.app_id == app_id)
            return [_workflow(row) for row in connection.execute(found.order_by(workflows.c.wf_id))]

    def assembly_ended(self, id: str) -> None:
        """Note how an assembly ended, and remove those of its app that it takes the place of."""
        with self.database.reading() as connection:
            flow = connection.execute(
                select(workflows).where(workflows.c.assembly_id == id).order_by(workflows.c.wf_id)
            ).first()
            row = connection.execute(select(assemblies).where(assemblies.c.id == id)).first()
        if flow is None or row is None:
            return
        with self.database.writing() as connection:
            values = {"status": row.status, "reason": row.reason}
            connection.execute(update(workflows).where(workflows.c.assembly_id == id).values(**values))
        if states.ended_well(row.status, row.actions) and states.DEPLOY in row.actions:
            older = select(workflows.c.assembly_id).where(
                workflows.c.app_id == flow.app_id, workflows.c.wf_id < flow.wf_id
            )
            with self.database.reading() as connection:
                before = set(connection.scalars(older)) - {id}
            for one in self.assemblies.all(EVERYBODY, before):
                if one["status"] == states.COMPLETE:
                    self.assemblies.delete(EVERYBODY, one["id"])

    def _scaled(self, scope: Scope, id: str, target: int) -> str:
        """The assembly of an app that runs, once it was asked to have another number of instances."""
        if not 1 <= target <= MAX_INSTANCES:
            raise Invalid(problems=[Problem("body", "/scale_target", f"must be from 1 to {MAX_INSTANCES}")])
        found = [one["assembly_id"] for one in self.workflows(scope, id) if one["status"] in states.DEPLOYED]
        if not found:
            raise Conflict("Nothing of this app runs; deploy it first.")
        self.assemblies.operate(scope, found[-1], SCALE, target)
        return str(found[-1])

    def _check(
        self, connection: Connection, project: str, document: Mapping[str, Any], members: Mapping[str, Any]
    ) -> None:
        """See whether what is said of an app can be built, as far as `members` say it anew. Raises Invalid."""
        problems = []
        if "source" in members:
            repository = str((document.get("source") or {}).get("repository") or "")
            artifact = Artifact(content=Content(href=repository))
            refused = self.assemblies.engine.check(artifact, packaged=False) if repository else "is missing"
            if refused:
                problems.append(Problem("body", "/source/repository", refused))
        named = members.get("languagepack", "")
        if names_one(named):
            found = select(language_packs.c.id).where(language_packs.c.project_id == project, called(str(named)))
            if connection.execute(found).first() is None:
                problems.append(Problem("body", "/languagepack", f"there is no language pack {named!r}"))
        if problems:
            raise Invalid(problems=problems)

    def _row(self, scope: Scope, id: str) -> Row[Any]:
        with self.database.reading() as connection:
            return _seen(connection, scope, id)

    def _shown(self, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
        """Apps with how the newest of what was made of each does."""
        joined = workflows.join(assemblies, assemblies.c.id == workflows.c.assembly_id)
        columns = (workflows.c.app_id, assemblies.c.status, assemblies.c.address, assemblies.c.id)
        newest: dict[str, Row[Any]] = {}
        with self.database.reading() as connection:
            wanted = workflows.c.app_id.in_([row.id for row in rows])
            for one in connection.execute(
                select(*columns).select_from(joined).where(wanted).order_by(workflows.c.wf_id)
            ):
                newest[one.app_id] = one
        return [_app(row, newest.get(row.id)) for row in rows]


def _seen(connection: Connection, scope: Scope, id: str) -> Row[Any]:
    """What is kept of one. Raises NotFound."""
    return only(connection, select(apps).where(apps.c.id == id, *scope.sees(apps)), f"app {id}")


def _app(row: Row[Any], made: Row[Any] | None) -> dict[str, Any]:
    known = {name: value for name, value in row._mapping.items() if name not in ("number", "document")}
    said = {name: value for name, value in row.document.items() if name not in SECRET}
    source = {name: value for name, value in (row.document.get("source") or {}).items() if name not in SECRET}
    state = {"status": made.status, "app_url": made.address or None, "assembly_id": made.id} if made else {}
    return {**said, **known, "source": source, **state}


SECRET = ("repo_token", "private_ssh_key")
"""What of an app, and of a source, is never shown."""


def _workflow(row: Row[Any]) -> dict[str, Any]:
    known = {name: value for name, value in row._mapping.items() if name not in ("number", "document", "now", "why")}
    status = row.now or row.status
    source = {name: value for name, value in row.document["source"].items() if name not in SECRET}
    return {**row.document, **known, "source": source, "status": status, "reason": row.why or row.reason or None}


def _plan(row: Row[Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """The plan that an app stands for."""
    said, config = row.document, row.document.get("workflow_config") or {}
    revision = source.get("revision")
    href = f"{source.get('repository', '')}{f'#{revision}' if revision and revision != 'master' else ''}"
    artifact = {
        "name": row.name,
        "artifact_type": "heroku",
        "content": {"href": href, "private": bool(source.get("private"))},
        "language_pack": said.get("languagepack") or "auto",
        "unittest_cmd": config.get("test_cmd") or "",
        "run_cmd": config.get("run_cmd") or "",
        "ports": said.get("ports") or [80],
    }
    parameters = said.get("parameters")
    plan = {"version": 1, "name": row.name, "description": said.get("description") or "", "artifacts": [artifact]}
    return {**plan, **({"parameters": parameters} if parameters else {})}
