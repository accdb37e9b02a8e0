"""APIs put together: one with what stands beside it, one with its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from apifold.pipeline.endpoint import Api
from apifold.pipeline.versions import Versions


def attach(api: Api, guest: Api) -> Api:
    """The API with what stands beside it, whatever its version; where both want a place, its own stay."""
    together = _together(api, (guest,))
    taken = {endpoint.title for endpoint in api.endpoints}
    return replace(together, guests=api.guests.extended((guest.table,), lambda endpoint: endpoint.title not in taken))


def joined(api: Api, parts: Sequence[Api]) -> Api:
    """The API with its parts, each state of it with theirs at the same version."""
    together = _together(api, parts)
    if api.versions is None:
        return together
    beside = [part.versions or Versions((), (part,), None) for part in parts]
    return replace(together, versions=api.versions.joined(beside, _together))


def _together(api: Api, others: Sequence[Api]) -> Api:
    taken = {endpoint.title for endpoint in api.endpoints}
    added = tuple(one for other in others for one in other.endpoints if one.title not in taken)
    table = api.table.extended([other.table for other in others], lambda endpoint: endpoint.title not in taken)
    return replace(api, table=table, endpoints=(*api.endpoints, *added), named={})
