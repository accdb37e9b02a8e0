"""Flavors: the sizes that servers come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apifold import Invalid, Request
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.flavors import FlavorQuery
from apifold_services.compute.core.listing import Cut, cut_of
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import YES_OR_NO, is_true, links, page

RESOURCE = Resource(
    __name__, "flavors", "Flavors", "The sizes that servers come in.", "2013-07-23T00:00:00Z", core=True
)

BY_ID = (("flavorid", False),)


def list_flavors(core: ComputeCore, ask: Ask, request: Request, address: str, **said: Any) -> Any:
    cut, found = _list(core, ask, said)
    return page("flavors", [_brief(one, address) for one in found], request, cut)


def list_flavors_in_detail(core: ComputeCore, ask: Ask, request: Request, address: str, **said: Any) -> Any:
    cut, found = _list(core, ask, said)
    return page("flavors", [_full(one, address) for one in found], request, cut)


def show_flavor(core: ComputeCore, ask: Ask, address: str, flavor_id: str) -> Any:
    return {"flavor": _full(core.flavors.get(flavor_id, ask.project), address)}


def create_flavor(core: ComputeCore, address: str, flavor: Mapping[str, Any]) -> Any:
    made = core.flavors.create(
        id=flavor.get("id"),
        name=flavor["name"].strip(),
        ram=int(flavor["ram"]),
        vcpus=int(flavor["vcpus"]),
        disk=int(flavor["disk"]),
        swap=int(flavor.get("swap", 0)),
        ephemeral=int(flavor.get("OS-FLV-EXT-DATA:ephemeral", 0)),
        rxtx_factor=float(flavor.get("rxtx_factor", 1)),
        is_public=is_true(flavor.get("os-flavor-access:is_public", True)),
    )
    return {"flavor": _full(made, address)}


def delete_flavor(core: ComputeCore, flavor_id: str) -> None:
    core.flavors.delete(flavor_id)


def _list(core: ComputeCore, ask: Ask, said: Mapping[str, Any]) -> tuple[Cut, Any]:
    cut = cut_of(said.get("limit"), said.get("marker"), said.get("sort_key"), said.get("sort_dir"), BY_ID)
    own = ask.caller.project
    which = FlavorQuery(is_public=_is_public(said.get("is_public")), also=own) if ask.is_admin else FlavorQuery(own)
    query = replace(which, min_ram=said.get("minRam", 0), min_disk=said.get("minDisk", 0))
    return cut, core.flavors.page(query, cut)


def _is_public(text: str | None) -> bool | None:
    """Whether public ones, or others, or both. Raises Invalid: that is none of these."""
    said = (text or "true").lower()
    if said == "none":
        return None
    if said not in YES_OR_NO:
        raise Invalid(f"Invalid is_public filter [{said[:64]}]")
    return is_true(said)


def _brief(row: Any, address: str) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "links": links(address, "flavors", row.id)}


def _full(row: Any, address: str) -> dict[str, Any]:
    return {
        **_brief(row, address),
        "ram": row.ram,
        "disk": row.disk,
        "vcpus": row.vcpus,
        "swap": row.swap or "",
        "rxtx_factor": row.rxtx_factor,
        "OS-FLV-DISABLED:disabled": row.disabled,
        "OS-FLV-EXT-DATA:ephemeral": row.ephemeral,
        "os-flavor-access:is_public": row.is_public,
    }
