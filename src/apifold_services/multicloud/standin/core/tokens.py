"""Tokens: who was let in, for which project, until when."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from apifold import Deployment, NotFound, Unauthenticated

TOKEN_SECONDS = 3600.0


class Tokens:
    """The tokens that are out. The database knows their digests only."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def issue(
        self, user: str, project: str, methods: list[str], seconds: float, until: str = ""
    ) -> tuple[str, dict[str, Any]]:
        """A new token, and what is known of it.

        Args:
            project: "" for a token without a scope.
            until: when it expires, where that is not `seconds` from now.
        """
        text, moment = secrets.token_urlsafe(48), datetime.now(UTC)
        known = {
            "user": user,
            "project": project,
            "methods": methods,
            "audit_ids": [secrets.token_urlsafe(16)],
            "issued_at": _written(moment),
            "expires_at": until or _written(moment + timedelta(seconds=seconds)),
        }
        self._kept.create(known, _digest(text))
        return text, known

    def read(self, text: str) -> dict[str, Any]:
        """What is known of a token.

        Raises:
            NotFound: it is unknown, revoked or expired.
        """
        known: dict[str, Any] = self._kept.read(_digest(text)).body
        if known["expires_at"] <= _written(datetime.now(UTC)):
            raise NotFound("This token has expired.")
        return known

    def trusted(self, text: str) -> dict[str, Any]:
        """What is known of the token that somebody came with.

        Raises:
            Unauthenticated: it is missing, unknown, revoked or expired.
        """
        try:
            return self.read(text)
        except NotFound:
            raise Unauthenticated("The request you have made requires authentication.", "Keystone") from None

    def revoke(self, text: str) -> None:
        """End a token. Raises as `read` does."""
        self.read(text)
        self._kept.delete(_digest(text))

    @property
    def _kept(self) -> Any:
        return self.deployment.collection("standin-tokens")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
