"""Migrations: a database brought to the form that the code needs, by Alembic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from apifold.errors import SettingsError
from apifold.store.database import Database

OWN = Path(__file__).with_name("migrations")
"""apifold's own migrations."""


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Which form a database has ("" before the first), which it needs, and the steps between."""

    current: str
    latest: str
    pending: tuple[str, ...]


def upgrade(database: Database, directory: Path = OWN, name: str = "apifold") -> None:
    """Bring a database to the newest form; what is in it stays. Several processes may do this at once.

    Args:
        directory: an Alembic script directory: `versions/` with one file for each step.
        name: whose migrations these are; each owner has its own version table.

    Raises:
        SettingsError: the database is newer than the code.
    """
    if not status(database, directory, name).pending:
        return
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  # only needed while migrating
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # as above

    script = ScriptDirectory(str(directory))
    with database.migrating() as connection:
        database.lock(connection, "migrations")
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": f"{name}_version",
                "fn": lambda revision, _: script._upgrade_revs("head", revision),
            },  # what alembic's own env.py does
        )
        from alembic.operations import Operations  # noqa: PLC0415  # as above

        with Operations.context(context):
            context.run_migrations()


def status(database: Database, directory: Path = OWN, name: str = "apifold") -> MigrationStatus:
    """Which form a database has, and which it needs.

    Raises:
        SettingsError: the database is newer than the code.
    """
    known = _versions(directory)
    with database.reading() as connection:
        current = _current(connection, f"{name}_version")
    if current and current not in known:
        raise SettingsError(
            f"the database is at {current}, which this version does not know; "
            "install the apifold that made it, or a newer one"
        )
    pending = known[known.index(current) + 1 :] if current else known
    return MigrationStatus(current, known[-1], tuple(pending))


def _versions(directory: Path) -> list[str]:
    """The steps in their order: files are named by number, `0001_first.py` is version 0001."""
    return [path.name.partition("_")[0] for path in sorted((directory / "versions").glob("[0-9]*.py"))]


def _current(connection: Connection, table: str) -> str:
    if not connection.dialect.has_table(connection, table):
        return ""
    return str(connection.exec_driver_sql(f"SELECT version_num FROM {table}").scalar() or "")  # noqa: S608  # the name is ours
