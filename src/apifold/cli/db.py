"""`apifold db`: look after the database."""

from __future__ import annotations

from typing import Any

import click

from apifold.cli.options import setting_options, settings_from


@click.group("db", short_help="look after the database")
def command() -> None:
    """Look after the database that model files and kept answers live in."""


@command.command()
@setting_options("database", "state", "config")
def upgrade(**options: Any) -> None:
    """Bring the database to the form that this version of apifold needs; what is in it stays."""
    from apifold.store import Database, migrate  # noqa: PLC0415  # brings SQLAlchemy, for those who use it

    database = Database(settings_from((), options).database_url)
    try:
        migrate.upgrade(database)
        click.echo(f"at {migrate.status(database).current}")
    finally:
        database.close()


@command.command()
@setting_options("database", "state", "config")
def status(**options: Any) -> None:
    """Tell which form the database has, and which it needs. Exit code 1 where these differ."""
    from apifold.store import Database, migrate  # noqa: PLC0415  # as above

    database = Database(settings_from((), options).database_url)
    try:
        found = migrate.status(database)
    finally:
        database.close()
    click.echo(f"has {found.current or 'nothing yet'}, needs {found.latest}")
    raise SystemExit(1 if found.pending else 0)
