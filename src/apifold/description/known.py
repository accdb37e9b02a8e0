"""Descriptions that were read before, so that files that did not change are not read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apifold.description.description import Description
from apifold.description.load import Placement, load
from apifold.description.sources import Sources

Key = tuple[Path, tuple[Path, ...], Placement]


@dataclass(slots=True)
class KnownDescriptions:
    """Descriptions by their file, their overlays and their place."""

    known: dict[Key, Description] = field(default_factory=dict)
    older: dict[Key, Description] = field(default_factory=dict)

    def turn(self) -> None:
        """Forget what was not asked for since the last turn."""
        self.older, self.known = self.known, {}

    def load(self, path: Path, sources: Sources, overlays: Sequence[Path], placement: Placement) -> Description:
        """The description in a file, as `apifold.description.load` has it.

        Raises:
            DescriptionErrors: everything that is wrong with it.
        """
        key = (path, tuple(overlays), placement)
        found = self.known.get(key) or self.older.get(key)
        if found is None or sources.instead or not _is_current(found):
            found = load(path, sources, overlays, placement)
        if not sources.instead:
            self.known[key] = found
        return found


def _is_current(description: Description) -> bool:
    """Whether its files are what they were; nobody knows that of what lies elsewhere."""
    for name, raw in description.raw.items():
        try:
            if "://" in name or Path(name).read_bytes() != raw:
                return False
        except OSError:
            return False
    return True
