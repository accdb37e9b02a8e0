"""Writes to SQLite, one after the other, committed together: what waits while one is written joins its transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from sqlite3 import DatabaseError
from typing import Any

from sqlalchemy import Connection, Engine

MAX_GROUP = 64
"""Writes that share a commit at the most."""


class _Group:
    """Writes that are committed together."""

    def __init__(self) -> None:
        self.size = 0
        self.ended = threading.Event()
        self.error: BaseException | None = None


class GroupedWriter:
    """One connection that all writes of a process go through.

    Each write stands in a savepoint of its own, so that one that fails takes nothing along. The last of those that wait
    commits for all; nobody is told that something is written before it is.

    Args:
        engine: of a SQLite database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._connection: Connection | None = None
        self._do: Callable[[str], Any] = _closed
        self._group: _Group | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection to write with, until the end of the block; committed when this returns.

        Raises:
            OperationalError: the database is locked for too long, or the commit failed.
        """
        with self._counting:
            self._waiting += 1
        self._turn.acquire()
        with self._counting:
            self._waiting -= 1
        group = self._group
        try:
            connection = self._connected()
            if group is None:
                self._do("BEGIN IMMEDIATE")
                group = self._group = _Group()
            group.size += 1
            self._do("SAVEPOINT one")
            try:
                yield connection
            except BaseException:
                self._do("ROLLBACK TO one")
                raise
            finally:
                self._do("RELEASE one")
        finally:
            if group is not None and (self._waiting == 0 or group.size >= MAX_GROUP):
                self._end(group)
            self._turn.release()
        group.ended.wait()
        if group.error is not None:
            raise group.error

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            # What begins and ends is said to SQLite itself: that costs a tenth of what it costs by way of the engine.
            driver: Any = self._connection.connection.driver_connection
            self._do = driver.execute
        return self._connection

    def _end(self, group: _Group) -> None:
        """Commit what was written together, and tell everybody who waits for that."""
        self._group = None
        try:
            self._do("COMMIT")
        except BaseException as error:  # whatever it is, nobody's write is there
            group.error = error
            with suppress(DatabaseError):  # SQLite may have done that itself
                self._do("ROLLBACK")
        finally:
            group.ended.set()


def _closed(statement: str) -> None:
    raise RuntimeError(f"{statement}: there is no connection")
