"""Runs: a plan, an index or a metric is measured on this node, as a job, and its result is kept."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from apifold import Deployment, Invalid, Job, Limits, NotFound, RunningJob, run_confined
from apifold_services.benchmark.core.drivers import DRIVERS, Driver, Measurement, Tool
from apifold_services.benchmark.core.facts import facts
from apifold_services.benchmark.core.library import SUFFIX, Library
from apifold_services.benchmark.core.results import Results
from apifold_services.benchmark.core.scoring import Measured, Mode, score_qpi, score_together

Kind = Literal["plan", "qpi", "metric"]
"""What can be run: a plan, a single index or a single metric."""

KIND = "benchmark.run"
BUSY = "a run on this node"
KEPT_OUTPUT = 4000
MEMORY = 4 << 30
NICENESS = 5
_SPARE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, and how.

    Attributes:
        kind: whether `name` is a plan's, an index's or a metric's.
        seconds: that each measurement takes, about.
        baseline: the name of the baseline; "" for the index's own.
        minutes: the time limit of the whole.
    """

    kind: Kind
    name: str
    mode: Mode = "documented"
    baseline: str = ""
    seconds: float = 1.0
    minutes: float = 60.0


class Runs:
    """Starts runs, and carries them out.

    Args:
        deployment: whose jobs they are.
        library: where plans, indexes and baselines are.
        results: where results are kept.
        drivers: what measures, the best first.
    """

    def __init__(
        self, deployment: Deployment, library: Library, results: Results, drivers: tuple[Driver, ...] = DRIVERS
    ) -> None:
        self.deployment = deployment
        self.library = library
        self.results = results
        self.drivers = {driver.name: driver for driver in drivers}

    def start(self, order: Order) -> Job:
        """Have something run on this node.

        Raises:
            NotFound: there is no such plan, index, metric or baseline.
            Invalid: there is nothing to run.
            Conflict: this node is busy with another run.
        """
        if not self._specs(order):
            raise Invalid(f"The {order.kind} `{order.name}` names nothing to run.")
        if order.baseline:
            self.library.baselines.get(order.baseline)
        return self.deployment.jobs().start(
            KIND,
            {
                "kind": order.kind,
                "name": order.name.removesuffix(SUFFIX),
                "mode": order.mode,
                "baseline": order.baseline,
                "seconds": order.seconds,
            },
            alone=BUSY,
            seconds=order.minutes * 60,
            tags={"kind": order.kind, "name": order.name.removesuffix(SUFFIX)},
        )

    def tools(self) -> list[dict[str, Any]]:
        """Every tool, the preferred ones first: what it measures, whether it is here, else how one gets it."""
        found = [(driver, driver.probe()) for driver in self.drivers.values()]
        return [
            {"name": driver.name, "metrics": list(driver.metrics), "here": tool is not None}
            | ({"version": tool.version} if tool else {"hint": driver.hint})
            for driver, tool in found
        ]

    def carry_out(self, job: RunningJob, **arguments: Any) -> dict[str, Any]:
        """Measure, score and keep: the function of the job."""
        order = Order(**arguments)
        planned = job.step("plan", self._plan, order)
        progress = _Progress(planned)
        measured = []
        for index, one in enumerate(planned["measurements"]):
            progress.begin(index)
            job.tell(progress.told())
            done = job.step(f"measure {index} {one['metric']}", self._measure, one, order.seconds, job.stopped)
            progress.end(index, done)
            measured.append(done)
        job.tell(progress.told())
        result = job.step("score", self._score, job.id, order, planned, measured)
        job.step("keep", self.results.keep, result)
        return {"result": job.id, "score": result["score"]}

    def _plan(self, order: Order) -> dict[str, Any]:
        """What will be measured, by which tools; written down once, so that a later process does the same."""
        self._clear()
        specs = self._specs(order)
        measurements: list[dict[str, Any]] = []
        for metric in _metrics_of(specs):
            able = [driver for driver in self.drivers.values() if metric in driver.metrics]
            driver, tool = next(((one, found) for one in able if (found := one.probe())), (None, None))
            if driver is None or tool is None:
                hint = " or ".join(one.hint for one in able) or "no driver knows this metric"
                measurements.append({"metric": metric, "status": "skipped", "hint": hint, "workloads": []})
                continue
            measurements += [
                {
                    "metric": metric,
                    "status": "waiting",
                    "driver": driver.name,
                    "tool": asdict(tool),
                    "number": number,
                    "workloads": list(one.workloads),
                }
                for number, one in enumerate(driver.measurements(metric, tool, order.seconds))
            ]
        return {
            "started": now(),
            "node": socket.gethostname(),
            "facts": facts(self.deployment.directory()),
            "qpis": specs,
            "measurements": measurements,
        }

    def _measure(self, planned: dict[str, Any], seconds: float, stopped: Callable[[], bool]) -> dict[str, Any]:
        """One run of a tool, limited, on the cores that serving needs least."""
        if planned["status"] == "skipped":
            return planned
        tool = Tool(**planned["tool"])
        driver = self.drivers[planned["driver"]]
        one: Measurement = driver.measurements(planned["metric"], tool, seconds)[planned["number"]]
        cores = _cores(planned)
        most = 4 * seconds + _SPARE_SECONDS
        limits = Limits(most, cpu_seconds=int(most) * len(cores), memory=MEMORY, niceness=NICENESS, cores=cores)
        with tempfile.TemporaryDirectory(prefix="run-", dir=self._scratch) as directory:
            outcome = run_confined(
                one.command,
                limits,
                directory=Path(directory),
                variables={"OPENBLAS_NUM_THREADS": "1"},
                stop=stopped,
            )
        told = {
            **planned,
            "command": " ".join(one.command),
            "seconds": outcome.seconds,
            "output": outcome.output[-KEPT_OUTPUT:],
        }
        if not outcome.ok:
            why = {"time": "it took too long", "output": "it wrote too much", "stopped": "it was stopped"}
            last = outcome.errors.strip().splitlines()[-1:] or [f"it ended with {outcome.status}"]
            return {**told, "status": "failed", "error": why.get(outcome.cut) or last[0][:500]}
        try:
            values = one.read(outcome.output)
        except ValueError as error:
            return {**told, "status": "failed", "error": f"what it wrote can't be read: {error}"[:500]}
        return {**told, "status": "done", "values": values, "workloads": list(values)}

    def _score(
        self, id: str, order: Order, planned: dict[str, Any], measurements: list[dict[str, Any]]
    ) -> dict[str, Any]:
        measured = _measured(measurements)
        scored = []
        for spec in planned["qpis"]:
            name, baseline = self._baseline(spec, order.baseline)
            scored.append({**score_qpi(spec, measured, baseline, order.mode), "baseline": name})
        return {
            "id": id,
            "kind": order.kind,
            "name": order.name,
            "node": planned["node"],
            "mode": order.mode,
            "started": planned["started"],
            "stopped": now(),
            "score": score_together(one["score"] for one in scored),
            "complete": all(one["complete"] for one in scored),
            "system_info": planned["facts"],
            "qpis": scored,
            "measurements": measurements,
        }

    def _specs(self, order: Order) -> list[dict[str, Any]]:
        match order.kind:
            case "plan":
                return [self.library.qpis.get(name) for name in self.library.plans.get(order.name).get("QPIs") or ()]
            case "qpi":
                return [self.library.qpis.get(order.name)]
        metric = self.library.metrics.get(order.name)
        if not any(metric["name"] in driver.metrics for driver in self.drivers.values()):
            raise Invalid(f"No driver measures `{metric['name']}`.")
        workloads = [{"name": name} for name in metric.get("workloads") or ()]
        described = {"name": metric["name"], "description": metric.get("description", ""), "workloads": workloads}
        return [{"name": metric["name"], "sections": [{"name": metric["name"], "metrics": [described]}]}]

    def _baseline(self, spec: dict[str, Any], wanted: str) -> tuple[str, dict[str, Any] | None]:
        """The baseline that was asked for, else the index's own, else none."""
        name = wanted or spec.get("baseline") or spec["name"]
        try:
            return name.removesuffix(SUFFIX), self.library.baselines.get(name)
        except NotFound:
            return "", None

    @property
    def _scratch(self) -> Path:
        path: Path = self.deployment.directory() / "benchmark"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def _clear(self) -> None:
        """Remove what a run left whose process was killed."""
        for left in self._scratch.glob("run-*"):
            shutil.rmtree(left, ignore_errors=True)


