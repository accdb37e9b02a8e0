"""The database: one URL, SQLite or PostgreSQL, with the transactions that suit each.

SQLite runs in WAL mode with `synchronous=NORMAL`: what was acknowledged survives the death of any process; the last
commits before a power loss may be lost, whole. PostgreSQL keeps what it acknowledged.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DataError, DBAPIError, OperationalError

from apifold.errors import Invalid, MissingExtra, SettingsError, Unavailable
from apifold.store.writer import GroupedWriter

BUSY_SECONDS = 10.0
"""How long a SQLite transaction waits for another's."""

log = logging.getLogger("apifold.store")


class Database:
    """A database, opened at its first use, used from any thread.

    Args:
        url: `sqlite:///FILE`, `sqlite://` for one that is gone when it is closed, or `postgresql://...`.

    Raises:
        SettingsError: the URL is of another kind, or can't be read.
        MissingExtra: PostgreSQL's driver is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            self.url = sqlalchemy.make_url(url)
        except sqlalchemy.exc.ArgumentError:
            raise SettingsError(
                "database: this is no URL; such as sqlite:///apifold.db or postgresql://user@host/name"
            ) from None
        self.inline = self.url.get_backend_name() == "sqlite"
        self._temporary: str | None = None
        self._local = threading.local()
        self._raw: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self.engine = self._sqlite() if self.inline else self._postgresql()
        self._writer = GroupedWriter(self.engine) if self.inline else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with.

        Raises:
            Unavailable: the database can't be reached.
        """
        with self._faults(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One short write, committed at the end of the block. On SQLite they come one after the other, and those that
        wait for their turn are committed together.

        Raises:
            Unavailable: the database can't be reached, or is locked for too long.
        """
        with self._faults(), self._writer.writing() if self._writer else self.engine.begin() as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A transaction of its own, for steps that may end transactions themselves.

        Raises:
            Unavailable: the database can't be reached, or is locked for too long.
        """
        with self._faults(), self.engine.begin() as connection:
            yield connection

    def raw(self) -> sqlite3.Connection:
        """This thread's own SQLite connection, for the reads that are worth the trouble."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self.url.database or "", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._local.connection = connection
            with self._lock:
                self._raw.append(connection)
        return connection

    def lock(self, connection: Connection, name: str) -> None:
        """Keep others that ask for the same name waiting until this transaction ends."""
        if not self.inline:
            connection.execute(
                sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"apifold:{name}"}
            )

    def close(self) -> None:
        """Close every connection."""
        if self._writer:
            self._writer.close()
        self.engine.dispose()
        with self._lock:
            for connection in self._raw:
                connection.close()
            self._raw.clear()
        self._local = threading.local()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _sqlite(self) -> Engine:
        if not self.url.database or self.url.database == ":memory:":
            self._temporary = tempfile.mkdtemp(prefix="apifold-")
            self.url = self.url.set(database=f"{self._temporary}/apifold.db")
        Path(str(self.url.database)).absolute().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = sqlalchemy.create_engine(
            self.url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, hide_parameters=True
        )  # what is written may be secret: no error says it

        @event.listens_for(engine, "connect")
        def connected(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA foreign_keys=ON")

        @event.listens_for(engine, "begin")
        def began(connection: Connection) -> None:
            # A transaction that begins by reading could not become a writing one while another writes.
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine

    def _postgresql(self) -> Engine:
        if self.url.get_backend_name() not in ("postgresql", "postgres"):
            raise SettingsError(f"database: {self.url.get_backend_name()} is not supported; SQLite and PostgreSQL are")
        self.url = self.url.set(drivername="postgresql+psycopg")
        try:
            return sqlalchemy.create_engine(
                self.url, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True
            )
        except ModuleNotFoundError:
            raise MissingExtra("a PostgreSQL database", "postgres") from None

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, sqlite3.OperationalError) as error:
            log.warning("database: %s", error.orig if isinstance(error, OperationalError) else error)
            raise Unavailable("The database can't be reached, or is busy.", retry_after=1) from None
        except DataError:
            raise Invalid("A value can't be kept: it is too large, or has characters that no text has.") from None
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable("The database can't be reached.", retry_after=1) from None
            raise


def _write_ahead(connection: sqlite3.Connection) -> None:
    # SQLite's time-out does not hold for a change of journal, which processes that start together on a new file meet.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
