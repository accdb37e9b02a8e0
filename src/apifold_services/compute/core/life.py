"""The life of servers: everything that somebody may ask of one that is there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, update

from apifold import Caller, Conflict, Database, Denied, Fault, Invalid, NotFound
from apifold_services.compute.core import states
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.files import Files, admit_files
from apifold_services.compute.core.flavors import Flavors
from apifold_services.compute.core.hosts import COMPUTE, Hosts, is_up
from apifold_services.compute.core.images import Images
from apifold_services.compute.core.moments import kept, now
from apifold_services.compute.core.quotas import Quotas
from apifold_services.compute.core.servers import Servers
from apifold_services.compute.core.tables import servers as table
from apifold_services.compute.core.transitions import Order, Transitions, overtake

log = logging.getLogger("apifold.compute")

Prepare = Callable[[Connection, Row[Any]], Mapping[str, Any]]
"""Works out the arguments of a change in the transaction that admits it."""


@dataclass(frozen=True, slots=True)
class Life:
    """What may be asked of servers.

    Attributes:
        reclaim: how long a server that was deleted may be restored; none where it is nothing.
        offload: whether a server that is shelved leaves its host at once.
    """

    database: Database
    servers: Servers
    transitions: Transitions
    flavors: Flavors
    images: Images
    quotas: Quotas
    hosts: Hosts
    reclaim: timedelta = field(default=timedelta(0))
    offload: bool = True

    def order(
        self,
        ask: Ask,
        id: str,
        action: str,
        change: str = "",
        *,
        prepare: Prepare | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Have something done with a server.

        Args:
            action: a key of `GUARDS`.
            change: a key of `CHANGES`; the action itself where nothing is said.
            prepare: gives the change's arguments.
            values: of the server's row meanwhile.

        Returns:
            the arguments.

        Raises:
            NotFound: there is no such server.
            Conflict: not as it is.
        """
        with self.servers.admitted(ask, id, action) as (connection, row):
            arguments = prepare(connection, row) if prepare else {}
            order = Order(change or action, arguments, values or {})
            transition = self.transitions.note(connection, row.id, order, ask)
        self.transitions.begin(transition)
        return arguments

    def delete(self, ask: Ask, id: str, *, force: bool = False) -> None:
        """Delete a server; so that it can be restored for a while, where the deployment says so. Raises as `order`."""
        row = self.servers.get(id, ask.project).row
        if row.task_state == "deleting":
            return
        softly = self.reclaim and not force and row.vm_state in ("active", "stopped", "paused", "suspended")
        self.order(ask, id, "forceDelete" if force else "delete", "soft_delete" if softly else "delete")

    def reboot(self, ask: Ask, id: str, *, hard: bool) -> None:
        """Start a server anew. Raises as `order`."""

        def prepare(_: Connection, row: Row[Any]) -> Mapping[str, Any]:
            if row.task_state is not None and row.task_state not in states.HARD_REBOOT_OVER:
                raise Conflict(f"Cannot 'reboot' instance {id} while it is in task_state {row.task_state}")
            return {"hard": hard}

        action = "reboot_hard" if hard else "reboot"
        self.order(ask, id, action, prepare=prepare)

    def rebuild(self, ask: Ask, id: str, image_id: str, files: Files = (), **values: Any) -> None:
        """Make a server anew of an image, with other values of its row. Raises as `order`; Invalid: the image, or a
        file, can't be used; Denied: that would be too much."""
        server = self.servers.get(id, ask.project).row
        if not server.image_id:
            raise Invalid("Unable to rebuild with a different image for a volume-backed server.")
        image = self.images.chosen(image_id, ask.project, server.flavor)

        def prepare(connection: Connection, row: Row[Any]) -> Mapping[str, Any]:
            admit_files(self.quotas, connection, row.project_id, files)
            if "metadata" in values:
                self.quotas.admit_metadata(connection, row.project_id, values["metadata"])
            return {}

        self.order(ask, id, "rebuild", prepare=prepare, values={**values, "image_id": image.id, "progress": 0})

    def resize(self, ask: Ask, id: str, flavor_id: str, **values: Any) -> None:
        """Have a server in another size, with other values of its row.

        Raises:
            NotFound, Conflict: as `order` does.
            Invalid: not in that size.
            Denied: that would be too much.
        """
        row = self.servers.get(id, ask.project).row
        try:
            flavor = flavor_of(self.flavors.get(flavor_id, ask.project))
        except NotFound:
            raise Invalid(f"Unable to locate requested flavor {flavor_id}.") from None
        if flavor["id"] == row.flavor["id"]:
            raise Invalid("When resizing, instances must change flavor!")
        if flavor["disk"] < row.flavor["disk"]:
            raise Invalid("Unable to resize disk down.")

        def prepare(connection: Connection, row: Row[Any]) -> Mapping[str, Any]:
            more = {"cores": flavor["vcpus"] - row.vcpus, "ram": flavor["ram"] - row.ram}
            self.quotas.admit(connection, row.project_id, row.user_id, more)
            return {"flavor": flavor}

        self.order(ask, id, "resize", prepare=prepare, values={**values, "progress": 0})

    def move(self, ask: Ask, id: str, action: str, host: str | None) -> None:
        """Have a server on another host: `migrate`, `live-migration` or `evacuate`.

        Raises:
            NotFound: there is no such server, or host to flee to.
            Invalid: not there.
            Conflict: as it is, the server can't go; or the host that it should flee is up.
        """
        row = self.servers.get(id, ask.project).row
        if host and host not in self.hosts.capacities:
            missing = f"Compute host {host} could not be found."
            raise NotFound(missing) if action == "evacuate" else Invalid(missing)
        if host and host == row.host:
            raise Invalid(f"The target host {host} is the one that the server is on.")
        if action == "evacuate" and any(is_up(one) for one in self.hosts.services(row.host or "", COMPUTE)):
            raise Invalid(f"Compute service of {row.host} is still in use.")
        changes = {"migrate": "migrate", "live-migration": "live_migrate", "evacuate": "evacuate"}
        self.order(ask, id, action, changes[action], prepare=lambda *_: {"host": host})

    def restore(self, ask: Ask, id: str) -> None:
        """Have a server back that was deleted. Raises as `order`; Denied: that would be too much."""

        def prepare(connection: Connection, row: Row[Any]) -> Mapping[str, Any]:
            back = {"instances": 1, "cores": row.vcpus, "ram": row.ram}
            self.quotas.admit(connection, row.project_id, row.user_id, back)
            return {}

        self.order(ask, id, "restore", prepare=prepare)

    def create_image(self, ask: Ask, id: str, name: str, metadata: Mapping[str, str]) -> str:
        """Make an image of a server; its id. Raises as `order`."""

        def prepare(connection: Connection, row: Row[Any]) -> Mapping[str, Any]:
            self.quotas.admit_metadata(connection, row.project_id, metadata)
            return {"image": self.images.begin(connection, row, name, metadata)}

        return str(self.order(ask, id, "createImage", "snapshot", prepare=prepare)["image"])

    def rescue(self, ask: Ask, id: str, image_id: str | None) -> None:
        """Run a server from another image. Raises as `order`; Invalid: there is no such image, or it has no disk."""
        if image_id:
            try:
                self.images.get(image_id, ask.project)
            except NotFound as fault:
                raise Invalid(str(fault)) from None

        def prepare(_: Connection, row: Row[Any]) -> Mapping[str, Any]:
            if not row.image_id:
                raise Invalid("Cannot rescue a volume-backed instance")
            return {"image": image_id}

        self.order(ask, id, "rescue", prepare=prepare)

    def back_up(self, ask: Ask, id: str, name: str, kind: str, rotation: int, metadata: Mapping[str, str]) -> str:
        """Make an image of a server, and remove older ones of its kind; its id. Raises as `order`; Invalid: it has no
        disk."""

        def prepare(connection: Connection, row: Row[Any]) -> Mapping[str, Any]:
            if not row.image_id:
                raise Invalid("Backup is not supported for volume-backed instances.")
            self.quotas.admit_metadata(connection, row.project_id, metadata)
            said = {**metadata, "backup_type": kind, "image_type": "backup"}
            image = self.images.begin(connection, row, name, said)
            return {"image": image, "type": kind, "rotation": rotation}

        return str(self.order(ask, id, "createBackup", "backup", prepare=prepare)["image"])

    def shelve(self, ask: Ask, id: str) -> None:
        """Put a server away, as an image. Raises as `order`."""

        def prepare(connection: Connection, row: Row[Any]) -> Mapping[str, Any]:
            image = self.images.begin(connection, row, f"{row.name[:240]}-shelved", {})
            return {"image": image, "offload": self.offload}

        self.order(ask, id, "shelve", prepare=prepare)

    def unshelve(self, ask: Ask, id: str) -> None:
        """Have a server back that was put away. Raises as `order`."""

        def prepare(_: Connection, row: Row[Any]) -> Mapping[str, Any]:
            return {"image": row.details["shelved_image"]}

        self.order(ask, id, "unshelve", prepare=prepare)

    def lock(self, ask: Ask, id: str, *, override: bool) -> None:
        """Let nobody but administrators change a server; what they locked its owner doesn't. Raises NotFound."""

        def values(row: Row[Any]) -> Mapping[str, Any]:
            if row.locked and not override:
                return {}
            return {"locked": True, "locked_by": "admin" if override else "owner"}

        self._at_once(ask, id, "lock", values)

    def unlock(self, ask: Ask, id: str, *, override: bool) -> None:
        """Let its owner change it again. Raises NotFound; Denied: an administrator locked it."""

        def values(row: Row[Any]) -> Mapping[str, Any]:
            if row.locked_by == "admin" and not override:
                raise Denied(f"Instance {id} is locked by an administrator.")
            return {"locked": False, "locked_by": None}

        self._at_once(ask, id, "unlock", values)

    def reset_state(self, ask: Ask, id: str, state: str) -> None:
        """Say that a server is fine, or broken, whatever it was doing. Raises NotFound."""
        self._at_once(ask, id, "resetState", lambda _: {"vm_state": state, "task_state": None}, overtakes=True)

    def expire(self, stopped: Callable[[], bool]) -> None:
        """Remove servers that can no longer be restored: a duty."""
        oldest = kept(datetime.now(UTC) - self.reclaim)

        def prepare(_: Connection, row: Row[Any]) -> Mapping[str, Any]:
            if row.vm_state != "soft-delete" or row.task_state or row.terminated_at >= oldest:
                raise Conflict("It was restored meanwhile.")
            return {}

        gone = (table.c.vm_state == "soft-delete") & (table.c.terminated_at < oldest) & table.c.task_state.is_(None)
        for row in self.servers.all(gone & ~table.c.deleted):
            if stopped():
                return
            nobody = Ask(Caller(row.user_id, row.project_id), "", is_admin=True)
            try:
                self.order(nobody, row.id, "forceDelete", "delete", prepare=prepare)
            except Fault as fault:  # others are to go all the same
                log.warning("server %s can't be removed: %s", row.id, fault)

    def _at_once(
        self,
        ask: Ask,
        id: str,
        action: str,
        values: Callable[[Row[Any]], Mapping[str, Any]],
        *,
        overtakes: bool = False,
    ) -> None:
        with self.servers.admitted(ask, id, action, noted=True) as (connection, row):
            changed = {**values(row), "updated": now()}
            if overtakes:
                overtake(connection, id)
            connection.execute(update(table).where(table.c.id == id).values(**changed))


def flavor_of(row: Any) -> dict[str, Any]:
    """What a server keeps of its flavor."""
    kept_of = ("number", "id", "name", "ram", "vcpus", "disk", "swap", "ephemeral", "rxtx_factor", "extra_specs")
    return {name: getattr(row, name) for name in kept_of}
