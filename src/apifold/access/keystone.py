"""Callers from Keystone v3: a token is checked by asking Keystone, and believed for a while."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable
from datetime import datetime
from pathlib import Path
from typing import Any

from apifold.errors import MissingExtra, SettingsError, Unauthenticated, Unavailable
from apifold.exchange import Caller
from apifold.settings import Settings

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
        MissingExtra: httpx is not installed.
    """

    name = "keystone"
    open = False

    def __init__(self, settings: Settings) -> None:
        try:
            import httpx  # noqa: PLC0415  # an optional extra
        except ImportError:
            raise MissingExtra("auth keystone", "keystone") from None
        if not settings.keystone_url or not settings.keystone_user or not settings.keystone_password:
            raise SettingsError("auth keystone needs --keystone-url, --keystone-user and --keystone-password FILE")
        try:
            self._password = Path(settings.keystone_password).read_text("utf-8").strip()
        except OSError as error:
            raise SettingsError(f"keystone_password {settings.keystone_password}: {error.strerror}") from None
        self._httpx = httpx
        self.settings = settings
        self.url = settings.keystone_url.rstrip("/")
        self.challenge = f'Keystone uri="{self.url}"'
        self._own = ""
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
            async with self._httpx.AsyncClient(timeout=TIMEOUT) as client:
                answer = await self._validate(client, token)
                if answer.status_code == 401:
                    self._own = ""
                    answer = await self._validate(client, token)
        except (self._httpx.HTTPError, self._httpx.InvalidURL):
            raise Unavailable("Who you are can't be checked now.", retry_after=5) from None
        if answer.status_code == 404:
            return None, time.time() + REFUSED_SECONDS
        if answer.status_code != 200:
            raise Unavailable("Who you are can't be checked now.", retry_after=5)
        found = answer.json()["token"]
        until = min(_moment(found.get("expires_at")), time.time() + self.settings.keystone_cache)
        return _caller(found), until

    async def _validate(self, client: Any, token: str) -> Any:
        if not self._own:
            self._own = await self._authenticate(client)
        headers = {"X-Auth-Token": self._own, "X-Subject-Token": token}
        return await client.get(f"{self.url}/auth/tokens", headers=headers)

    async def _authenticate(self, client: Any) -> str:
        settings = self.settings
        domain = {"name": settings.keystone_domain}
        body = {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {
                        "user": {"name": settings.keystone_user, "domain": domain, "password": self._password}
                    },
                },
                "scope": {"project": {"name": settings.keystone_project, "domain": domain}},
            }
        }
        answer = await client.post(f"{self.url}/auth/tokens", json=body)
        if answer.status_code != 201:
            raise Unavailable(
                "Who you are can't be checked: this service is not known to Keystone itself.", retry_after=30
            )
        return str(answer.headers["X-Subject-Token"])


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


def _moment(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else float("inf")
