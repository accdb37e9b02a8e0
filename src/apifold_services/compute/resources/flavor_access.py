"""Flavor access: projects that may use flavors that are not public."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Version
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(__name__, "os-flavor-access", "FlavorAccess", "Flavor access support.", "2012-08-01T00:00:00Z")


def list_flavor_access(core: ComputeCore, flavor_id: str) -> Any:
    return _shown(core, flavor_id)


def add_flavor_access(core: ComputeCore, version: Version | None, flavor_id: str, body: Mapping[str, str]) -> Any:
    if core.flavors.get(flavor_id).is_public and (version is None or version < "2.7"):
        return {"flavor_access": []}
    core.flavors.allow(flavor_id, body["tenant"])
    return _shown(core, flavor_id)


def remove_flavor_access(core: ComputeCore, flavor_id: str, body: Mapping[str, str]) -> Any:
    core.flavors.forbid(flavor_id, body["tenant"])
    return _shown(core, flavor_id)


def _shown(core: ComputeCore, id: str) -> dict[str, Any]:
    return {"flavor_access": [{"flavor_id": id, "tenant_id": project} for project in core.flavors.projects(id)]}
