"""Servers, as MultiCloud's clients describe them, in a cloud's own words."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from apifold import Invalid, Problem, Upstream
from apifold_services.multicloud.core.asked import asked, found_by_name, with_query

FROM_VOLUME = 1
"""`boot.type` of a server that boots from a volume; 2 is from an image."""


async def create(upstream: Upstream, wish: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Make a server; what is there by its name is not made again.

    Returns:
        the server, and whether it is new.

    Raises:
        Invalid: it boots from nothing.
        Fault: as the cloud says.
    """
    known = await found_by_name(upstream, "compute", "/servers/detail", "servers", wish["name"])
    if known is not None:
        return _shown(known), False
    made = (await asked(upstream, "POST", "compute", "/servers", {"server": _wanted(wish)}))["server"]
    return {**_told(wish), "id": made["id"], "status": made.get("status", "BUILD")}, True


async def page(upstream: Upstream, **wanted: Any) -> list[dict[str, Any]]:
    """The servers of a tenant, by name, limit and marker."""
    body = await asked(upstream, "GET", "compute", with_query("/servers/detail", **wanted))
    return [_shown(one) for one in body["servers"]]


async def get(upstream: Upstream, id: str) -> dict[str, Any]:
    """One server. Raises as the cloud says."""
    return _shown((await asked(upstream, "GET", "compute", f"/servers/{quote(id, safe='')}"))["server"])


async def delete(upstream: Upstream, id: str) -> None:
    """Remove one. Raises as the cloud says."""
    await asked(upstream, "DELETE", "compute", f"/servers/{quote(id, safe='')}")


async def act(upstream: Upstream, id: str, action: dict[str, Any]) -> None:
    """Start, stop or reboot one. Raises as the cloud says."""
    await asked(upstream, "POST", "compute", f"/servers/{quote(id, safe='')}/action", action)


def _wanted(wish: dict[str, Any]) -> dict[str, Any]:
    boot = wish["boot"]
    server: dict[str, Any] = {"name": wish["name"], "flavorRef": wish["flavorId"]}
    mapping = [{"uuid": one["volumeId"], "source_type": "volume"} for one in wish.get("volumeArray") or ()]
    if boot["type"] == FROM_VOLUME:
        first = {"uuid": _named(boot, "volumeId"), "source_type": "volume", "boot_index": 0}
        mapping = [first, *mapping]
    else:
        server["imageRef"] = _named(boot, "imageId")
    optional = {
        "networks": [{"port": one["portId"]} for one in wish.get("nicArray") or ()],
        "block_device_mapping_v2": [{"destination_type": "volume", **one} for one in mapping],
        "personality": [_file(one) for one in wish.get("contextArray") or ()],
        "availability_zone": wish.get("availabilityZone"),
        "metadata": {one["keyName"]: str(one.get("value", "")) for one in wish.get("metadata") or ()},
        "user_data": wish.get("userdata"),
        "security_groups": [{"name": name} for name in wish.get("securityGroups") or ()],
        "key_name": wish.get("keyName"),
    }
    return server | {key: value for key, value in optional.items() if value}


def _named(boot: dict[str, Any], member: str) -> str:
    if not boot.get(member):
        raise Invalid("The server boots from nothing.", [Problem("body", f"/boot/{member}", "is missing")])
    return str(boot[member])


def _file(one: dict[str, Any]) -> dict[str, str]:
    """A file for the server, in the older or in the newer words."""
    content = one.get("source_data_base64") or base64.b64encode(str(one.get("fileData", "")).encode()).decode()
    return {"path": one.get("dest_path") or one.get("fileName", ""), "contents": content}


def _told(wish: dict[str, Any]) -> dict[str, Any]:
    names = ("name", "boot", "nicArray", "volumeArray", "flavorId", "availabilityZone", "metadata", "securityGroups")
    return {name: wish[name] for name in names if name in wish}


def _shown(server: dict[str, Any]) -> dict[str, Any]:
    image = server.get("image") or {}
    volumes = server.get("os-extended-volumes:volumes_attached") or []
    boot: dict[str, Any] = {"type": 2, "imageId": image["id"]} if image else {"type": FROM_VOLUME}
    if not image and volumes:
        boot["volumeId"] = volumes[0]["id"]
    return {
        "id": server["id"],
        "name": server["name"],
        "status": server["status"],
        "boot": boot,
        "flavorId": str((server.get("flavor") or {}).get("id", "")),
        "volumeArray": [{"volumeId": one["id"]} for one in volumes],
        "availabilityZone": server.get("OS-EXT-AZ:availability_zone") or "",
        "metadata": [{"keyName": key, "value": value} for key, value in (server.get("metadata") or {}).items()],
        "securityGroups": [one["name"] for one in server.get("security_groups") or ()],
    }
