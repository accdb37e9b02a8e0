"""The plug-in's own operations, of both generations: what a mapping alone can't say."""

from __future__ import annotations

import asyncio
from typing import Any

from apifold import PerRequest
from apifold_services.multicloud.core import capacity, flavors, servers, workloads
from apifold_services.multicloud.core.clouds import Cloud
from apifold_services.multicloud.core.connections import Connections, Place
from apifold_services.multicloud.core.limits import limits
from apifold_services.multicloud.core.registration import Registration

NAMED = ("vimid", "cloud_owner", "cloud_region_id", "tenantid")
"""Arguments that name the place."""


def provided(connections: Connections) -> dict[str, PerRequest]:
    """What handlers and mappings take to reach a cloud; `service` is the fixed last step of a path before its rest."""
    return {
        "place": PerRequest(connections.place, NAMED),
        "cloud": PerRequest(connections.upstream_of, NAMED),
        "vim": PerRequest(connections.cloud, NAMED),
        "service": PerRequest(lambda exchange: exchange.endpoint.title.split("/")[-2]),
    }


async def get_limits(place: Place) -> dict[str, Any]:
    return await limits(place) | place.names


async def create_flavor(place: Place, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    flavor, is_new = await flavors.create(place.upstream, body)
    return flavor | place.names | {"returnCode": int(is_new)}, 201 if is_new else 200


async def list_flavors(
    place: Place, name: str | None = None, limit: int | None = None, marker: str | None = None
) -> Any:
    found = await flavors.page(place.upstream, name=name, limit=limit, marker=marker)
    return {"flavors": found, **place.names}


async def get_flavor(place: Place, flavorid: str) -> dict[str, Any]:
    return await flavors.get(place.upstream, flavorid) | place.names | {"returnCode": 0}


async def delete_flavor(place: Place, flavorid: str) -> None:
    await flavors.delete(place.upstream, flavorid)


async def create_server(place: Place, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    server, is_new = await servers.create(place.upstream, body)
    return server | place.names | {"returnCode": int(is_new)}, 201 if is_new else 200


async def list_servers(
    place: Place, name: str | None = None, limit: int | None = None, marker: str | None = None
) -> Any:
    found = await servers.page(place.upstream, name=name, limit=limit, marker=marker)
    return {"servers": found, **place.names}


async def get_server(place: Place, serverid: str) -> dict[str, Any]:
    return await servers.get(place.upstream, serverid) | place.names | {"returnCode": 0}


async def delete_server(place: Place, serverid: str) -> None:
    await servers.delete(place.upstream, serverid)


async def act_on_server(place: Place, serverid: str, body: dict[str, Any]) -> None:
    await servers.act(place.upstream, serverid, body)


async def check_capacity(place: Place, body: dict[str, Any]) -> dict[str, Any]:
    has_room = (await capacity.room(place.upstream)).holds(capacity.demanded(body))
    if "cloud-owner" not in place.names:
        return {"result": has_room}
    return {"result": has_room, "AZs": await capacity.zones(place.upstream) if has_room else []}


async def list_extensions(place: Place) -> dict[str, Any]:
    cloud = place.cloud
    extensions = cloud.extra.get("extensions") or []
    return {
        "cloud-owner": cloud.owner,
        "cloud-region-id": cloud.region,
        "vimid": cloud.vimid,
        "extensions": extensions if isinstance(extensions, list) else [],
    }


async def register(place: Place, registration: Registration, body: dict[str, Any] | None = None) -> None:
    tenant = (body or {}).get("defaultTenant") or place.tenant
    await asyncio.to_thread(registration.start, place.cloud, tenant)


async def registration_status(vim: Cloud, registration: Registration) -> dict[str, Any]:
    return {"status": await asyncio.to_thread(registration.status, vim)}


async def discovered(vim: Cloud, registration: Registration) -> dict[str, Any]:
    return await asyncio.to_thread(registration.discovered, vim)


async def unregister(vim: Cloud, registration: Registration, connections: Connections) -> None:
    await asyncio.to_thread(registration.forget, vim)
    await connections.forget(vim)


async def create_workload(place: Place, body: dict[str, Any]) -> dict[str, Any]:
    return await workloads.create(place.upstream, body)


async def update_workload(place: Place, workloadid: str, body: dict[str, Any]) -> dict[str, Any]:
    return await workloads.update(place.upstream, workloadid, body)


async def list_workloads(place: Place) -> dict[str, Any]:
    return {"workloads": await workloads.page(place.upstream)}


async def get_workload(place: Place, workloadid: str) -> dict[str, Any]:
    return await workloads.get(place.upstream, workloadid)


async def delete_workload(place: Place, workloadid: str) -> None:
    await workloads.delete(place.upstream, workloadid)
