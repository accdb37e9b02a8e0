"""The core of the platform: everything that it knows and does, put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from apifold import Deployment, Invalid, NotFound, RunningJob, SettingsError, extension_points
from apifold_services.platform.core.apps import Apps
from apifold_services.platform.core.assemblies import RESTART, SCALE, START, STOP, Assemblies
from apifold_services.platform.core.components import Components
from apifold_services.platform.core.databases import Databases
from apifold_services.platform.core.engines.engine import POINT, Engine
from apifold_services.platform.core.events import Events, check
from apifold_services.platform.core.language_packs import LanguagePacks
from apifold_services.platform.core.launching import Launching
from apifold_services.platform.core.offers import Offer, offers
from apifold_services.platform.core.options import Options
from apifold_services.platform.core.pipelines import Pipelines
from apifold_services.platform.core.plans import Plans
from apifold_services.platform.core.records import KINDS, Records
from apifold_services.platform.core.scope import Scope
from apifold_services.platform.core.triggers import Triggers

MIGRATIONS = Path(__file__).parent.parent / "migrations"
LOG_BYTES = 200_000
TAIL_BYTES = 4_000

OPERATIONS = {
    START: "Start it, where it was stopped",
    STOP: "Stop it; it stays, and can be started again",
    RESTART: "Stop it, and start it again",
    SCALE: "Run it with as many `instances` as the body says",
}
"""What may be done to an assembly that was deployed."""

SENSORS = {
    "state": ("str", "Its state"),
    "instances": ("int", "Instances that answer"),
    "restarts": ("int", "How often instances were started again, since it was started"),
    "memory": ("int", "Bytes of memory that its processes use"),
    "uptime": ("float", "Seconds since it was started"),
    "log": ("str", "The end of its log; of its build's, where that failed"),
}
"""What there is to know of an assembly that changes by itself: type and description."""


class PlatformCore:
    """The core.

    Args:
        deployment: of the service.
        options: its settings.
    """

    def __init__(self, deployment: Deployment, options: Options) -> None:
        self.deployment = deployment
        self.options = options
        check(options.events)
        self.databases = Databases(options.postgresql)
        self.engine: Engine = _engine(deployment, options)

    @cached_property
    def database(self) -> Any:
        """With the tables of this service."""
        return self.deployment.tables("platform", MIGRATIONS)

    @cached_property
    def events(self) -> Events:
        """What happens, told."""
        return Events(self.database, self.options.events)

    @cached_property
    def offers(self) -> tuple[Offer, ...]:
        """The services that come with the platform."""
        runtimes = self.engine.runtimes()
        return offers(runtimes.get("python", ""), runtimes.get("node", ""), postgresql=bool(self.options.postgresql))

    @cached_property
    def plans(self) -> Plans:
        """Plans."""
        folder = self.deployment.directory() / "packages"
        return Plans(self.database, self.events, folder, self.options.max_plan_size)

    @cached_property
    def assemblies(self) -> Assemblies:
        """Assemblies."""
        return Assemblies(self.database, self.events, self.plans, self.engine, self.offers, self.deployment.jobs)

    @cached_property
    def components(self) -> Components:
        """Components."""
        return Components(self.database, self.events)

    @cached_property
    def records(self) -> dict[str, Records]:
        """What v1 only keeps, by kind."""
        return {kind: Records(self.database, self.events, kind) for kind in KINDS}

    @cached_property
    def packs(self) -> LanguagePacks:
        """Language packs."""
        return LanguagePacks(self.database, self.events, self.engine, self.deployment.jobs)

    @cached_property
    def apps(self) -> Apps:
        """Apps and workflows."""
        return Apps(self.database, self.events, self.assemblies, self.options.max_apps)

    @cached_property
    def triggers(self) -> Triggers:
        """Triggers."""
        return Triggers(self.plans, self.assemblies, self.apps, self.pipelines, self.options.rebuild_phrase)

    @cached_property
    def pipelines(self) -> Pipelines:
        """Pipelines."""
        return Pipelines(self.records["pipeline"], self.assemblies)

    @cached_property
    def launching(self) -> Launching:
        """What takes long."""
        return Launching(self.assemblies, self.engine, self.databases, self.packs, self.apps.assembly_ended)

    def launch(self, job: RunningJob, id: str) -> None:
        """Make an assembly: a job. Nothing is opened before it is used: the service is made before processes are."""
        self.launching.launch(job, id)

    def carry_out(self, job: RunningJob, id: str) -> None:
        """Start, stop, restart or scale an assembly: a job."""
        self.launching.operate(job, id)

    def remove(self, job: RunningJob, id: str) -> None:
        """Remove an assembly: a job."""
        self.launching.remove(job, id)

    def build_pack(self, job: RunningJob, id: str) -> None:
        """Fetch a language pack: a job."""
        self.packs.build(job, id)

    def care(self, stopped: Callable[[], bool]) -> None:
        """Have everything be as it was asked for: a duty."""
        self.launching.care(stopped)

    def tell(self, stopped: Callable[[], bool]) -> None:
        """Tell what happened: a duty."""
        self.events.tell(stopped)

    def services(self, scope: Scope) -> list[dict[str, Any]]:
        """Services that may fulfil requirements, and those that somebody noted."""
        noted = [{**one, "characteristics": _characteristics(one)} for one in self.records["service"].all(scope)]
        return [*map(_offered, self.offers), *noted]

    def service(self, scope: Scope, id: str) -> dict[str, Any]:
        """One of them. Raises NotFound."""
        offer = next((one for one in self.offers if one.id == id), None)
        if offer:
            return _offered(offer)
        noted = self.records["service"].get(scope, id)
        return {**noted, "characteristics": _characteristics(noted)}

    def sensors(self, scope: Scope, assembly_id: str) -> list[dict[str, Any]]:
        """What is known of an assembly that changes by itself, and what others noted of it. Raises NotFound."""
        assembly = self.assemblies.get(scope, assembly_id)
        states = [self.engine.state(unit.id) for unit in self.assemblies.units(assembly_id)]
        moment = assembly["updated_at"]
        started = min((state.started for state in states if state.started), default=0.0)
        values = {
            "state": assembly["status"],
            "instances": sum(state.ready for state in states),
            "restarts": sum(state.restarts for state in states),
            "memory": sum(state.memory for state in states),
            "uptime": max(0.0, time.time() - started) if started else 0.0,
            "log": self.tail(assembly),
        }
        own = [
            {
                "id": name,
                "name": name,
                "description": text,
                "sensor_type": kind,
                "value": values[name],
                "timestamp": moment,
            }
            for name, (kind, text) in SENSORS.items()
        ]
        noted = [one for one in self.records["sensor"].all(scope) if _is_about(one, assembly_id)]
        return [{**one, "assembly_id": assembly_id} for one in (*own, *noted)]

    def sensor(self, scope: Scope, assembly_id: str, id: str) -> dict[str, Any]:
        """One of them. Raises NotFound."""
        return _one(self.sensors(scope, assembly_id), id, "sensor")

    def operations(self, scope: Scope, assembly_id: str) -> list[dict[str, Any]]:
        """What may be done to an assembly. Raises NotFound."""
        self.assemblies.row(scope, assembly_id)
        noted = [one for one in self.records["operation"].all(scope) if _is_about(one, assembly_id)]
        own = [{"id": name, "name": name, "description": text} for name, text in OPERATIONS.items()]
        return [{**one, "assembly_id": assembly_id} for one in (*own, *noted)]

    def operation(self, scope: Scope, assembly_id: str, id: str) -> dict[str, Any]:
        """One of them. Raises NotFound."""
        return _one(self.operations(scope, assembly_id), id, "operation")

    def operate(self, scope: Scope, assembly_id: str, id: str, instances: int = 0) -> dict[str, Any]:
        """Do one of them. Raises NotFound; Invalid: it is only noted here, and done elsewhere; Conflict."""
        known = self.operation(scope, assembly_id, id)
        if id not in OPERATIONS:
            raise Invalid(f"The operation {known['name']!r} is noted here; it is done where it says.")
        return self.assemblies.operate(scope, assembly_id, id, instances)

    def logs(self, scope: Scope, assembly_id: str) -> list[dict[str, Any]]:
        """The logs of an assembly's components. Raises NotFound."""
        assembly = self.assemblies.get(scope, assembly_id)
        return [
            {
                "id": f"{unit.id}.{name}",
                "assembly_id": assembly["id"],
                "resource_uuid": assembly["id"],
                "name": name,
                "created_at": moment,
            }
            for unit in self.assemblies.units(assembly_id)
            for name, moment in self.engine.logs(unit.id).items()
        ]

    def log(self, scope: Scope, assembly_id: str, id: str) -> str:
        """The end of one of them. Raises NotFound."""
        self.assemblies.row(scope, assembly_id)
        unit, _, name = id.partition(".")
        if unit not in [one.id for one in self.assemblies.units(assembly_id)] or name not in self.engine.logs(unit):
            raise NotFound(f"There is no log {id}.")
        return self.engine.log(unit, name, LOG_BYTES)

    def tail(self, assembly: dict[str, Any]) -> str:
        """The end of the log that an owner wants to see: of what runs, or of what went wrong before it did."""
        names = ("application", "build") if assembly["is_deployed"] else ("build", "application")
        units = self.assemblies.units(assembly["id"])
        tails = (
            next(filter(None, (self.engine.log(unit.id, name, TAIL_BYTES) for name in names)), "") for unit in units
        )
        return "\n".join(filter(None, tails))


def _engine(deployment: Deployment, options: Options) -> Engine:
    try:
        kind = extension_points.load(POINT, options.engine)
    except SettingsError as error:
        raise SettingsError(f"services: platform: engine: {error}") from None
    made: Engine = kind(deployment, options.of_engine(), options)
    return made


def _offered(offer: Offer) -> dict[str, Any]:
    return {
        "id": offer.id,
        "name": offer.name,
        "description": offer.description,
        "service_type": str(offer.characteristics[0]["characteristic_type"]),
        "read_only": True,
        "characteristics": list(offer.characteristics),
        "project_id": "",
        "user_id": "",
        "revision": f'"{offer.id}"',
    }


def _characteristics(noted: dict[str, Any]) -> list[dict[str, Any]]:
    kind = noted.get("service_type")
    return [{"characteristic_type": kind}] if kind else []


def _is_about(noted: dict[str, Any], assembly_id: str) -> bool:
    return str(noted.get("target_resource") or "").rstrip("/").endswith(f"/{assembly_id}")


def _one(found: Iterable[dict[str, Any]], id: str, kind: str) -> dict[str, Any]:
    for one in found:
        if one["id"] == id:
            return one
    raise NotFound(f"There is no {kind} {id}.")
