"""What a changed file means for clients of the API that it describes."""

from __future__ import annotations

from collections.abc import Iterator

from apifold.description import Description
from apifold.errors import DescriptionError
from apifold.versions.diff import Change, breaking, differences
from apifold.versions.history import History

REMEDY = (
    "keep what was, or serve the new one beside it at a base path of its own; "
    "`apis: {%s: {breaking_changes: warn}}` takes it as it is"
)


def breaking_changes(before: History, after: History) -> list[Change]:
    """What breaks clients of an API, at any version that they may have asked for."""
    found = breaking(change for old, new in _pairs(before, after) for change in differences(old, new))
    return list(dict.fromkeys([*_limits(before, after), *found]))


def breaking_errors(description: Description, changes: list[Change]) -> list[DescriptionError]:
    """The same as errors of the newer files."""
    remedy = REMEDY % description.name
    return [
        description.places.error(change.pointer, f"this breaks clients of what is served: {change}", remedy)
        for change in changes
    ]


def _pairs(before: History, after: History) -> Iterator[tuple[Description, Description]]:
    """Each state that clients could have, with what they have in its place now."""
    if before.limits is None or after.limits is None:
        yield before.served, after.served
        return
    least, most = before.limits.least, before.limits.most
    for version in sorted({least, *(edge for edge in (*before.edges, *after.edges) if least < edge <= most)}):
        yield before.at(version), after.at(version)


def _limits(before: History, after: History) -> Iterator[Change]:
    if before.limits is None:
        return
    was, now = before.limits, after.limits
    if now is None:
        yield Change("versions-removed", "", "/x-apifold/microversions", "clients can't choose a version any more")
    elif now.least > was.least or now.most < was.most:
        text = f"versions {was.least} to {was.most} were served, {now.least} to {now.most} are"
        yield Change("versions-removed", "", "/x-apifold/microversions", text)
