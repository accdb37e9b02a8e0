"""Measure this machine with every tool, and write the benchmark service's shipped baselines from what was found.

Run it on an idle machine with every tool installed: `python tools/shipped_baselines.py`. It takes some minutes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
import yaml

from apifold import Limits, run_confined
from apifold_services.benchmark.core.drivers import DRIVERS, Driver
from apifold_services.benchmark.core.facts import facts
from apifold_services.benchmark.core.library import Library
from apifold_services.benchmark.core.scoring import Measured, as_baseline, score_qpi
from apifold_services.benchmark.service import DATA

SECONDS = 1.0
ROUNDS = 3
CONDITION = f"idle; the mean of {ROUNDS} rounds of {SECONDS:g} s; tools/shipped_baselines.py"


def main() -> None:
    library = Library(DATA)
    machine = {name: value for name, value in facts(Path.cwd()).items() if name != "hostname"}
    measured = {driver.name: measure(driver) for driver in DRIVERS}
    for name in library.qpis.names():
        spec = library.qpis.get(name)
        merged: dict[str, Any] = {}
        for found in measured.values():
            one = as_baseline(score_qpi(spec, found, None, "documented"), spec["name"], machine, CONDITION)
            if not merged:
                merged = one
                continue
            for section, more in zip(merged["sections"], one["sections"], strict=True):
                section["metrics"] += more["metrics"]
        merged["description"] = "What a machine of these facts does; it is 2048 by definition"
        for section in merged["sections"]:
            for metric in section["metrics"]:
                for workload in metric["workloads"]:
                    workload["baseline"] = float(f"{workload['baseline']:.4g}")
        path = DATA / "baselines" / name
        path.write_text(yaml.safe_dump(merged, sort_keys=False, allow_unicode=True, width=120), "utf-8")
        click.echo(f"wrote {path}")


def measure(driver: Driver) -> dict[str, Measured]:
    """What a driver finds for each of its metrics."""
    tool = driver.probe()
    if tool is None:
        raise SystemExit(f"{driver.name} is missing: {driver.hint}")
    found = {}
    for metric in driver.metrics:
        values: dict[str, list[float | str]] = {}
        for one in driver.measurements(metric, tool, SECONDS) * ROUNDS:
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
                outcome = run_confined(one.command, Limits(seconds=120), directory=Path(directory))
            if not outcome.ok:
                raise SystemExit(f"{' '.join(one.command)}: {outcome.errors}")
            for name, value in one.read(outcome.output).items():
                values.setdefault(name, []).append(value)
        found[metric] = Measured(f"{tool.name}/{tool.version.partition('.')[0]}", values)
        click.echo(f"{driver.name}: {metric}")
    return found


if __name__ == "__main__":
    main()
