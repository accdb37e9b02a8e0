"""Who asks something of the core, and by which request."""

from __future__ import annotations

from dataclasses import dataclass

from apifold import Caller


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks, and by which request.

    Attributes:
        is_admin: whether he may see servers of other projects, and locks do not hold for him.
    """

    caller: Caller
    request_id: str
    is_admin: bool

    @property
    def project(self) -> str:
        """The project whose things he may see; "" for all."""
        return "" if self.is_admin else self.caller.project
