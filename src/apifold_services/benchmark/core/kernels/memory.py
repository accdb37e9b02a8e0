"""STREAM's kernels: `memory.py numpy|python float|int copy|scale|add|triad SECONDS`; megabytes per second as JSON.

Bytes are counted as STREAM counts them: each array that is read or written, once.
"""

import json
import sys
from array import array
from collections.abc import Callable
from time import perf_counter

ARRAYS = {"copy": 2, "scale": 2, "add": 3, "triad": 3}
NUMPY_BYTES = 32_000_000
PYTHON_BYTES = 800_000


def with_numpy(kind: str, name: str) -> tuple[Callable[[], object], int]:
    """One pass over arrays that no cache holds."""
    import numpy as np  # noqa: PLC0415  # only where it is asked for

    kept = np.float64 if kind == "float" else np.int64
    count = NUMPY_BYTES // 8
    a, b, c = (np.full(count, value, kept) for value in (1, 2, 0))
    scalar = kept(3)
    passes: dict[str, Callable[[], object]] = {
        "copy": lambda: np.copyto(c, a),
        "scale": lambda: np.multiply(a, scalar, out=c),
        "add": lambda: np.add(a, b, out=c),
        "triad": lambda: np.add(np.multiply(b, scalar, out=c), a, out=c),
    }
    return passes[name], NUMPY_BYTES


def with_python(kind: str, name: str) -> tuple[Callable[[], object], int]:
    """One pass by the interpreter; copying is the machine's own."""
    code = "d" if kind == "float" else "q"
    count = PYTHON_BYTES // 8
    a, b = array(code, [1]) * count, array(code, [2]) * count
    passes: dict[str, Callable[[], object]] = {
        "copy": lambda: a[:],
        "scale": lambda: array(code, [x * 3 for x in a]),
        "add": lambda: array(code, [x + y for x, y in zip(a, b, strict=True)]),
        "triad": lambda: array(code, [x + 3 * y for x, y in zip(a, b, strict=True)]),
    }
    return passes[name], PYTHON_BYTES


if __name__ == "__main__":
    library, kind, name, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
    once, size = (with_numpy if library == "numpy" else with_python)(kind, name)
    once()
    best, end = float("inf"), perf_counter() + seconds
    while perf_counter() < end:
        began = perf_counter()
        once()
        best = min(best, perf_counter() - began)
    json.dump({name: ARRAYS[name] * size / best / 1e6}, sys.stdout)
