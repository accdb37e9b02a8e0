"""The clouds that are registered, with what is needed to speak with them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from apifold import Conflict, Deployment, NotFound, Query
from apifold_services.multicloud.core.vault import Vault

VIM_ID = re.compile(r"([0-9A-Za-z-]+)_([0-9A-Za-z_-]+)")
"""Owner and region; an owner has no underscore, a region may."""

MOST = 10_000


@dataclass(frozen=True, slots=True)
class Cloud:
    """One region of one owner's cloud.

    `revision` tells one state of the record from another; `extra` is what else was told of it.
    """

    owner: str
    region: str
    kind: str
    version: str
    url: str
    user: str
    password: str = field(repr=False)
    default_tenant: str
    domain: str
    extra: dict[str, Any]
    revision: str

    @property
    def vimid(self) -> str:
        """Owner and region in one word, as the older generation has it."""
        return f"{self.owner}_{self.region}"


class Inventory(Protocol):
    """Knows clouds."""

    async def find(self, owner: str, region: str) -> Cloud:
        """One of them.

        Raises:
            NotFound: there is none.
        """

    async def forget(self, owner: str, region: str) -> None:
        """Forget what is remembered of one, or remove it, where that is this inventory's to do."""


def parted(vimid: str) -> tuple[str, str]:
    """Owner and region of a VIM id.

    Raises:
        NotFound: it is none.
    """
    match = VIM_ID.fullmatch(vimid)
    if match is None:
        raise NotFound(f"There is no VIM {vimid!r}: an id is OWNER_REGION.")
    return match[1], match[2]


class Clouds:
    """This service's own list of clouds. Passwords are encrypted, and never shown.

    Args:
        deployment: whose database holds them.
        vault: for the passwords.
    """

    def __init__(self, deployment: Deployment, vault: Vault) -> None:
        self.deployment = deployment
        self.vault = vault

    async def find(self, owner: str, region: str) -> Cloud:
        if self.deployment.database().inline:
            return self.cloud(owner, region)
        return await asyncio.to_thread(self.cloud, owner, region)

    async def forget(self, owner: str, region: str) -> None:
        await asyncio.to_thread(self.remove, owner, region)

    def cloud(self, owner: str, region: str) -> Cloud:
        """One of them.

        Raises:
            NotFound: there is none.
        """
        document = self._read(owner, region)
        body = document.body
        return Cloud(
            owner,
            region,
            body["kind"],
            body["version"],
            body["url"],
            body["user"],
            self.vault.opened(body["password"]),
            body.get("default_tenant", ""),
            body.get("domain", "Default"),
            body.get("extra") or {},
            f"{document.created.isoformat()} {document.revision}",
        )

    def page(self) -> list[dict[str, Any]]:
        """All of them, without their passwords."""
        return [_shown(document.body) for document in self._kept.page(Query(limit=MOST)).items]

    def shown(self, owner: str, region: str) -> dict[str, Any]:
        """One of them, without its password. Raises as `cloud` does."""
        return _shown(self._read(owner, region).body)

    def put(self, owner: str, region: str, body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Register a cloud, or change it; without a password, the one that is known stays.

        Returns:
            what is known of it now, and whether it is new.

        Raises:
            Conflict: it is new, and comes without a password.
        """
        id = f"{owner}_{region}"
        try:
            known = self._kept.read(id).body
        except NotFound:
            known = None
        if "password" in body:
            stored = self.vault.closed(body["password"])
        elif known is None:
            raise Conflict("A cloud that is not known yet needs its password.")
        else:
            stored = known["password"]
        self._kept.put(id, {**body, "owner": owner, "region": region, "password": stored})
        return self.shown(owner, region), known is None

    def remove(self, owner: str, region: str) -> None:
        """Forget one. Raises as `cloud` does."""
        self._read(owner, region)
        self._kept.delete(f"{owner}_{region}")

    def _read(self, owner: str, region: str) -> Any:
        try:
            return self._kept.read(f"{owner}_{region}")
        except NotFound:
            raise NotFound(f"There is no cloud region {region!r} of {owner!r}.") from None

    @property
    def _kept(self) -> Any:
        return self.deployment.collection("multicloud-clouds")


def _shown(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "password"}
