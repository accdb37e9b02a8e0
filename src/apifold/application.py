"""The application: everything that one process serves, put together from its settings and targets."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import msgspec
from watchfiles import PythonFilter, awatch

from apifold import extension_points
from apifold.access.method import Method
from apifold.bindings import Modules
from apifold.compare import Evidence, Recording, Shadowing
from apifold.deployment import Deployment
from apifold.description import ParsedFiles, Placement, Sources, load
from apifold.errors import DescriptionError, DescriptionErrors, SettingsError
from apifold.generation import Builder, Generation, Target, targets_of
from apifold.generation.compile import Compiled, Grounds, Tools, compile_api
from apifold.generation.kept import KeptFiles
from apifold.generation.running import Running, files_of
from apifold.generation.watch import Watch
from apifold.http import Request, Responding
from apifold.jobs.duties import Duty
from apifold.jobs.job import JobKind
from apifold.observe import logs
from apifold.observe.access_log import AccessLog
from apifold.observe.counters import Counters, Exposition
from apifold.observe.crew import Crew
from apifold.observe.events import Observers
from apifold.observe.refusals import Refusals
from apifold.observe.use import Uselog
from apifold.pipeline.endpoint import Api
from apifold.reference.documents import Document
from apifold.reference.overview import Overview
from apifold.reference.pages import CatalogueEntry
from apifold.settings import ApiSettings, Settings

log = logging.getLogger("apifold.server")

SHADOW_THREADS = 2

FLUSH_SECONDS = 1.0
"""How often a worker writes what it counted and serves, for the others."""


class Application:
    """Everything that one process serves.

    It is made before processes are forked and started in each of them, so that nothing that must not be shared
    (connections, threads, an event loop) is there before `start`.

    Args:
        deployment: what it may use.
        targets: what is served.
    """

    def __init__(self, deployment: Deployment, targets: Iterable[Target]) -> None:
        self.deployment = deployment
        self.settings = deployment.settings
        self.targets = tuple(targets)
        self.crew = Crew()
        self.limits: Any = None
        self.access_log: AccessLog | None = None
        self.stopping = False
        self.evidence = Evidence()
        self.uselog = Uselog(None, all=False)
        self.refusals = Refusals(None)
        self.overview = Overview(self.settings, self._in_place, lambda: self.evidence)
        self._shadowing: Shadowing | None = None
        self._counters = Counters()
        self._tasks: list[asyncio.Task[None]] = []
        self._running: Running | None = None
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def serving(cls, names: Iterable[str], settings: Settings) -> Self:
        """An application of directories, files and installed services.

        Raises:
            SettingsError: something is none of these.
        """
        deployment = Deployment(settings)
        targets = targets_of(tuple(names), deployment)
        known = {target.service.name for target in targets if target.service}
        known.update(extension_points.names("apifold.services"))
        for name in settings.services.keys() - known:
            raise SettingsError(f"services: there is no service {name!r}; there are: {', '.join(sorted(known))}")
        return cls(deployment, targets)

    @property
    def jobs(self) -> dict[str, JobKind]:
        """The kinds of long work that its services do, by `SERVICE.KIND`."""
        services = [target.service for target in self.targets if target.service]
        return {f"{service.name}.{name}": kind for service in services for name, kind in service.jobs.items()}

    @property
    def duties(self) -> dict[str, Duty]:
        """What its services do again and again, by `SERVICE.NAME`."""
        services = [target.service for target in self.targets if target.service and not target.parts]
        return {f"{service.name}.{name}": duty for service in services for name, duty in service.duties.items()}

    def build(self) -> Generation:
        """Build the first generation, without serving it.

        A process that takes another's place serves what can be served: what broke since must not end the server.

        Raises:
            DescriptionErrors: files have errors, no last good version of theirs is known, `quarantine` is not set,
                and no process of this server has started before.
        """
        if self._running is None:
            began = perf_counter()
            builder = self.builder
            generation = builder.build()
            took = perf_counter() - began
            if generation.refused and not self.settings.quarantine and not self.crew.has_said("started"):
                raise DescriptionErrors(generation.refused)
            self._tell_unknown_apis(generation)
            self._counters = Counters(self.crew.counts_file())
            self._shadowing = self._shadows()
            self.uselog = Uselog(self._notes_directory("use"), all=self.settings.use == "all")
            self.refusals = Refusals(self._notes_directory("refusals"))
            counting = self.uselog if self.settings.use != "off" else None
            watching = [one for one in (self.access_log, self._shadowing, counting) if one is not None]
            answered = (self._counters.answered, *(one.answered for one in watching))
            observers = Observers((self._counters.hear, self.refusals.hear, logs.hear), answered)
            self._running = Running(builder, generation, observers, took)
        return self._running.generation

    async def start(self) -> None:
        """Build, then follow changes. Raises as `build` does."""
        # The first look comes before the first build: what changes in between must not be missed.
        watch = Watch(self.targets, self._files, self.settings.poll)
        self.build()
        running = self.running
        if self.settings.watch:
            self._tasks.append(asyncio.create_task(running.follow(watch, self._tell_crew)))
        if self.crew.directory:
            self._tasks.append(asyncio.create_task(self._keep_telling()))
            if self.settings.dev:
                self._tasks.append(asyncio.create_task(self._follow_code()))

    async def stop(self) -> None:
        """Stop following, and close what is open."""
        self.stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._shadowing:
            await self._shadowing.stop()
        await self.deployment.stop()
        self.close()

    def close(self) -> None:
        """Close threads, services and what the deployment has open."""
        if self._threads:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._shadow_threads.shutdown(wait=False, cancel_futures=True)
        for target in self.targets:
            if target.service and target.service.close:
                target.service.close()
        self.deployment.close()
        self._write_notes()

    def _write_notes(self) -> None:
        self._counters.write()
        self.evidence.write()
        self.uselog.write()
        self.refusals.write()

    @property
    def running(self) -> Running:
        """What serves; there once `build` was called."""
        if self._running is None:
            self.build()
        assert self._running is not None
        return self._running

    def answer(self, request: Request) -> Responding:
        """The response to a request; a coroutine that gives it where that takes time."""
        return self.running.answer(request)

    def read_ahead(self) -> None:
        """Read the descriptions, before processes are forked: these then need not, and share what was read."""
        self.builder.read_ahead()
        if self._compares():
            Evidence(self._notes_directory("shadow")).fold()
        if self.settings.use != "off":
            Uselog(self._notes_directory("use"), all=self.settings.use == "all").fold()
        Refusals(self._notes_directory("refusals")).fold()
        gc.collect()
        gc.freeze()

    @cached_property
    def builder(self) -> Builder:
        """The builder of generations of these targets."""
        keep = None if self.settings.state == "" else self.settings.state_directory / "kept"
        return Builder(self.targets, self.tools(), KeptFiles(keep), self._beside, self._around)

    def tools(self) -> Tools:
        """What compiling APIs needs; made once in a process."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.settings.threads, "apifold")
            self._shadow_threads = ThreadPoolExecutor(SHADOW_THREADS, "apifold-shadow")
        return Tools(self.deployment, cache(self.method), self._threads, self._shadow_threads)

    # The system's own handlers ask the rest: `reference.system.Status`.

    @property
    def ready(self) -> bool:
        """Whether requests are welcome."""
        return self._running is not None and not self.stopping

    def entries(self) -> list[CatalogueEntry]:
        """The APIs that are served, for the catalogue."""
        self.build()
        return self.overview.entries()

    def errors(self) -> list[str]:
        """What keeps files from being served at all."""
        return [str(error) for error in self.running.generation.refused]

    def state(self) -> dict[str, Any]:
        """What is loaded and what failed, here and in every worker."""
        running = self.running
        own = {"pid": os.getpid(), "generation": running.generation.id, "since": running.since}
        workers = self.crew.members() or [own]
        return {
            **_state(running.generation),
            "apis": self.overview.states(),
            "left_out": self.overview.aside(),
            "since": running.since,
            "worker": os.getpid(),
            "workers": workers,
        } | ({"jobs": self.crew.job_processes()} if self.jobs or self.duties else {})

    def shadow(self) -> dict[str, Any]:
        """What comparing implementations has shown, in every worker."""
        return self.evidence.shown()

    def use(self) -> list[dict[str, Any]]:
        """Who calls what, in every worker."""
        return self.uselog.rows()

    def would_refuse(self) -> list[dict[str, Any]]:
        """Who would be refused, were nothing let through, in every worker."""
        return self.refusals.rows()

    def metrics(self) -> tuple[bytes, str]:
        """The metrics of every worker."""
        return Exposition(self._counters, self.crew.directory).text()

    def _in_place(self) -> Generation | None:
        return self._running.generation if self._running else None

    def _files(self) -> set[Path]:
        return files_of(self._running.generation, self.settings.policy) if self._running else set()

    def method(self, name: str) -> Method:
        """The auth method of a name, made for the deployment.

        Raises:
            SettingsError, MissingExtra: it can't be made; the text says what is missing.
        """
        made: Method = extension_points.load("apifold.auth", name)(self.deployment)
        return made

    def _tell_unknown_apis(self, generation: Generation) -> None:
        """Settings of an API that is not there may be meant for one that is."""
        there = {one.api.name for one in generation.loaded}
        off = {name for name, api in self.settings.apis.items() if not api.enabled}
        off |= {one.name for one in generation.aside}
        for name in self.settings.apis.keys() - there - off:
            log.warning("apis: there is no API %r; there are: %s", name, ", ".join(sorted(there)))
        for name, api in self.settings.apis.items():
            loaded = [one for one in generation.loaded if name in (one.api.name, one.part_of)]
            known = {operation.id for one in loaded for operation in one.compiled.history.whole.operations}
            for operation in api.operations.keys() - known if loaded else ():
                log.warning("apis: %s: operations: there is no operation %r", name, operation)

    def _beside(self, target: Target, compiled: Compiled) -> Iterator[Api]:
        description, name = compiled.description, compiled.api.name
        overview = self.overview
        document = Document(
            description.title,
            description.base,
            description.flavour,
            description.written,
            lambda: overview.status_of(name),
            lambda: tuple(one.compiled for one in overview.parts(name)),
            compiled if compiled.history.limits else None,
        )
        yield self._own("documents", description.base, {"document": document})
        shape = target.service.discovery if target.service else ""
        if shape and description.base:
            yield self._own("api_root", description.base, {"status": self, "api": name, "shape": shape})

    def _compares(self) -> bool:
        return any(api.shadow or api.record for api in self.settings.apis.values())

    def _shadows(self) -> Shadowing | None:
        if not self._compares():
            return None
        self.evidence = Evidence(self._notes_directory("shadow"))
        recordings = {name: Recording(Path(api.record)) for name, api in self.settings.apis.items() if api.record}
        return Shadowing(self.evidence, recordings)

    def _notes_directory(self, name: str) -> Path | None:
        """Where what processes note is kept; for as long as the server runs where nothing is."""
        if self.settings.state:
            return self.settings.state_directory / name
        return self.crew.directory / name if self.crew.directory else None

    def _around(self) -> Iterator[Api]:
        for target in self.targets:
            if target.service and target.service.discovery and not target.parts:
                provides = {"status": self, "service": target.name, "shape": target.service.discovery}
                yield self._own("service_root", target.prefix, provides)
        yield self._own("system", "/-", {"status": self})
        yield self._own("catalogue", "", {"status": self})

    def _own(self, name: str, base: str, provides: dict[str, Any]) -> Api:
        """One of apifold's own APIs, described and compiled like any other."""
        path = Path(str(files("apifold.reference") / f"{name}.yaml"))
        description = load(path, Sources(path.parent, False, self._own_files), placement=Placement("", base))
        grounds = Grounds(Modules(("apifold.reference",)), provides, None, ApiSettings(implementation="native"))
        return compile_api(description, grounds, self.tools()).api

    _own_files = ParsedFiles()

    async def _keep_telling(self) -> None:
        self._tell_crew()
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._write_notes()

    def _tell_crew(self) -> None:
        running = self.running
        self.crew.tell(running.generation.id, running.since)

    async def _follow_code(self) -> None:
        """Have the workers rolled when code changes; one of them asks for it."""
        async for _ in awatch(*{target.directory for target in self.targets}, watch_filter=PythonFilter()):
            if self.crew.is_speaker():
                os.kill(os.getppid(), signal.SIGHUP)


def check(names: Iterable[str], settings: Settings) -> tuple[DescriptionError, ...]:
    """Every error of every file of some targets, sorted; nothing is kept, served or started."""
    application = Application.serving(names, msgspec.structs.replace(settings, state=""))
    try:
        return application.builder.build().all_errors
    finally:
        application.close()


def _state(generation: Generation) -> dict[str, Any]:
    return {
        "generation": generation.id,
        "errors": [
            {"file": error.file, "line": error.line, "message": error.message, "remedy": error.remedy}
            for error in generation.all_errors
        ],
    }
