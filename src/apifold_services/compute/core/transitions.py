"""Transitions: how a server gets from one state to another, as a job that outlives the process that began it.

What is asked for is written down together with the state that it begins with, and done by a job of the same id; what it
ends in is written down together with its end. So whoever dies in between leaves nothing undone: the job goes on in the
next process, and a transition without a job gets one.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from apifold import ENDED_STATES, Caller, Database, Deployment, Fault, NotFound, RunningJob
from apifold_services.compute.core import records
from apifold_services.compute.core.changes import CHANGES, Work
from apifold_services.compute.core.moments import kept, now
from apifold_services.compute.core.tables import ports, servers, transitions, volume_attachments

KIND = "compute.transition"

FORGOTTEN_AFTER = timedelta(seconds=10)
"""After which a transition that has no job gets one."""

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
    caller: Caller
    request_id: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


class Transitions:
    """Begins transitions, and carries them out.

    Args:
        deployment: whose jobs they are.
        work: gives what a transition works with, of a server's row and the arguments.
    """

    def __init__(self, deployment: Deployment, database: Database, work: Callable[..., Work]) -> None:
        self.deployment = deployment
        self.database = database
        self.work = work

    def note(self, connection: Connection, server: str, order: Order) -> str:
        """Write down what is asked for, in the transaction that admits it; the transition's id."""
        change = CHANGES[order.change]
        record = records.begin(connection, server, change.record, order.caller, order.request_id)
        id = str(uuid.uuid4())
        values = {"id": id, "server_id": server, "action": order.change, "arguments": dict(order.arguments)}
        connection.execute(insert(transitions).values(**values, record=record, created=now()))
        meanwhile = {**order.values, "task_state": change.task, "updated": now()}
        connection.execute(update(servers).where(servers.c.id == server).values(**meanwhile))
        return id

    def begin(self, id: str) -> None:
        """Have what was written down done."""
        self.deployment.jobs().start(KIND, {"id": id}, id=id)

    def carry_out(self, job: RunningJob, id: str) -> dict[str, Any]:
        """The function of the job."""
        with self.database.reading() as connection:
            one = connection.execute(select(transitions).where(transitions.c.id == id)).first()
        if one is None:  # done, but for the job's own end
            return {}
        try:
            values = job.step(one.action, self._do, one)
        except Fault as error:
            values = CHANGES[one.action].failed(str(error), now())
            self._finish(one, values, str(error))
        except Exception as error:  # whatever it was, the server must not be busy for ever
            log.exception("%s of server %s failed", one.action, one.server_id)
            self._finish(one, CHANGES[one.action].failed(f"Unexpected {type(error).__name__}", now()), repr(error))
        else:
            self._finish(one, values, "")
        return {}

    def resume(self, stopped: Callable[[], bool]) -> None:
        """Begin what was written down and not begun, and end what nobody will: a duty."""
        oldest = kept(datetime.now(UTC) - FORGOTTEN_AFTER)
        with self.database.reading() as connection:
            forgotten = connection.execute(select(transitions).where(transitions.c.created < oldest)).all()
        jobs = self.deployment.jobs()
        for one in forgotten:
            if stopped():
                return
            try:
                if jobs.get(one.id).state in ENDED_STATES:
                    self._finish(one, CHANGES[one.action].failed("It was given up.", now()), "It was given up.")
            except NotFound:
                self.begin(one.id)

    def _do(self, one: Row[Any]) -> dict[str, Any]:
        change = CHANGES[one.action]
        with self.database.writing() as connection:
            row = connection.execute(select(servers).where(servers.c.id == one.server_id)).one()
            records.begin_event(connection, one.record, change.event)
        if row.task_state == "deleting" and one.action != "delete":
            return {}
        return dict(change.run(self.work(row, one.arguments)))

    def _finish(self, one: Row[Any], values: Mapping[str, Any], error: str) -> None:
        with self.database.writing() as connection:
            if not connection.execute(delete(transitions).where(transitions.c.id == one.id)).rowcount:
                return
            records.finish(connection, one.record, error)
            row = connection.execute(select(servers).where(servers.c.id == one.server_id)).one()
            overtaken = row.deleted or (row.task_state == "deleting" and one.action != "delete")
            if not overtaken:
                self._put(connection, row.id, {"task_state": None, **values, "updated": now()})
        if overtaken:  # what it made after its server was deleted is nobody's
            work = self.work(row, {})
            work.driver.destroy(work.machine())

    @staticmethod
    def _put(connection: Connection, id: str, values: Mapping[str, Any]) -> None:
        connection.execute(update(servers).where(servers.c.id == id).values(**values))
        if values.get("deleted"):
            connection.execute(delete(ports).where(ports.c.server_id == id))
            connection.execute(delete(volume_attachments).where(volume_attachments.c.server_id == id))
