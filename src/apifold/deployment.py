"""What a deployment has for its services and auth methods: settings, and, opened where they are first used, a
database, jobs, and the way to other services."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from apifold.errors import MissingExtra, SettingsError
from apifold.settings import Settings

S = TypeVar("S", bound=msgspec.Struct)


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
        self._allowed: set[str] = set()
        self._closers: list[Callable[[], None]] = []
        self._stoppers: list[Callable[[], Awaitable[None]]] = []
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

        return self.once("database", opened)

    def tables(self, name: str, migrations: Path) -> Any:
        """The database, an `apifold.store.Database`, with a service's own tables in the form that it needs.

        Args:
            name: the service's.
            migrations: an Alembic script directory: `versions/` with one file for each step.

        Raises:
            As `database` does; SettingsError: the tables are newer than the service.
        """

        def opened() -> Any:
            from apifold.store import migrate  # noqa: PLC0415  # as above

            migrate.upgrade(self.database(), migrations, name)
            return self.database()

        return self.once(f"tables {name}", opened)

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

        return self.once(f"collection {name}", opened)

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

        return self.once("jobs", opened)

    def outgoing(self) -> Any:
        """The way to other services, an `apifold.outgoing.Outgoing`: to those in settings, and to what the setting
        `outgoing` allows.

        Raises:
            MissingExtra: the part is not installed.
        """

        def opened() -> Any:
            try:
                from apifold.outgoing import Outgoing  # noqa: PLC0415  # brings aiohttp, for those who use it
            except ModuleNotFoundError:
                raise MissingExtra("talking to other services", "upstream") from None

            hosts = _hosts((*_addresses(self.settings), *self._allowed))
            made = Outgoing((*self.settings.outgoing, *hosts), self.settings.outgoing_ca)
            self.at_stop(made.close)
            return made

        return self.once("outgoing", opened)

    def allow(self, *addresses: str) -> None:
        """Let the addresses that a service's own settings name be called; said before anything is."""
        self._allowed.update(addresses)

    def upstream(self, name: str) -> Any:
        """Another service by its name in the setting `upstreams`, an `apifold.outgoing.Upstream`.

        Raises:
            SettingsError: there is none of that name, or what is set can't be used.
            MissingExtra: the part is not installed.
        """

        def opened() -> Any:
            chosen = self.settings.upstreams.get(name)
            if chosen is None:
                known = ", ".join(sorted(self.settings.upstreams)) or "none"
                raise SettingsError(f"there is no upstream {name!r} in the setting `upstreams`; there are: {known}")
            from apifold.outgoing import upstream_of  # noqa: PLC0415  # as above

            return upstream_of(name, chosen, outgoing)

        outgoing = self.outgoing()
        return self.once(f"upstream {name}", opened)

    def options(self, name: str, kind: type[S]) -> S:
        """The settings of one service, those below `services: {NAME: ...}`.

        Args:
            kind: a struct with every setting, its type and its default; it refuses unknown fields.

        Raises:
            SettingsError: there is no such setting, or its value can't be used.
        """
        try:
            return msgspec.convert(self.settings.services.get(name, {}), kind, strict=False)
        except msgspec.ValidationError as error:
            known = ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
            raise SettingsError(f"services: {name}: {error}; its settings are: {known}") from None

    def directory(self) -> Path:
        """Where files may be kept: the state directory, or a temporary one where nothing is to be kept."""
        if self.settings.state:
            return self.settings.state_directory

        def opened() -> Any:
            directory = tempfile.TemporaryDirectory(prefix="apifold-")
            self._closers.append(directory.cleanup)
            return Path(directory.name)

        found: Path = self.once("directory", opened)
        return found

    def at_stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have something closed on the loop that it was used on."""
        self._stoppers.append(close)

    async def stop(self) -> None:
        """Close what must be closed on the loop that it was used on, the last first."""
        while self._stoppers:
            await self._stoppers.pop()()

    def close(self) -> None:
        """Close what is open, the last first."""
        while self._closers:
            self._closers.pop()()
        self._opened.clear()

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What is made once in a process.

        Args:
            name: what it is known by.
            make: makes it, at the first call.
        """
        found = self._opened.get(name)
        if found is None:
            with self._lock:
                found = self._opened.get(name)
                if found is None:
                    found = self._opened[name] = make()
        return found


def _addresses(settings: Settings) -> Iterator[str]:
    """The addresses that settings name themselves."""
    yield settings.keystone_url
    for upstream in settings.upstreams.values():
        yield from (upstream.url, upstream.keystone)
    for api in settings.apis.values():
        yield from (api.implementation or "", api.shadow.to if api.shadow else "")


def _hosts(addresses: Iterable[str]) -> set[str]:
    return {host for address in addresses if "://" in address and (host := urlsplit(address).hostname)}
