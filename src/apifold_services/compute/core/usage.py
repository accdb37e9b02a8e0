"""Usage: for how long servers of which size were there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_

from apifold_services.compute.core.moments import kept, moment_of
from apifold_services.compute.core.servers import Servers
from apifold_services.compute.core.tables import servers


@dataclass(frozen=True, slots=True)
class ServerUsage:
    """A server's share of a while.

    Attributes:
        hours: that it was there in it.
        uptime: seconds that it has been there up to the end of the while.
    """

    server: Row[Any]
    hours: float
    uptime: int


@dataclass(frozen=True, slots=True)
class Usage:
    """A project's servers in a while, from `start` to `stop`, with the sums of hours."""

    project: str
    start: datetime
    stop: datetime
    servers: Sequence[ServerUsage]

    @property
    def hours(self) -> float:
        """Hours of servers."""
        return sum(one.hours for one in self.servers)

    @property
    def vcpu_hours(self) -> float:
        """Hours of processors."""
        return float(sum(one.hours * one.server.vcpus for one in self.servers))

    @property
    def memory_hours(self) -> float:
        """Hours of memory, in MiB."""
        return float(sum(one.hours * one.server.ram for one in self.servers))

    @property
    def disk_hours(self) -> float:
        """Hours of disk, in GiB."""
        return sum(one.hours * _disk(one.server) for one in self.servers)


class Usages:
    """The usage of a deployment.

    Args:
        servers: those that there are, and were.
    """

    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def of(self, start: datetime, stop: datetime, project: str = "") -> list[Usage]:
        """The usage of a project, or of each that had any, in a while."""
        there = (servers.c.launched_at < kept(stop)) & or_(
            servers.c.terminated_at.is_(None), servers.c.terminated_at > kept(start)
        )
        rows = self.servers.all(there & (servers.c.project_id == project) if project else there)
        found: dict[str, list[ServerUsage]] = {}
        for row in rows:
            found.setdefault(row.project_id, []).append(_usage(row, start, stop))
        return [Usage(name, start, stop, used) for name, used in found.items()]


def _usage(row: Row[Any], start: datetime, stop: datetime) -> ServerUsage:
    launched = moment_of(row.launched_at)
    ended = moment_of(row.terminated_at) if row.terminated_at else stop
    seconds = (min(ended, stop) - max(launched, start)).total_seconds()
    return ServerUsage(row, max(seconds, 0.0) / 3600, int((min(ended, stop) - launched).total_seconds()))


def _disk(row: Row[Any]) -> int:
    return int(row.flavor["disk"]) + int(row.flavor["ephemeral"])
