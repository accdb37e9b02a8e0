"""What an auth method is: it turns a credential into a caller."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from apifold.deployment import Deployment
from apifold.exchange import Caller


class Method(Protocol):
    """A way to know who is asking, found by name among the entry points of `apifold.auth`.

    Attributes:
        name: as the setting `auth` has it.
        challenge: the `WWW-Authenticate` value of a refusal.
        open: whether somebody without a credential is let in as somebody.
    """

    name: str
    challenge: str
    open: bool

    def __init__(self, deployment: Deployment) -> None:
        """Raises SettingsError when a setting that it needs is missing or can't be used."""

    def identify(self, credential: str) -> Caller | Awaitable[Caller]:
        """Whose credential this is. Raises Unauthenticated."""
