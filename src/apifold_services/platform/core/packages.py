"""Platform deployment packages (CAMP 1.1): an archive with a plan, `camp.yaml`, at its root, and what that names."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from apifold import DescriptionErrors, Invalid, TooLarge, read_file
from apifold_services.platform.core.archives import MAX_GROWTH, Archive

PLAN, MANIFEST, CERTIFICATE = "camp.yaml", "camp.mf", "camp.cert"
_DIGEST = re.compile(r"SHA-?256\s*\((?P<name>.+)\)\s*=\s*(?P<digest>[0-9A-Fa-f]+)", re.IGNORECASE)
"""A line of a manifest, as OVF writes it."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was taken out of its archive.

    Attributes:
        plan: its plan, as it was written.
        folder: where its files are.
    """

    plan: Any
    folder: Path

    def keep(self, place: Path) -> None:
        """Put its files where they stay."""
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(self.folder, place)


@contextmanager
def opened(content: bytes, most: int, most_of_plan: int) -> Iterator[Package]:
    """A package, its digests verified; its files are gone at the end where nobody kept them.

    Args:
        most: bytes that the archive may have.
        most_of_plan: bytes that its plan may have.

    Raises:
        Invalid: it is no package, or not what its manifest says.
        TooLarge: more comes out of it than may, or its plan is larger than it may be.
    """
    with tempfile.TemporaryDirectory(prefix="apifold-package-") as fresh:
        folder = Path(fresh) / "package"
        folder.mkdir()
        Archive(content, most * MAX_GROWTH).unpack(folder)
        if not (folder / PLAN).is_file():
            raise Invalid(f"The package has no {PLAN} at its root.")
        if (folder / PLAN).stat().st_size > most_of_plan:
            raise TooLarge(f"A plan may have {most_of_plan} bytes; {PLAN} of the package has more.")
        _verify(folder)
        try:
            plan = read_file(folder / PLAN)
        except DescriptionErrors as error:
            told = error.errors[0]
            raise Invalid(f"{PLAN} of the package can't be read: line {told.line}: {told.message}") from None
        yield Package(plan, folder)


def _verify(folder: Path) -> None:
    """Every file is what the manifest says, where there is one. Raises Invalid."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return
    there = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    said: set[str] = set()
    for line in filter(None, map(str.strip, manifest.read_text("utf-8", "replace").splitlines())):
        found = _DIGEST.fullmatch(line)
        if not found:
            raise Invalid(f"{MANIFEST} has a line that is no digest: {line[:80]!r}; write `SHA256(NAME)= HEX`.")
        name = str(PurePosixPath(found["name"].strip()))
        if name not in there:
            raise Invalid(f"{MANIFEST} names {name[:200]!r}, which is not in the package.")
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != found["digest"].lower():
            raise Invalid(f"{name!r} of the package is not what {MANIFEST} says: its digest is another.")
        said.add(name)
    unsaid = sorted(there - said - {MANIFEST, CERTIFICATE})
    if unsaid:
        raise Invalid(f"{MANIFEST} has no digest of {', '.join(map(repr, unsaid[:5]))}.")
