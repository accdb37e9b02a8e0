"""The broker's own operations, of both generations: it knows which plug-in speaks with a cloud, and sends on to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from msgspec.structs import replace

from apifold import Deployment, Fault, Malformed, NotFound, Request, Response
from apifold import forward as sent_on
from apifold_services.multicloud.core.clouds import Cloud, Inventory, parted
from apifold_services.multicloud.core.providers import PREFIX, Providers

ROOT = "/api/multicloud/"
OWN = "multicloud-vio"
"""The plug-in that this service brings."""

Inside = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Broker:
    """Sends requests to plug-ins.

    Attributes:
        providers: which plug-in speaks with which cloud.
        plugins: addresses of plug-ins elsewhere, by name with or without `multicloud-`.
    """

    deployment: Deployment
    inventory: Inventory
    providers: Providers
    plugins: dict[str, str]

    async def send(self, cloud: Cloud, request: Request, inside: Inside) -> Response:
        """What the plug-in of a cloud answers: one elsewhere, or this service's own.

        Raises:
            NotFound: no plug-in speaks with such a cloud.
        """
        plugin = self.providers.plugin(cloud.kind, cloud.version)
        address = self.plugins.get(plugin) or self.plugins.get(plugin.removeprefix(PREFIX))
        front, _, rest = request.path.partition(ROOT)
        if address:
            return await sent_on(self.deployment.outgoing(), request, f"{address.rstrip('/')}/api/{plugin}/{rest}")
        return await inside(replace(request, path=f"{front}/api/{OWN}/{rest}"))

    async def room(self, owner: str, region: str, path: str, request: Request, inside: Inside) -> dict[str, Any]:
        """What a cloud that has room says of it; nothing where it has none, or says nothing."""
        try:
            cloud = await self.inventory.find(owner, region)
            answer = await self.send(cloud, _asking(path, request), inside)
            said = orjson.loads(await answer.whole())
        except (Fault, orjson.JSONDecodeError):
            return {}
        return said if answer.status == 200 and isinstance(said, dict) and said.get("result") is True else {}


def list_vim_types(broker: Broker) -> list[dict[str, Any]]:
    return broker.providers.types()


async def forward(vim: Cloud, broker: Broker, request: Request, inside: Inside, rest: str = "") -> Response:
    return await broker.send(vim, request, inside)


async def forward_workload(vim: Cloud, broker: Broker, request: Request, inside: Inside, rest: str = "") -> Response:
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise Malformed("multipart API is not supported yet")
    return await broker.send(vim, request, inside)


async def check_capacity_v0(broker: Broker, request: Request, inside: Inside, body: dict[str, Any]) -> dict[str, Any]:
    """The VIMs, by their ids, that have room."""
    vims = [str(vim) for vim in body.get("VIMs") or ()]
    answers = await asyncio.gather(*(_asked(broker, vim, request, inside) for vim in vims))
    return {"VIMs": [vim for vim, answer in zip(vims, answers, strict=True) if answer]}


async def check_capacity_v1(broker: Broker, request: Request, inside: Inside, body: dict[str, Any]) -> dict[str, Any]:
    """The VIMs, by owner and region, that have room, each with its zones."""
    vims = [(str(vim["cloud-owner"]), str(vim["cloud-region-id"])) for vim in body.get("VIMs") or ()]
    answers = await asyncio.gather(
        *(broker.room(owner, region, f"{owner}/{region}", request, inside) for owner, region in vims)
    )
    return {
        "VIMs": [
            {"cloud-owner": owner, "cloud-region-id": region, "AZs": answer.get("AZs") or []}
            for (owner, region), answer in zip(vims, answers, strict=True)
            if answer
        ]
    }


async def _asked(broker: Broker, vim: str, request: Request, inside: Inside) -> dict[str, Any]:
    try:
        owner, region = parted(vim)
    except NotFound:
        return {}
    return await broker.room(owner, region, vim, request, inside)


def _asking(path: str, request: Request) -> Request:
    """The same question to one cloud."""
    demand = orjson.loads(request.body)
    body = orjson.dumps({name: demand.get(name) or 0 for name in ("vCPU", "Memory", "Storage")})
    base = request.path.rpartition("/")[0]
    return replace(request, path=f"{base}/{path}/capacity_check", query="", body=body)
