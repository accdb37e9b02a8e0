"""Descriptions that were read before, so that files that did not change are not read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from apifold.description.description import Description
from apifold.description.load import Placement, load
from apifold.description.recent import Recent
from apifold.description.sources import Sources

Key = tuple[Path, tuple[Path, ...], Placement]


class KnownDescriptions(Recent[Key, Description]):
    """Descriptions by their file, their overlays and their place."""

    def load(self, path: Path, sources: Sources, overlays: Sequence[Path], placement: Placement) -> Description:
        """The description in a file, as `apifold.description.load` has it.

        Raises:
            DescriptionErrors: everything that is wrong with it.
        """
        if sources.instead:
            return load(path, sources, overlays, placement)
        key = (path, tuple(overlays), placement)
        found = self.get(key)
        if found is None or not _is_current(found):
            found = load(path, sources, overlays, placement)
        self[key] = found
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
