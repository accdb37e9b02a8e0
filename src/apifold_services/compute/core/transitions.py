"""Transitions: how a server gets from one state to another, as a job that outlives the process that began it.

What is asked for is written down together with the state that it begins with, and done by a job of the same id; that it
is at its end is written down together with the state that it ends in. What is to be tidied up then is tidied up before
it is forgotten. So whoever dies in between leaves nothing undone: the job goes on in the next process, and a transition
without a job gets one.

A server has one transition that is `going`. Who asks for another one meanwhile, where that is possible, overtakes it:
what it ends in is no longer the server's state.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from apifold import ENDED_STATES, Database, Deployment, Fault, Job, NotFound, RunningJob
from apifold_services.compute.core import records
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.changes import CHANGES, GOING, Work
from apifold_services.compute.core.moments import kept, now
from apifold_services.compute.core.tables import ports, servers, transitions, volume_attachments

KIND = "compute.transition"

OVERTAKEN, DONE, FAILED = "overtaken", "done", "failed"
"""What a transition can be that is no longer `going`, and not yet tidied up."""

FORGOTTEN_AFTER = timedelta(seconds=10)
"""After which a transition that has no job gets one."""

PATIENCE, LOOK_AGAIN = 60.0, 0.2
"""Seconds for which what was overtaken is waited for, and after which one looks again."""

log = logging.getLogger("apifold.compute")


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks of a server.

    Attributes:
        change: a key of `CHANGES`.
        arguments: of that; plain JSON data.
        values: of the server's row meanwhile, beside its task.
    """

    change: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


class Transitions:
    """Begins transitions, and carries them out.

    Args:
        deployment: whose jobs they are.
        work: gives what a transition works with, of its own row and the server's.
    """

    def __init__(self, deployment: Deployment, database: Database, work: Callable[[Row[Any], Row[Any]], Work]) -> None:
        self.deployment = deployment
        self.database = database
        self.work = work

    def note(self, connection: Connection, server: str, order: Order, ask: Ask) -> str:
        """Write down what is asked for, in the transaction that admits it; the transition's id."""
        change = CHANGES[order.change]
        overtake(connection, server)
        record = records.begin(connection, server, change.record, ask.caller, ask.request_id)
        return _note(connection, server, order, record)

    def begin(self, id: str) -> None:
        """Have what was written down done."""
        self.deployment.jobs().start(KIND, {"id": id}, id=id)

    def carry_out(self, job: RunningJob, id: str) -> dict[str, Any]:
        """The function of the job."""
        one = self._get(id)
        if one is not None:
            began = one.state == GOING
            values, reason = job.step(one.action, self._do, one) if began else ({}, "Something else was asked for.")
            self._end(one, values, reason)
        self._tidy(id)
        return {}

    def resume(self, stopped: Callable[[], bool]) -> None:
        """Begin what was written down and not begun, and end what nobody will: a duty."""
        oldest = kept(datetime.now(UTC) - FORGOTTEN_AFTER)
        with self.database.reading() as connection:
            forgotten = connection.execute(select(transitions).where(transitions.c.created < oldest)).all()
        for one in forgotten:
            if stopped():
                return
            job = self._job(one.id)
            if job is None:
                self.begin(one.id)
            elif job.state in ENDED_STATES:
                self._give_up(one)

    def _job(self, id: str) -> Job | None:
        try:
            found: Job = self.deployment.jobs().get(id)
        except NotFound:
            return None
        return found

    def _give_up(self, one: Row[Any]) -> None:
        """End what its job did not, if it did not: it may have done so since we looked."""
        self._end(one, {}, "It was given up.")
        try:
            self._tidy(one.id)
        except Fault as fault:  # it is tried again
            log.warning("%s of server %s can't be tidied up: %s", one.action, one.server_id, fault)

    def _get(self, id: str) -> Row[Any] | None:
        with self.database.reading() as connection:
            found: Row[Any] | None = connection.execute(select(transitions).where(transitions.c.id == id)).first()
            return found

    def _server(self, one: Row[Any]) -> Row[Any]:
        with self.database.reading() as connection:
            row: Row[Any] = connection.execute(select(servers).where(servers.c.id == one.server_id)).one()
            return row

    def _do(self, one: Row[Any]) -> tuple[Mapping[str, Any], str]:
        """Do it; values of the server's row afterwards, and why it failed, if it did."""
        try:
            return self._done(one), ""
        except Fault as error:
            return {}, str(error) or error.title
        except Exception as error:  # whatever it was, the server must not be busy for ever
            log.exception("%s of server %s failed", one.action, one.server_id)
            return {}, f"Unexpected {type(error).__name__}"

    def _done(self, one: Row[Any]) -> dict[str, Any]:
        if one.action != "delete":
            self._wait(one)
        with self.database.writing() as connection:
            records.begin_event(connection, one.record, CHANGES[one.action].event)
        return dict(CHANGES[one.action].run(self.work(one, self._server(one))))

    def _wait(self, one: Row[Any]) -> None:
        """Until what this one overtook is at its end, if that is soon: it may still do something with the machine."""
        others = (transitions.c.server_id == one.server_id) & (transitions.c.id != one.id)
        before = others & (transitions.c.state == OVERTAKEN)
        until = monotonic() + PATIENCE
        while monotonic() < until:
            with self.database.reading() as connection:
                if connection.execute(select(transitions.c.id).where(before)).first() is None:
                    return
            sleep(LOOK_AGAIN)

    def _end(self, one: Row[Any], values: Mapping[str, Any], reason: str) -> None:
        """Write down what a transition ended in, with why it failed, if it did; nothing where that was done."""
        following = ""
        with self.database.writing() as connection:
            wanted = select(servers).where(servers.c.id == one.server_id).with_for_update()
            row = connection.execute(wanted).one()
            state = connection.scalar(select(transitions.c.state).where(transitions.c.id == one.id))
            if state in (GOING, OVERTAKEN):
                records.finish(connection, one.record, reason)
            if state == GOING:
                ended = update(transitions).where(transitions.c.id == one.id)
                connection.execute(ended.values(state=FAILED if reason else DONE))
                change = CHANGES[one.action]
                ends_in = change.failed(reason, now()) if reason else values
                _put(connection, row, {"task_state": None, **ends_in, "updated": now()})
                follower = "" if reason else change.then(one.arguments)
                if follower:
                    following = _note(connection, row.id, Order(follower), one.record)
        if following:
            self.begin(following)

    def _tidy(self, id: str) -> None:
        """Do what is left of a transition that is at its end, and forget it."""
        one = self._get(id)
        if one is None:
            return
        row, change = self._server(one), CHANGES[one.action]
        work = self.work(one, row)
        (change.after if one.state == DONE else change.undo)(work)
        if one.state == OVERTAKEN:
            _leave(work)
        with self.database.writing() as connection:
            connection.execute(delete(transitions).where(transitions.c.id == id))


