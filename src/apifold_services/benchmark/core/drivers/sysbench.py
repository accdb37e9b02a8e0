"""sysbench: prime numbers by one thread and by all, reads and writes of memory."""

from __future__ import annotations

import math
import os
import re

from apifold_services.benchmark.core.drivers.driver import Measurement, Tool, find_tool

_EVENTS = re.compile(r"events per second:\s*([\d.]+)")
_TRANSFER = re.compile(r"transferred \(([\d.]+) MiB/sec\)")


class Sysbench:
    """`sysbench cpu` and `sysbench memory`."""

    name = "sysbench"
    metrics = ("sysbench_cpu", "sysbench_memory")
    hint = "apt-get install sysbench"

    def probe(self) -> Tool | None:
        return find_tool("sysbench", ("--version",), r"sysbench (\S+)")

    def measurements(self, metric: str, tool: Tool, seconds: float) -> tuple[Measurement, ...]:
        time = f"--time={max(1, math.ceil(seconds))}"
        if metric == "sysbench_cpu":
            threads = {"cpu_one_thread": 1, "cpu_all_threads": len(os.sched_getaffinity(0))}
            return tuple(
                Measurement((name,), (tool.path, "cpu", time, f"--threads={count}", "run"), reader(name, _EVENTS))
                for name, count in threads.items()
            )
        return tuple(
            Measurement(
                (f"memory_{way}",),
                (tool.path, "memory", time, f"--memory-oper={way}", "--memory-total-size=10T", "run"),
                reader(f"memory_{way}", _TRANSFER),
            )
            for way in ("read", "write")
        )


class reader:  # noqa: N801  # used as a function
    """Reads the one number that a pattern finds, as a workload's value."""

    def __init__(self, workload: str, pattern: re.Pattern[str]) -> None:
        self.workload = workload
        self.pattern = pattern

    def __call__(self, output: str) -> dict[str, float]:
        found = self.pattern.search(output)
        if not found:
            raise ValueError(f"nothing matches {self.pattern.pattern}")
        return {self.workload: float(found[1])}
