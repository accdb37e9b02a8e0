"""A generation: one loaded, checked and compiled state of everything that is served. Immutable, swapped whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apifold.description import Description
from apifold.errors import DescriptionError
from apifold.generation.compile import Compiled
from apifold.pipeline.endpoint import Api, Site
from apifold.versions.lifecycle import Lifecycle


@dataclass(frozen=True, slots=True)
class Loaded:
    """One API of a generation.

    `part_of` is the name of the API that it adds to; `digest` tells one content of its files from another; `errors` are
    those of the newest files where the last good ones are served instead.
    """

    path: Path
    target: str
    compiled: Compiled
    digest: str
    part_of: str = ""
    errors: tuple[DescriptionError, ...] = ()

    @property
    def api(self) -> Api:
        """The API as it is served."""
        return self.compiled.api

    @property
    def description(self) -> Description:
        """Its description, as it is served."""
        return self.compiled.description

    @property
    def lifecycle(self) -> Lifecycle:
        """How long it is there."""
        return self.compiled.lifecycle


@dataclass(frozen=True, slots=True)
class Aside:
    """An API that is not served although nothing is wrong with it: the deployment lacks what it requires."""

    path: Path
    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """Everything that is served, and what is not.

    `id` is the same for the same files in every worker. `errors` are those of every file that can't be served as it
    is now, by file; `aside` is what the deployment has no place for.
    """

    id: str
    site: Site
    loaded: tuple[Loaded, ...]
    errors: Mapping[Path, tuple[DescriptionError, ...]]
    aside: tuple[Aside, ...] = ()

    @property
    def all_errors(self) -> tuple[DescriptionError, ...]:
        """Every error of every file, sorted by file and line."""
        return tuple(sorted({error for errors in self.errors.values() for error in errors}))

    @property
    def refused(self) -> tuple[DescriptionError, ...]:
        """The errors of files of which nothing is served."""
        served = {one.path for one in self.loaded}
        return tuple(error for path, errors in self.errors.items() if path not in served for error in errors)

    def of(self, path: Path, target: str) -> Loaded | None:
        """The API that a file describes for a target."""
        return next((one for one in self.loaded if one.path == path and one.target == target), None)


def generation_id(loaded: list[Loaded], errors: Mapping[Path, tuple[DescriptionError, ...]]) -> str:
    """Twelve characters that stand for what is served and what is refused."""
    parts = [f"{one.api.name} {one.api.base} {one.digest} {one.lifecycle}" for one in loaded]
    parts += [f"{path} {error}" for path, found in errors.items() for error in found]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:12]


def digest_of(raw: Mapping[str, bytes]) -> str:
    """One digest of some files."""
    digest = hashlib.sha256()
    for name in sorted(raw):
        digest.update(name.encode() + b"\0" + hashlib.sha256(raw[name]).digest())
    return digest.hexdigest()
