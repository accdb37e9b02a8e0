"""The image API v2, as far as one reads, and removes what was made of servers."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from apifold import Request
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.image_folder import Image
from apifold_services.compute.core.images import behind
from apifold_services.compute.core.moments import zulu

USUAL, MOST = 25, 1000
IGNORED = frozenset(
    ("limit", "marker", "visibility", "sort", "sort_key", "sort_dir", "tag", "member_status", "size_min", "size_max")
    + ("os_hidden", "protected", "created_at", "updated_at")
)
"""What is no filter by a property, whether anything is done with it or not."""


def list_images(
    core: ComputeCore, ask: Ask, request: Request, limit: int = USUAL, marker: str = "", visibility: str = ""
) -> Any:
    wanted = {name: value for name, value in parse_qsl(request.query) if name not in IGNORED}
    found = behind([one for one in core.images.page(ask.project) if _fits(one, wanted, visibility)], marker)
    part = found[: min(limit, MOST)]
    query = {**wanted, **({"visibility": visibility} if visibility else {})}
    listed = {"images": [_shown(one) for one in part], "first": _address(query), "schema": "/v2/schemas/images"}
    if part and len(part) < len(found):
        listed["next"] = _address({**query, "limit": str(limit), "marker": part[-1].id})
    return listed


def show_image(core: ComputeCore, ask: Ask, image_id: str) -> Any:
    return _shown(core.images.get(image_id, ask.project))


def delete_image(core: ComputeCore, ask: Ask, image_id: str) -> None:
    core.images.delete(image_id, ask.project)


def list_image_tasks(core: ComputeCore, ask: Ask, image_id: str) -> Any:
    core.images.get(image_id, ask.project)
    return {"tasks": []}


def _fits(image: Image, wanted: dict[str, str], visibility: str) -> bool:
    shown = _shown(image)
    fits = all(str(shown.get(name)) == value for name, value in wanted.items())
    return fits and visibility in ("", "all", _visibility(image))


def _visibility(image: Image) -> str:
    return "private" if image.server else "public"


def _address(query: dict[str, str]) -> str:
    return f"/v2/images?{urlencode(query)}" if query else "/v2/images"


def _shown(image: Image) -> dict[str, Any]:
    at = f"/v2/images/{image.id}"
    return {
        **image.metadata,
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "visibility": _visibility(image),
        "protected": not image.server,
        "owner": image.project or None,
        "size": image.size,
        "disk_format": image.format,
        "container_format": "bare",
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "created_at": zulu(image.created),
        "updated_at": zulu(image.updated),
        "tags": [],
        "self": at,
        "file": f"{at}/file",
        "schema": "/v2/schemas/image",
    }
