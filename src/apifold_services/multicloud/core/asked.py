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


async def found_by_name(upstream: Upstream, service: str, path: str, key: str, name: str) -> dict[str, Any] | None:
    """What a list has by a name, if anything."""
    body = await asked(upstream, "GET", service, f"{path}?{urlencode({'name': name})}")
    return next((one for one in body.get(key) or () if one.get("name") == name), None)
