"""What a machine is: the facts that stand beside a score. From /proc, /sys and os-release; nothing is run."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
from contextlib import suppress
from pathlib import Path

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def facts(directory: Path) -> dict[str, str]:
    """The facts of this machine: product, cpu, os, kernel, memory, disk, hostname; "" for what it does not tell.

    Args:
        directory: on the disk that is meant.
    """
    return {
        "product": _product(),
        "cpu": _cpu(),
        "os": _os_release().get("PRETTY_NAME", platform.system()),
        "kernel": f"{platform.release()} {platform.machine()}",
        "memory": _memory(),
        "disk": _disk(directory),
        "hostname": socket.gethostname(),
    }


def _text(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text("utf-8", "replace").strip()
    return ""


def _product() -> str:
    vendor, product = (_text(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))
    return " ".join(part for part in (vendor, product) if part)


def _cpu() -> str:
    model = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0))
    count = f"{cores} core{'s' if cores > 1 else ''}" + (f", {usable} usable" if usable != cores else "")
    return f"{model[1] if model else platform.processor() or 'unknown'} ({count})"


def _os_release() -> dict[str, str]:
    pairs = (line.partition("=") for line in _text("/etc/os-release").splitlines() if "=" in line)
    return {key: value.strip('"') for key, _, value in pairs}


def _memory() -> str:
    total = re.search(r"^MemTotal:\s*(\d+) kB", _text("/proc/meminfo"), re.MULTILINE)
    return _size(int(total[1]) * 1024) if total else ""


def _disk(directory: Path) -> str:
    with suppress(OSError):
        usage = shutil.disk_usage(directory)
        return f"{_size(usage.total)} ({100 * usage.used / usage.total:.0f} % used)"
    return ""


def _size(count: float) -> str:
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
