"""Volume attachments: volumes that servers have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Version
from apifold_services.compute.core import states
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(__name__, "os-volume_attachments", "Volumes", "Volumes that servers have.", "2011-03-25T00:00:00Z")

Body = Mapping[str, Any]
SHELVED = ("shelved", "shelved_offloaded")


def list_volume_attachments(core: ComputeCore, ask: Ask, server_id: str, limit: int = 0, offset: int = 0) -> Any:
    core.servers.get(server_id, ask.project)
    found = core.volumes.page(server_id)[offset:]
    return {"volumeAttachments": [_shown(row) for row in (found[:limit] if limit else found)]}


def attach_volume(core: ComputeCore, ask: Ask, version: Version | None, server_id: str, body: Body) -> Any:
    _admit(core, ask, version, server_id, "attach_volume")
    said = body["volumeAttachment"]
    return {"volumeAttachment": _shown(core.volumes.attach(server_id, said["volumeId"], said.get("device")))}


def show_volume_attachment(core: ComputeCore, ask: Ask, server_id: str, volume_id: str) -> Any:
    core.servers.get(server_id, ask.project)
    return {"volumeAttachment": _shown(core.volumes.get(server_id, volume_id))}


def swap_volume(
    core: ComputeCore, ask: Ask, version: Version | None, server_id: str, volume_id: str, body: Body
) -> None:
    _admit(core, ask, version, server_id, "attach_volume")
    core.volumes.swap(server_id, volume_id, body["volumeAttachment"]["volumeId"])


def detach_volume(core: ComputeCore, ask: Ask, version: Version | None, server_id: str, volume_id: str) -> None:
    _admit(core, ask, version, server_id, "detach_volume")
    core.volumes.detach(server_id, volume_id)


def _admit(core: ComputeCore, ask: Ask, version: Version | None, id: str, action: str) -> None:
    """Nothing, where it is possible; on servers that were put away from 2.20 on. Raises NotFound, Conflict."""
    row = core.servers.get(id, ask.project).row
    if row.vm_state in SHELVED and (version is None or version < "2.20"):
        states.refuse(action, row)
    states.admit(action, row, is_admin=ask.is_admin)


def _shown(row: Any) -> dict[str, Any]:
    return {"id": row.volume_id, "volumeId": row.volume_id, "serverId": row.server_id, "device": row.device}
