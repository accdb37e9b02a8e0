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
            self._fail(one, str(error))
        except Exception as error:  # whatever it was, the server must not be busy for ever
            log.exception("%s of server %s failed", one.action, one.server_id)
            self._fail(one, f"Unexpected {type(error).__name__}")
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
                    self._fail(one, "It was given up.")
            except NotFound:
                self.begin(one.id)

    def _do(self, one: Row[Any]) -> dict[str, Any]:
        change = CHANGES[one.action]
        with self.database.writing() as connection:
            row = connection.execute(select(servers).where(servers.c.id == one.server_id)).one()
            records.begin_event(connection, one.record, change.event)
        return {} if _is_overtaken(row, one.action) else dict(change.run(self.work(row, one.arguments)))

    def _fail(self, one: Row[Any], reason: str) -> None:
        change = CHANGES[one.action]
        with self.database.reading() as connection:
            row = connection.execute(select(servers).where(servers.c.id == one.server_id)).one()
        change.undo(self.work(row, one.arguments))
        self._finish(one, change.failed(reason, now()), reason)

    def _finish(self, one: Row[Any], values: Mapping[str, Any], error: str) -> None:
        with self.database.writing() as connection:
            if not connection.execute(delete(transitions).where(transitions.c.id == one.id)).rowcount:
                return
            records.finish(connection, one.record, error)
            wanted = select(servers).where(servers.c.id == one.server_id).with_for_update()
            row = connection.execute(wanted).one()
            overtaken = _is_overtaken(row, one.action)
            if not overtaken:
                self._put(connection, row, {"task_state": None, **values, "updated": now()})
        if overtaken:
            work = self.work(row, one.arguments)
            CHANGES[one.action].undo(work)
            if row.vm_state != "soft-delete":  # what it made after its server was deleted is nobody's
                work.driver.destroy(work.machine())

    @staticmethod
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


def _is_overtaken(row: Row[Any], change: str) -> bool:
    """Whether a server was deleted while something else was begun."""
    if row.deleted or row.task_state == "deleting":
        return change != "delete"
    is_soft = row.vm_state == "soft-delete" or row.task_state == "soft-deleting"
    return is_soft and change not in ("delete", "soft_delete", "restore")
