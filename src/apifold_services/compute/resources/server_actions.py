"""Actions: what can be asked of a server that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.builds import password
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource
from apifold_services.compute.resources.servers import own_values
from apifold_services.compute.views import Allowed, ServerView, last_segment

RESOURCE = Resource(
    __name__, "server-actions", "Actions", "What can be asked of servers.", "2013-07-23T00:00:00Z", core=True
)

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
    image = said.get("rescue_image_ref")
    if image:
        core.images.get(image, ask.project)
    core.life.order(ask, server_id, "rescue", prepare=lambda *_: {"image": image})
    return {"adminPass": said.get("adminPass") or password()}


def unrescue_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "unrescue")


def resize_server(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> None:
    core.life.resize(ask, server_id, last_segment(body["flavorRef"]))


def confirm_resize(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "confirmResize", "confirm")


def revert_resize(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "revertResize", "revert")


def rebuild_server(core: ComputeCore, ask: Ask, views: ServerView, address: str, server_id: str, body: Body) -> Any:
    core.life.rebuild(ask, server_id, body["imageRef"], **own_values(body))
    server = core.servers.get(server_id, ask.project)
    shown = {**views.plain(server, address), "adminPass": body.get("adminPass") or password()}
    return {"server": shown}, 202, {"Location": f"{address}/servers/{server_id}"}


def create_image(core: ComputeCore, ask: Ask, address: str, server_id: str, body: Body) -> Any:
    image = core.life.create_image(ask, server_id, body["name"].strip(), body.get("metadata") or {})
    return None, 202, {"Location": f"{address}/images/{image}"}


def create_backup(core: ComputeCore, ask: Ask, address: str, server_id: str, body: Body) -> Any:
    said = body["name"].strip(), body["backup_type"], int(body["rotation"])
    image = core.life.back_up(ask, server_id, *said, body.get("metadata") or {})
    return None, 202, {"Location": f"{address}/images/{image}"}


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
    core.servers.get(server_id, ask.project)


def migrate_server(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.move(ask, server_id, "migrate", None)


def live_migrate_server(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> None:
    core.life.move(ask, server_id, "live-migration", body["host"])


def evacuate_server(core: ComputeCore, ask: Ask, server_id: str, body: Body) -> Any:
    core.life.move(ask, server_id, "evacuate", body.get("host"))
    return {"adminPass": body.get("adminPass") or password()}


def trigger_crash_dump(core: ComputeCore, ask: Ask, server_id: str) -> None:
    core.life.order(ask, server_id, "trigger_crash_dump", "crash_dump")


def _overrides(core: ComputeCore, ask: Ask, allowed: Allowed, server_id: str) -> bool:
    """Whether a lock is an administrator's: on a server of somebody else's."""
    owner = core.servers.get(server_id, ask.project).row.project_id
    return owner != ask.caller.project and allowed("os_compute_api:os-lock-server:unlock:unlock_override")
