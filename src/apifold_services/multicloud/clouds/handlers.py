"""The list of clouds: registered, changed, shown without their passwords, forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

from apifold import AddressRefused, Deployment, NotFound, Unprocessable
from apifold_services.multicloud.core.clouds import Clouds
from apifold_services.multicloud.core.connections import Connections
from apifold_services.multicloud.core.providers import Providers


def list_clouds(clouds: Clouds) -> dict[str, Any]:
    return {"clouds": clouds.page()}


def put_cloud(
    clouds: Clouds,
    providers: Providers,
    deployment: Deployment,
    cloud_owner: str,
    cloud_region_id: str,
    body: dict[str, Any],
) -> tuple[Any, int]:
    try:
        providers.plugin(body["kind"], body.get("version", ""))
        deployment.outgoing().addresses.check(body["url"])
    except (NotFound, AddressRefused) as fault:
        raise Unprocessable(fault.detail) from None
    cloud, is_new = clouds.put(cloud_owner, cloud_region_id, body)
    return cloud, 201 if is_new else 200


def get_cloud(clouds: Clouds, cloud_owner: str, cloud_region_id: str) -> dict[str, Any]:
    return clouds.shown(cloud_owner, cloud_region_id)


async def delete_cloud(clouds: Clouds, connections: Connections, cloud_owner: str, cloud_region_id: str) -> None:
    await asyncio.to_thread(clouds.remove, cloud_owner, cloud_region_id)
    connections.drop(f"{cloud_owner}_{cloud_region_id}")
