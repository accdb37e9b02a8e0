"""A request as it came in: nothing decoded that nobody asked for."""

from __future__ import annotations

from urllib.parse import unquote

from apifold.errors import Malformed


class Request:
    """One HTTP request, whole.

    Attributes:
        method: upper case.
        path: as sent, percent-encoded, always beginning with `/`.
        query: as sent, without the `?`.
        headers: names in lower case; repeated fields joined by `, ` (RFC 9110, 5.3), cookies by `; `.
        body: the whole body.
        client: the peer's address, or the one a trusted proxy names.
        scheme: `http` or `https`, as the client sees it.
        host: authority as the client sees it, for links.
        prefix: path in front of every API that a proxy in front of us takes away; without a final `/`.
        id: the request's id, in the log and in `X-Request-Id`.
    """

    __slots__ = ("body", "client", "headers", "host", "id", "method", "path", "prefix", "query", "scheme")

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        client: str = "",
        scheme: str = "http",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = {} if headers is None else headers
        self.body = body
        self.client = client
        self.scheme = scheme
        self.host = self.headers.get("host", "")
        self.prefix = ""
        self.id = ""

    @property
    def segments(self) -> list[str]:
        """The path's segments, each percent-decoded on its own, so that `%2F` does not split one.

        Raises:
            Malformed: they are not UTF-8.
        """
        parts = self.path.split("/")[1:]
        if "%" not in self.path:
            return parts
        try:
            return [unquote(part, errors="strict") for part in parts]
        except UnicodeDecodeError:
            raise Malformed("The path is not UTF-8.") from None

    @property
    def base_url(self) -> str:
        """Scheme, authority and public prefix, for links: `https://api.example.org/proxy`."""
        return f"{self.scheme}://{self.host}{self.prefix}"