def overtake(connection: Connection, server: str) -> None:
    """Have whatever is being done with a server no longer count."""
    going = (transitions.c.server_id == server) & (transitions.c.state == GOING)
    connection.execute(update(transitions).where(going).values(state=OVERTAKEN))


def _note(connection: Connection, server: str, order: Order, record: int) -> str:
    id, moment = str(uuid.uuid4()), now()
    values = {"id": id, "server_id": server, "action": order.change, "arguments": dict(order.arguments)}
    connection.execute(insert(transitions).values(**values, record=record, state=GOING, created=moment))
    meanwhile = {**order.values, "task_state": CHANGES[order.change].task, "updated": moment}
    connection.execute(update(servers).where(servers.c.id == server).values(**meanwhile))
    return id


def _leave(work: Work) -> None:
    """Leave no machine that runs, or is there, against what its server has become meanwhile."""
    if work.row.deleted or work.row.task_state == "deleting":
        work.driver.destroy(work.machine())
    elif work.row.vm_state == "soft-delete":
        work.driver.stop(work.machine())


def _put(connection: Connection, row: Row[Any], values: Mapping[str, Any]) -> None:
    """Put values into a server's row; of its details those that are said, without those that are None."""
    id = row.id
    if "details" in values:
        both = {**row.details, **values["details"]}
        values = {**values, "details": {key: value for key, value in both.items() if value is not None}}
    connection.execute(update(servers).where(servers.c.id == id).values(**values))
    if values.get("deleted"):
        connection.execute(delete(ports).where(ports.c.server_id == id))
        connection.execute(delete(volume_attachments).where(volume_attachments.c.server_id == id))
