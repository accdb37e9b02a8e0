"""Remote: another server answers, whole; for an API's implementation by address."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlsplit

from apifold.bindings.tasks import in_task
from apifold.bindings.workplace import Workplace
from apifold.description import Operation
from apifold.exchange import Call, Exchange, Result
from apifold.outgoing import Outgoing, forward


def bind(operation: Operation, option: Any, workplace: Workplace) -> Call:
    """`implementation: http://HOST`: the request goes there with its path; an address that has a path of its own takes
    the place of the API's base path.
    """
    address = urlsplit(option) if isinstance(option, str) else None
    if address is None or address.scheme not in ("http", "https") or not address.netloc or address.query:
        raise workplace.refused(operation, f"{option!r} is no address of a server", "such as http://127.0.0.1:9001")
    outgoing: Outgoing = workplace.deployment.outgoing()
    url = option.rstrip("/")
    base = workplace.description.template_base if address.path.strip("/") else ""

    async def answered(exchange: Exchange) -> Result:
        request = exchange.request
        response = await forward(outgoing, request, url + request.path.removeprefix(base))
        return Result(response.status, response)

    def call(exchange: Exchange) -> Awaitable[Result]:
        return in_task(answered(exchange))

    return call
