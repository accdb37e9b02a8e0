"""Builds: servers that somebody wants."""

from __future__ import annotations

import re
import secrets
import string
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, insert, select

from apifold import Conflict, Database, Denied, Invalid, NotFound
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.files import Files, admit_files, decoded
from apifold_services.compute.core.flavors import Flavors
from apifold_services.compute.core.groups import Groups
from apifold_services.compute.core.hosts import DEFAULT_ZONE, Hosts
from apifold_services.compute.core.images import Images
from apifold_services.compute.core.keypairs import Keypairs
from apifold_services.compute.core.life import flavor_of
from apifold_services.compute.core.moments import now
from apifold_services.compute.core.networks import Networks, Wanted
from apifold_services.compute.core.quotas import Quotas
from apifold_services.compute.core.servers import Servers
from apifold_services.compute.core.states import NO_STATE
from apifold_services.compute.core.tables import servers
from apifold_services.compute.core.transitions import Order, Transitions

MOST_AT_ONCE = 1000
"""How many servers one request makes, whatever the quotas say."""

_LETTERS = string.ascii_letters + string.digits
_NO_HOSTNAME = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A volume that a server begins with.

    Attributes:
        is_root: whether it boots from it.
    """

    volume: str
    device: str = ""
    is_root: bool = False
    delete_on_termination: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants.

    Attributes:
        least, most: how many servers.
        networks: ports; None for the usual ones.
        host: that somebody insists on.
        user_data: base64.
    """

    name: str
    flavor: str
    image: str = ""
    key_name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    networks: Sequence[Wanted] | None = None
    security_groups: Sequence[str] = ("default",)
    zone: str = ""
    host: str = ""
    group: str = ""
    least: int = 1
    most: int = 1
    devices: Sequence[BlockDevice] = ()
    files: Files = ()
    user_data: str = ""
    description: str | None = None
    disk_config: str = "MANUAL"
    config_drive: bool = False
    access_ip_v4: str = ""
    access_ip_v6: str = ""


