"""Where usage comes from: fetchers say whose there is, collectors what it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.metadata import entry_points
from typing import Any, Protocol
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from sqlalchemy import and_, select

from apifold import Database, SettingsError, Unavailable
from apifold_services.rating.core.metrics import Metric
from apifold_services.rating.core.moments import seconds
from apifold_services.rating.core.options import Options
from apifold_services.rating.core.points import Labels, Period
from apifold_services.rating.core.tables import usage

COLLECTORS = "apifold_rating.collectors"
FETCHERS = "apifold_rating.fetchers"
"""Entry points of collectors and fetchers that other packages bring: made as `make(database, options)`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one thing in a period."""

    value: Decimal
    labels: Labels


@dataclass(frozen=True, slots=True)
class Used:
    """What is pushed: how much of a metric one thing of a scope used at a moment."""

    metric: str
    scope_id: str
    moment: datetime
    value: Decimal
    labels: Labels


class Collector(Protocol):
    """Knows what was used."""

    name: str

    def collect(self, metric: Metric, period: Period, scope_key: str, scope_id: str) -> Sequence[Measured]:
        """What a scope used of a metric in a period.

        Raises:
            Unavailable: it can't be known now.
        """


class Fetcher(Protocol):
    """Knows whose usage there is."""

    name: str

    def scopes(self, scope_key: str) -> Sequence[str]:
        """The ids of all scopes. Raises Unavailable."""


class Source:
    """`source`: the scopes are those in the settings."""

    name = "source"

    def __init__(self, database: Database, options: Options) -> None:
        self.ids = options.scopes

    def scopes(self, scope_key: str) -> Sequence[str]:
        return self.ids


class Pushed:
    """`usage`: what was pushed to this service, as a collector and as a fetcher; kept, for a past may be rated again.

    Of one thing (its labels), the greatest value of a period is what was used in it.
    """

    name = "usage"

    def __init__(self, database: Database, options: Options) -> None:
        self.database = database

    def push(self, used: Iterable[Used]) -> None:
        """Keep what was used, until it is collected."""
        rows = [
            {
                "metric": one.metric,
                "scope_id": one.scope_id,
                "moment": seconds(one.moment),
                "qty": format(one.value, "f"),
                "labels": dict(one.labels),
            }
            for one in used
        ]
        if rows:
            with self.database.writing() as connection:
                connection.execute(usage.insert(), rows)

    def scopes(self, scope_key: str) -> Sequence[str]:
        with self.database.reading() as connection:
            return sorted(connection.scalars(select(usage.c.scope_id).distinct()))

    def collect(self, metric: Metric, period: Period, scope_key: str, scope_id: str) -> Sequence[Measured]:
        wanted = and_(
            usage.c.scope_id == scope_id,
            usage.c.metric == metric.name,
            usage.c.moment >= seconds(period.begin),
            usage.c.moment < seconds(period.end),
        )
        with self.database.reading() as connection:
            rows = connection.execute(select(usage).where(wanted).order_by(usage.c.id)).all()
        most: dict[str, Measured] = {}
        for row in rows:
            labels = {**row.labels, scope_key: scope_id}
            key = json.dumps(labels, sort_keys=True)
            one = Measured(Decimal(row.qty), labels)
            if key not in most or most[key].value < one.value:
                most[key] = one
        return list(most.values())


class Prometheus:
    """`prometheus`: asks a Prometheus, as a collector and as a fetcher.

    A metric's `extra_args` may say `aggregation_method` (avg, min, max, sum, count, stddev, ... over the period),
    `query_function` (around the range, such as `increase`), and `range_function` (in the place of the aggregation).
    """

    name = "prometheus"

    def __init__(self, database: Database, options: Options) -> None:
        if not options.prometheus.startswith(("http://", "https://")):
            raise SettingsError("services: rating: prometheus: say its address, such as http://127.0.0.1:9090")
        self.url = options.prometheus.rstrip("/")
        self.metric = options.prometheus_scope

    def scopes(self, scope_key: str) -> Sequence[str]:
        found = self._asked("series", {"match[]": self.metric or f'{{{scope_key}!=""}}'})
        return sorted({str(one[scope_key]) for one in found if one.get(scope_key)})

    def collect(self, metric: Metric, period: Period, scope_key: str, scope_id: str) -> Sequence[Measured]:
        length = int((period.end - period.begin).total_seconds())
        selected = f"{metric.name}{{{scope_key}={_quoted(scope_id)}}}"
        said = metric.arguments
        over = said.get("range_function") or f"{said.get('aggregation_method', 'max')}_over_time"
        query = f"{over}({selected}[{length}s])"
        if said.get("query_function"):
            query = f"{said['query_function']}({query})"
        by = ", ".join((*metric.groupby, *metric.metadata))
        prefix = said.get("query_prefix", f"{said.get('aggregation_method', 'max')} by ({by})")
        query = f"{prefix}({query}) {said.get('query_suffix', '')}".strip()
        found = self._asked("query", {"query": query, "time": str(period.end.timestamp())})["result"]
        return [Measured(Decimal(one["value"][1]), one["metric"]) for one in found if _is_number(one["value"][1])]

    def _asked(self, what: str, query: Mapping[str, str]) -> Any:
        request = Request(f"{self.url}/api/v1/{what}?{urlencode(query)}")  # noqa: S310  # the settings name it
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
                return json.load(answer)["data"]
        except (OSError, ValueError, KeyError) as error:
            raise Unavailable(f"Prometheus can't be asked: {error}") from None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _is_number(text: str) -> bool:
    return text not in ("NaN", "+Inf", "-Inf")


def chosen(name: str, group: str, own: Iterable[Any], database: Database, options: Options) -> Any:
    """The collector or fetcher of a name.

    Raises:
        SettingsError: there is none, or it can't be made.
    """
    kinds = {kind.name: kind for kind in own} | {point.name: point.load for point in entry_points(group=group)}
    if name not in kinds:
        what = group.rpartition(".")[2].removesuffix("s")
        raise SettingsError(f"services: rating: there is no {what} {name!r}; there are: {', '.join(sorted(kinds))}")
    kind = kinds[name]
    make = kind if isinstance(kind, type) else kind()
    return make(database, options)
