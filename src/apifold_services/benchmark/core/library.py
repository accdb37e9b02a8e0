"""The library: plans, performance indexes (QPIs), metrics and baselines; shipped or of one's own."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from apifold import Conflict, Deployment, Invalid, NotFound, Problem, Query, matcher, read_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SUFFIX = ".yaml"
_MOST = 10_000


class Shelf:
    """The documents of one kind. A shipped one can't be changed, and no own one can take its name.

    Args:
        folder: where the shipped files are.
        kind: what one is called: `Plan`, `QPI`, `Metric`, `Baseline`.
        deployment: whose database holds one's own; None where there are only files.
    """

    def __init__(self, folder: Path, kind: str, deployment: Deployment | None = None) -> None:
        self.folder = folder
        self.kind = kind
        self.deployment = deployment
        self._read: dict[Path, tuple[tuple[int, int, int], dict[str, Any]]] = {}

    def names(self) -> list[str]:
        """File names, sorted: `compute.yaml`."""
        return sorted([*self._shipped(), *(f"{document.id}{SUFFIX}" for document in self._own_documents())])

    def listed(self) -> list[tuple[str, dict[str, Any], int]]:
        """Every document: its name without `.yaml`, its content and its revision, as `find` gives them; sorted."""
        shipped = [(name.removesuffix(SUFFIX), *self.find(name)) for name in self._shipped()]
        own = [(document.id, document.body, document.revision) for document in self._own_documents()]
        return sorted([*shipped, *own], key=lambda one: one[0])

    def get(self, name: str) -> dict[str, Any]:
        """The document of a name, with or without `.yaml`.

        Raises:
            NotFound: there is none.
        """
        return self.find(name)[0]

    def find(self, name: str) -> tuple[dict[str, Any], int]:
        """A document and its revision; 0 for a shipped one, whose file is read again when it changed.

        Raises:
            NotFound: there is none.
        """
        path = self._path(name)
        if path:
            stat = path.stat()
            version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            known = self._read.get(path)
            if known is None or known[0] != version:
                known = self._read[path] = version, read_file(path)
            return known[1], 0
        if self._own and _NAME.fullmatch(name):
            with suppress(NotFound):
                document = self._own.read(name.removesuffix(SUFFIX))
                return document.body, document.revision
        raise NotFound(f"There is no {self.kind.lower()} `{name}`.", title=f"{self.kind} not found")

    def put(self, name: str, content: dict[str, Any], revision: int | None = None) -> tuple[dict[str, Any], int]:
        """Keep a document of one's own under a name, in place of the one that is there.

        Args:
            revision: what the one that is there must have.

        Returns:
            The document and its revision, 1 for a new one.

        Raises:
            Conflict: a shipped document has that name, or the name can't be used.
            PreconditionFailed: it has changed since.
        """
        stem = self._own_name(name)
        document = self._own.put(stem, {**content, "name": stem}, revision)
        return document.body, document.revision

    def remove(self, name: str, revision: int | None = None) -> None:
        """Remove a document of one's own.

        Raises:
            NotFound: there is none.
            Conflict: it is a shipped one.
            PreconditionFailed: it has changed since.
        """
        self.find(name)
        self._own.delete(self._own_name(name), revision)

    @property
    def _own(self) -> Any:
        return self.deployment.collection(f"benchmark-{self.kind.lower()}s") if self.deployment else None

    def _own_documents(self) -> Any:
        return self._own.page(Query(limit=_MOST)).items if self._own else ()

    def _own_name(self, name: str) -> str:
        stem = name.removesuffix(SUFFIX)
        if not _NAME.fullmatch(stem):
            raise Conflict("A name is letters, digits, `.`, `_` and `-`, and begins with a letter or digit.")
        if self._path(stem):
            raise Conflict(f"The {self.kind.lower()} `{stem}` is shipped and can't be changed; use another name.")
        return stem

    def _shipped(self) -> list[str]:
        return [path.name for path in self.folder.glob(f"*{SUFFIX}") if _NAME.fullmatch(path.name)]

    def _path(self, name: str) -> Path | None:
        if not _NAME.fullmatch(name):
            return None
        path = self.folder / (name if name.endswith(SUFFIX) else name + SUFFIX)
        return path if path.is_file() and path.resolve().parent == self.folder.resolve() else None


class Library:
    """Plans, QPIs, metrics and baselines, from the folders of these names and from the database.

    Args:
        folder: has `plans`, `qpis`, `metrics` and `baselines`.
        deployment: whose database holds one's own; None where there are only files.
    """

    def __init__(self, folder: Path, deployment: Deployment | None = None) -> None:
        self.plans = Shelf(folder / "plans", "Plan", deployment)
        self.qpis = Shelf(folder / "qpis", "QPI", deployment)
        self.metrics = Shelf(folder / "metrics", "Metric")
        self.baselines = Shelf(folder / "baselines", "Baseline", deployment)


def check_qpi(content: dict[str, Any]) -> None:
    """Refuse an index that could not be scored.

    Raises:
        Invalid: with every reason.
    """
    problems = [
        Problem("body", f"/sections/{index}", "say which `metrics` it has, or give a `regex`")
        for index, section in enumerate(content["sections"])
        if not section.get("metrics") and not section.get("regex")
    ]
    for index, section in enumerate(content["sections"]):
        try:
            matcher(section.get("regex", ""))
        except ValueError as error:
            problems.append(Problem("body", f"/sections/{index}/regex", str(error)))
    if any(section.get("regex") for section in content["sections"]) and not content.get("metrics"):
        problems.append(Problem("body", "/metrics", "a section with a `regex` selects from what these measure"))
    if problems:
        raise Invalid(problems=problems)
