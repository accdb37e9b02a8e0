"""Solum's API v1: its names, its addresses of plans, and what it lets clients keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from apifold import Invalid, MethodNotAllowed, NotFound, Problem, Request
from apifold_services.platform.core.assemblies import Wanted
from apifold_services.platform.core.plan_file import for_v1
from apifold_services.platform.core.plans import Draft
from apifold_services.platform.core.platform import LOG_BYTES, OPERATIONS, SENSORS, PlatformCore
from apifold_services.platform.core.scope import Scope
from apifold_services.platform.plan_address import plan_address

Body = Mapping[str, Any]

VERSION = "2014.1"
"""What upstream says of itself."""

CAMP_ONLY = frozenset(("camp_version", "origin", "tags"))
"""Nodes of a plan that this API does not know."""

PLAN_OWN = frozenset(("uri", "uuid", "type", "project_id", "user_id", "trigger_uri"))
"""Members of a plan that the service says, and that clients send back as they got them."""


def get_platform() -> Any:
    return {"implementation_version": VERSION}


def get_infrastructure() -> Any:
    return {}


# --- plans


def list_plans(core: PlatformCore, scope: Scope) -> Any:
    return [_plan(one) for one in core.plans.all(scope)]


def create_plan(core: PlatformCore, scope: Scope, body: Any, request: Request) -> Any:
    document = _document(core, body, request)
    for_v1(document)
    return _plan(core.plans.register(scope, Draft(document)))


def get_plan(core: PlatformCore, scope: Scope, id: str) -> Any:
    return _plan(core.plans.get(scope, id))


def update_plan(core: PlatformCore, scope: Scope, id: str, body: Any, request: Request) -> Any:
    before = core.plans.row(scope, id).document
    document = _document(core, body, request)
    for_v1(document)
    # All that is there is this API's, but for what only CAMP knows.
    known = frozenset(before) - (CAMP_ONLY - document.keys())
    return _plan(core.plans.replace(scope, id, document, known))


def delete_plan(core: PlatformCore, scope: Scope, id: str) -> None:
    core.plans.delete(scope, id)


def _document(core: PlatformCore, body: Any, request: Request) -> dict[str, Any]:
    core.options.admit_plan(request.body)
    if not isinstance(body, dict) or not body:
        raise Invalid("A plan is a mapping with something in it.")
    return {name: value for name, value in body.items() if name not in PLAN_OWN}


def _plan(plan: Body) -> dict[str, Any]:
    return {name: value for name, value in plan.items() if name != "camp_version"}


# --- assemblies


def list_assemblies(core: PlatformCore, scope: Scope) -> Any:
    return [_assembly(one) for one in core.assemblies.all(scope)]


def create_assembly(core: PlatformCore, scope: Scope, body: Body, request: Request) -> Any:
    name, description, tags = body.get("name", ""), body.get("description", ""), body.get("tags", ())
    wanted = Wanted(_plan_id(body, request), name=name, description=description, tags=tags)
    return _assembly(core.assemblies.create(scope, wanted))


def get_assembly(core: PlatformCore, scope: Scope, id: str) -> Any:
    return _assembly(core.assemblies.get(scope, id))


def update_assembly(core: PlatformCore, scope: Scope, id: str, body: Body) -> Any:
    return _assembly(core.assemblies.change(scope, id, body))


def delete_assembly(core: PlatformCore, scope: Scope, id: str) -> None:
    core.assemblies.delete(scope, id)


def operate_assembly(core: PlatformCore, scope: Scope, id: str, operation: str, body: Body | None = None) -> Any:
    return _assembly(core.operate(scope, id, operation, (body or {}).get("instances", 0)))


def list_assembly_logs(core: PlatformCore, scope: Scope, id: str) -> Any:
    return core.logs(scope, id)


def get_assembly_log(core: PlatformCore, scope: Scope, id: str, log: str) -> str:
    return core.log(scope, id, log)


def _assembly(assembly: Body) -> dict[str, Any]:
    operations = [{"assembly_id": assembly["id"], "name": name} for name in OPERATIONS]
    sensors = [{"assembly_id": assembly["id"], "name": name} for name in SENSORS]
    return {**assembly, "operations": operations, "sensors": sensors}


def _plan_id(body: Body, request: Request) -> str:
    try:
        plan_id = plan_address(body.get("plan_uri") or "", request).id
    except ValueError:
        plan_id = ""
    if not plan_id:
        raise Invalid(problems=[Problem("body", "/plan_uri", "is no plan of this service")])
    return plan_id


def get_assembly_operation(core: PlatformCore, scope: Scope, id: str, operation: str) -> Any:
    return core.operation(scope, id, operation)


def list_assembly_sensors(core: PlatformCore, scope: Scope, id: str) -> Any:
    return core.sensors(scope, id)


def get_assembly_sensor(core: PlatformCore, scope: Scope, id: str, sensor: str) -> Any:
    return core.sensor(scope, id, sensor)


# --- components


def list_components(core: PlatformCore, scope: Scope) -> Any:
    return core.components.all(scope)


def create_component(core: PlatformCore, scope: Scope, body: Body) -> Any:
    return core.components.make(scope, _named(body))


def get_component(core: PlatformCore, scope: Scope, id: str) -> Any:
    return core.components.get(scope, id)


def update_component(core: PlatformCore, scope: Scope, id: str, body: Body) -> Any:
    return core.components.change(scope, id, body)


def delete_component(core: PlatformCore, scope: Scope, id: str) -> None:
    core.components.delete(scope, id)


# --- language packs


def list_language_packs(core: PlatformCore, scope: Scope) -> Any:
    return core.packs.all(scope)


def create_language_pack(core: PlatformCore, scope: Scope, body: Body) -> Any:
    return core.packs.make(scope, body["name"], {key: value for key, value in body.items() if key != "name"})


def get_language_pack(core: PlatformCore, scope: Scope, id: str) -> Any:
    return core.packs.get(scope, id)


def delete_language_pack(core: PlatformCore, scope: Scope, id: str) -> None:
    core.packs.delete(scope, id)


def list_language_pack_logs(core: PlatformCore, scope: Scope, id: str) -> Any:
    pack = core.packs.get(scope, id)
    return [
        {"resource_uuid": pack["id"], "name": name, "created_at": moment}
        for name, moment in core.engine.logs(pack["id"]).items()
    ]


def get_language_pack_log(core: PlatformCore, scope: Scope, id: str, log: str) -> str:
    pack = core.packs.get(scope, id)
    if log not in core.engine.logs(pack["id"]):
        raise NotFound(f"There is no log {log}.")
    return core.engine.log(pack["id"], log, LOG_BYTES)


# --- apps


def list_apps(core: PlatformCore, scope: Scope) -> Any:
    return core.apps.all(scope)


def create_app(core: PlatformCore, scope: Scope, body: Body) -> Any:
    return core.apps.make(scope, body["name"], {key: value for key, value in body.items() if key != "name"})


def get_app(core: PlatformCore, scope: Scope, id: str) -> Any:
    return core.apps.get(scope, id)


def update_app(core: PlatformCore, scope: Scope, id: str, body: Body) -> Any:
    return core.apps.change(scope, id, body)


def delete_app(core: PlatformCore, scope: Scope, id: str) -> None:
    core.apps.delete(scope, id)


def list_workflows(core: PlatformCore, scope: Scope, id: str) -> Any:
    return core.apps.workflows(scope, id)


def create_workflow(core: PlatformCore, scope: Scope, id: str, body: Body) -> Any:
    return core.apps.run(scope, id, body["actions"], body)


def get_workflow(core: PlatformCore, scope: Scope, id: str, workflow: str) -> Any:
    return core.apps.workflow(scope, id, workflow)


def list_workflow_logs(core: PlatformCore, scope: Scope, id: str, workflow: str) -> Any:
    found = core.apps.workflow(scope, id, workflow)
    there = core.assemblies.all(scope, [found["assembly_id"]])
    logs = core.logs(scope, found["assembly_id"]) if there else []
    return [{**one, "resource_uuid": found["id"], "resource_type": "workflow"} for one in logs]


def pull_trigger(core: PlatformCore, trigger: str, body: Body, workflow: str = "") -> None:
    core.triggers.pull(trigger, body, workflow.replace("+", " ").split())


# --- what is only kept


def _kept(kind: str) -> tuple[Callable[..., Any], ...]:
    """Handlers that list, make, show, change and forget records of a kind."""

    def listed(core: PlatformCore, scope: Scope) -> Any:
        return core.services(scope) if kind == "service" else core.records[kind].all(scope)

    def make(core: PlatformCore, scope: Scope, body: Body) -> Any:
        return core.records[kind].make(scope, _named(body))

    def show(core: PlatformCore, scope: Scope, id: str) -> Any:
        return core.service(scope, id) if kind == "service" else core.records[kind].get(scope, id)

    def change(core: PlatformCore, scope: Scope, id: str, body: Body) -> Any:
        _is_noted(core, id)
        return core.records[kind].change(scope, id, body)

    def forget(core: PlatformCore, scope: Scope, id: str) -> None:
        _is_noted(core, id)
        core.records[kind].delete(scope, id)

    return listed, make, show, change, forget


list_services, create_service, get_service, update_service, delete_service = _kept("service")
list_operations, create_operation, get_operation, update_operation, delete_operation = _kept("operation")
list_sensors, _, get_sensor, _, delete_sensor = _kept("sensor")
list_extensions, create_extension, get_extension, update_extension, delete_extension = _kept("extension")
list_pipelines, _, get_pipeline, _, delete_pipeline = _kept("pipeline")
list_stacks, create_stack, get_stack, update_stack, delete_stack = _kept("stack")


def create_sensor(core: PlatformCore, scope: Scope, body: Body) -> Any:
    return core.records["sensor"].make(scope, _sensed(_named(body)))


def update_sensor(core: PlatformCore, scope: Scope, id: str, body: Body) -> Any:
    before = core.records["sensor"].get(scope, id)
    known = {name: value for name, value in before.items() if name in ("sensor_type", "value")}
    return core.records["sensor"].change(scope, id, _sensed({**known, **body}))


def create_pipeline(core: PlatformCore, scope: Scope, body: Body, request: Request) -> Any:
    return core.pipelines.make(scope, _without_plan(_named(body)), _plan_id(body, request))


def update_pipeline(core: PlatformCore, scope: Scope, id: str, body: Body, request: Request) -> Any:
    plan_id = _plan_id(body, request) if "plan_uri" in body else ""
    return core.pipelines.change(scope, id, _without_plan(body), plan_id)


def list_executions(core: PlatformCore, scope: Scope, id: str) -> Any:
    return core.pipelines.executions(scope, id)


TYPES = {"str": str, "int": int, "float": float}
"""What the value of a sensor is, by its type."""


def _sensed(body: Body) -> Body:
    """A sensor with its value as its type has it."""
    kind, value = body.get("sensor_type"), body.get("value")
    if kind is None or value is None:
        return body
    try:
        value = TYPES[kind](value)
    except (ValueError, OverflowError):
        value = math.nan  # no value, as those that are not finite are none
    if isinstance(value, float) and not math.isfinite(value):
        raise Invalid(problems=[Problem("body", "/value", f"is no {kind}")])
    return {**body, "value": value}


def _is_noted(core: PlatformCore, id: str) -> None:
    if any(offer.id == id for offer in core.offers):
        raise MethodNotAllowed(("GET", "HEAD"), "It comes with the platform.")


def _without_plan(body: Body) -> Body:
    return {name: value for name, value in body.items() if name != "plan_uri"}


def _named(body: Body) -> Body:
    if not body.get("name"):
        raise Invalid(problems=[Problem("body", "/name", "is missing")])
    return body
