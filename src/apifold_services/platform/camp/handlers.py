"""CAMP 1.1: what each resource shows of the core, and what is posted. Shapes and links are the description's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from apifold import Conflict, Invalid, MethodNotAllowed, Request
from apifold_services.platform.camp.posting import Posting
from apifold_services.platform.camp.types import Types
from apifold_services.platform.core import states
from apifold_services.platform.core.assemblies import SCALE, Wanted
from apifold_services.platform.core.platform import PlatformCore
from apifold_services.platform.core.scope import Scope, moment_of

Body = Mapping[str, Any]

PLAN_MEMBERS = frozenset(("name", "description", "tags", "artifacts", "services"))
"""Nodes of a plan that a client of this API may change."""

LEFT_OUT: Mapping[str, Any] = {
    "description": "",
    "tags": [],
    "artifacts": [],
    "services": [],
    "characteristics": [],
    "related": [],
}
"""Optional members that are not shown where they are empty."""

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
    return _shown({"version": "", **found})


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
    return _tagged(core.service(scope, id))


# --- plans


def list_plans(core: PlatformCore, scope: Scope) -> Any:
    return _some("plans", core.plans.all(scope))


def register_plan(core: PlatformCore, posting: Posting, scope: Scope, body: Any, request: Request, address: str) -> Any:
    with posting.read(body, request) as posted:
        told = msgspec.to_builtins(posted.told)
        if posted.draft is not None:
            made = core.plans.register(scope, replace(posted.draft, document={**posted.draft.document, **told}))
        elif told:
            raise Invalid(f"The plan is registered already: change its {' and '.join(told)} where it is.")
        else:
            made = core.plans.get(scope, posted.plan_id)
    return _shown(made), 201, {"Location": f"{address}/v1_1/plans/{made['@']['id']}", **_etag(made)}


def get_plan(core: PlatformCore, scope: Scope, id: str) -> Any:
    return _tagged(core.plans.get(scope, id))


def change_plan(core: PlatformCore, scope: Scope, id: str, body: Body, expected: str = "") -> Any:
    return _tagged(core.plans.replace(scope, id, body, PLAN_MEMBERS, expected))


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
    return _shown(made), 201, {"Location": f"{address}/v1_1/assemblies/{made['id']}", **_etag(made)}


def get_assembly(core: PlatformCore, scope: Scope, id: str) -> Any:
    return _tagged(core.assemblies.get(scope, id))


def change_assembly(core: PlatformCore, scope: Scope, id: str, body: Body, expected: str = "") -> Any:
    if core.assemblies.row(scope, id).status == states.DELETING:
        raise Conflict("It is being deleted.")
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
    return {**found, "parameters": "scale_params"} if operation == SCALE else _shown(found)


def operate(core: PlatformCore, scope: Scope, id: str, operation: str, body: Body | None = None) -> Any:
    return _shown(core.operate(scope, id, operation, (body or {}).get("instances", 0)))


def list_sensors(core: PlatformCore, scope: Scope, id: str) -> Any:
    return {"assembly_id": id, "sensors": core.sensors(scope, id)}


def get_sensor(core: PlatformCore, scope: Scope, id: str, sensor: str) -> Any:
    return _measured(_shown(core.sensor(scope, id, sensor)))


def _measured(sensor: dict[str, Any]) -> dict[str, Any]:
    """A sensor with what all have; without what a user noted as its moment that is none."""
    value, moment = sensor.pop("value", None), sensor.pop("timestamp", None)
    shown = {"sensor_type": type("" if value is None else value).__name__, **sensor}
    if value is not None:
        shown["value"] = value
    if moment is not None:
        with suppress(ValueError, OverflowError):
            noted = datetime.fromisoformat(moment)
            shown["timestamp"] = moment_of((noted if noted.tzinfo else noted.replace(tzinfo=UTC)).timestamp())
    return shown


def _some(name: str, found: list[Any]) -> dict[str, Any]:
    """A collection; optional lists are left out where they are empty."""
    return {name: found} if found else {}


def _tagged(value: dict[str, Any]) -> Any:
    return _shown(value), 200, _etag(value)


def _shown(value: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name not in LEFT_OUT or one != LEFT_OUT[name]}


def _etag(value: dict[str, Any]) -> dict[str, str]:
    return {"ETag": value.get("@", value)["revision"]}
