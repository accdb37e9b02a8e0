"""Migrations: servers that go to another host, or change their size."""

from __future__ import annotations

from typing import Any

from apifold import Invalid
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.moves import UNFINISHED
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import bookmark

RESOURCE = Resource(__name__, "os-migrations", "Migrations", "Provide data on migrations.", "2013-05-30T00:00:00Z")

FILTERS = {"status": "status", "instance_uuid": "server_id", "migration_type": "type", "source_compute": "source"}


def list_migrations(core: ComputeCore, address: str, host: str = "", hidden: str = "", **said: str) -> Any:
    wanted = {FILTERS[name]: value for name, value in said.items() if name in FILTERS and value}
    found = [row for row in core.moves.page(**wanted) if not host or host in (row.source, row.target)]
    return {"migrations": [_shown(row, address) for row in found]}


def list_server_migrations(core: ComputeCore, ask: Ask, server_id: str) -> Any:
    core.servers.get(server_id, ask.project)
    found = core.moves.page(server_id=server_id, type="live-migration")
    return {"migrations": [_of_server(row) for row in found if row.status in UNFINISHED]}


def show_server_migration(core: ComputeCore, ask: Ask, server_id: str, migration_id: str) -> Any:
    core.servers.get(server_id, ask.project)
    return {"migration": _of_server(core.moves.get(server_id, migration_id))}


def abort_server_migration(core: ComputeCore, ask: Ask, server_id: str, migration_id: str) -> None:
    _too_late(core, ask, server_id, migration_id)


def complete_server_migration(core: ComputeCore, ask: Ask, server_id: str, migration_id: str) -> None:
    _too_late(core, ask, server_id, migration_id)


def _too_late(core: ComputeCore, ask: Ask, server_id: str, id: str) -> None:
    """What goes on here is done in one step, which nothing hurries or stops. Raises NotFound, Invalid."""
    core.servers.get(server_id, ask.project)
    row = core.moves.get(server_id, id)
    raise Invalid(f"Migration {row.id} state of instance {server_id} is {row.status}. It can't be changed now.")


def _shown(row: Any, address: str) -> dict[str, Any]:
    shown = {
        "id": row.id,
        "instance_uuid": row.server_id,
        "status": row.status,
        **_places(row),
        "old_instance_type_id": row.old_flavor,
        "new_instance_type_id": row.new_flavor,
        "migration_type": row.type
        if row.type in ("migration", "resize", "live-migration", "evacuation")
        else "migration",
    }
    if row.type == "live-migration" and row.status in UNFINISHED:
        at = f"servers/{row.server_id}/migrations"
        shown["links"] = [{"rel": "self", "href": f"{address}/{at}/{row.id}"}, *bookmark(address, at, str(row.id))]
    return shown


def _of_server(row: Any) -> dict[str, Any]:
    progress = ("total", "processed", "remaining")
    unknown = {f"{what}_{how}_bytes": None for what in ("memory", "disk") for how in progress}
    return {"id": row.id, "server_uuid": row.server_id, "status": row.status, **_places(row), **unknown}


def _places(row: Any) -> dict[str, Any]:
    return {
        "source_node": row.source,
        "dest_node": row.target,
        "source_compute": row.source,
        "dest_compute": row.target,
        "dest_host": None,
        "created_at": row.created,
        "updated_at": row.updated,
    }
