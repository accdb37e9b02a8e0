"""Writes to SQLite, one after the other, committed together: what waits while one is written joins its transaction."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

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
            driver = _driver(connection)
            if group is None:
                driver.execute("BEGIN IMMEDIATE")
                group = self._group = _Group()
            group.size += 1
            driver.execute("SAVEPOINT one")
            try:
                yield connection
            except BaseException:
                driver.execute("ROLLBACK TO one")
                raise
            finally:
                driver.execute("RELEASE one")
        finally:
            # SQLite may have taken the whole transaction back, as it does when its disk is full: nobody is to join it.
            if group and (self._waiting == 0 or group.size >= MAX_GROUP or not driver.in_transaction):
                self._end(group, driver)
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
        return self._connection

    def _end(self, group: _Group, driver: sqlite3.Connection) -> None:
        """Commit what was written together, and tell everybody who waits for that."""
        self._group = None
        try:
            driver.execute("COMMIT")
        except BaseException as error:  # whatever it is, nobody's write is there
            group.error = error
            driver.rollback()
        finally:
            group.ended.set()


def _driver(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection: what begins and ends costs a tenth there of what it costs by way of the engine."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)
