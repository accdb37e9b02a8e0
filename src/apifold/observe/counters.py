"""Counters of one worker, and their sum over all workers, as OpenMetrics.

A worker counts in plain lists and writes them to its own file once a second; whoever is asked reads every file. A
file of a worker that died stays, so that no counter ever runs backwards; what a killed worker counted in its last
second is lost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from apifold.exchange import Exchange
from apifold.http import Response
from apifold.observe.events import Crashed, Event, Quarantined, Swapped, WouldRefuse
from apifold.observe.refusals import breaches
from apifold.observe.tally import OTHERS

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the duration histogram, in seconds."""

MAX_SERIES = 2000
"""Of one metric, in one worker; clients choose the names of fields that are not described."""

Counts = dict[str, dict[str, list[float]]]
"""By metric, then by label values joined by a line break."""


class Counters:
    """What one worker counted.

    Args:
        file: where to write it, or None where nobody else asks.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.requests: dict[tuple[str, int], list[float]] = {}
        self.others: dict[str, dict[str, list[float]]] = {
            "refusals": {},
            "crashes": {},
            "swaps": {},
            "quarantined": {},
            "apis": {},
        }
        self.changed = False

    def answered(self, exchange: Exchange, response: Response, seconds: float) -> None:
        """Count an answer."""
        endpoint = exchange.endpoint
        key = (endpoint.label if endpoint else "\n", response.status)
        counts = self.requests.get(key)
        if counts is None:
            counts = self.requests[key] = [0.0] * (len(BUCKETS) + 2)
        counts[bisect_left(BUCKETS, seconds)] += 1
        counts[-1] += seconds
        self.changed = True

    def hear(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, WouldRefuse):
            endpoint = event.exchange.endpoint
            for field, reason in breaches(event):
                self._add("refusals", "\n".join((endpoint.api, endpoint.name, event.direction, field, reason)))
        elif isinstance(event, Crashed):
            endpoint = event.exchange.endpoint
            self._add("crashes", f"{endpoint.api}\n{endpoint.name}" if endpoint else "\n")
        elif isinstance(event, Swapped):
            self._add("swaps", "")
            self.others["apis"][""] = [float(event.apis)]
            self.others["quarantined"].clear()
        elif isinstance(event, Quarantined):
            self.others["quarantined"][event.file] = [float(len(event.errors))]
        self.changed = True

    def _add(self, metric: str, key: str) -> None:
        counts = self.others[metric]
        if key not in counts and len(counts) >= MAX_SERIES:
            key = "\n".join((OTHERS, *[""] * key.count("\n")))
        counts.setdefault(key, [0.0])[0] += 1

    def write(self) -> None:
        """Write what was counted to the worker's file, whole or not at all."""
        if self.file is None or not self.changed:
            return
        self.changed = False
        draft = self.file.with_suffix(".draft")
        with suppress(FileNotFoundError):  # the server ended first
            draft.write_bytes(msgspec.json.encode(self.counts()))
            draft.replace(self.file)

    def counts(self) -> Counts:
        """What was counted, as plain data."""
        requests = {f"{label}\n{status}": counts for (label, status), counts in self.requests.items()}
        return {"requests": requests, **self.others}


class Exposition:
    """The sum over all workers, for Prometheus.

    Args:
        counters: this worker's own.
        directory: where every worker of this server writes; None where there is only this one.
    """

    def __init__(self, counters: Counters, directory: Path | None) -> None:
        self.counters = counters
        self.directory = directory

    def text(self) -> tuple[bytes, str]:
        """The metrics and their media type."""
        text: bytes = generate_latest(self)  # type: ignore[no-untyped-call]  # the library has no types for it
        return text, CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Any]:
        """The metric families, as `prometheus_client` asks for them."""
        total = self._sum()
        seconds = HistogramMetricFamily(
            "apifold_request_seconds", "Requests answered, by how long it took", labels=("api", "operation", "status")
        )
        for key, counts in sorted(total.get("requests", {}).items()):
            seconds.add_metric(key.split("\n"), list(_cumulated(counts)), sum_value=counts[-1])
        yield seconds
        for name, metric, text, labels in (
            (
                "refusals",
                "apifold_would_refuse",
                "Messages that broke their contract and were let through",
                ("api", "operation", "direction", "field", "reason"),
            ),
            ("crashes", "apifold_crashes", "Requests that met our own mistake", ("api", "operation")),
            ("swaps", "apifold_generation_swaps", "Generations put in place", ()),
        ):
            family = CounterMetricFamily(metric, text, labels=labels)
            for key, counts in sorted(total.get(name, {}).items()):
                family.add_metric(key.split("\n") if labels else (), counts[0])
            yield family
        own = self.counters.others
        apis = GaugeMetricFamily("apifold_apis", "APIs that are served")
        apis.add_metric((), own["apis"].get("", [0.0])[0])
        yield apis
        broken = GaugeMetricFamily(
            "apifold_description_errors", "Errors in files that can't be served as they are", labels=("file",)
        )
        for file, counts in sorted(own["quarantined"].items()):
            broken.add_metric((file,), counts[0])
        yield broken

    def _sum(self) -> Counts:
        total: Counts = {}
        _add_counts(total, self.counters.counts())
        for file in self.directory.glob("*.counts") if self.directory else ():
            if file != self.counters.file:
                try:
                    _add_counts(total, msgspec.json.decode(file.read_bytes(), type=Counts))
                except (OSError, msgspec.DecodeError):
                    continue
        return total


def _add_counts(total: Counts, counts: Counts) -> None:
    for metric, series in counts.items():
        into = total.setdefault(metric, {})
        for key, values in series.items():
            known = into.get(key)
            into[key] = [one + other for one, other in zip(known, values, strict=True)] if known else list(values)


def _cumulated(counts: list[float]) -> Iterator[tuple[str, float]]:
    running = 0.0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=False):
        running += count
        yield bound, running
