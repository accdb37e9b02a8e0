"""What a cloud answers, or the fault that it is."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from apifold import Upstream, fault_of


async def asked(upstream: Upstream, method: str, service: str, path: str, json: Any = None) -> Any:
    """The JSON of a successful answer.

    Raises:
        Fault: the cloud refuses, or does not answer.
    """
    reply = await upstream.call(method, path, service=service, json=json)
    if reply.status >= 300:
        raise fault_of(reply)
    return reply.json()


def with_query(path: str, **wanted: Any) -> str:
    """A path with what is wanted of it; what is empty does not count."""
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"{path}?{query}" if query else path


async def found_by_name(upstream: Upstream, service: str, path: str, key: str, name: str) -> dict[str, Any] | None:
    """What a list has by a name, if anything."""
    body = await asked(upstream, "GET", service, with_query(path, name=name))
    return next((one for one in body.get(key) or () if one.get("name") == name), None)
