"""What takes long: an assembly is made, operated, removed. Jobs and a duty, in the process that does long work."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Condition
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from apifold import Fault, NotFound, RunningJob
from apifold_services.platform.core import states
from apifold_services.platform.core.assemblies import RESTART, STOP, Assemblies, Overtaken
from apifold_services.platform.core.databases import Databases
from apifold_services.platform.core.engines.engine import Engine, EngineFailed, Unit
from apifold_services.platform.core.language_packs import LanguagePacks
from apifold_services.platform.core.plan_file import PlanFile, read_plan
from apifold_services.platform.core.scope import EVERYBODY
from apifold_services.platform.core.tables import components, variables

LOOK_SECONDS = 0.5

UNDONE = (EngineFailed, Fault, OSError)
"""Why something could not be done, to be told to its owner."""

FAILED = {states.UNIT_TESTING: states.UNIT_TESTING_FAILED, states.STARTING: states.ERROR_DEPLOYMENT}
FAILED |= {states.DEPLOYING: states.ERROR_DEPLOYMENT}
"""The state of what failed, by the one that it was in; any other is an error."""

log = logging.getLogger("apifold.platform")


class Turns:
    """One thing at a time is done to an assembly, in the one process that does any."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._changed = Condition()

    @contextmanager
    def of(self, id: str) -> Iterator[None]:
        """It is the caller's turn, as soon as it is nobody else's."""
        with self._changed:
            self._changed.wait_for(lambda: id not in self._taken)
            self._taken.add(id)
        try:
            yield
        finally:
            self._give_back(id)

    @contextmanager
    def now(self, id: str) -> Iterator[bool]:
        """Whether it is the caller's turn: it is not while it is somebody else's."""
        with self._changed:
            free = id not in self._taken
            self._taken.add(id)
        try:
            yield free
        finally:
            if free:
                self._give_back(id)

    def _give_back(self, id: str) -> None:
        with self._changed:
            self._taken.remove(id)
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Launching:
    """Carries out what assemblies were asked for.

    Attributes:
        packs: language packs, which build artifacts that name one.
        ended: is told of every assembly that is as it was asked for.
    """

    assemblies: Assemblies
    engine: Engine
    databases: Databases
    packs: LanguagePacks
    ended: Callable[[str], None]
    turns: Turns = field(default_factory=Turns)

    def launch(self, job: RunningJob, id: str) -> None:
        """Make an assembly: fetch, test, build, deploy. A job."""
        stopped = self._stopped(job, id)
        with self.turns.of(id), suppress(Overtaken, NotFound):
            row = self.assemblies.row(EVERYBODY, id)
            if row.status not in states.MOVING:
                return
            try:
                self._made(job, row, stopped)
            except UNDONE as error:
                now = self.assemblies.row(EVERYBODY, id).status
                self._tidy(id)
                self.assemblies.advance(id, FAILED.get(now, states.ERROR), _reason(error))
        self.ended(id)

    def operate(self, job: RunningJob, id: str) -> None:
        """Start, stop, restart or scale an assembly. A job."""
        with self.turns.of(id), suppress(Overtaken, NotFound):
            row = self.assemblies.row(EVERYBODY, id)
            try:
                if row.operation in (STOP, RESTART):
                    for unit in self._units(row):
                        self.engine.stop(unit.id)
                if row.wanted:
                    self._start(row, self._stopped(job, id))
                else:
                    self.assemblies.advance(id, states.STOPPED)
            except UNDONE as error:
                self.assemblies.advance(id, states.ERROR_DEPLOYMENT, _reason(error))

    def remove(self, job: RunningJob, id: str) -> None:
        """Leave nothing of an assembly. A job."""
        try:
            with self.turns.of(id):  # what makes it lets go once it sees that it is not wanted any more
                for component in self.assemblies.components(id):
                    if component.artifact is not None:
                        self.engine.remove(component.id)
                    else:
                        self.databases.remove(self._made_for(component), component.id)
        except UNDONE as error:
            log.warning("assembly %s can't be removed: %s", id, error)
            self.assemblies.fail(id, _reason(error))
        else:
            self.assemblies.forget(id)
            self.ended(id)

    def care(self, stopped: Callable[[], bool]) -> None:
        """Have everything be as it was asked for, whatever died meanwhile: a duty."""
        for row in self.assemblies.moving():
            with self.turns.now(row.id) as mine, suppress(NotFound, Overtaken):
                if mine:
                    self._pick_up(self.assemblies.row(EVERYBODY, row.id))
        for row in self.assemblies.running():
            if stopped():
                return
            with self.turns.now(row.id) as mine, suppress(NotFound, Overtaken):
                if mine:
                    self._keep_running(self.assemblies.row(EVERYBODY, row.id))
        try:
            self.engine.forget_all_but(lambda: {*self.assemblies.all_units(), *self.packs.ids()})
        except UNDONE as error:
            log.warning("what nobody knows any more can't be removed: %s; it is tried again", error)

    def _pick_up(self, row: Row[Any]) -> None:
        """Have a job that was never started do its work, and end what a job left that nobody goes on with."""
        if not self.assemblies.is_moving(row):
            return
        try:
            job = self.assemblies.jobs().get(self.assemblies.job_of(row))
        except NotFound:
            self.assemblies.start_job(row)
            return
        if job.has_ended:
            reason = f"what was at work on it is no more: {job.error or job.state}"
            log.warning("assembly %s: %s", row.id, reason)
            if row.status == states.DELETING:
                self.assemblies.fail(row.id, reason)
            else:
                self.assemblies.advance(row.id, FAILED.get(row.status, states.ERROR), reason)

    def _keep_running(self, row: Row[Any]) -> None:
        """Start what runs no more and should, and note which components answer."""
        if row.status != states.COMPLETE or not row.wanted:
            return
        there = [(component, self.engine.state(component.id)) for component in self.assemblies.units(row.id)]
        if not all(state.alive for _, state in there):
            log.info("assembly %s does not run, and should; it is started", row.id)
            try:
                for unit in self._units(row):
                    self.engine.start(unit)
            except UNDONE as error:
                log.warning("assembly %s can't be started: %s; it is tried again", row.id, error)
        for component, state in there:
            status = "RUNNING" if state.ready else "ERROR"
            if status != component.status:
                with self.assemblies.database.writing() as connection:
                    connection.execute(update(components).where(components.c.id == component.id).values(status=status))

    def _made(self, job: RunningJob, row: Row[Any], stopped: Callable[[], bool]) -> None:
        id, done = row.id, []
        last = states.ACTIONS.index(row.actions[-1])
        self.assemblies.advance(id, states.UNIT_TESTING)
        for unit in self._units(row):
            self._step(job, f"fetch {unit.id}", partial(self.engine.prepare, unit, stopped))
            self._step(job, f"test {unit.id}", partial(self.engine.test, unit, stopped))
            self._go_on(stopped)
        done.append(states.UNITTEST)
        self.assemblies.advance(id, states.UNIT_TESTING_PASSED, done=done)
        if last < 1:
            return
        self.assemblies.advance(id, states.BUILDING)
        for unit in self._equipped(row):
            self._step(job, f"build {unit.id}", partial(self.engine.build, unit, stopped))
            self._go_on(stopped)
        done.append(states.BUILD)
        self.assemblies.advance(id, states.BUILT, done=done)
        if last >= 2:
            self._start(row, stopped)

    def _start(self, row: Row[Any], stopped: Callable[[], bool]) -> None:
        self.assemblies.advance(row.id, states.DEPLOYING)
        units = self._equipped(row)
        addresses = {unit.id: self.engine.start(unit) for unit in units}
        with self.assemblies.database.writing() as connection:
            for unit_id, address in addresses.items():
                connection.execute(update(components).where(components.c.id == unit_id).values(address=address))
        self.assemblies.advance(row.id, states.STARTING, address=next(iter(addresses.values()), ""))
        for unit in units:
            self.engine.settle(unit, stopped)
            self._go_on(stopped)
        self.assemblies.advance(row.id, states.COMPLETE, done=list(states.ACTIONS))

    def _units(self, row: Row[Any]) -> list[Unit]:
        """The units of an assembly, as its plan has them, with what the services tell that there are by now."""
        plan_row = self.assemblies.plans.row(EVERYBODY, row.plan_id)
        plan, private = read_plan(plan_row.document), self.assemblies.plans.private_keys(row.plan_id)
        package = self.assemblies.plans.package(row.plan_id) if plan_row.has_package else None
        told = self._told_by_services(row.id)
        return [
            Unit(
                id=component.id,
                assembly_id=row.id,
                name=component.name,
                artifact=plan.artifacts[component.artifact],
                package=package,
                pack=self.packs.folder_for(row.project_id, plan.artifacts[component.artifact].language_pack),
                key=private.get(plan.artifacts[component.artifact].content.public_key or "", ""),
                variables={**_parameters(plan), **_joined(told, component.related)},
                instances=row.instances,
            )
            for component in self.assemblies.units(row.id)
        ]

    def _equipped(self, row: Row[Any]) -> list[Unit]:
        """The units, once there is what they use: their databases are made now."""
        before = self._told_by_services(row.id)
        for component in self.assemblies.components(row.id):
            if component.service_id is None:
                continue
            known = before.get(component.id, {})
            told = self.databases.variables(self._made_for(component), component.id, known)
            if told != known:
                with self.assemblies.database.writing() as connection:
                    connection.execute(delete(variables).where(variables.c.component_id == component.id))
                    for name, value in told.items():
                        connection.execute(insert(variables).values(component_id=component.id, name=name, value=value))
        return self._units(row)

    def _told_by_services(self, id: str) -> dict[str, dict[str, str]]:
        """What each service of an assembly tells, by its component."""
        found: dict[str, dict[str, str]] = {}
        with self.assemblies.database.reading() as connection:
            inside = select(components.c.id).where(components.c.assembly_id == id)
            for row in connection.execute(select(variables).where(variables.c.component_id.in_(inside))):
                found.setdefault(row.component_id, {})[row.name] = row.value
        return found

    def _made_for(self, component: Row[Any]) -> str:
        return next((offer.makes for offer in self.assemblies.offers if offer.id == component.service_id), "")

    def _tidy(self, id: str) -> None:
        """Nothing of an assembly runs that could not be made."""
        for component in self.assemblies.units(id):
            with suppress(EngineFailed):
                self.engine.stop(component.id)

    def _stopped(self, job: RunningJob, id: str) -> Callable[[], bool]:
        """Whether nothing more is to be done; asked of the database now and then."""
        last, found = 0.0, False

        def stopped() -> bool:
            nonlocal last, found
            if not found and time.monotonic() - last > LOOK_SECONDS:
                last = time.monotonic()
                try:
                    found = self.assemblies.row(EVERYBODY, id).status == states.DELETING or job.stopped()
                except NotFound:
                    found = True
            return found

        return stopped

    @staticmethod
    def _step(job: RunningJob, name: str, do: Callable[[], Any]) -> None:
        """A step that fails the same way when it is gone over again."""

        def done() -> str:
            try:
                do()
            except EngineFailed as error:
                return str(error)
            return ""

        failed = job.step(name, done)
        if failed:
            raise EngineFailed(failed)

    @staticmethod
    def _go_on(stopped: Callable[[], bool]) -> None:
        if stopped():
            raise Overtaken


def _reason(error: Exception) -> str:
    """What an owner is told: of the machine's troubles only what they are, not where."""
    return error.strerror or "the machine is in trouble" if isinstance(error, OSError) else str(error)


def _parameters(plan: PlanFile) -> dict[str, str]:
    """What a plan tells its applications, and the names and ports that it says."""
    given: dict[str, str] = {}
    for name, value in plan.parameters.items():
        members = value if isinstance(value, dict) else {name: value}
        given |= {str(key): str(one) for key, one in members.items() if isinstance(one, str | int | float)}
    return {name: value for name, value in given.items() if name.isascii() and name.isidentifier()}


def _joined(told: Mapping[str, Mapping[str, str]], ids: list[str]) -> dict[str, str]:
    return {name: value for id in ids for name, value in told.get(id, {}).items()}
