"""Callers from Keystone v3: a token is checked by asking Keystone, and believed for a while."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from apifold.deployment import Deployment
from apifold.errors import Fault, SettingsError, Unauthenticated, Unavailable
from apifold.exchange import Caller
from apifold.outgoing import KeystoneSession, Login, Upstream
from apifold.outgoing.keystone import LoginRefused, end_of

REFUSED_SECONDS = 5.0
"""How long a token that Keystone does not know stays unknown without asking again."""

MAX_CACHED = 10_000
TIMEOUT = 10.0

Cached = tuple[Caller | None, float]
"""The caller, or None for an unknown token, and until when this holds."""


class Keystone:
    """`keystone`: tokens are validated with `GET /v3/auth/tokens` (Identity API v3).

    Raises:
        SettingsError: a setting that it needs is missing or can't be used.
    """

    name = "keystone"
    open = False

    def __init__(self, deployment: Deployment) -> None:
        settings = deployment.settings
        if not settings.keystone_url or not settings.keystone_user or not settings.keystone_password:
            raise SettingsError("auth keystone needs --keystone-url, --keystone-user and --keystone-password FILE")
        try:
            password = Path(settings.keystone_password).read_text("utf-8").strip()
        except OSError as error:
            raise SettingsError(f"keystone_password {settings.keystone_password}: {error.strerror}") from None
        login = Login(
            settings.keystone_url,
            settings.keystone_user,
            password,
            settings.keystone_project,
            settings.keystone_domain,
            by_name=True,
        )
        outgoing = deployment.outgoing()
        self._identity = Upstream(outgoing, KeystoneSession(outgoing, login), TIMEOUT)
        self.believed_seconds = settings.keystone_cache
        self.challenge = f'Keystone uri="{settings.keystone_url.rstrip("/")}"'
        self._cache: dict[bytes, Cached] = {}
        self._asking: dict[bytes, asyncio.Future[Cached]] = {}

    def identify(self, credential: str) -> Caller | Awaitable[Caller]:
        """Whose token this is: at once where that is known, else to be awaited.

        Raises:
            Unauthenticated: Keystone does not know it.
            Unavailable: Keystone does not answer.
        """
        key = hashlib.sha256(credential.encode("utf-8", "surrogateescape")).digest()
        cached = self._cache.get(key)
        if cached and cached[1] > time.time():
            return self._known(cached)
        return self._looked_up(key, credential)

    def _known(self, cached: Cached) -> Caller:
        if cached[0] is None:
            raise Unauthenticated("The token is not known.", self.challenge)
        return cached[0]

    async def _looked_up(self, key: bytes, token: str) -> Caller:
        """Ask once, however many requests wait for the same token."""
        waiting = self._asking.get(key)
        if waiting is None:
            waiting = self._asking[key] = asyncio.ensure_future(self._ask(token))
            waiting.add_done_callback(lambda _: self._asking.pop(key, None))
        cached = await asyncio.shield(waiting)
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[key] = cached
        return self._known(cached)

    async def _ask(self, token: str) -> Cached:
        try:
            headers = {"X-Subject-Token": token}
            answer = await self._identity.call("GET", "/auth/tokens", service="identity", headers=headers)
        except LoginRefused:
            raise Unavailable(
                "Who you are can't be checked: this service is not known to Keystone itself.", retry_after=30
            ) from None
        except Fault:
            raise Unavailable("Who you are can't be checked now.", retry_after=5) from None
        if answer.status == 404:
            return None, time.time() + REFUSED_SECONDS
        if answer.status != 200:
            raise Unavailable("Who you are can't be checked now.", retry_after=5)
        found = answer.json()["token"]
        return _caller(found), min(end_of(found), time.time() + self.believed_seconds)


def _caller(token: dict[str, Any]) -> Caller:
    user, project = token.get("user") or {}, token.get("project") or {}
    names = {
        "user_name": user.get("name"),
        "user_domain_id": (user.get("domain") or {}).get("id"),
        "project_name": project.get("name"),
        "project_domain_id": (project.get("domain") or {}).get("id"),
        "domain_id": (token.get("domain") or {}).get("id"),
        "system_scope": "all" if (token.get("system") or {}).get("all") else None,
        "is_admin_project": token.get("is_admin_project"),
    }
    return Caller(
        user=str(user.get("id", "")),
        project=str(project.get("id", "")),
        roles=frozenset(role["name"].lower() for role in token.get("roles") or ()),
        names=tuple((key, str(value)) for key, value in names.items() if value is not None),
    )
