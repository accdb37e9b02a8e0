"""What a proxy tells of the client: X-Forwarded-* and Forwarded (RFC 7239), believed from trusted addresses only."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from apifold.errors import SettingsError
from apifold.http import Request, Responding
from apifold.server.hub import Answer

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:_]{1,255}")


class Forwarded:
    """Believes some proxies.

    Args:
        trusted: addresses and networks; `*` for whoever connects, as behind a Unix socket.

    Raises:
        SettingsError: one is neither.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        names = tuple(trusted)
        self.everybody = "*" in names
        try:
            self.networks = tuple(ipaddress.ip_network(name, strict=False) for name in names if name != "*")
        except ValueError as error:
            raise SettingsError(f"trusted_proxies: {error}; write addresses or networks such as 10.0.0.0/8") from None

    def around(self, answer: Answer) -> Answer:
        """The application, told of the client rather than of the proxy."""

        def forwarded(request: Request) -> Responding:
            if self.trusts(request.client):
                self.apply(request)
            return answer(request)

        return forwarded

    def trusts(self, address: str) -> bool:
        """Whether an address is a trusted proxy's."""
        if self.everybody:
            return True
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)

    def apply(self, request: Request) -> None:
        """Put in place what the proxies say: the nearest address that is none of theirs is the client's."""
        headers = request.headers
        chain = [part.strip() for part in headers.get("x-forwarded-for", "").split(",") if part.strip()]
        pairs = _last_element(headers.get("forwarded", ""))
        if not chain and "for" in pairs:
            chain = [pairs["for"].strip("[]")]
        for address in reversed(chain):
            request.client = address
            if not self.trusts(address):
                break
        scheme = headers.get("x-forwarded-proto", pairs.get("proto", "")).rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            request.scheme = scheme
        host = headers.get("x-forwarded-host", pairs.get("host", "")).rpartition(",")[2].strip()
        if _HOST.fullmatch(host):
            headers["host"] = host
        prefix = headers.get("x-forwarded-prefix", "").strip().rstrip("/")
        if _PREFIX.fullmatch(prefix):
            request.prefix = prefix
        identifier = headers.get("x-request-id", "")
        if _ID.fullmatch(identifier):
            request.id = identifier


def _last_element(header: str) -> dict[str, str]:
    """The pairs of the last element: that of the nearest proxy."""
    element = header.rpartition(",")[2]
    pairs = (part.partition("=") for part in element.split(";"))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs if value}
