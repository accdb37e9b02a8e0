"""A cloud's own APIs under this address: who asks shows the cloud's own token, and every link leads back here."""

from __future__ import annotations

from typing import Any

import orjson

from apifold import Deployment, Request, Response, Unauthenticated, forward
from apifold_services.multicloud.core.connections import Place

TYPES = {
    "nova": "compute",
    "neutron": "network",
    "glance": "image",
    "cinder": "volumev3",
    "heat": "orchestration",
}
"""Service types by the names that some clients use in their place."""

_OWN_LINKS = ("application/json", "application/problem+json")


async def identity_version(place: Place, request: Request) -> dict[str, Any]:
    """Keystone's version document, as if Keystone were here."""
    reply = await place.upstream.call("GET", "/", service="identity")
    version = (reply.json() or {}).get("version") or {}
    return {
        "version": {**version, "links": [{"rel": "self", "href": f"{request.base_url}{request.path.rstrip('/')}/"}]}
    }


async def create_token(place: Place, request: Request, deployment: Deployment, body: dict[str, Any]) -> Response:
    """A token of the cloud's own, by the credentials that come with the request; its catalogue leads back here."""
    url = await place.login.address("identity")
    answer = await forward(deployment.outgoing(), request, f"{url}/auth/tokens")
    written = await answer.whole()
    if answer.status != 201:
        return answer
    content = orjson.loads(written)
    here = f"{request.base_url}{request.path}".partition("/identity/")[0]
    for service in content["token"].get("catalog") or ():
        for endpoint in service.get("endpoints") or ():
            endpoint["url"] = f"{here}/{service['type']}"
    answer.body = orjson.dumps(content)
    return answer


async def pass_through(place: Place, service: str, rest: str, request: Request, deployment: Deployment) -> Response:
    """What one of the cloud's services answers."""
    if "x-auth-token" not in request.headers:
        raise Unauthenticated("Send the cloud's own token as X-Auth-Token.", "Keystone")
    address = await place.login.address(TYPES.get(service, service))
    head, _, sent = request.path.partition(f"/{service}/")
    answer = await forward(deployment.outgoing(), request, f"{address}/{sent}", without=("authorization", "cookie"))
    if (answer.header("content-type") or "").partition(";")[0] not in _OWN_LINKS:
        return answer
    here = f"{request.base_url}{head}/{service}"
    answer.body = (await answer.whole()).replace(address.encode(), here.encode())
    return answer
