"""Logged in at Keystone (Identity API v3): a token, renewed before it ends, and the catalogue that comes with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from apifold.errors import NotFound, UpstreamFailed
from apifold.outgoing.client import Outgoing, Sending
from apifold.outgoing.faults import fault_of

MARGIN_SECONDS = 60.0
"""A token is renewed so long before it ends."""


@dataclass(frozen=True, slots=True)
class Login:
    """As whom to come, and to which project.

    `project` is an id or a name, `fallback` another one where that is not there, `by_name` says that they are no ids;
    `domain` the name of the domain of user and project.
    """

    url: str
    user: str
    password: str = field(repr=False)
    project: str = ""
    domain: str = "Default"
    region: str = ""
    interface: str = "public"
    fallback: str = ""
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    until: float
    catalogue: Mapping[str, str]
    project: Mapping[str, Any]


class LoginRefused(UpstreamFailed):
    """Keystone does not know who comes, or not with this password."""


class KeystoneSession:
    """Logs in once for everybody who waits, and again when the token ends or is refused."""

    def __init__(self, outgoing: Outgoing, login: Login) -> None:
        self.outgoing = outgoing
        self.login = login
        self._token: _Token | None = None
        self._asking: asyncio.Task[_Token] | None = None

    async def address(self, service: str) -> str:
        """The address of a service type in the catalogue; `identity` without one is Keystone's own.

        Raises:
            NotFound: the catalogue has none.
        """
        if service == "identity":
            return identity_url(self.login.url)
        catalogue = (await self._current()).catalogue
        for name in (service, *_ALSO.get(service, ())):
            if name in catalogue:
                return catalogue[name]
        raise NotFound(f"The catalogue has no {service!r} service; it has: {', '.join(sorted(catalogue)) or 'none'}.")

    async def headers(self) -> Mapping[str, str]:
        """The token's header."""
        return {"X-Auth-Token": (await self._current()).text}

    async def renew(self, headers: Mapping[str, str]) -> bool:
        """Forget the token that was refused."""
        if self._token is not None and self._token.text == headers.get("X-Auth-Token"):
            self._token = None
        return True

    async def project(self) -> Mapping[str, Any]:
        """`id` and `name` of the project that the token is for."""
        return (await self._current()).project

    async def _current(self) -> _Token:
        token = self._token
        if token is not None and token.until > time.time():
            return token
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._logged_in())
            self._asking.add_done_callback(self._answered)
        return await asyncio.shield(self._asking)

    def _answered(self, asking: asyncio.Task[_Token]) -> None:
        self._asking = None
        if not asking.cancelled() and asking.exception() is None:
            self._token = asking.result()

    async def _logged_in(self) -> _Token:
        url = f"{identity_url(self.login.url)}/auth/tokens"
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        scopes = _scopes(self.login)
        for index, scope in enumerate(scopes):
            body = orjson.dumps(_authentication(self.login, scope))
            reply = await self.outgoing.send(Sending("POST", url, headers, body))
            if reply.status in (200, 201):
                return self._read(reply.header("X-Subject-Token"), reply.json())
            if index == len(scopes) - 1 or reply.status not in (400, 401, 403, 404):
                if reply.status == 401:
                    raise LoginRefused("The identity service refuses the credentials that are stored for it.")
                raise fault_of(reply)
        raise AssertionError("there is at least one scope")

    def _read(self, text: str, body: Any) -> _Token:
        try:
            token = body["token"]
            until = end_of(token)
            catalogue: dict[str, str] = {}
            for service in token.get("catalog") or ():
                for endpoint in service.get("endpoints") or ():
                    wanted = self.login.region in ("", endpoint.get("region"), endpoint.get("region_id"))
                    if endpoint.get("interface") == self.login.interface and wanted:
                        catalogue.setdefault(str(service["type"]), str(endpoint["url"]).rstrip("/"))
            project = dict(token.get("project") or {})
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UpstreamFailed("The identity service's answer is not one of Identity API v3.") from None
        life = until - time.time()
        return _Token(text, until - min(MARGIN_SECONDS, life / 4), catalogue, project)


_ALSO = {"volume": ("volumev3", "block-storage"), "volumev3": ("volume", "block-storage"), "compute": ("computev21",)}


def identity_url(url: str) -> str:
    """Keystone's v3 address, whichever way it was written: with a version, with an older one, or without."""
    plain = url.rstrip("/")
    head, _, last = plain.rpartition("/")
    if last in ("v3", "v2.0", "v2"):
        return f"{head}/v3"
    return f"{plain}/v3"


def end_of(token: Mapping[str, Any]) -> float:
    """When a token of Identity API v3 ends, in seconds since the epoch."""
    text = token.get("expires_at")
    return datetime.fromisoformat(text).timestamp() if text else float("inf")


def _scopes(login: Login) -> list[dict[str, Any] | None]:
    """The scopes to try: a project may be named by its id or by its name."""
    domain = {"name": login.domain}
    named = [project for project in dict.fromkeys((login.project, login.fallback)) if project]
    ways = ("name",) if login.by_name else ("id", "name")
    scopes = [{"id": one} if way == "id" else {"name": one, "domain": domain} for one in named for way in ways]
    return [{"project": scope} for scope in scopes] or [None]


def _authentication(login: Login, scope: dict[str, Any] | None) -> dict[str, Any]:
    user = {"name": login.user, "domain": {"name": login.domain}, "password": login.password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    return {"auth": {**auth, "scope": scope} if scope else auth}
