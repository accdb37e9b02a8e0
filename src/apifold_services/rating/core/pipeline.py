"""The pipeline: usage is collected, priced and kept, scope by scope and period by period.

What a period of a scope makes and how far the scope is are written in one transaction, so a process that dies, or one
that is faster, leaves neither a gap nor anything twice; no lock is held while usage is collected and priced.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from apifold import Database
from apifold_services.rating.core.collect import Collector, Fetcher, Measured
from apifold_services.rating.core.metrics import Metric, Metrics
from apifold_services.rating.core.modules import Modules
from apifold_services.rating.core.options import Options
from apifold_services.rating.core.points import Frame, Labels, Period, Point
from apifold_services.rating.core.reprocesses import Reprocess, Reprocesses
from apifold_services.rating.core.scopes import Scope, ScopeQuery, Scopes
from apifold_services.rating.core.storage import Asked, Storage

log = logging.getLogger("apifold.rating")

Stop = Callable[[], bool]


class _Overtaken(Exception):
    """Somebody else did it meanwhile."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where usage comes from."""

    fetcher: Fetcher
    collector: Collector
    metrics: Metrics


class Pipeline:
    """Rates what is to be rated, again and again.

    Args:
        database: with the service's tables.
    """

    def __init__(
        self,
        database: Database,
        options: Options,
        sources: Sources,
        modules: Modules,
        storage: Storage,
        scopes: Scopes,
        reprocesses: Reprocesses,
    ) -> None:
        self.database = database
        self.options = options
        self.sources = sources
        self.modules = modules
        self.storage = storage
        self.scopes = scopes
        self.reprocesses = reprocesses
        self.step = timedelta(seconds=options.period)

    def work(self, stopped: Stop) -> None:
        """Do everything that can be done now: set scopes back, rate pasts again, rate what is new."""
        self._meet_scopes()
        for scope in self.scopes.all():
            if scope.reset_to is not None:
                self._set_back(scope)
        for task in self.reprocesses.open():
            self._rate_again(task, stopped)
        for scope in self.scopes.all(ScopeQuery(active=(True,))):
            self._rate_new(scope, stopped)

    def due(self, scope: Scope, now: datetime) -> Period | None:
        """The next period of a scope; None where it is not over for long enough."""
        begin = scope.last_processed or Period.month_of(now).begin
        end = begin + self.step
        is_over = begin + self.step + self.options.wait_periods * self.step < now
        return Period(begin, end) if is_over else None

    def _meet_scopes(self) -> None:
        names = {"fetcher": self.sources.fetcher.name, "collector": self.sources.collector.name}
        try:
            ids = self.sources.fetcher.scopes(self.options.scope_key)
        except Exception:  # whoever can't be asked now is asked again
            log.exception("the scopes can't be fetched")
            return
        self.scopes.meet(ids, scope_key=self.options.scope_key, **names)

    def _rate_new(self, scope: Scope, stopped: Stop) -> None:
        while not stopped():
            period = self.due(scope, datetime.now(UTC))
            if period is None or scope.reset_to is not None:
                return
            try:
                self._rate(scope, period)
            except _Overtaken:
                log.info("%s was rated elsewhere meanwhile", scope.scope_id)
            except Exception:  # one scope must not keep the others from being rated
                log.exception("%s can't be rated from %s", scope.scope_id, period.begin)
                return
            scope = self.scopes.get(scope.id)
            if not scope.active:
                return

    def _rate(self, scope: Scope, period: Period) -> None:
        frame = self._priced(scope, period)
        with self.database.writing() as connection:
            self.storage.push(connection, [frame] if frame.usage else [])
            if not self.scopes.advance(connection, scope, period.end):
                raise _Overtaken

    def _priced(self, scope: Scope, period: Period) -> Frame:
        """What a scope used in a period, at its prices."""
        usage: dict[str, list[Point]] = {}
        for metric in self.sources.metrics.listed:
            measured = self.sources.collector.collect(metric, period, scope.scope_key, scope.scope_id)
            usage.setdefault(metric.type, []).extend(_point(metric, one) for one in measured)
        frame = Frame(period, {metric: tuple(points) for metric, points in usage.items() if points})
        return self.modules.rate(frame, scope.scope_id, period.begin)

    def _set_back(self, scope: Scope) -> None:
        if scope.reset_to is None:
            return
        with self.database.writing() as connection:
            if self.scopes.set_back(connection, scope):
                after = Period(scope.reset_to, datetime.max.replace(tzinfo=UTC, year=9998))
                self._forget(connection, scope, after)
                log.info("%s was set back to %s", scope.scope_id, scope.reset_to)

    def _rate_again(self, task: Reprocess, stopped: Stop) -> None:
        scope = next((one for one in self.scopes.all(ScopeQuery((task.scope_id,))) if one.active), None)
        while scope is not None and not stopped() and not task.is_done:
            begin = task.current or task.begin
            period = Period(begin, begin + self.step)
            try:
                frame = self._priced(scope, period)
                with self.database.writing() as connection:
                    if not self.reprocesses.advance(connection, task, period.end):
                        raise _Overtaken
                    if task.current is None:
                        self._forget(connection, scope, Period(task.begin, task.end))
                    self.storage.push(connection, [frame] if frame.usage else [])
            except _Overtaken:
                log.info("%s was rated again elsewhere meanwhile", scope.scope_id)
            except Exception:  # as above
                log.exception("%s can't be rated again from %s", scope.scope_id, period.begin)
                return
            task = self.reprocesses.get(task.id)

    def _forget(self, connection: Connection, scope: Scope, period: Period) -> None:
        self.storage.forget(connection, Asked(period, {scope.scope_key: (scope.scope_id,)}))


def _point(metric: Metric, measured: Measured) -> Point:
    return Point(
        metric.unit,
        metric.quantity(measured.value),
        groupby=_labels(metric.groupby, measured.labels),
        metadata=_labels(metric.metadata, measured.labels),
    )


def _labels(names: tuple[str, ...], labels: Mapping[str, object]) -> Labels:
    return {name: str(labels.get(name, "")) for name in names}
