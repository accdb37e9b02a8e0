"""What a changed file means for clients of the API that it describes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from apifold.description import Description
from apifold.errors import DescriptionErrors
from apifold.generation.compile import Compiled
from apifold.generation.traits import with_traits
from apifold.settings import Changes
from apifold.versions.diff import Change, breaking, differences
from apifold.versions.history import History
from apifold.versions.lifecycle import Lifecycle
from apifold.versions.negotiation import Negotiation
from apifold.versions.version import Version

REMEDY = (
    "keep what was, or serve the new one beside it at a base path of its own; "
    "`apis: {%s: {breaking_changes: warn}}` takes it as it is"
)

log = logging.getLogger("apifold.server")

PLACE = "/x-apifold/microversions"


def changes_between(before: History, after: History) -> list[Change]:
    """What changed for clients, at any version that they could ask for."""
    found = (change for old, new in _pairs(before, after) for change in differences(old, new))
    return list(dict.fromkeys([*_choices(before, after), *found]))


def hold_against(before: History, lifecycle: Lifecycle, compiled: Compiled, mode: Changes) -> None:
    """See whether changed files break clients of an API that is CURRENT.

    Args:
        before: what clients had.
        lifecycle: how long that was to be there.
        mode: whether such files are taken, told or refused.

    Raises:
        DescriptionErrors: they do, and are refused.
    """
    if mode == "off" or not _is_current(lifecycle):
        return
    found = breaking(changes_between(before, compiled.history))
    if found and mode == "refuse":
        places, remedy = compiled.description.places, REMEDY % compiled.api.name
        told = ((change.pointer, f"this breaks clients of what is served: {change}") for change in found)
        raise DescriptionErrors(places.error(pointer, text, remedy) for pointer, text in told)
    for change in found:
        log.warning("%s breaks its clients: %s", compiled.api.name, change)


def _is_current(lifecycle: Lifecycle) -> bool:
    """Whether clients may rely on an API: as its description says, or as its deployment does, whatever that awaits."""
    now = datetime.now(UTC)
    return "CURRENT" in (lifecycle.status_at(now), lifecycle.status_at(now, holds=False))


def _pairs(before: History, after: History) -> Iterator[tuple[Description, Description]]:
    """Each state that clients could have, with what they have in its place now."""
    if before.limits is None:
        usual = _negotiation(after)
        yield _whole(before, None), _whole(after, usual.usual if usual else None)
        return
    least, most = before.limits.least, before.limits.most
    for version in sorted({least, most, *(edge for edge in (*before.edges, *after.edges) if least < edge <= most)}):
        yield _whole(before, version), _whole(after, version if after.limits else None)


def _whole(history: History, version: Version | None) -> Description:
    """A description as clients see it, with what its traits add; without a version, as it is served."""
    return with_traits(history.projected(history.stretch(version)) if version else history.served)[0]


def _choices(before: History, after: History) -> Iterator[Change]:
    """What changed in how clients choose a version, and in which they may."""
    was, now = _negotiation(before), _negotiation(after)
    if was is None:
        return
    if now is None:
        yield Change("versions-removed", "", PLACE, "clients can't choose a version any more")
        return
    limits = [f"{one.limits.least} to {one.limits.most}" for one in (was, now)]
    if now.limits.least > was.limits.least or now.limits.most < was.limits.most:
        yield Change("versions-removed", "", PLACE, f"versions {limits[0]} were served, {limits[1]} are")
    elif now.limits != was.limits:
        yield Change("versions-added", "", PLACE, f"versions {limits[0]} were served, {limits[1]} are")
    if now.usual != was.usual:
        text = f"who does not choose got version {was.usual}, and gets {now.usual}"
        yield Change("version-default-changed", "", PLACE, text)
    gone = [header.name for header in was.headers if header not in now.headers]
    if gone:
        yield Change("version-header-removed", "", PLACE, f"versions can't be asked for by {', '.join(gone)} any more")


def _negotiation(history: History) -> Negotiation | None:
    said = history.whole.extension.microversions
    return Negotiation.of(said, history.limits) if said and history.limits else None
