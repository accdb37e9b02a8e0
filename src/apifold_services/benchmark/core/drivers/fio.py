"""fio: reads and writes on a disk, past the cache, with its JSON output."""

from __future__ import annotations

import json
import math
import re

from apifold_services.benchmark.core.drivers.driver import Measurement, Tool, find_tool

PATTERNS = {"rr": "randread", "wr": "randwrite", "rw": "readwrite"}
QUEUE_DEPTHS = (1, 4)
BLOCK_SIZES = (4096, 16384)
FILE_SIZE = "64M"


class Fio:
    """Random reads (rr), random writes (wr) and a sequential mix of 70 % reads (rw)."""

    name = "fio"
    metrics = ("fio",)
    hint = "apt-get install fio"

    def probe(self) -> Tool | None:
        return find_tool("fio", ("--version",), r"fio-(\S+)")

    def measurements(self, metric: str, tool: Tool, seconds: float) -> tuple[Measurement, ...]:
        return tuple(
            Measurement((), self._command(tool, PATTERNS[load], depth, size, seconds), Reader(load, depth, size))
            for load in PATTERNS
            for depth in QUEUE_DEPTHS
            for size in BLOCK_SIZES
        )

    def _command(self, tool: Tool, pattern: str, depth: int, size: int, seconds: float) -> tuple[str, ...]:
        return (
            tool.path,
            "--name=apifold",
            "--filename=fio.data",
            f"--size={FILE_SIZE}",
            f"--rw={pattern}",
            "--rwmixread=70",
            f"--bs={size}",
            f"--iodepth={depth}",
            "--ioengine=libaio",
            "--direct=1",
            "--time_based",
            f"--runtime={max(1, math.ceil(seconds))}",
            "--output-format=json",
        )


class Reader:
    """Reads one report; its keys are StorPerf's."""

    def __init__(self, load: str, depth: int, size: int) -> None:
        self.prefix = f"{load}.queue-depth.{depth}.block-size.{size}"

    def __call__(self, output: str) -> dict[str, float]:
        # A warning may stand in front of the report.
        begin = re.search(r"^\{", output, re.MULTILINE)
        try:
            job = json.loads(output[begin.start() :] if begin else output)["jobs"][0]
            values = {}
            for way in ("read", "write"):
                values[f"{self.prefix}.{way}.bw"] = float(job[way]["bw"])
                values[f"{self.prefix}.{way}.iops"] = float(job[way]["iops"])
                values[f"{self.prefix}.{way}.lat.mean"] = float(job[way]["lat_ns"]["mean"]) / 1000
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"no report of fio's: {error}") from None
        return values
