"""What compute handed on to other services once; here these are asked themselves."""

from __future__ import annotations

from typing import Any

from apifold import NotFound
from apifold_services.compute.resource import Resource

RESOURCE = Resource(__name__, "elsewhere", "Elsewhere", "What other services have.", "2018-01-01T00:00:00Z")


def networks(**said: Any) -> None:
    raise NotFound("Networks, addresses and security groups are not here: ask the network service.")


def volumes(**said: Any) -> None:
    raise NotFound("Volumes and snapshots are not here: ask the volume service.")


def machines(**said: Any) -> None:
    raise NotFound("Bare machines are not here: ask the service that has them.")
