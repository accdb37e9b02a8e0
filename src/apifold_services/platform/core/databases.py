"""Databases that applications get: made for one component, gone with it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import sqlalchemy
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from apifold import MissingExtra, SettingsError
from apifold_services.platform.core.engines.engine import EngineFailed

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@dataclass(frozen=True, slots=True)
class Databases:
    """Makes them.

    Attributes:
        server: URL of a PostgreSQL server, with a user that may make roles and databases; "" for none.
    """

    server: str

    def __post_init__(self) -> None:
        if self.server and not self.server.startswith(("postgres://", "postgresql://")):
            raise SettingsError(
                "services: platform: postgresql: this is no URL; such as postgresql://admin@host/postgres"
            )

    def variables(self, kind: str, id: str, known: dict[str, str]) -> dict[str, str]:
        """What an application is told of the database of a component; made where it is not there.

        Args:
            known: what was told of it before.
        """
        if kind != POSTGRESQL:
            return {"DATABASE_URL": "sqlite:///$DATA_FOLDER/database.sqlite"} if kind == SQLITE else {}
        if known:
            return known
        name, password = _name(id), secrets.token_urlsafe(24)
        self._run(
            (f"DROP DATABASE IF EXISTS {name}", f"DROP ROLE IF EXISTS {name}"),
            (f"CREATE ROLE {name} LOGIN PASSWORD '{password}'", f"CREATE DATABASE {name} OWNER {name}"),
            (f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",),
        )
        url = self._url
        place = f"{url.host or 'localhost'}:{url.port or 5432}/{name}"
        return {"DATABASE_URL": f"postgresql://{name}:{quote(password)}@{place}"}

    def remove(self, kind: str, id: str) -> None:
        """Nothing is left of it."""
        if kind == POSTGRESQL and self.server:
            name = _name(id)
            self._run((f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"DROP ROLE IF EXISTS {name}"))

    @property
    def _url(self) -> Any:
        return sqlalchemy.make_url(self.server.replace("postgres://", "postgresql://", 1)).set(
            drivername="postgresql+psycopg"
        )

    def _run(self, *steps: tuple[str, ...]) -> None:
        try:
            engine = sqlalchemy.create_engine(self._url, isolation_level="AUTOCOMMIT", hide_parameters=True)
        except ModuleNotFoundError:
            raise MissingExtra("a PostgreSQL database", "postgres") from None
        try:
            with engine.connect() as connection:
                for statement in (one for step in steps for one in step):
                    connection.execute(text(statement))
        except SQLAlchemyError as error:
            said = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise EngineFailed(f"its PostgreSQL database can't be had: {said}") from None
        finally:
            engine.dispose()


def _name(id: str) -> str:
    """The name of a component's role and database."""
    return f"apifold_{id.replace('-', '')}"
