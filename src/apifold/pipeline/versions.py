"""The states of one API over its versions, and which of them a request gets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from apifold.errors import NotAcceptable
from apifold.http.response import Headers
from apifold.versions.negotiation import Negotiation
from apifold.versions.version import Version

S = TypeVar("S")

MAX_KNOWN = 1024
"""Texts that versions were asked for by, and that are remembered."""


@dataclass(frozen=True, slots=True)
class Versions(Generic[S]):
    """What something is at each version.

    Attributes:
        edges: where each state but the oldest begins.
        states: the oldest first.
        negotiation: how clients choose; None for what follows the choice of something else.
    """

    edges: tuple[Version, ...]
    states: tuple[S, ...]
    negotiation: Negotiation | None
    _known: dict[str, tuple[S, Version, Headers]] = field(default_factory=dict)

    def of(self, version: Version) -> S:
        """The state at a version."""
        return self.states[bisect_right(self.edges, version)]

    def choose(self, headers: Mapping[str, str]) -> tuple[S, Version, Headers]:
        """What a request gets: the state, the version, and the headers by which the answer says so.

        Raises:
            Malformed, NotAcceptable: it asks for what is no version, or for one that is not there.
        """
        assert self.negotiation is not None
        asked = self.negotiation.asked(headers)
        known = self._known.get(asked)
        if known is None:
            version = self.negotiation.version(asked)
            known = self.of(version), version, self.negotiation.told(str(version))
            if len(self._known) < MAX_KNOWN:
                self._known[asked] = known
        return known

    def told_of(self, headers: Mapping[str, str], fault: Exception) -> Headers:
        """What an answer says about a version that can't be had: which one it was, where that can be said."""
        assert self.negotiation is not None
        asked = self.negotiation.asked(headers)
        return self.negotiation.told(asked) if isinstance(fault, NotAcceptable) else (self.negotiation.vary,)

    def joined(self, others: Sequence[Versions[S]], join: Callable[[S, Sequence[S]], S]) -> Versions[S]:
        """All together, each state joined with the others' at the same version."""
        edges = tuple(sorted({*self.edges, *(edge for other in others for edge in other.edges)}))
        oldest = join(self.states[0], [other.states[0] for other in others])
        states = (oldest, *(join(self.of(edge), [other.of(edge) for other in others]) for edge in edges))
        return Versions(edges, states, self.negotiation)
