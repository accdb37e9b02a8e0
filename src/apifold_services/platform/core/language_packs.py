"""Language packs: how applications of a language are built, in the form of Heroku's buildpacks."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from apifold import Conflict, Database, Fault, Invalid, Jobs, NotFound, Problem, RunningJob
from apifold_services.platform.core import states
from apifold_services.platform.core.engines.engine import Engine, EngineFailed, Unit
from apifold_services.platform.core.events import Events
from apifold_services.platform.core.plan_file import Artifact, Content
from apifold_services.platform.core.scope import EVERYBODY, Scope, now, only
from apifold_services.platform.core.tables import apps, language_packs, plans

BUILD = "platform.pack"
READY, BUILDING = "READY", "BUILDING"
UNNAMED = ("", "auto", "true", "false")
"""What plans and apps say that names no language pack, in whichever letters."""

log = logging.getLogger("apifold.platform")


@dataclass(frozen=True, slots=True)
class LanguagePacks:
    """The language packs of everybody."""

    database: Database
    events: Events
    engine: Engine
    jobs: Callable[[], Jobs]

    def make(self, scope: Scope, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """A new one, which is fetched from its `source_uri` now. Raises Conflict: there is one of that name."""
        fresh = scope.fresh()
        values = {"name": name, "status": states.QUEUED, "reason": "", "document": dict(document)}
        refused = self.engine.check(Artifact(content=Content(href=str(document.get("source_uri", "")))), packaged=False)
        if refused:
            raise Invalid(problems=[Problem("body", "/source_uri", refused)])
        try:
            with self.database.writing() as connection:
                connection.execute(insert(language_packs).values(**fresh, **values))
                self.events.note(connection, "language_pack.created", fresh, name=name)
        except IntegrityError:
            raise Conflict(f"There is a language pack {name!r} already.") from None
        self.jobs().start(BUILD, {"id": fresh["id"]}, id=f"pack-{fresh['id']}")
        return self.get(scope, fresh["id"])

    def get(self, scope: Scope, name_or_id: str) -> dict[str, Any]:
        """One of them, by its id or its name. Raises NotFound."""
        return _shown(self._row(scope, name_or_id))

    def all(self, scope: Scope) -> list[dict[str, Any]]:
        """Those that somebody sees, the newest first."""
        with self.database.reading() as connection:
            found = select(language_packs).where(*scope.sees(language_packs)).order_by(language_packs.c.number.desc())
            return [_shown(row) for row in connection.execute(found)]

    def delete(self, scope: Scope, name_or_id: str) -> None:
        """Forget one. Raises NotFound; Conflict: an app or a plan names it."""
        row = self._row(scope, name_or_id)
        with self.database.writing() as connection:
            named = select(plans.c.document).where(plans.c.project_id == row.project_id)
            packs = {
                artifact.get("language_pack")
                for document in connection.scalars(named)
                for artifact in document.get("artifacts") or ()
            }
            of_apps = select(apps.c.document).where(apps.c.project_id == row.project_id)
            packs |= {document.get("languagepack") for document in connection.scalars(of_apps)}
            if {row.name, row.id} & packs:
                raise Conflict("Apps or plans are built by this language pack; delete them first.")
            connection.execute(delete(language_packs).where(language_packs.c.id == row.id))
            self.events.note(connection, "language_pack.deleted", row._mapping, name=row.name)

    def ids(self) -> list[str]:
        """Those of all of them."""
        with self.database.reading() as connection:
            return list(connection.scalars(select(language_packs.c.id)))

    def folder_for(self, project: str, named: str | bool) -> Path | None:
        """The folder of the pack that an artifact names; None where it names none.

        Raises:
            EngineFailed: there is none of that name, or it is not ready.
        """
        if not names_one(named):
            return None
        try:
            row = self._row(Scope(project, ""), str(named))
        except NotFound:
            raise EngineFailed(f"there is no language pack {named!r}") from None
        if row.status != READY:
            raise EngineFailed(f"the language pack {named!r} is {row.status}")
        return self.engine.folder(row.id)

    def build(self, job: RunningJob, id: str) -> None:
        """Fetch one, and see whether it is one. A job."""
        try:
            row = self._row(EVERYBODY, id)
        except NotFound:
            return
        unit = Unit(id, id, row.name, Artifact(content=Content(href=row.document["source_uri"])))
        self._set(id, BUILDING)
        try:
            job.step("fetch", lambda: self.engine.prepare(unit, job.stopped))
            folder = self.engine.folder(id)
            missing = [
                name for name in ("detect", "compile") if folder is None or not (folder / "bin" / name).is_file()
            ]
            if folder is None or missing:
                raise EngineFailed(f"it has no bin/{' and no bin/'.join(missing)}: a language pack is a buildpack")
            _open(folder)
        except (EngineFailed, Fault) as error:
            self._set(id, states.ERROR, str(error))
        else:
            self._set(id, READY)

    def _set(self, id: str, status: str, reason: str = "") -> None:
        with self.database.writing() as connection:
            values = {"status": status, "reason": reason, "updated_at": now()}
            connection.execute(update(language_packs).where(language_packs.c.id == id).values(**values))

    def _row(self, scope: Scope, name_or_id: str) -> Row[Any]:
        found = select(language_packs).where(called(name_or_id), *scope.sees(language_packs))
        # Who sees those of all projects means his own, where another has one of that name.
        own_first = found.order_by(language_packs.c.project_id != scope.project, language_packs.c.number)
        with self.database.reading() as connection:
            return only(connection, own_first, f"language pack {name_or_id}")


def names_one(said: str | bool) -> bool:
    """Whether what a plan or an app says names a language pack; the engine decides where it does not."""
    return str(said).lower() not in UNNAMED


def called(name_or_id: str) -> ColumnElement[bool]:
    """The condition for a language pack of that name or id."""
    return (language_packs.c.id == name_or_id) | (language_packs.c.name == name_or_id)


def _open(folder: Path) -> None:
    """Let everybody read a pack: whoever is built by it is another user."""
    for root, _, files, descriptor in os.fwalk(folder):
        os.fchmod(descriptor, 0o755)
        for name in files:
            mode = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
            if not os.path.islink(os.path.join(root, name)):
                os.chmod(name, 0o755 if mode & 0o111 else 0o644, dir_fd=descriptor)


def _shown(row: Row[Any]) -> dict[str, Any]:
    known = {name: value for name, value in row._mapping.items() if name not in ("number", "document", "reason")}
    return {**row.document, **known, "reason": row.reason or None}
