"""Registration: what a cloud has is discovered, as a job, and kept for those who place things."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from apifold import Conflict, Job, JobKind, JobQuery, NotFound, RunningJob, Upstream
from apifold_services.multicloud.core import capacity, flavors
from apifold_services.multicloud.core.asked import asked
from apifold_services.multicloud.core.clouds import Cloud
from apifold_services.multicloud.core.connections import Connections

KIND = "multicloud.register"
SECONDS = 900.0
"""How long one may take."""

_CODES = {"queued": 10, "running": 10, "done": 0, "failed": 500, "cancelled": 410, "expired": 504}
"""The status code of a registration, by its job's state: 0 is over, 10 goes on."""


async def _tenants(upstream: Upstream) -> list[dict[str, Any]]:
    body = await asked(upstream, "GET", "identity", "/projects")
    return [{"id": one["id"], "name": one["name"]} for one in body["projects"]]


async def _images(upstream: Upstream) -> list[dict[str, Any]]:
    body = await asked(upstream, "GET", "image", "/v2/images")
    names = ("id", "name", "status", "disk_format", "container_format", "visibility", "size")
    return [{name: one.get(name) for name in names} for one in body["images"]]


async def _machines(upstream: Upstream) -> list[dict[str, Any]]:
    body = await asked(upstream, "GET", "compute", "/os-hypervisors/detail")
    names = ("id", "hypervisor_hostname", "state", "status", "vcpus", "memory_mb", "local_gb")
    return [{name: one.get(name) for name in names} for one in body["hypervisors"]]


KINDS: dict[str, Callable[[Upstream], Awaitable[list[dict[str, Any]]]]] = {
    "tenants": _tenants,
    "flavors": flavors.page,
    "images": _images,
    "availability-zones": capacity.zones,
    "hypervisors": _machines,
}
"""What is discovered, in this order."""


class Registration:
    """Discovers what clouds have, and remembers it.

    Args:
        connections: to the clouds; the jobs and the database are those of their deployment.
    """

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.deployment = connections.deployment

    @property
    def job(self) -> JobKind:
        """The kind of job that it is."""
        return JobKind(self.carry_out, at_once=4)

    def start(self, cloud: Cloud, tenant: str) -> Job:
        """Begin to discover a cloud; a discovery that goes on is not begun again."""
        arguments = {"owner": cloud.owner, "region": cloud.region, "tenant": tenant}
        try:
            job: Job = self.deployment.jobs().start(
                KIND, arguments, alone=cloud.vimid, seconds=SECONDS, tags={"vim": cloud.vimid}
            )
        except Conflict:
            going = self.of(cloud)
            if going is None:
                raise
            return going
        return job

    def status(self, cloud: Cloud) -> list[Any]:
        """Code and text of a cloud's registration.

        Raises:
            NotFound: it was never registered.
        """
        job = self.of(cloud)
        if job is None:
            raise NotFound(f"Registration process for Cloud Region not found: {cloud.vimid}.")
        told = job.error or str(job.progress or "")
        return [_CODES[job.state], f"{job.state}: {told}" if told else job.state]

    def of(self, cloud: Cloud) -> Job | None:
        """The newest registration of a cloud."""
        found = self.deployment.jobs().page(JobQuery((KIND,), tags={"vim": cloud.vimid}, limit=1))
        return found.items[0] if found.items else None

    def discovered(self, cloud: Cloud) -> dict[str, Any]:
        """What was found in a cloud; nothing where nobody looked."""
        try:
            return dict(self._kept.read(cloud.vimid).body)
        except NotFound:
            return {}

    def forget(self, cloud: Cloud) -> None:
        """Forget what was found in a cloud, and stop looking."""
        job = self.of(cloud)
        if job is not None and not job.has_ended:
            self.deployment.jobs().cancel(job.id)
        if self.discovered(cloud):
            self._kept.delete(cloud.vimid)

    def carry_out(self, job: RunningJob, owner: str, region: str, tenant: str) -> dict[str, int]:
        """The job: one step for each kind of thing."""
        found: dict[str, list[dict[str, Any]]] = {}
        for name in KINDS:
            job.tell(f"discovering {name}")
            found[name] = job.step(name, self._discover, name, owner, region, tenant)
        job.step("keep", self._keep, f"{owner}_{region}", found)
        return {name: len(things) for name, things in found.items()}

    def _discover(self, name: str, owner: str, region: str, tenant: str) -> list[dict[str, Any]]:
        return asyncio.run(self._asked(name, owner, region, tenant))

    async def _asked(self, name: str, owner: str, region: str, tenant: str) -> list[dict[str, Any]]:
        async with self.connections.alone() as connections:
            cloud = await connections.inventory.find(owner, region)
            return await KINDS[name](connections.upstream(cloud, tenant or cloud.default_tenant))

    def _keep(self, vimid: str, found: dict[str, Any]) -> None:
        self._kept.put(vimid, found)

    @property
    def _kept(self) -> Any:
        return self.deployment.collection("multicloud-discovered")
