"""Volume: volumes and limits."""

from __future__ import annotations

from typing import Any

from apifold import Page
from apifold_services.multicloud.standin.core.resources import Resource
from apifold_services.multicloud.standin.core.volumes import Volumes
from apifold_services.multicloud.standin.gate import Visitor, guarded

volume = guarded("volume")


@volume
def create_volume(volumes: Volumes, visitor: Visitor, project_id: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"volume": _shown(volumes.add(project_id, visitor.user, body["volume"]), visitor)}


@volume
def list_volumes(volumes: Volumes, visitor: Visitor, project_id: str, page: Page) -> dict[str, Any]:
    found = [_shown(one, visitor) for one in volumes.page(project_id, page)]
    return {"volumes": [{name: one[name] for name in ("id", "name", "links")} for one in found]}


@volume
def list_whole_volumes(volumes: Volumes, visitor: Visitor, project_id: str, page: Page) -> dict[str, Any]:
    return {"volumes": [_shown(one, visitor) for one in volumes.page(project_id, page)]}


@volume
def show_volume(volumes: Volumes, visitor: Visitor, project_id: str, id: str) -> dict[str, Any]:
    return {"volume": _shown(volumes.get(project_id, id), visitor)}


@volume
def delete_volume(volumes: Volumes, project_id: str, id: str) -> None:
    volumes.remove(project_id, id)


@volume
def show_limits(volumes: Volumes, project_id: str) -> dict[str, Any]:
    return {"limits": {"rate": [], "absolute": volumes.limits(project_id)}}


def _shown(found: Resource, visitor: Visitor) -> dict[str, Any]:
    project = found["project_id"]
    shown = {name: value for name, value in found.items() if name not in ("project_id", "imageRef")}
    links = [{"rel": "self", "href": f"{visitor.cloud}/volume/v3/{project}/volumes/{found['id']}"}]
    return {**shown, "os-vol-tenant-attr:tenant_id": project, "links": links}
