"""Quotas: how much a project, or a user in it, may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from apifold import Database, Denied, Invalid
from apifold_services.compute.core.tables import groups, keypairs, quota_classes, quotas, servers, transitions

DEFAULTS: Mapping[str, int] = {
    "instances": 10,
    "cores": 20,
    "ram": 51200,
    "metadata_items": 128,
    "injected_files": 5,
    "injected_file_content_bytes": 10240,
    "injected_file_path_bytes": 255,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
    "floating_ips": -1,
    "fixed_ips": -1,
    "security_groups": -1,
    "security_group_rules": -1,
}
"""Upstream's own; -1 is no limit."""

COUNTED = ("instances", "cores", "ram", "key_pairs", "server_groups")
"""What is in use is counted; all others limit a single thing."""

DEFAULT_CLASS = "default"


class Quotas:
    """The quotas of a deployment.

    Args:
        database: with the service's tables.
        defaults: what the deployment says beside, or instead of, `DEFAULTS`.
    """

    def __init__(self, database: Database, defaults: Mapping[str, int]) -> None:
        self.database = database
        self._own = {**DEFAULTS, **defaults}

    def defaults(self) -> dict[str, int]:
        """The limits of whoever has none of his own."""
        return {**self._own, **self.of_class(DEFAULT_CLASS)}

    def of_class(self, name: str) -> dict[str, int]:
        """The limits that a class sets."""
        with self.database.reading() as connection:
            return _of_class(connection, name)

    def set_class(self, name: str, limits: Mapping[str, int]) -> None:
        """Set limits of a class."""
        with self.database.writing() as connection:
            self.database.lock(connection, "quota classes")
            for resource, limit in limits.items():
                there = (quota_classes.c.name == name) & (quota_classes.c.resource == resource)
                connection.execute(delete(quota_classes).where(there))
                connection.execute(insert(quota_classes).values(name=name, resource=resource, limit=limit))

    def limits(self, project: str, user: str = "") -> dict[str, int]:
        """The limits of a project, or of a user in it."""
        with self.database.reading() as connection:
            return self.limits_in(connection, project, user)

    def limits_in(self, connection: Connection, project: str, user: str = "") -> dict[str, int]:
        """The same, as a transaction sees them."""
        statement = select(quotas).where(quotas.c.project_id == project, quotas.c.user_id.in_(("", user)))
        rows = connection.execute(statement.order_by(quotas.c.user_id)).all()
        own = {row.resource: row.limit for row in rows}
        return {**self._own, **_of_class(connection, DEFAULT_CLASS), **own}

    def set(self, project: str, user: str, limits: Mapping[str, int], *, force: bool) -> None:
        """Set limits of a project, or of a user in it ("" for the project).

        Raises:
            Invalid: more is in use, or a user would get more than the project has; and nobody forces it.
        """
        whole = self.limits(project)
        used = self.used(project, user)
        for resource, limit in limits.items():
            if not force and 0 <= limit < used.get(resource, 0):
                in_use = used[resource]
                text = f"Quota limit {limit} for {resource} must be greater than or equal to already used {in_use}."
                raise Invalid(text)
            most = whole[resource]
            if user and not force and most >= 0 and not 0 <= limit <= most:
                raise Invalid(f"Quota limit {limit} for {resource} must be in the range of 0 and {most}.")
        with self.database.writing() as connection:
            self.database.lock(connection, f"quota {project}")
            for resource, limit in limits.items():
                there = (quotas.c.project_id == project) & (quotas.c.user_id == user) & (quotas.c.resource == resource)
                connection.execute(delete(quotas).where(there))
                connection.execute(
                    insert(quotas).values(project_id=project, user_id=user, resource=resource, limit=limit)
                )

    def reset(self, project: str, user: str = "") -> None:
        """Let defaults hold again for a project and everybody in it, or for a user in it."""
        there = quotas.c.project_id == project
        with self.database.writing() as connection:
            connection.execute(delete(quotas).where(there & (quotas.c.user_id == user) if user else there))

    def used(self, project: str, user: str = "") -> dict[str, int]:
        """What is in use."""
        with self.database.reading() as connection:
            return _used(connection, project, user)

    def admit(self, connection: Connection, project: str, user: str, wanted: Mapping[str, int]) -> None:
        """Nothing, where a project, and the user in it, may have more; asked in the transaction that takes it.

        Args:
            wanted: how much more, of what is counted.

        Raises:
            Denied: that would be too much.
        """
        self.database.lock(connection, f"quota {project}")
        for whose in ("", user) if user else ("",):
            limits, used = self.limits_in(connection, project, whose), _used(connection, project, whose)
            over = [name for name, more in wanted.items() if more > 0 and 0 <= limits[name] < used[name] + more]
            if over:
                names = ", ".join(over)
                requested = ", ".join(str(wanted[name]) for name in over)
                in_use = ", ".join(str(used[name]) for name in over)
                most = ", ".join(str(limits[name]) for name in over)
                text = f"Quota exceeded for {names}: Requested {requested}, but already used {in_use} of {most} {names}"
                raise Denied(text)

    def admit_metadata(self, connection: Connection, project: str, metadata: Mapping[str, str]) -> None:
        """Nothing, where a server, or an image, of a project may have so much metadata. Raises Denied."""
        limit = self.limits_in(connection, project)["metadata_items"]
        if 0 <= limit < len(metadata):
            raise Denied(f"Maximum number of metadata items exceeds {limit}")

    def room(self, connection: Connection, project: str, user: str, each: Mapping[str, int], most: int) -> int:
        """How many of something there may be more, up to `most`, of which each takes so much."""
        for whose in ("", user) if user else ("",):
            limits, used = self.limits_in(connection, project, whose), _used(connection, project, whose)
            for name, count in each.items():
                if limits[name] >= 0 and count > 0:
                    most = min(most, max(limits[name] - used[name], 0) // count)
        return most


def _of_class(connection: Connection, name: str) -> dict[str, int]:
    statement = select(quota_classes.c.resource, quota_classes.c.limit).where(quota_classes.c.name == name)
    return {row.resource: row.limit for row in connection.execute(statement)}


def _used(connection: Connection, project: str, user: str) -> dict[str, int]:
    there = [servers.c.project_id == project, ~servers.c.deleted, servers.c.vm_state != "soft-delete"]
    in_groups = [groups.c.project_id == project]
    if user:
        there.append(servers.c.user_id == user)
        in_groups.append(groups.c.user_id == user)
    sums = select(func.count(), func.sum(servers.c.vcpus), func.sum(servers.c.ram)).where(*there)
    count, cores, ram = connection.execute(sums).one()
    keys = select(func.count()).select_from(keypairs).where(keypairs.c.user_id == user)
    more_cores, more_ram = _promised(connection, there)
    found = {"instances": count, "cores": (cores or 0) + more_cores, "ram": (ram or 0) + more_ram}
    found["key_pairs"] = connection.scalar(keys) if user else 0
    found["server_groups"] = connection.scalar(select(func.count()).select_from(groups).where(*in_groups))
    return {name: int(value or 0) for name, value in found.items()}


def _promised(connection: Connection, there: Sequence[ColumnElement[bool]]) -> tuple[int, int]:
    """Processors and memory that servers have beside their own: of the size to which they can go back, or will grow."""
    resizing = (transitions.c.server_id == servers.c.id) & (transitions.c.action == "resize")
    columns = (servers.c.vcpus, servers.c.ram, servers.c.old_flavor, transitions.c.arguments)
    statement = select(*columns).select_from(servers.outerjoin(transitions, resizing)).where(*there)
    is_other = (servers.c.vm_state == "resized") | transitions.c.id.is_not(None)
    cores = ram = 0
    for row in connection.execute(statement.where(is_other)):
        other = row.old_flavor or (row.arguments or {}).get("flavor") or {}
        cores += max(other.get("vcpus", 0) - row.vcpus, 0)
        ram += max(other.get("ram", 0) - row.ram, 0)
    return cores, ram


def shown(limits: Mapping[str, int], used: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Limits, each with what is in use of it."""
    return {
        name: {"limit": limit, "in_use": used.get(name, 0) if name in COUNTED else 0, "reserved": 0}
        for name, limit in limits.items()
    }


def whole_numbers(said: Mapping[str, Any]) -> dict[str, int]:
    """Limits as clients send them: as numbers, or as text."""
    return {name: int(value) for name, value in said.items()}
