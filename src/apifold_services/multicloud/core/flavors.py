"""Flavors: each is two things in a cloud, itself and its extra specs."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from apifold import Upstream
from apifold_services.multicloud.core.asked import asked, found_by_name, with_query


async def create(upstream: Upstream, wish: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Make a flavor; what is there by its name is not made again. Nothing stays where the extra specs fail.

    Returns:
        the flavor, and whether it is new.

    Raises:
        Fault: as the cloud says.
    """
    known = await found_by_name(upstream, "compute", "/flavors/detail", "flavors", wish["name"])
    if known is not None:
        return await _whole(upstream, known), False
    body = {
        "name": wish["name"],
        "vcpus": wish["vcpu"],
        "ram": wish["memory"],
        "disk": wish["disk"],
        **{key: wish[name] for name, key in _OPTIONAL if wish.get(name) is not None},
    }
    made = (await asked(upstream, "POST", "compute", "/flavors", {"flavor": body}))["flavor"]
    specs = {one["keyName"]: str(one.get("value", "")) for one in wish.get("extraSpecs") or ()}
    if specs:
        try:
            await asked(upstream, "POST", "compute", f"/flavors/{made['id']}/os-extra_specs", {"extra_specs": specs})
        except BaseException:
            await asked(upstream, "DELETE", "compute", f"/flavors/{made['id']}")
            raise
    return _shown(made, specs), True


async def page(upstream: Upstream, **wanted: Any) -> list[dict[str, Any]]:
    """The flavors that a tenant sees, by name, limit and marker."""
    name = wanted.pop("name", "")
    body = await asked(upstream, "GET", "compute", with_query("/flavors/detail", **wanted))
    flavors = [one for one in body["flavors"] if not name or one["name"] == name]
    return list(await asyncio.gather(*(_whole(upstream, one) for one in flavors)))


async def get(upstream: Upstream, id: str) -> dict[str, Any]:
    """One flavor. Raises as the cloud says."""
    return await _whole(upstream, (await asked(upstream, "GET", "compute", f"/flavors/{quote(id, safe='')}"))["flavor"])


async def delete(upstream: Upstream, id: str) -> None:
    """Remove one. Raises as the cloud says."""
    await asked(upstream, "DELETE", "compute", f"/flavors/{quote(id, safe='')}")


_OPTIONAL = (("ephemeral", "OS-FLV-EXT-DATA:ephemeral"), ("swap", "swap"), ("isPublic", "os-flavor-access:is_public"))


async def _whole(upstream: Upstream, flavor: dict[str, Any]) -> dict[str, Any]:
    specs = flavor.get("extra_specs")
    if specs is None:
        path = f"/flavors/{quote(flavor['id'], safe='')}/os-extra_specs"
        specs = (await asked(upstream, "GET", "compute", path))["extra_specs"]
    return _shown(flavor, specs)


def _shown(flavor: dict[str, Any], specs: dict[str, str]) -> dict[str, Any]:
    return {
        "id": str(flavor["id"]),
        "name": flavor["name"],
        "vcpu": flavor["vcpus"],
        "memory": flavor["ram"],
        "disk": flavor["disk"],
        "ephemeral": flavor.get("OS-FLV-EXT-DATA:ephemeral", 0),
        "swap": flavor.get("swap") or 0,
        "isPublic": flavor.get("os-flavor-access:is_public", True),
        "extraSpecs": [{"keyName": key, "value": value} for key, value in specs.items()],
    }
