"""iperf3: bits per second between two ends, over loopback."""

from __future__ import annotations

import json
import math

from apifold_services.benchmark.core.drivers.driver import Measurement, Tool, find_tool, kernel


class Iperf3:
    """`iperf3 --json`, both ends on this machine."""

    name = "iperf3"
    metrics = ("network",)
    hint = "apt-get install iperf3"

    def probe(self) -> Tool | None:
        return find_tool("iperf3", ("--version",), r"iperf (\S+)")

    def measurements(self, metric: str, tool: Tool, seconds: float) -> tuple[Measurement, ...]:
        command = kernel("both_ends", tool.path, max(1, math.ceil(seconds)))
        return (Measurement(("throughput",), command, read_throughput),)


def read_throughput(output: str) -> dict[str, float]:
    """Bits per second that arrived."""
    try:
        return {"throughput": float(json.loads(output)["end"]["sum_received"]["bits_per_second"])}
    except (KeyError, TypeError) as error:
        raise ValueError(f"no report of iperf3's: {error}") from None
