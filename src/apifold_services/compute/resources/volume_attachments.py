"""Volume attachments: volumes that servers have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

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
    said = body["volumeAttachment"]
    with _admitted(core, ask, version, server_id, "attach_volume") as connection:
        core.volumes.attach(connection, server_id, said["volumeId"], said.get("device") or "")
    return show_volume_attachment(core, ask, server_id, said["volumeId"])


def show_volume_attachment(core: ComputeCore, ask: Ask, server_id: str, volume_id: str) -> Any:
    core.servers.get(server_id, ask.project)
    return {"volumeAttachment": _shown(core.volumes.get(server_id, volume_id))}


def swap_volume(
    core: ComputeCore, ask: Ask, version: Version | None, server_id: str, volume_id: str, body: Body
) -> None:
    with _admitted(core, ask, version, server_id, "swap_volume") as connection:
        core.volumes.swap(connection, server_id, volume_id, body["volumeAttachment"]["volumeId"])


def detach_volume(core: ComputeCore, ask: Ask, version: Version | None, server_id: str, volume_id: str) -> None:
    with _admitted(core, ask, version, server_id, "detach_volume") as connection:
        core.volumes.detach(connection, server_id, volume_id)


@contextmanager
def _admitted(core: ComputeCore, ask: Ask, version: Version | None, id: str, action: str) -> Iterator[Connection]:
    """A transaction, where an action is possible; on servers that were put away from 2.20 on. Raises NotFound,
    Conflict."""
    with core.servers.admitted(ask, id, action, noted=True) as (connection, row):
        if row.vm_state in SHELVED and (version is None or version < "2.20"):
            states.refuse(action, row)
        yield connection


def _shown(row: Any) -> dict[str, Any]:
    return {"id": row.volume_id, "volumeId": row.volume_id, "serverId": row.server_id, "device": row.device}
