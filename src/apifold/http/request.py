"""A request as it came in: nothing decoded that nobody asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

import msgspec

from apifold.errors import Malformed


class Request(msgspec.Struct, eq=False, gc=False):
    """One HTTP request.

    Attributes:
        method: upper case.
        path: as sent, percent-encoded, always beginning with `/`.
        query: as sent, without the `?`.
        headers: names in lower case; repeated fields joined by `, ` (RFC 9110, 5.3), cookies by `; `.
        body: the whole body; empty where it comes in `pieces`.
        pieces: the body as it comes, of an operation that takes it so and where it is too large to wait for.
        client: the peer's address, or the one a trusted proxy names.
        scheme: `http` or `https`, as the client sees it.
        prefix: path in front of every API that a proxy in front of us takes away; without a final `/`.
        id: the request's id, in the log and in `X-Request-Id`.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    client: str = ""
    scheme: str = "http"
    prefix: str = ""
    id: str = ""
    pieces: AsyncIterator[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Request {self.id} {self.method} {self.path}>"

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces, however it came."""
        if self.pieces is None:
            yield self.body
            return
        async for piece in self.pieces:
            yield piece

    def named(self, form: str) -> str:
        """The request's id as `{id}`, or, for those who expect a UUID, `{uuid}`, in a form such as `req-{uuid}`."""
        process, _, number = self.id.partition("-")
        uuid = f"{number[-8:]:0>8}-0000-4000-8000-{process[-12:]:0>12}"
        return form.replace("{id}", self.id).replace("{uuid}", uuid)

    @property
    def segments(self) -> list[str]:
        """The path's segments, each percent-decoded on its own, so that `%2F` does not split one.

        Raises:
            Malformed: they are not UTF-8.
        """
        parts = self.path[1:].split("/")
        if "%" not in self.path:
            return parts
        try:
            return [unquote(part, errors="strict") for part in parts]
        except UnicodeDecodeError:
            raise Malformed("The path is not UTF-8.") from None

    @property
    def host(self) -> str:
        """Authority as the client sees it, for links."""
        return self.headers.get("host", "")

    @property
    def authority(self) -> tuple[str, int]:
        """Name and port that the client asked, as far as they can be read."""
        usual = 443 if self.scheme == "https" else 80
        try:
            parts = urlsplit(f"//{self.host}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        return host or "localhost", port or usual

    @property
    def base_url(self) -> str:
        """Scheme, authority and public prefix, for links: `https://api.example.org/proxy`."""
        return f"{self.scheme}://{self.host}{self.prefix}"
