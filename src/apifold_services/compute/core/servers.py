"""Servers: which there are, and what can be changed about them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, false, or_, select, update

from apifold import Database, Invalid, NotFound, matcher
from apifold_services.compute.core import records, states
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.listing import Cut, ordered
from apifold_services.compute.core.moments import now
from apifold_services.compute.core.networks import Networks
from apifold_services.compute.core.quotas import Quotas
from apifold_services.compute.core.tables import servers
from apifold_services.compute.core.volumes import Volumes

SORT_KEYS = {
    "created_at": servers.c.created,
    "updated_at": servers.c.updated,
    "launched_at": servers.c.launched_at,
    "terminated_at": servers.c.terminated_at,
    "uuid": servers.c.id,
    "id": servers.c.number,
    "instance_uuid": servers.c.id,
    "display_name": servers.c.name,
    "display_description": servers.c.description,
    "name": servers.c.name,
    "vm_state": servers.c.vm_state,
    "task_state": servers.c.task_state,
    "power_state": servers.c.power_state,
    "status": servers.c.vm_state,
    "project_id": servers.c.project_id,
    "tenant_id": servers.c.project_id,
    "user_id": servers.c.user_id,
    "host": servers.c.host,
    "node": servers.c.host,
    "hostname": servers.c.hostname,
    "image_ref": servers.c.image_id,
    "instance_type_id": servers.c.flavor_id,
    "key_name": servers.c.key_name,
    "launch_index": servers.c.launch_index,
    "progress": servers.c.progress,
    "availability_zone": servers.c.availability_zone,
    "config_drive": servers.c.config_drive,
    "access_ip_v4": servers.c.access_ip_v4,
    "access_ip_v6": servers.c.access_ip_v6,
    "auto_disk_config": servers.c.disk_config,
    "locked_by": servers.c.locked_by,
    "root_device_name": servers.c.number,
}

IGNORED_SORT_KEYS = frozenset(
    ("architecture", "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted", "deleted_at")
    + ("disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "key_data", "launched_on", "locked", "memory_mb")
    + ("os_type", "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus", "vm_mode")
    + ("kernel_id", "ramdisk_id")
)
"""What may be said and sorts nothing, as ever."""

EQUAL = {
    "image": servers.c.image_id,
    "image_ref": servers.c.image_id,
    "flavor": servers.c.flavor_id,
    "reservation_id": servers.c.reservation_id,
    "host": servers.c.host,
    "project_id": servers.c.project_id,
    "user_id": servers.c.user_id,
    "uuid": servers.c.id,
    "vm_state": servers.c.vm_state,
    "task_state": servers.c.task_state,
}
"""What a filter names exactly, with its column."""

_MATCHED_COLUMNS = {
    "name": "name",
    "display_name": "name",
    "description": "description",
    "display_description": "description",
    "node": "host",
    "created_at": "created",
    **{
        name: name
        for name in ("key_name", "availability_zone", "access_ip_v4", "access_ip_v6", "hostname", "power_state")
        + ("launch_index", "progress", "config_drive", "locked_by", "launched_at", "terminated_at")
    },
}


def _text_of(column: str) -> Callable[[Server], Sequence[str]]:
    def texts(server: Server) -> Sequence[str]:
        value = getattr(server.row, column)
        return [] if value is None else [str(value)]

    return texts


MATCHED: Mapping[str, Callable[[Server], Sequence[str]]] = {
    **{name: _text_of(column) for name, column in _MATCHED_COLUMNS.items()},
    "ip": lambda server: [port.address for port in server.ports if ":" not in port.address],
    "ip6": lambda server: [port.address for port in server.ports if ":" in port.address],
}
"""What a filter is a regular expression of, found anywhere in it."""

BATCH = 500


@dataclass(frozen=True, slots=True)
class Server:
    """A server with what is attached to it: its row, its ports, its volumes."""

    row: Row[Any]
    ports: Sequence[Row[Any]]
    volumes: Sequence[Row[Any]]

    @property
    def status(self) -> str:
        """What clients see of its state."""
        return states.status_of(self.row.vm_state, self.row.task_state)


@dataclass(frozen=True, slots=True)
class ServerQuery:
    """Which servers.

    Attributes:
        project: whose they are; "" for all.
        filters: values by name: those of `EQUAL` and `MATCHED`.
        statuses: one of these; any where there is none.
        changed_since: those that changed since then, deleted ones among them; as moments are kept.
        deleted: those that were, or were not; None for both. One that can be restored counts as deleted.
        tags: by `tags` (all of them), `tags-any`, `not-tags`, `not-tags-any`.
    """

    project: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    statuses: Sequence[str] = ()
    changed_since: str = ""
    deleted: bool | None = False
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Servers:
    """The servers of a deployment.

    Args:
        database: with the service's tables.
        networks, volumes: what is attached to them.
        quotas: how much of what they may have.
    """

    def __init__(self, database: Database, networks: Networks, volumes: Volumes, quotas: Quotas) -> None:
        self.database = database
        self.networks = networks
        self.volumes = volumes
        self.quotas = quotas

    def get(self, id: str, project: str = "") -> Server:
        """A server; of a project, where one is named. Raises NotFound."""
        with self.database.reading() as connection:
            return self._with(connection, [self.row(connection, id, project)])[0]

    def row(self, connection: Connection, id: str, project: str = "", *, deleted: bool = False) -> Row[Any]:
        """Its row; of one that is deleted, too, where those count. Raises NotFound."""
        wanted = select(servers).where(servers.c.id == id)
        row: Row[Any] | None = connection.execute(wanted if deleted else wanted.where(~servers.c.deleted)).first()
        if row is None or (project and row.project_id != project):
            raise NotFound(f"Instance {id} could not be found.")
        return row

    def check(self, id: str, project: str = "", *, deleted: bool) -> None:
        """Nothing, where there is such a server, or, where deleted ones count, was. Raises NotFound."""
        with self.database.reading() as connection:
            self.row(connection, id, project, deleted=deleted)

    def locked(self, connection: Connection, id: str, project: str = "") -> Row[Any]:
        """The same, and nobody else changes it before this transaction ends. Raises NotFound."""
        connection.execute(select(servers.c.number).where(servers.c.id == id).with_for_update())
        return self.row(connection, id, project)

    @contextmanager
    def admitted(self, ask: Ask, id: str, action: str, *, noted: bool = False) -> Iterator[tuple[Connection, Row[Any]]]:
        """A transaction in which nobody else changes a server, and its row, where an action is possible on it.

        Args:
            action: a key of `GUARDS`.
            noted: whether it is told among what was asked of the server.

        Raises:
            NotFound: there is no such server.
            Conflict: not as it is.
        """
        with self.database.writing() as connection:
            row = self.locked(connection, id, ask.project)
            states.admit(action, row, is_admin=ask.is_admin)
            yield connection, row
            if noted:
                records.finish(connection, records.begin(connection, id, action, ask.caller, ask.request_id))

    def page(self, query: ServerQuery, cut: Cut) -> list[Server]:
        """Some servers.

        Raises:
            Invalid: the marker is none of them, they can't be sorted so, or a filter can't be read.
        """
        fits = _fits(query)
        with self.database.reading() as connection:
            marker = self._marker(connection, cut.marker, query.project)
            found: list[Server] = []
            part = Cut(cut.size if fits is None else BATCH, "", cut.sort)
            while True:
                statement = select(servers).where(_where(query))
                rows = connection.execute(ordered(statement, part, SORT_KEYS, servers.c.number, marker)).all()
                batch = self._with(connection, rows)
                found += batch if fits is None else [one for one in batch if fits(one)]
                if fits is None or len(found) >= cut.size or len(rows) < part.size:
                    return found[: cut.size]
                marker = rows[-1]

    def all(self, where: ColumnElement[bool]) -> Sequence[Row[Any]]:
        """The rows of those that fit, deleted ones among them, in the order in which they were made."""
        with self.database.reading() as connection:
            rows: Sequence[Row[Any]] = connection.execute(select(servers).where(where).order_by(servers.c.number)).all()
            return rows

    def change(self, ask: Ask, id: str, action: str, values: Callable[[Row[Any]], Mapping[str, Any]]) -> Server:
        """Change what is changed at once.

        Args:
            values: gives values of its row, of the row as it is.

        Raises:
            NotFound, Conflict: as `admitted` does.
        """
        with self.admitted(ask, id, action) as (connection, row):
            changed = {**values(row), "updated": now()}
            connection.execute(update(servers).where(servers.c.id == id).values(**changed))
        return self.get(id)

    def set_metadata(self, ask: Ask, id: str, metadata: Mapping[str, str], *, whole: bool) -> dict[str, str]:
        """Add metadata, or have other in its place (`whole`); what there is then.

        Raises:
            NotFound, Conflict: as `change` does.
            Denied: that is too much.
        """
        with self.admitted(ask, id, "update_metadata") as (connection, row):
            changed = dict(metadata) if whole else {**row.metadata, **metadata}
            self.quotas.admit_metadata(connection, row.project_id, changed)
            connection.execute(update(servers).where(servers.c.id == id).values(metadata=changed, updated=now()))
        return changed

    def delete_metadata(self, ask: Ask, id: str, key: str) -> None:
        """Remove metadata. Raises NotFound, Conflict."""

        def values(row: Row[Any]) -> Mapping[str, Any]:
            if key not in row.metadata:
                raise NotFound("Metadata item was not found")
            return {"metadata": {name: value for name, value in row.metadata.items() if name != key}}

        self.change(ask, id, "delete_metadata", values)

    def _marker(self, connection: Connection, id: str, project: str) -> Row[Any] | None:
        if not id:
            return None
        row: Row[Any] | None = connection.execute(select(servers).where(servers.c.id == id)).first()
        if row is None or (project and row.project_id != project):
            raise Invalid(f"marker [{id}] not found")
        return row

    def _with(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[Server]:
        ids = [row.id for row in rows]
        ports, volumes = self.networks.of(connection, ids), self.volumes.of(connection, ids)
        return [Server(row, ports[row.id], volumes[row.id]) for row in rows]


def _where(query: ServerQuery) -> ColumnElement[bool]:
    found: list[ColumnElement[bool]] = []
    if query.project:
        found.append(servers.c.project_id == query.project)
    if query.deleted is not None:
        gone = servers.c.deleted | (servers.c.vm_state == "soft-delete")
        found.append(gone if query.deleted else ~gone)
    if query.changed_since:
        found.append(servers.c.updated >= query.changed_since)
    found += [EQUAL[name] == value for name, value in query.filters.items() if name in EQUAL]
    if query.statuses:
        found.append(_has_status(query.statuses))
    return and_(*found) if found else ~false()


def _has_status(statuses: Sequence[str]) -> ColumnElement[bool]:
    found = []
    for vm_state, tasks, is_one in states.states_of(statuses):
        task = servers.c.task_state
        fits = task.in_(tasks) if is_one else or_(task.is_(None), task.not_in(tasks)) if tasks else ~false()
        found.append(and_(servers.c.vm_state == vm_state, fits))
    return or_(*found) if found else false()


def _fits(query: ServerQuery) -> Callable[[Server], bool] | None:
    """What must be looked at one by one; None where nothing must. Raises Invalid: a pattern can't be read."""
    patterns = []
    for name, value in query.filters.items():
        if name in MATCHED:
            try:
                patterns.append((MATCHED[name], matcher(value)))
            except ValueError as error:
                raise Invalid(f"Invalid filter {name}: {error}") from None
    tags = {how: set(wanted) for how, wanted in query.tags.items() if wanted}
    if not patterns and not tags:
        return None

    def fits(server: Server) -> bool:
        if not all(any(matches(text) for text in texts(server)) for texts, matches in patterns):
            return False
        return _has_tags(set(server.row.tags), tags)

    return fits


def _has_tags(there: set[str], wanted: Mapping[str, set[str]]) -> bool:
    return (
        wanted.get("tags", there) <= there
        and ("tags-any" not in wanted or bool(wanted["tags-any"] & there))
        and not ("not-tags" in wanted and wanted["not-tags"] <= there)
        and not wanted.get("not-tags-any", set()) & there
    )
