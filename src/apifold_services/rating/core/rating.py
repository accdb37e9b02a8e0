"""The rating core: everything that a deployment rates by, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from apifold import Database, Deployment, Invalid
from apifold_services.rating.core import collect
from apifold_services.rating.core.collect import Collector, Fetcher, Prometheus, Pushed, Source, Used, chosen
from apifold_services.rating.core.collectors import Collectors
from apifold_services.rating.core.flat_storage import FlatStorage
from apifold_services.rating.core.metrics import Metrics
from apifold_services.rating.core.modules import HashmapProcessor, Modules, Noop, ScriptProcessor
from apifold_services.rating.core.options import Options
from apifold_services.rating.core.pipeline import Pipeline, Sources
from apifold_services.rating.core.points import Frame
from apifold_services.rating.core.reprocesses import Reprocesses
from apifold_services.rating.core.rules import Rules
from apifold_services.rating.core.scopes import Scopes
from apifold_services.rating.core.scripts import Scripts
from apifold_services.rating.core.storage import SeriesStorage, Storage

HERE = Path(__file__).parent.parent


class RatingCore:
    """What the service's APIs, and its pipeline, work with. Nothing is opened before it is used.

    Args:
        deployment: whose usage is rated.
        options: what it decides about that.
    """

    def __init__(self, deployment: Deployment, options: Options) -> None:
        self.deployment = deployment
        self.options = options
        self.metrics = Metrics.read(Path(options.metrics or HERE / "data" / "metrics.yml"), options.scope_key)

    @property
    def database(self) -> Database:
        """With the service's tables."""
        database: Database = self.deployment.tables("rating", HERE / "migrations")
        return database

    @cached_property
    def rules(self) -> Rules:
        """The hashmap's rules."""
        return Rules(self.database)

    @cached_property
    def collectors(self) -> Collectors:
        """Notes on collectors."""
        return Collectors(self.database)

    @cached_property
    def scripts(self) -> Scripts:
        """Scripts as rules."""
        return Scripts(self.database, enabled=self.options.pyscripts)

    @cached_property
    def modules(self) -> Modules:
        """What prices points."""
        own = (Noop(), HashmapProcessor(self.rules), ScriptProcessor(self.scripts))
        return Modules(self.database, own)

    @cached_property
    def storage(self) -> Storage:
        """Where rated usage is kept."""
        if self.options.storage == 1:
            return FlatStorage(self.database, self.options.scope_key)
        return SeriesStorage(self.database)

    @cached_property
    def scopes(self) -> Scopes:
        """Whose usage is rated."""
        return Scopes(self.database)

    @cached_property
    def reprocesses(self) -> Reprocesses:
        """What is to be rated again."""
        return Reprocesses(self.database, self.scopes, timedelta(seconds=self.options.period))

    @cached_property
    def pushed(self) -> Pushed:
        """Usage that was pushed."""
        return Pushed(self.database, self.options)

    def keep(self, frames: Sequence[Frame]) -> None:
        """Keep usage at the prices that it has."""
        with self.database.writing() as connection:
            self.storage.push(connection, frames)

    def push(self, used: Sequence[Used]) -> None:
        """Keep usage until it is collected and rated.

        Raises:
            Invalid: it is of a metric that is not known.
        """
        known = {metric.name for metric in self.metrics.listed}
        for one in used:
            if one.metric not in known:
                raise Invalid(f"There is no metric {one.metric!r}; there are: {', '.join(sorted(known))}.")
        self.pushed.push(used)

    def work(self, stopped: Callable[[], bool]) -> None:
        """Rate everything that can be rated now."""
        self.pipeline.work(stopped)

    @cached_property
    def pipeline(self) -> Pipeline:
        """What rates it."""
        kinds: tuple[type[Collector], ...] = (Pushed, Prometheus)
        fetchers: tuple[type[Fetcher], ...] = (Source, Pushed, Prometheus)
        fetcher = chosen(self.options.fetcher, collect.FETCHERS, fetchers, self.database, self.options)
        collector = chosen(self.options.collector, collect.COLLECTORS, kinds, self.database, self.options)
        sources = Sources(fetcher, collector, self.metrics)
        parts = (self.modules, self.storage, self.scopes, self.reprocesses)
        return Pipeline(self.database, self.options, sources, *parts)
