"""Volumes."""

from __future__ import annotations

from typing import Any

from apifold import Deployment
from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.core.resources import Resource, Resources


class Volumes(Resources):
    """The volumes of each project."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment, "Volume")

    def add(self, project: str, user: str, wish: dict[str, Any]) -> Resource:
        """A new volume, empty or from an image."""
        given = {name: value for name, value in wish.items() if value is not None}
        bootable = str("imageRef" in given).lower()
        return self.create(project, {**FIXED["volume"], **given, "bootable": bootable, "user_id": user})

    def limits(self, project: str) -> dict[str, int]:
        """What a project may have, and what it has."""
        mine = self.page(project)
        return {
            **FIXED["volume_limits"],
            "totalVolumesUsed": len(mine),
            "totalGigabytesUsed": sum(volume["size"] for volume in mine),
        }
