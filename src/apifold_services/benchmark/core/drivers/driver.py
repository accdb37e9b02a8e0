"""What a driver is: it knows one tool, what that can measure, and how to read what it writes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

KERNELS = Path(__file__).parent.parent / "kernels"
PROBE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that is there: its name, its version, and the file that it is."""

    name: str
    version: str
    path: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run of a tool.

    Attributes:
        workloads: what it measures; empty where only its output says so.
        command: the program and its arguments.
        read: takes what it wrote and gives the value of each workload. Raises ValueError where it can't be read.
    """

    workloads: tuple[str, ...]
    command: tuple[str, ...]
    read: Callable[[str], dict[str, float]]


class Driver(Protocol):
    """Knows one tool.

    Attributes:
        name: the tool's.
        metrics: what it can measure.
        hint: how one gets the tool.
    """

    @property
    def name(self) -> str: ...

    @property
    def metrics(self) -> tuple[str, ...]: ...

    @property
    def hint(self) -> str: ...

    def probe(self) -> Tool | None:
        """The tool, or None where it is not installed or does not work."""

    def measurements(self, metric: str, tool: Tool, seconds: float) -> tuple[Measurement, ...]:
        """What to run for a metric, each for about so many seconds."""


def find_tool(name: str, arguments: tuple[str, ...], pattern: str) -> Tool | None:
    """A program and the version that it tells of itself.

    Args:
        arguments: have it tell its version.
        pattern: its first group is the version.
    """
    path = shutil.which(name)
    if path is None:
        return None
    try:
        return Tool(name, _version(path, os.stat(path).st_mtime_ns, arguments, pattern), path)
    except (OSError, subprocess.TimeoutExpired, LookupError):
        return None


@lru_cache(maxsize=64)
def _version(path: str, changed: int, arguments: tuple[str, ...], pattern: str) -> str:
    """The version that a program tells of itself, asked once for as long as its file does not change.

    Raises:
        OSError, TimeoutExpired, LookupError: it can't be run, hangs, or tells none. It is asked again next time.
    """
    told = subprocess.run(  # noqa: S603  # a program that PATH names, with arguments of ours
        [path, *arguments], capture_output=True, timeout=PROBE_SECONDS, check=False, stdin=subprocess.DEVNULL
    )
    found = re.search(pattern, (told.stdout + told.stderr).decode("utf-8", "replace"))
    if not found:
        raise LookupError(f"{path} tells no version")
    return found[1]


def kernel(name: str, *arguments: object) -> tuple[str, ...]:
    """The command that runs one of our own loops."""
    return (sys.executable, "-I", str(KERNELS / f"{name}.py"), *map(str, arguments))


def python_tool(name: str = "python") -> Tool:
    """The interpreter that runs us, as a tool."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Tool(name, version, sys.executable)
