"""What changed from version to version of one description: as data, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from apifold.versions.diff import Change, differences
from apifold.versions.history import History
from apifold.versions.version import Version


@dataclass(frozen=True, slots=True)
class Release:
    """What one version brought, compared with the one before."""

    version: Version
    changes: tuple[Change, ...]


def changelog(history: History) -> list[Release]:
    """The versions of a description in which something changed, the newest first."""
    steps = ((version, differences(before, after)) for version, before, after in history.steps())
    return [Release(version, tuple(changes)) for version, changes in steps if changes]


def as_markdown(title: str, releases: Iterable[Release]) -> str:
    """The same for people."""
    lines = [f"# Changes of {title}"]
    for release in releases:
        lines += ["", f"## {release.version}", ""]
        lines += [f"* {_sentence(change)}" for change in release.changes]
    if len(lines) == 1:
        lines += ["", "Nothing says since when it is there."]
    return "\n".join(lines) + "\n"


def _sentence(change: Change) -> str:
    breaks = " **(breaks clients)**" if change.is_breaking else ""
    return (f"`{change.operation}`: " if change.operation else "") + change.text + breaks
