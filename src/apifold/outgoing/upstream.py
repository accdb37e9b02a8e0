"""Another service that is talked to again and again: where it lies, and as whom we come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from apifold.errors import SettingsError
from apifold.outgoing.client import Outgoing, Reply, Sending
from apifold.outgoing.keystone import KeystoneSession, Login
from apifold.settings import UpstreamSettings

_VERSION = re.compile(r"/v[0-9]+(\.[0-9]+)*(?=/|$)")


class Session(Protocol):
    """Where the services of an upstream lie, and what shows them who we are."""

    async def address(self, service: str) -> str:
        """The address of a service, by its type where there are several; without a final `/`.

        Raises:
            NotFound: there is no such service.
            UpstreamFailed, UpstreamTimeout: that can't be asked.
        """

    async def headers(self) -> Mapping[str, str]:
        """Headers for every request, credentials among them."""

    async def renew(self, headers: Mapping[str, str]) -> bool:
        """Whether others than these headers, which were refused, may help."""


@dataclass(frozen=True, slots=True)
class FixedSession:
    """One address, the same headers always."""

    url: str
    fixed: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def address(self, service: str) -> str:
        return self.url.rstrip("/")

    async def headers(self) -> Mapping[str, str]:
        return self.fixed

    async def renew(self, headers: Mapping[str, str]) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Upstream:
    """Another service, or several behind one catalogue.

    Attributes:
        seconds: how long a request may take.
        retries: how often one is sent again where that does no harm.
    """

    outgoing: Outgoing
    session: Session
    seconds: float = 30.0
    retries: int = 2

    async def address(self, path: str, service: str = "", *, versioned: bool = True) -> str:
        """The whole address of a path; a version that both it and the catalogue have (these differ) is there once.

        Args:
            versioned: whether what looks like a version at the path's beginning is one.

        Raises:
            Fault: the upstream can't be asked.
        """
        address = await self.session.address(service)
        version = _VERSION.match(path) if versioned else None
        return address + path[version.end() :] if version and address.endswith(version[0]) else address + path

    async def call(  # an HTTP request has so many parts
        self,
        method: str,
        path: str,
        *,
        service: str = "",
        json: Any = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        seconds: float = 0.0,
        versioned: bool = True,
    ) -> Reply:
        """The reply to a request, whatever its status; a token that has run out is renewed once.

        Args:
            path: below the service's address, with its query, percent-encoded.
            service: its type, where there are several.
            json: a body to send as JSON, or `body` as bytes.
            seconds: how long it may take; 0 for what is usual.
            versioned: as for `address`.

        Raises:
            Fault: the upstream can't be asked.
        """
        sent = {"Accept": "application/json", **(headers or {})}
        if json is not None:
            body = msgspec.json.encode(json)  # integers of any size
            sent.setdefault("Content-Type", "application/json")
        url = await self.address(path, service, versioned=versioned)
        known = await self.session.headers()
        sending = Sending(method, url, {**sent, **known}, body, seconds or self.seconds, self.retries)
        reply = await self.outgoing.send(sending)
        if reply.status == 401 and await self.session.renew(known):
            renewed = {**sent, **await self.session.headers()}
            reply = await self.outgoing.send(replace(sending, headers=renewed))
        return reply


def upstream_of(name: str, settings: UpstreamSettings, outgoing: Outgoing) -> Upstream:
    """The upstream that some settings describe.

    Raises:
        SettingsError: they can't be used.
    """
    if bool(settings.url) == bool(settings.keystone):
        raise SettingsError(f"upstreams: {name}: it needs either `url` or `keystone`")
    session: Session
    if settings.keystone:
        password = _secret(name, "password", settings.password)
        session = KeystoneSession(
            outgoing,
            Login(
                settings.keystone,
                settings.user,
                password,
                settings.project,
                settings.domain,
                settings.region,
                settings.interface,
            ),
        )
    else:
        token = {"Authorization": f"Bearer {_secret(name, 'token', settings.token)}"} if settings.token else {}
        session = FixedSession(settings.url, {**settings.headers, **token})
    return Upstream(outgoing, session, settings.seconds, settings.retries)


def _secret(name: str, key: str, file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"upstreams: {name}: {key}: {file or 'no file'}: {error.strerror}") from None