@dataclass(frozen=True, slots=True)
class Builds:
    """Has servers built."""

    database: Database
    servers: Servers
    transitions: Transitions
    flavors: Flavors
    images: Images
    keypairs: Keypairs
    networks: Networks
    groups: Groups
    hosts: Hosts
    quotas: Quotas

    def create(self, ask: Ask, wish: Wish) -> tuple[str, list[str]]:
        """Have servers built.

        Returns:
            their reservation, and their ids.

        Raises:
            Invalid: something that is named is not there, or does not go together.
            Denied: that would be too much.
        """
        values = self._values(ask, wish)
        self._admit_single(ask.caller.project, wish)
        wanted = self.networks.usual() if wish.networks is None else tuple(wish.networks)
        if wish.most > 1 and any(one.address for one in wanted):
            raise Invalid("A fixed IP address is for one server: max_count must be 1.")
        reservation = f"r-{''.join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))}"
        with self.database.writing() as connection:
            count = self._admit(connection, ask, wish, values["flavor"])
            ids = [str(uuid.uuid4()) for _ in range(count)]
            for index, id in enumerate(ids):
                name = wish.name if count == 1 else f"{wish.name[:240]}-{index + 1}"
                own = {"id": id, "name": name, "hostname": _hostname(name, id), "launch_index": index}
                connection.execute(insert(servers).values(**values, **own, reservation_id=reservation))
            self._attach(connection, ids, wish, wanted)
            began = [self.transitions.note(connection, id, Order("build"), ask) for id in ids]
        for transition in began:
            self.transitions.begin(transition)
        return reservation, ids

    def _values(self, ask: Ask, wish: Wish) -> dict[str, Any]:
        """Values of the rows, but for what differs between them."""
        if wish.least > wish.most:
            raise Invalid("min_count must be <= max_count")
        project = ask.caller.project
        try:
            flavor = self.flavors.get(wish.flavor, ask.project)
        except NotFound:
            raise Invalid(f"Flavor {wish.flavor} could not be found.") from None
        root = any(device.is_root for device in wish.devices)
        if not wish.image and not root:
            raise Invalid("Invalid imageRef provided.")
        kept = flavor_of(flavor)
        image = self.images.chosen(wish.image, ask.project, kept).id if wish.image else ""
        decoded(wish.user_data, "user_data")
        if wish.zone and wish.zone not in {*self.hosts.zones().values(), DEFAULT_ZONE}:
            raise Invalid("The requested availability zone is not available")
        moment = now()
        return {
            "project_id": project,
            "user_id": ask.caller.user,
            "description": wish.description,
            "vm_state": "building",
            "task_state": "scheduling",
            "power_state": NO_STATE,
            "progress": 0,
            "host": None,
            "availability_zone": wish.zone,
            "image_id": "" if root else image,
            "flavor_id": flavor.id,
            "vcpus": flavor.vcpus,
            "ram": flavor.ram,
            "flavor": kept,
            "key_name": wish.key_name,
            "config_drive": wish.config_drive,
            "disk_config": wish.disk_config,
            "access_ip_v4": wish.access_ip_v4,
            "access_ip_v6": wish.access_ip_v6,
            "metadata": dict(wish.metadata),
            "security_groups": list(dict.fromkeys(wish.security_groups)) or ["default"],
            "tags": [],
            "group_id": self._group(ask, wish.group),
            "locked": False,
            "details": self._details(ask, wish),
            "created": moment,
            "updated": moment,
            "deleted": False,
        }

    def _details(self, ask: Ask, wish: Wish) -> dict[str, Any]:
        found: dict[str, Any] = {"zone": wish.zone, "host": wish.host, "user_data": wish.user_data}
        if wish.key_name is not None:
            try:
                found["key"] = self.keypairs.get(ask.caller.user, wish.key_name).public_key
            except NotFound:
                raise Invalid("Invalid key_name provided.") from None
        return found

    def _group(self, ask: Ask, id: str) -> str | None:
        """A server group, as hints name it. Raises Invalid, Denied."""
        if not id:
            return None
        try:
            group = self.groups.get(id, ask.project)
        except NotFound:
            raise Invalid(f"Instance group {id} could not be found.") from None
        return str(group.id)

    def _admit_single(self, project: str, wish: Wish) -> None:
        """Nothing, where one of them has no more than it may. Raises Denied, Invalid."""
        with self.database.reading() as connection:
            self.quotas.admit_metadata(connection, project, wish.metadata)
            admit_files(self.quotas, connection, project, wish.files)

    def _admit(self, connection: Connection, ask: Ask, wish: Wish, flavor: Mapping[str, Any]) -> int:
        """How many of them there may be, at least as many as are wanted at least. Raises Denied."""
        project, user = ask.caller.project, ask.caller.user
        self.database.lock(connection, f"quota {project}")
        each = _sum(flavor, 1)
        if wish.least > MOST_AT_ONCE:
            raise Denied(f"Quota exceeded for instances: Requested {wish.least}, but at most {MOST_AT_ONCE} at once")
        most = min(wish.most, MOST_AT_ONCE)
        count = max(self.quotas.room(connection, project, user, each, most), wish.least)
        self.quotas.admit(connection, project, user, _sum(flavor, count))
        if wish.group:
            limit = self.quotas.limits_in(connection, project, user)["server_group_members"]
            there = select(func.count()).where(servers.c.group_id == wish.group, ~servers.c.deleted)
            if 0 <= limit < (connection.scalar(there) or 0) + count:
                raise Denied("Quota exceeded, too many servers in group")
        return count

    def _attach(self, connection: Connection, ids: Sequence[str], wish: Wish, wanted: Sequence[Wanted]) -> None:
        """Give servers their ports and volumes. Raises Invalid: one of these can't be had."""
        try:
            for port in wanted:
                self.networks.attach(connection, ids, port)
            for id in ids:
                for device in wish.devices:
                    told = {"is_root": device.is_root, "deleted_with_it": device.delete_on_termination}
                    self.servers.volumes.attach(connection, id, device.volume, device.device, **told)
        except (NotFound, Conflict) as fault:
            raise Invalid(str(fault)) from None


def password() -> str:
    """A password for a new server's administrator."""
    return "".join(secrets.choice(_LETTERS) for _ in range(12))


def _sum(flavor: Mapping[str, Any], count: int) -> dict[str, int]:
    return {"instances": count, "cores": flavor["vcpus"] * count, "ram": flavor["ram"] * count}


def _hostname(name: str, id: str) -> str:
    """A host name (RFC 1123) as near to a server's name as can be."""
    return _NO_HOSTNAME.sub("-", name.lower()).strip("-")[:63] or f"server-{id}"
