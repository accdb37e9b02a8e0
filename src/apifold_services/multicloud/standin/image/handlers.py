"""Image: images, bare, without an envelope."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from apifold import Page
from apifold_services.multicloud.standin.core.images import Images
from apifold_services.multicloud.standin.core.resources import Resource
from apifold_services.multicloud.standin.gate import Visitor, guarded

image = guarded("image")


@image
def create_image(images: Images, visitor: Visitor, body: dict[str, Any]) -> Any:
    made = _shown(images.add(visitor.project, body))
    return made, 201, {"Location": f"{visitor.cloud}/image{made['self']}"}


@image
def list_images(images: Images, visitor: Visitor, page: Page, name: str = "") -> dict[str, Any]:
    found = images.page(visitor.project, page, name=name)
    asked = {"name": name} if name else {}
    listed = {"images": [_shown(one) for one in found], "first": _address(asked), "schema": "/v2/schemas/images"}
    if page.next_marker:
        listed["next"] = _address(asked | {"limit": str(page.limit), "marker": page.next_marker})
    return listed


@image
def show_image(images: Images, visitor: Visitor, id: str) -> dict[str, Any]:
    return _shown(images.get(visitor.project, id))


@image
def delete_image(images: Images, visitor: Visitor, id: str) -> None:
    images.remove(visitor.project, id)


@image
def upload(images: Images, visitor: Visitor, id: str, body: bytes) -> None:
    images.upload(visitor.project, id, body)


@image
def download(images: Images, visitor: Visitor, id: str) -> bytes | None:
    return images.content(visitor.project, id) or None


def _address(asked: dict[str, str]) -> str:
    return f"/v2/images?{urlencode(asked)}" if asked else "/v2/images"


def _shown(found: Resource) -> dict[str, Any]:
    address = f"/v2/images/{found['id']}"
    shown = {name: value for name, value in found.items() if name != "project_id"}
    links = {"self": address, "file": f"{address}/file", "schema": "/v2/schemas/image"}
    return {**shown, "owner": found["project_id"], **links}
