"""ndpiReader: how fast nDPI classifies the packets of a capture that is made for it."""

from __future__ import annotations

import re

from apifold_services.benchmark.core.drivers.driver import Measurement, Tool, find_tool, kernel

_THROUGHPUT = re.compile(r"nDPI throughput:\s*([\d.]+) ?([KMG]?) pps / ([\d.]+) ?([KMG]?)b/sec")
_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}


class Ndpi:
    """`ndpiReader -i CAPTURE`."""

    name = "ndpiReader"
    metrics = ("dpi_throughput",)
    hint = "apt-get install libndpi-bin"

    def probe(self) -> Tool | None:
        return find_tool("ndpiReader", ("-h",), r"Welcome to nDPI (\S+)")

    def measurements(self, metric: str, tool: Tool, seconds: float) -> tuple[Measurement, ...]:
        command = kernel("packets", "capture", "dpi.pcap", tool.path, "-i", "dpi.pcap")
        return (Measurement(("dpi_pps", "dpi_bps"), command, read_throughput),)


def read_throughput(output: str) -> dict[str, float]:
    """Packets and bits per second: `nDPI throughput: 145.86 K pps / 461.82 Mb/sec`."""
    found = _THROUGHPUT.search(output)
    if not found:
        raise ValueError("it tells no throughput")
    return {"dpi_pps": float(found[1]) * _SCALE[found[2]], "dpi_bps": float(found[3]) * _SCALE[found[4]]}
