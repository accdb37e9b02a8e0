"""What lies at an address of somebody else, in one piece and within bounds."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

from apifold import Outgoing, Sending, TooLarge, UpstreamFailed, UpstreamTimeout

MAX_REDIRECTS = 5
SECONDS = 600.0
ASK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Downloads:
    """Gets files, from where the setting `outgoing` allows; each address on the way is judged.

    Attributes:
        allowed: hosts and networks that may be asked.
        ca: file with certificates; "" for the system's.
    """

    allowed: tuple[str, ...]
    ca: str = ""

    def check(self, host: str) -> None:
        """Raises AddressRefused: a host may not be asked, as far as that is known without looking it up."""
        Outgoing(self.allowed).addresses.check(f"https://{host}/")

    def resolved(self, host: str, port: int) -> str:
        """An address of a host that may be asked, to be held to: a name may change what it stands for.

        Raises:
            AddressRefused: it may not be asked.
            OSError: it can't be found.
        """
        self.check(host)
        try:
            return str(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            addresses = Outgoing(self.allowed).addresses
            return str(asyncio.run(addresses.resolve(host, port, socket.AF_UNSPEC))[0]["host"])

    def get(
        self, address: str, most: int, seconds: float = SECONDS, stopped: Callable[[], bool] = lambda: False
    ) -> bytes:
        """A file of so many bytes at the most.

        Args:
            seconds: that it may take.
            stopped: asked now and then; where it says so, nobody waits for the file any more.

        Raises:
            AddressRefused, UpstreamFailed, UpstreamTimeout: it can't be had.
            TooLarge: it is larger.
        """
        return asyncio.run(self._watched(address, most, seconds, stopped))

    async def _watched(self, address: str, most: int, seconds: float, stopped: Callable[[], bool]) -> bytes:
        getting = asyncio.create_task(self._got(address, most, seconds))
        until = time.monotonic() + seconds
        try:
            while not getting.done() and time.monotonic() < until:
                if stopped():
                    raise UpstreamFailed(f"{address} is not wanted any more.")
                await asyncio.wait((getting,), timeout=ASK_SECONDS)
            if not getting.done():
                raise UpstreamTimeout(f"{address} takes longer than {seconds:g} s.")
            return getting.result()
        finally:
            getting.cancel()

    async def _got(self, address: str, most: int, seconds: float) -> bytes:
        outgoing = Outgoing(self.allowed, self.ca)
        try:
            for _ in range(MAX_REDIRECTS):
                reply = await outgoing.send(Sending("GET", address, seconds=seconds), stream=True)
                if reply.status in (301, 302, 303, 307, 308) and reply.header("location"):
                    address = urljoin(address, reply.header("location"))
                    continue
                if reply.status != 200:
                    raise UpstreamFailed(f"{address} answers {reply.status}.")
                content = bytearray()
                assert not isinstance(reply.body, bytes)
                async for piece in reply.body:
                    content += piece
                    if len(content) > most:
                        raise TooLarge(f"{address} has more than {most} bytes.")
                return bytes(content)
            raise UpstreamFailed(f"{address} leads from one address to another, and on.")
        finally:
            await outgoing.close()
