"""Loops of our own: memory kernels with numpy, and what a bare machine with Python can measure."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from apifold_services.benchmark.core.drivers.driver import Measurement, Tool, kernel, python_tool
from apifold_services.benchmark.core.drivers.openssl import RSA_BITS

MEMORY = ("copy", "scale", "add", "triad")


class Numpy:
    """The STREAM kernels over arrays that no cache holds."""

    name = "numpy"
    metrics = ("floatmem", "intmem")
    hint = "pip install numpy"

    def probe(self) -> Tool | None:
        try:
            return Tool("numpy", version("numpy"), python_tool().path) if find_spec("numpy") else None
        except PackageNotFoundError:
            return None

    def measurements(self, metric: str, tool: Tool, seconds: float) -> tuple[Measurement, ...]:
        return _each_memory_kernel(metric, "numpy", seconds)


class Python:
    """Plain Python: always there, and slow in its own way; compare it with itself only."""

    name = "python"
    metrics = ("integer", "floating", "floatmem", "intmem", "dpi_throughput", "ssl_rsa")
    hint = "it runs us"

    def probe(self) -> Tool | None:
        return python_tool()

    def measurements(self, metric: str, tool: Tool, seconds: float) -> tuple[Measurement, ...]:
        match metric:
            case "integer":
                return (Measurement(("dhrystone_lps",), kernel("loops", "integer", seconds), read_values),)
            case "floating":
                return (Measurement(("whetstone_MWIPS",), kernel("loops", "floating", seconds), read_values),)
            case "dpi_throughput":
                return (Measurement(("dpi_pps", "dpi_bps"), kernel("packets", "inspect", seconds), read_values),)
            case "ssl_rsa":
                return tuple(
                    Measurement(
                        (f"rsa_sign_{bits}", f"rsa_verify_{bits}"), kernel("loops", "rsa", seconds, bits), read_values
                    )
                    for bits in RSA_BITS
                )
        return _each_memory_kernel(metric, "python", seconds)


def read_values(output: str) -> dict[str, float]:
    """A JSON object of values by workload."""
    try:
        return {str(name): float(value) for name, value in json.loads(output).items()}
    except (AttributeError, TypeError) as error:
        raise ValueError(f"no object of values: {error}") from None


def _each_memory_kernel(metric: str, library: str, seconds: float) -> tuple[Measurement, ...]:
    kind = "float" if metric == "floatmem" else "int"
    return tuple(Measurement((name,), kernel("memory", library, kind, name, seconds), read_values) for name in MEMORY)
