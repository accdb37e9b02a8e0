"""Flavor extra specifications: what else a flavor asks of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Invalid, NotFound
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource

RESOURCE = Resource(
    __name__, "os-flavor-extra-specs", "FlavorExtraSpecs", "Flavor extra specs support.", "2011-06-23T00:00:00Z"
)

Specs = Mapping[str, Any]


def list_extra_specs(core: ComputeCore, ask: Ask, flavor_id: str) -> Any:
    return {"extra_specs": core.flavors.get(flavor_id, ask.project).extra_specs}


def add_extra_specs(core: ComputeCore, flavor_id: str, extra_specs: Specs) -> Any:
    core.flavors.set_extra_specs(flavor_id, extra_specs)
    return {"extra_specs": {name: str(value) for name, value in extra_specs.items()}}


def show_extra_spec(core: ComputeCore, ask: Ask, flavor_id: str, key: str) -> Any:
    there = core.flavors.get(flavor_id, ask.project).extra_specs
    if key not in there:
        raise NotFound(f"Flavor {flavor_id} has no extra specs with key {key}.")
    return {key: there[key]}


def set_extra_spec(core: ComputeCore, flavor_id: str, key: str, body: Specs) -> Any:
    if key not in body:
        raise Invalid("Request body and URI mismatch")
    core.flavors.set_extra_specs(flavor_id, body)
    return {key: str(body[key])}


def delete_extra_spec(core: ComputeCore, flavor_id: str, key: str) -> None:
    core.flavors.delete_extra_spec(flavor_id, key)
