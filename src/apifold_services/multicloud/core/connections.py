"""Connections: a cloud as one tenant of it sees it, with one token for all who ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from apifold import Deployment, Exchange, KeystoneSession, Login, Upstream
from apifold_services.multicloud.core.clouds import Cloud, Inventory, parted

MOST_LOGINS = 1000
"""Tenants that this process keeps a token for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request is for.

    Attributes:
        cloud: the cloud region.
        tenant: the project, by id or name; "" for the cloud's default one.
        login: who is logged in there as that tenant.
        upstream: the cloud's own APIs, as that tenant.
        names: members that tell the client again where it was.
    """

    cloud: Cloud
    tenant: str
    login: KeystoneSession
    upstream: Upstream
    names: dict[str, str]


class Connections:
    """Finds the place that a request names, and keeps what was logged in.

    A record that changed, or is gone, is another one: no process goes on with what it knew before.

    Args:
        deployment: whose connections are used.
        inventory_of: gives what knows the clouds, by way of a deployment's connections.
        seconds: how long a cloud may take to answer.
    """

    def __init__(self, deployment: Deployment, inventory_of: Callable[[Deployment], Inventory], seconds: float) -> None:
        self.deployment = deployment
        self.inventory_of = inventory_of
        self.inventory = inventory_of(deployment)
        self.seconds = seconds
        self._logins: OrderedDict[tuple[str, str, str, str], KeystoneSession] = OrderedDict()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Connections]:
        """The same, on connections of the loop that runs, which end with the block."""
        deployment = Deployment(self.deployment.settings)
        try:
            yield Connections(deployment, self.inventory_of, self.seconds)
        finally:
            await deployment.stop()

    async def cloud(self, exchange: Exchange) -> Cloud:
        """The cloud that a request's path names.

        Raises:
            NotFound: there is none.
        """
        arguments = exchange.arguments
        if "vimid" in arguments:
            owner, region = parted(arguments["vimid"])
        else:
            owner, region = arguments["cloud_owner"], arguments["cloud_region_id"]
        return await self.inventory.find(owner, region)

    async def place(self, exchange: Exchange) -> Place:
        """The cloud and the tenant that a request names: in its path, else in its `Project` header.

        Raises:
            NotFound: there is no such cloud.
        """
        cloud = await self.cloud(exchange)
        arguments = exchange.arguments
        tenant = arguments.get("tenantid") or exchange.request.headers.get("project") or cloud.default_tenant
        names = {"vimName": cloud.vimid, "vimId": cloud.vimid}
        if "vimid" not in arguments:
            names |= {"cloud-owner": cloud.owner, "cloud-region-id": cloud.region}
        if "tenantid" in arguments:
            names["tenantId"] = arguments["tenantid"]
        fallback = "" if "tenantid" in arguments else cloud.default_tenant
        login = self.login(cloud, tenant, fallback)
        return Place(cloud, tenant, login, Upstream(self.deployment.outgoing(), login, self.seconds), names)

    async def upstream_of(self, exchange: Exchange) -> Upstream:
        """The cloud's own APIs. Raises as `place` does."""
        return (await self.place(exchange)).upstream

    def upstream(self, cloud: Cloud, tenant: str) -> Upstream:
        """A cloud's own APIs, as one of its tenants."""
        return Upstream(self.deployment.outgoing(), self.login(cloud, tenant), self.seconds)

    def login(self, cloud: Cloud, tenant: str, fallback: str = "") -> KeystoneSession:
        """Who is logged in at a cloud as a tenant."""
        key = (cloud.vimid, cloud.revision, tenant, fallback)
        found = self._logins.get(key)
        if found is None:
            login = Login(cloud.url, cloud.user, cloud.password, tenant, cloud.domain, fallback=fallback)
            found = self._logins[key] = KeystoneSession(self.deployment.outgoing(), login)
            for other in [other for other in self._logins if other[0] == key[0] and other[1] != key[1]]:
                del self._logins[other]
            while len(self._logins) > MOST_LOGINS:
                self._logins.popitem(last=False)
        self._logins.move_to_end(key)
        return found

    async def forget(self, cloud: Cloud) -> None:
        """Unregister a cloud: no token and no record of it stays."""
        await self.inventory.forget(cloud.owner, cloud.region)
        self.drop(cloud.vimid)

    def drop(self, vimid: str) -> None:
        """Forget every token of a cloud."""
        for key in [key for key in self._logins if key[0] == vimid]:
            del self._logins[key]
