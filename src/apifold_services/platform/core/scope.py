"""Whose things are seen and made."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table
from sqlalchemy.sql.elements import ColumnElement

from apifold import NotFound


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks.

    Attributes:
        project: whose things he sees; he makes things for it.
        user: as whom.
        all: whether he sees everybody's.
    """

    project: str
    user: str
    all: bool = False

    def sees(self, table: Table) -> tuple[ColumnElement[bool], ...]:
        """Conditions for the rows that he sees."""
        return () if self.all else (table.c.project_id == self.project,)

    def fresh(self) -> dict[str, Any]:
        """What every new thing of his has: its id, its owner, its moments."""
        moment = now()
        owner = {"project_id": self.project, "user_id": self.user}
        return {"id": str(uuid.uuid4()), **owner, "created_at": moment, "updated_at": moment}


def only(connection: Connection, statement: Select[Any], what: str) -> Row[Any]:
    """The row that a statement finds. Raises NotFound: there is none, and so no `what`."""
    row: Row[Any] | None = connection.execute(statement).first()
    if row is None:
        raise NotFound(f"There is no {what}.")
    return row


EVERYBODY = Scope("", "", all=True)
"""The service itself."""


def now() -> str:
    """This moment, as it is kept."""
    return moment_of(datetime.now(UTC).timestamp())


def moment_of(seconds: float) -> str:
    """A moment, as it is kept and shown.

    Args:
        seconds: since the epoch.
    """
    return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
