"""The compute core: servers and everything that they need, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from apifold import Database, Deployment, RunningJob, SettingsError, extension_points
from apifold_services.compute.core.builds import Builds
from apifold_services.compute.core.changes import Work
from apifold_services.compute.core.drivers.driver import Driver, Machine
from apifold_services.compute.core.flavors import Flavors
from apifold_services.compute.core.groups import Groups
from apifold_services.compute.core.hosts import Hosts
from apifold_services.compute.core.image_folder import ImageFolder
from apifold_services.compute.core.images import Images
from apifold_services.compute.core.keypairs import Keypairs
from apifold_services.compute.core.life import Life
from apifold_services.compute.core.moves import Moves
from apifold_services.compute.core.networks import Networks, read_networks
from apifold_services.compute.core.options import Options
from apifold_services.compute.core.quotas import DEFAULTS, Quotas
from apifold_services.compute.core.records import Records
from apifold_services.compute.core.scheduler import Scheduler
from apifold_services.compute.core.servers import Servers
from apifold_services.compute.core.telling import Telling, check
from apifold_services.compute.core.transitions import Transitions
from apifold_services.compute.core.usage import Usages
from apifold_services.compute.core.volumes import Volumes
from apifold_services.compute.core.watch import Watch

HERE = Path(__file__).parent.parent
DRIVERS = "apifold_compute.drivers"


class ComputeCore:
    """What the service's API works with. Nothing is opened before it is used.

    Args:
        deployment: whose servers they are.
        options: what it decides about them.

    Attributes:
        driver: what makes servers.

    Raises:
        SettingsError: something that it decides makes no sense.
    """

    def __init__(self, deployment: Deployment, options: Options) -> None:
        self.deployment = deployment
        self.options = options
        unknown = sorted(options.quotas.keys() - DEFAULTS.keys())
        if unknown:
            raise SettingsError(f"services: compute: quotas: {unknown[0]} is none of: {', '.join(DEFAULTS)}")
        if options.usage:
            check(options.usage, options.usage_token)
        self._networks = read_networks(options.networks)
        own = {"simulated": options.simulated, "qemu": options.qemu, **options.drivers}
        make: Callable[[Path, Mapping[str, Any]], Driver] = extension_points.load(DRIVERS, options.driver)
        self.driver = make(deployment.directory() / "compute", own.get(options.driver, {}))

    @property
    def database(self) -> Database:
        """With the service's tables."""
        database: Database = self.deployment.tables("compute", HERE / "migrations")
        return database

    @cached_property
    def flavors(self) -> Flavors:
        """Sizes."""
        return Flavors(self.database)

    @cached_property
    def keypairs(self) -> Keypairs:
        """Public keys."""
        return Keypairs(self.database)

    @cached_property
    def images(self) -> Images:
        """What servers are made of."""
        folder = Path(self.options.images) if self.options.images else HERE / "data" / "images"
        snapshots = self.deployment.directory() / "compute" / "snapshots"
        return Images(self.database, ImageFolder(folder), snapshots, self.quotas)

    @cached_property
    def networks(self) -> Networks:
        """What servers are connected to."""
        return Networks(self.database, self._networks)

    @cached_property
    def volumes(self) -> Volumes:
        """What is attached to servers."""
        return Volumes(self.database)

    @cached_property
    def quotas(self) -> Quotas:
        """How much there may be."""
        return Quotas(self.database, self.options.quotas)

    @cached_property
    def groups(self) -> Groups:
        """Which servers belong together."""
        return Groups(self.database, self.quotas)

    @cached_property
    def hosts(self) -> Hosts:
        """Where servers run."""
        found = Hosts(self.database, self.driver.capacities())
        found.report()
        return found

    @cached_property
    def records(self) -> Records:
        """What was asked of servers."""
        return Records(self.database)

    @cached_property
    def moves(self) -> Moves:
        """Which servers went where."""
        return Moves(self.database)

    @cached_property
    def servers(self) -> Servers:
        """Servers."""
        return Servers(self.database, self.networks, self.volumes, self.quotas)

    @cached_property
    def scheduler(self) -> Scheduler:
        """What chooses hosts."""
        return Scheduler(self.database, self.hosts)

    @cached_property
    def transitions(self) -> Transitions:
        """What changes servers."""
        return Transitions(self.deployment, self.database, self._work)

    @cached_property
    def life(self) -> Life:
        """What may be asked of servers."""
        return Life(
            self.database,
            self.servers,
            self.transitions,
            self.flavors,
            self.images,
            self.quotas,
            self.hosts,
            timedelta(seconds=self.options.reclaim),
            self.options.offload,
        )

    @cached_property
    def builds(self) -> Builds:
        """What makes servers."""
        parts = (self.flavors, self.images, self.keypairs, self.networks, self.groups, self.hosts, self.quotas)
        return Builds(self.database, self.servers, self.transitions, *parts)

    @cached_property
    def usages(self) -> Usages:
        """What is used."""
        return Usages(self.servers)

    @cached_property
    def telling(self) -> Telling:
        """Who tells it."""
        options, period = self.options, timedelta(seconds=self.options.usage_period)
        return Telling(self.database, self.usages, options.usage, options.usage_token, period)

    def tell_usage(self, stopped: Callable[[], bool]) -> None:
        """Tell what was used: a duty."""
        self.telling.tell(stopped)

    def carry_out(self, job: RunningJob, id: str) -> dict[str, Any]:
        """Carry a transition out: the function of a job."""
        return self.transitions.carry_out(job, id)

    def look_after(self, stopped: Callable[[], bool]) -> None:
        """Say that hosts are alive, go on with what was left undone, note what ended by itself, remove what is past
        restoring: a duty."""
        self.hosts.report()
        self.transitions.resume(stopped)
        Watch(self.database, self.servers, self.driver, self.machine).look(stopped)
        if self.options.reclaim:
            self.life.expire(stopped)

    def machine(self, row: Row[Any], **other: Any) -> Machine:
        """A server as drivers see it, with other values of its row."""
        seen = {**row._mapping, **other}
        image = next((one for one in self.images.page() if one.id == seen["image_id"]), None)
        with self.database.reading() as connection:
            ports = self.networks.of(connection, [row.id])[row.id]
        return Machine(
            id=row.id,
            name=seen["name"],
            host=seen["host"] or "",
            flavor=seen["flavor"],
            image=image,
            metadata=seen["metadata"],
            keys=(seen["details"]["key"],) if seen["details"].get("key") else (),
            addresses=tuple({"mac": port.mac, "address": port.address} for port in ports),
            user_data=seen["details"].get("user_data", ""),
        )

    def _work(self, transition: Row[Any], row: Row[Any]) -> Work:
        def machine(**other: Any) -> Machine:
            return self.machine(row, **other)

        parts = (self.driver, machine, self.database, self.scheduler, self.images, self.moves)
        return Work(transition.id, row, transition.arguments, *parts)
