"""What was asked of servers, and what became of it: instance actions and their events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from apifold import Caller, Database, NotFound
from apifold_services.compute.core.moments import now
from apifold_services.compute.core.tables import action_events, actions


class Records:
    """The records of a deployment's servers.

    Args:
        database: with the service's tables.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def page(self, server: str) -> Sequence[Row[Any]]:
        """What was asked of a server, the newest first."""
        statement = select(actions).where(actions.c.server_id == server).order_by(actions.c.number.desc())
        with self.database.reading() as connection:
            rows: Sequence[Row[Any]] = connection.execute(statement).all()
            return rows

    def get(self, server: str, request_id: str) -> tuple[Row[Any], Sequence[Row[Any]]]:
        """What a request asked of a server, and what was done, the newest first. Raises NotFound."""
        wanted = (actions.c.server_id == server) & (actions.c.request_id == request_id)
        with self.database.reading() as connection:
            row: Row[Any] | None = connection.execute(select(actions).where(wanted)).first()
            if row is None:
                raise NotFound(f"Action for request_id {request_id} on instance {server} not found")
            events = select(action_events).where(action_events.c.action == row.number)
            return row, connection.execute(events.order_by(action_events.c.number.desc())).all()


def begin(connection: Connection, server: str, action: str, caller: Caller, request_id: str) -> int:
    """Note that something is asked; its number."""
    values = {"server_id": server, "action": action, "request_id": request_id, "user_id": caller.user}
    values |= {"project_id": caller.project, "start_time": now()}
    made = connection.execute(insert(actions).values(**values).returning(actions.c.number))
    return int(made.scalar_one())


def begin_event(connection: Connection, record: int, event: str) -> int:
    """Note that something is done for that; its number, the same one where it was begun before."""
    there = (action_events.c.action == record) & (action_events.c.event == event)
    known = connection.scalar(select(action_events.c.number).where(there, action_events.c.finish_time.is_(None)))
    if known is not None:
        return int(known)
    values = {"action": record, "event": event, "start_time": now()}
    return int(
        connection.execute(insert(action_events).values(**values).returning(action_events.c.number)).scalar_one()
    )


def finish(connection: Connection, record: int, error: str = "") -> None:
    """Note that all of it is done, or has failed."""
    moment = now()
    values = {"finish_time": moment, "result": "Error" if error else "Success", "details": error or None}
    open_ = (action_events.c.action == record) & action_events.c.finish_time.is_(None)
    connection.execute(update(action_events).where(open_).values(**values))
    message = "Error" if error else None
    done = update(actions).where(actions.c.number == record)
    connection.execute(done.values(finish_time=moment, message=message))
