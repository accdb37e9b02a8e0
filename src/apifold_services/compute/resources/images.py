"""Images as compute shows them; newer clients ask the image service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apifold import Request
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.image_folder import Image
from apifold_services.compute.core.images import behind
from apifold_services.compute.core.listing import Cut
from apifold_services.compute.core.moments import zulu
from apifold_services.compute.resource import Resource
from apifold_services.compute.resources.server_metadata import one_of, same_key
from apifold_services.compute.views import bookmark, last_segment, links, page

RESOURCE = Resource(__name__, "images", "Images", "Images as compute shows them.", "2013-03-18T00:00:00Z")

STATUSES = {"active": "ACTIVE", "queued": "SAVING", "error": "ERROR"}


def list_images(core: ComputeCore, ask: Ask, request: Request, address: str, **said: Any) -> Any:
    cut, found = _list(core, ask, said)
    return page("images", [_brief(one, address) for one in found], request, cut)


def list_images_in_detail(core: ComputeCore, ask: Ask, request: Request, address: str, **said: Any) -> Any:
    cut, found = _list(core, ask, said)
    return page("images", [_full(one, address) for one in found], request, cut)


def show_image(core: ComputeCore, ask: Ask, address: str, image_id: str) -> Any:
    return {"image": _full(core.images.get(image_id, ask.project), address)}


def delete_image(core: ComputeCore, ask: Ask, image_id: str) -> None:
    core.images.delete(image_id, ask.project)


def list_image_metadata(core: ComputeCore, ask: Ask, image_id: str) -> Any:
    return {"metadata": core.images.get(image_id, ask.project).metadata}


def add_image_metadata(core: ComputeCore, ask: Ask, image_id: str, metadata: Mapping[str, str]) -> Any:
    changed = core.images.change_metadata(image_id, ask.project, lambda there: {**there, **metadata})
    return {"metadata": changed.metadata}


def replace_image_metadata(core: ComputeCore, ask: Ask, image_id: str, metadata: Mapping[str, str]) -> Any:
    return {"metadata": core.images.change_metadata(image_id, ask.project, lambda _: metadata).metadata}


def show_image_metadata(core: ComputeCore, ask: Ask, image_id: str, key: str) -> Any:
    return {"meta": one_of(core.images.get(image_id, ask.project).metadata, key)}


def set_image_metadata(core: ComputeCore, ask: Ask, image_id: str, key: str, meta: Mapping[str, str]) -> Any:
    add_image_metadata(core, ask, image_id, same_key(key, meta))
    return {"meta": meta}


def delete_image_metadata(core: ComputeCore, ask: Ask, image_id: str, key: str) -> None:
    one_of(core.images.get(image_id, ask.project).metadata, key)

    def without(there: Mapping[str, str]) -> Mapping[str, str]:
        return {name: value for name, value in there.items() if name != key}

    core.images.change_metadata(image_id, ask.project, without)


def _list(core: ComputeCore, ask: Ask, said: Mapping[str, Any]) -> tuple[Cut, Sequence[Image]]:
    cut = Cut(said.get("limit"), said.get("marker", ""))
    found = [one for one in core.images.page(ask.project) if _fits(one, said)]
    return cut, behind(found, cut.marker)[: cut.size]


def _fits(image: Image, said: Mapping[str, Any]) -> bool:
    return (
        said.get("name") in (None, image.name)
        and (said.get("status") is None or said["status"].upper() == STATUSES.get(image.status))
        and (said.get("server") is None or last_segment(said["server"]) == image.server)
        and (said.get("type") is None or said["type"] == image.metadata.get("image_type"))
        and image.min_ram >= said.get("minRam", 0)
        and image.min_disk >= said.get("minDisk", 0)
    )


def _brief(image: Image, address: str) -> dict[str, Any]:
    at = links(address, "images", image.id)
    media = {"rel": "alternate", "type": "application/vnd.openstack.image", "href": at[-1]["href"]}
    return {"id": image.id, "name": image.name, "links": [*at, media]}


def _full(image: Image, address: str) -> dict[str, Any]:
    shown = {
        **_brief(image, address),
        "status": STATUSES.get(image.status, "UNKNOWN"),
        "created": zulu(image.created),
        "updated": zulu(image.updated),
        "progress": 100 if image.status == "active" else 25,
        "minDisk": image.min_disk,
        "minRam": image.min_ram,
        "metadata": image.metadata,
        "OS-EXT-IMG-SIZE:size": image.size,
    }
    if image.server:
        shown["server"] = {
            "id": image.server,
            "links": [*links(address, "servers", image.server)[:1], *bookmark(address, "servers", image.server)],
        }
    return shown
