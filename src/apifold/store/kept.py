"""Answers that are kept for their idempotency keys, so that a repeated request is not done twice."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from apifold.errors import Conflict, Unprocessable
from apifold.store.database import Database
from apifold.store.tables import answers

KEPT_SECONDS = 24 * 3600
"""How long an answer is kept."""

HELD_SECONDS = 60
"""How long a request may take to be answered, before another with its key may try."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given before."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class KeptAnswers:
    """Kept answers by scope: a text of at most 64 characters that stands for caller, operation and key."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def begin(self, scope: str, fingerprint: str) -> Kept | None:
        """The answer that was given before, or None: then the caller is the first, and `finish`es or `abandon`s.

        Args:
            fingerprint: stands for the request's content, at most 64 characters.

        Raises:
            Conflict: the first is still being answered.
            Unprocessable: the key was used for a request with another content.
        """
        now = int(time.time())
        stale = (answers.c.begun < now - KEPT_SECONDS) | (
            answers.c.status.is_(None) & (answers.c.begun < now - HELD_SECONDS)
        )
        try:
            with self.database.writing() as connection:
                connection.execute(delete(answers).where(stale))
                connection.execute(insert(answers).values(scope=scope, fingerprint=fingerprint, begun=now))
        except IntegrityError:
            return self._before(scope, fingerprint)
        return None

    def finish(self, scope: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        """Keep the answer."""
        with self.database.writing() as connection:
            values = {"status": status, "headers": [list(pair) for pair in headers], "body": body}
            connection.execute(update(answers).where(answers.c.scope == scope).values(**values))

    def abandon(self, scope: str) -> None:
        """There is no answer to keep; the next one with this key is the first again."""
        with self.database.writing() as connection:
            connection.execute(delete(answers).where(answers.c.scope == scope))

    def _before(self, scope: str, fingerprint: str) -> Kept:
        with self.database.reading() as connection:
            row = connection.execute(select(answers).where(answers.c.scope == scope)).first()
        if row is None or row.status is None:
            raise Conflict("A request with this Idempotency-Key is being answered; try again soon.")
        if row.fingerprint != fingerprint:
            raise Unprocessable("This Idempotency-Key was used for another request.")
        return Kept(row.status, tuple((name, value) for name, value in row.headers), row.body)
