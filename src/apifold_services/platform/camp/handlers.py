"""CAMP 1.1: what each resource shows of the core, and what is posted. Shapes and links are the description's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import MethodNotAllowed, Request
from apifold_services.platform.camp.posting import Posting
from apifold_services.platform.camp.types import Types
from apifold_services.platform.core.assemblies import SCALE, Wanted
from apifold_services.platform.core.platform import PlatformCore
from apifold_services.platform.core.scope import Scope

Body = Mapping[str, Any]

PLAN_MEMBERS = frozenset(("name", "description", "tags", "artifacts", "services"))
"""Nodes of a plan that a client of this API may change."""

EXTENSION = {
    "id": "org.apifold.platform",
    "name": "org.apifold.platform",
    "version": "1.0",
    "description": "Of assemblies and plans: their ids in the native API, their state, their address, their owner.",
}
"""What goes beyond the standard here."""


def get_platform_endpoint(types: Types) -> Any:
    return {"auth_scheme": types.auth_scheme}


# --- types


def list_type_definitions(types: Types) -> Any:
    return {"types": types.all()}


def get_type_definition(types: Types, id: str) -> Any:
    return types.type(id)


def get_attribute_definition(types: Types, id: str) -> Any:
    return types.attribute(id)


def list_parameter_definitions(types: Types, id: str) -> Any:
    return types.parameters(id)


def get_parameter_definition(types: Types, id: str) -> Any:
    return types.parameter(id)


def list_extensions(core: PlatformCore, scope: Scope) -> Any:
    return {"extensions": [EXTENSION, *core.records["extension"].all(scope)]}


def get_extension(core: PlatformCore, scope: Scope, id: str) -> Any:
    found = EXTENSION if id == EXTENSION["id"] else core.records["extension"].get(scope, id)
    return {"version": "", **found}


# --- services


def list_services(core: PlatformCore, scope: Scope) -> Any:
    return _some("services", core.services(scope))


def get_service(core: PlatformCore, scope: Scope, id: str) -> Any:
    return _tagged(core.service(scope, id))


def change_service(core: PlatformCore, scope: Scope, id: str, body: Body) -> Any:
    if core.service(scope, id).get("read_only"):
        raise MethodNotAllowed(("GET", "HEAD"), "It comes with the platform.")
    members = {name: body.get(name, empty) for name, empty in (("name", ""), ("description", ""), ("tags", []))}
    core.records["service"].change(scope, id, members)
    return core.service(scope, id)


# --- plans


def list_plans(core: PlatformCore, scope: Scope) -> Any:
    return _some("plans", core.plans.all(scope))


def register_plan(core: PlatformCore, posting: Posting, scope: Scope, body: Any, request: Request, address: str) -> Any:
    with posting.read(body, request) as posted:
        if posted.draft is None:
            made = core.plans.get(scope, posted.plan_id)  # it is registered already
        else:
            made = core.plans.register(scope, posted.draft)
    return made, 201, {"Location": f"{address}/v1_1/plans/{made['@']['id']}"}


def get_plan(core: PlatformCore, scope: Scope, id: str) -> Any:
    plan = core.plans.get(scope, id)
    return plan, 200, {"ETag": plan["@"]["revision"]}


def change_plan(core: PlatformCore, scope: Scope, id: str, body: Body, expected: str = "") -> Any:
    changed = core.plans.replace(scope, id, body, PLAN_MEMBERS, expected)
    return changed, 200, {"ETag": changed["@"]["revision"]}


def delete_plan(core: PlatformCore, scope: Scope, id: str) -> None:
    core.plans.delete(scope, id)


# --- assemblies


def list_assemblies(core: PlatformCore, scope: Scope) -> Any:
    return _some("assemblies", core.assemblies.all(scope))


def deploy(core: PlatformCore, posting: Posting, scope: Scope, body: Any, request: Request, address: str) -> Any:
    with posting.read(body, request) as posted:
        told = posted.told
        wanted = Wanted(posted.plan_id, posted.draft, told.name, told.description, told.tags)
        made = core.assemblies.create(scope, wanted)
    return made, 201, {"Location": f"{address}/v1_1/assemblies/{made['id']}"}


def get_assembly(core: PlatformCore, scope: Scope, id: str) -> Any:
    return _tagged(core.assemblies.get(scope, id))


def change_assembly(core: PlatformCore, scope: Scope, id: str, body: Body, expected: str = "") -> Any:
    return _tagged(core.assemblies.change(scope, id, {"description": "", "tags": [], **body}, expected))


def delete_assembly(core: PlatformCore, scope: Scope, id: str) -> None:
    core.assemblies.delete(scope, id)


def get_component(core: PlatformCore, scope: Scope, id: str) -> Any:
    return _tagged(core.components.get(scope, id))


def change_component(core: PlatformCore, scope: Scope, id: str, body: Body, expected: str = "") -> Any:
    return _tagged(core.components.change(scope, id, {"description": "", "tags": [], **body}, expected))


def list_operations(core: PlatformCore, scope: Scope, id: str) -> Any:
    return {"assembly_id": id, "operations": core.operations(scope, id)}


def get_operation(core: PlatformCore, scope: Scope, id: str, operation: str) -> Any:
    found = core.operation(scope, id, operation)
    return {**found, "parameters": "scale_params"} if operation == SCALE else found


def operate(core: PlatformCore, scope: Scope, id: str, operation: str, body: Body | None = None) -> Any:
    return core.operate(scope, id, operation, (body or {}).get("instances", 0))


def list_sensors(core: PlatformCore, scope: Scope, id: str) -> Any:
    return {"assembly_id": id, "sensors": core.sensors(scope, id)}


def get_sensor(core: PlatformCore, scope: Scope, id: str, sensor: str) -> Any:
    return core.sensor(scope, id, sensor)


def _some(name: str, found: list[Any]) -> dict[str, Any]:
    """A collection; optional lists are left out where they are empty."""
    return {name: found} if found else {}


def _tagged(value: dict[str, Any]) -> Any:
    return value, 200, {"ETag": value["revision"]}
