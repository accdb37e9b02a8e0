"""No authentication: everybody is the same developer. For loopback only."""

from __future__ import annotations

from apifold.deployment import Deployment
from apifold.exchange import Caller

DEVELOPER = Caller("developer", "development", frozenset(("admin", "member", "reader")))


class Development:
    """`none`: nobody is asked for a credential."""

    name = "none"
    challenge = "Bearer"
    open = True

    def __init__(self, deployment: Deployment) -> None:
        pass

    def identify(self, credential: str) -> Caller:
        """The developer, whoever it is."""
        return DEVELOPER
