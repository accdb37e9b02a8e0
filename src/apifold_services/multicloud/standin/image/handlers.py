"""Image: images, bare, without an envelope."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from apifold import Page, Request, Response
from apifold_services.multicloud.standin.core.images import Images
from apifold_services.multicloud.standin.core.resources import Resource
from apifold_services.multicloud.standin.gate import Visitor, guarded

PIECE_BYTES = 256 * 1024

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
async def upload(images: Images, visitor: Visitor, id: str, request: Request) -> None:
    await asyncio.to_thread(images.check_queued, visitor.project, id)
    with images.receiving() as received:
        async for piece in request.chunks():
            await asyncio.to_thread(received.add, piece)
        await asyncio.to_thread(images.fill, visitor.project, id, received)


@image
def download(images: Images, visitor: Visitor, id: str) -> Response:
    file = images.content(visitor.project, id)
    if file is None:
        return Response(204)
    return Response(200, _pieces(file), (("Content-Type", "application/octet-stream"),))


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as stream:
        while piece := await asyncio.to_thread(stream.read, PIECE_BYTES):
            yield piece


def _address(asked: dict[str, str]) -> str:
    return f"/v2/images?{urlencode(asked)}" if asked else "/v2/images"


def _shown(found: Resource) -> dict[str, Any]:
    address = f"/v2/images/{found['id']}"
    shown = {name: value for name, value in found.items() if name != "project_id"}
    links = {"self": address, "file": f"{address}/file", "schema": "/v2/schemas/image"}
    return {**shown, "owner": found["project_id"], **links}
