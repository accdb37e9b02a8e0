"""Which hosts may be called: what comes from data (a cloud's address, say) must not open every door of a network."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from apifold.errors import Denied, SettingsError

_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
"""A host that ends in a number is an address (WHATWG URL, "ends in a number")."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressRefused(Denied):
    """The address lies outside of what may be called."""

    title = "Address not allowed"


class Addresses(AbstractResolver):
    """Hosts and networks that may be called; resolves names to what lies in them, at the moment of each connection.

    Args:
        allowed: host names (`*.example.org` for all below), addresses and networks. A name that is listed may lie
            anywhere; any other must resolve into a listed network.

    Raises:
        SettingsError: an entry is none of these.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self.networks: list[Network] = []
        self.names: set[str] = set()
        for entry in allowed:
            try:
                self.networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                if not entry or "/" in entry or ":" in entry:
                    raise SettingsError(f"outgoing: {entry!r} is neither a host nor a network") from None
                self.names.add(entry.lower())
        self._resolver: ThreadedResolver | None = None

    def check(self, url: str) -> None:
        """See whether an address may be called, as far as that is known without asking for its host's addresses.

        Raises:
            AddressRefused: it may not, or is no http(s) address.
        """
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            raise AddressRefused("This is no address.") from None
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            raise AddressRefused("Only http and https addresses, without a user in them, are called.")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if not host.isascii() or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
                raise _refused(host) from None  # an address in disguise, which clients read in different ways
            return  # a name: `resolve` judges it
        if not self._lies_within(address) and not self._is_named(host):
            raise _refused(host)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host that may be called (`aiohttp` asks here before it connects).

        Raises:
            AddressRefused: there are none.
        """
        self._resolver = self._resolver or ThreadedResolver()
        found = await self._resolver.resolve(host, port, family)
        if self._is_named(host):
            return found
        kept = [one for one in found if self._lies_within(ipaddress.ip_address(one["host"].partition("%")[0]))]
        if not kept:
            raise _refused(host)
        return kept

    async def close(self) -> None:
        """Nothing is open."""

    def _is_named(self, host: str) -> bool:
        host = host.lower().rstrip(".")
        parents = host.split(".")
        return host in self.names or any(
            f"*.{'.'.join(parents[index:])}" in self.names for index in range(1, len(parents))
        )

    def _lies_within(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.networks)


def _refused(host: str) -> AddressRefused:
    return AddressRefused(f"The host {host!r} may not be called; an operator allows it with the setting `outgoing`.")