class _Progress:
    """How far a run is, measurement by measurement."""

    def __init__(self, planned: dict[str, Any]) -> None:
        self.steps = [
            {"metric": one["metric"], "workloads": one["workloads"], "status": one["status"]}
            for one in planned["measurements"]
        ]

    def begin(self, index: int) -> None:
        if self.steps[index]["status"] == "waiting":
            self.steps[index]["status"] = "running"

    def end(self, index: int, done: dict[str, Any]) -> None:
        self.steps[index] = {key: done[key] for key in ("metric", "workloads", "status")}

    def told(self) -> dict[str, Any]:
        done = sum(step["status"] not in ("waiting", "running") for step in self.steps)
        return {"done": done, "total": len(self.steps), "steps": self.steps}


def _metrics_of(specs: list[dict[str, Any]]) -> list[str]:
    """The metrics of some indexes, in the order of the document, each once."""
    named = [
        metric["name"]
        for spec in specs
        for section in spec.get("sections") or ()
        for metric in section.get("metrics") or ()
    ]
    return list(dict.fromkeys([*named, *(name for spec in specs for name in spec.get("metrics") or ())]))


def _measured(measurements: list[dict[str, Any]]) -> dict[str, Measured]:
    found: dict[str, dict[str, list[float | str]]] = {}
    tools = {}
    for one in measurements:
        if one["status"] == "done":
            tools[one["metric"]] = f"{one['tool']['name']}/{one['tool']['version'].partition('.')[0]}"
            for name, value in one["values"].items():
                found.setdefault(one["metric"], {}).setdefault(name, []).append(value)
    return {metric: Measured(tools[metric], values) for metric, values in found.items()}


def _cores(planned: dict[str, Any]) -> tuple[int, ...]:
    """All cores but the first, where there are several: serving goes on there. All of them for what measures all."""
    usable = sorted(os.sched_getaffinity(0))
    return tuple(usable if len(usable) == 1 or planned["workloads"] == ["cpu_all_threads"] else usable[1:])


def kind_of(wanted: Mapping[str, Any]) -> Kind:
    """Which of `plan`, `qpi` and `metric` something names. Raises StopIteration where it names none."""
    kind: Kind = next(kind for kind in get_args(Kind) if kind in wanted)
    return kind


def now() -> str:
    """The moment, as results tell it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
