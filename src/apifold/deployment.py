"""What a deployment has for its services: settings, and, opened where they are first used, a database and jobs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Any

from apifold.errors import MissingExtra
from apifold.settings import Settings


class Deployment:
    """What a deployment has for its services.

    It is made before processes are forked, so nothing is open in it before the first use. Libraries that not every
    deployment needs are imported then, too; hence `Any`.

    Args:
        settings: everything that the deployment decides.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: dict[str, Any] = {}
        self._closers: list[Callable[[], None]] = []
        self._lock = RLock()

    def database(self) -> Any:
        """The database, an `apifold.store.Database` in the form that this version needs.

        Raises:
            SettingsError, MissingExtra: it can't be used; the text says why.
            Unavailable: it can't be reached.
        """

        def opened() -> Any:
            from apifold.store import open_database  # noqa: PLC0415  # brings SQLAlchemy, for those who use it

            database = open_database(self.settings.database_url)
            self._closers.append(database.close)
            return database

        return self._once("database", opened)

    def collection(self, name: str, **spec: tuple[str, ...]) -> Any:
        """The JSON documents of a name, an `apifold.store.Collection`.

        Args:
            spec: `unique`, `filterable` and `sortable` fields.

        Raises:
            ValueError: the name can't be used.
        """

        def opened() -> Any:
            from apifold.store import Collection, CollectionSpec  # noqa: PLC0415  # as above

            return Collection(self.database(), name, CollectionSpec(**spec))

        return self._once(f"collection {name}", opened)

    def jobs(self) -> Any:
        """Long work that lasts, an `apifold.jobs.Jobs`.

        Raises:
            MissingExtra: the part is not installed.
        """

        def opened() -> Any:
            try:
                from apifold.jobs.jobs import Jobs  # noqa: PLC0415  # brings DBOS, for those who use it
            except ModuleNotFoundError:
                raise MissingExtra("long work", "jobs") from None

            jobs = Jobs(self.settings.jobs_url or f"sqlite:///{self.directory() / 'jobs.db'}")
            self._closers.append(jobs.close)
            return jobs

        return self._once("jobs", opened)

    def directory(self) -> Path:
        """Where files may be kept: the state directory, or a temporary one where nothing is to be kept."""
        if self.settings.state:
            return self.settings.state_directory

        def opened() -> Any:
            directory = tempfile.TemporaryDirectory(prefix="apifold-")
            self._closers.append(directory.cleanup)
            return Path(directory.name)

        found: Path = self._once("directory", opened)
        return found

    def close(self) -> None:
        """Close what is open, the last first."""
        while self._closers:
            self._closers.pop()()
        self._opened.clear()

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        found = self._opened.get(name)
        if found is None:
            with self._lock:
                found = self._opened.get(name)
                if found is None:
                    found = self._opened[name] = make()
        return found
