"""Actions: what can be asked of a server that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Denied, Invalid, Version
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.builds import password
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource
from apifold_services.compute.resources.servers import files_of, own_values
from apifold_services.compute.views import Allowed, ServerView, is_true, last_segment

RESOURCE = Resource(
    __name__, "server-actions", "Actions", "What can be asked of servers.", "2013-07-23T00:00:00Z", core=True
)

TO_HOST = "os_compute_api:os-migrate-server:migrate_live:host"
"""Asked where somebody says where a server is to go."""

Body = Mapping[str, Any]


def start_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "start")


def stop_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "stop")


def reboot_server(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> None:
    core.life.reboot(ask, server_id, hard=body["type"].upper() == "HARD")


def pause_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "pause")


def unpause_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "unpause")


def suspend_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "suspend")


def resume_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "resume")


def lock_server(core: ComputeCore, ask: Ask, allowed: Allowed, server_id: str) -> None:
    core.life.lock(ask, server_id, override=_overrides(core, ask, allowed, server_id))


def unlock_server(core: ComputeCore, ask: Ask, allowed: Allowed, server_id: str) -> None:
    core.life.unlock(ask, server_id, override=allowed("os_compute_api:os-lock-server:unlock:unlock_override"))


def rescue_server(core: ComputeCore, ask: Ask, server_id: str, body: Body | None) -> Any:
    said = body or {}
    core.life.rescue(ask, server_id, said.get("rescue_image_ref"))
    return {"adminPass": said.get("adminPass") or password()}


def unrescue_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "unrescue")


def resize_server(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> None:
    core.life.resize(ask, server_id, last_segment(body["flavorRef"]), **own_values(body))


def confirm_resize(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "confirmResize", "confirm")


def revert_resize(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "revertResize", "revert")


def rebuild_server(core: ComputeCore, ask: Ask, views: ServerView, address: str, server_id: str, body: Body) -> Any:
    core.life.rebuild(ask, server_id, body["imageRef"], files_of(body), **own_values(body))
    server = core.servers.get(server_id, ask.project)
    shown = {**views.plain(server, address), "adminPass": body.get("adminPass") or password()}
    return {"server": shown}, 202, {"Location": f"{address}/servers/{server_id}"}


def create_image(core: ComputeCore, ask: Ask, address: str, server_id: str, body: Body) -> Any:
    image = core.life.create_image(ask, server_id, body["name"].strip(), body.get("metadata") or {})
    return None, 202, {"Location": f"{address}/images/{image}"}


def create_backup(core: ComputeCore, ask: Ask, address: str, server_id: str, body: Body) -> Any:
    said = body["name"].strip(), body["backup_type"], int(body["rotation"])
    image = core.life.back_up(ask, server_id, *said, body.get("metadata") or {})
    return None, 202, {"Location": f"{address}/images/{image}"} if said[2] else {}


def shelve_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.shelve(ask, server_id)


def offload_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "shelveOffload", "offload")


def unshelve_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.unshelve(ask, server_id)


def change_password(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> None:
    core.life.order(ask, server_id, "changePassword", "password", prepare=lambda *_: {"password": body["adminPass"]})


def restore_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.restore(ask, server_id)


def force_delete_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.delete(ask, server_id, force=True)


def reset_server_state(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> None:
    core.life.reset_state(ask, server_id, body["state"])


def inject_network_info(core: ComputeCore, ask: Ask, server_id: str) -> None:
    with core.servers.admitted(ask, server_id, "change_fixed_ip"):
        """Nothing is done: networks reach servers by themselves here."""


def migrate_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.move(ask, server_id, "migrate", None)


def live_migrate_server(core: ComputeCore, ask: Ask, allowed: Allowed, server_id: str, body: Body) -> None:
    if body["host"] and not allowed(TO_HOST):
        raise Denied(rule=TO_HOST)
    core.life.move(ask, server_id, "live-migration", body["host"])


def evacuate_server(core: ComputeCore, ask: Ask, version: Version | None, server_id: str, body: Body) -> Any:
    is_shared = is_true(body.get("onSharedStorage", False))
    if is_shared and "adminPass" in body:
        raise Invalid("admin password can't be changed on existing disk")
    core.life.move(ask, server_id, "evacuate", body.get("host"))
    if version is not None and version >= "2.14":
        return b"", 200
    return {"adminPass": None if is_shared else body.get("adminPass") or password()}


def trigger_crash_dump(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "trigger_crash_dump", "crash_dump")


def _overrides(core: ComputeCore, ask: Ask, allowed: Allowed, server_id: str) -> bool:
    """Whether a lock is an administrator's: on a server of somebody else's."""
    owner = core.servers.get(server_id, ask.project).row.project_id
    return owner != ask.caller.project and allowed("os_compute_api:os-lock-server:unlock:unlock_override")
