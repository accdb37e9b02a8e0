"""The library: plans, performance indexes (QPIs) and metrics, each a YAML file on its shelf."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from apifold import NotFound, read_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SUFFIX = ".yaml"


class Shelf:
    """The documents of one kind.

    Args:
        folder: where their files are.
        kind: what one is called: `Plan`, `QPI`, `Metric`.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.kind = kind
        self._read: dict[Path, tuple[tuple[int, int, int], dict[str, Any]]] = {}

    def names(self) -> list[str]:
        """File names, sorted: `compute.yaml`."""
        return sorted(path.name for path in self.folder.glob(f"*{SUFFIX}") if _NAME.fullmatch(path.name))

    def get(self, name: str) -> dict[str, Any]:
        """The document of a name, with or without `.yaml`; its file is read again when it changed.

        Raises:
            NotFound: there is none.
        """
        path = self._path(name)
        stat = path.stat()
        version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        known = self._read.get(path)
        if known is None or known[0] != version:
            known = self._read[path] = version, read_file(path)
        return known[1]

    def _path(self, name: str) -> Path:
        if _NAME.fullmatch(name):
            path = self.folder / (name if name.endswith(SUFFIX) else name + SUFFIX)
            if path.is_file() and path.resolve().parent == self.folder.resolve():
                return path
        raise NotFound(f"Requested {self.kind.lower()} `{name}` not found.", title=f"{self.kind} not found")


class Library:
    """Plans, QPIs and metrics, from the folders of these names.

    Args:
        folder: has `plans`, `qpis` and `metrics`.
    """

    def __init__(self, folder: Path) -> None:
        self.plans = Shelf(folder / "plans", "Plan")
        self.qpis = Shelf(folder / "qpis", "QPI")
        self.metrics = Shelf(folder / "metrics", "Metric")
