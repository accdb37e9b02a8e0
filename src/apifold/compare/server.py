"""A server whose answers are compared. It brings the client; what compares within a process does without."""

from __future__ import annotations

from collections.abc import Mapping

from apifold.compare.recording import RecordedRequest
from apifold.http import Response
from apifold.outgoing import Outgoing, Sending


class ServerSide:
    """A server at an address. Where that address stands in an answer, it counts as nothing: the other has another.

    Args:
        outgoing: the way there.
        url: in front of every recorded path.
        headers: sent with every request, such as a token.
    """

    def __init__(self, outgoing: Outgoing, url: str, headers: Mapping[str, str]) -> None:
        self.outgoing = outgoing
        self.url = url.rstrip("/")
        self.headers = headers

    async def answer(self, recorded: RecordedRequest) -> Response:
        sent = {**recorded.headers, **self.headers}
        reply = await self.outgoing.send(Sending(recorded.method, self.url + recorded.path, sent, recorded.content))
        body = reply.body.replace(self.url.encode(), b"") if isinstance(reply.body, bytes) else b""
        return Response(reply.status, body, tuple((name, text.replace(self.url, "")) for name, text in reply.headers))
