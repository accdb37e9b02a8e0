"""Clouds that an A&AI knows (ONAP's Active and Available Inventory)."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from apifold import Deployment, FixedSession, NotFound, Reply, SettingsError, Upstream, UpstreamFailed, fault_of
from apifold_services.multicloud.core.clouds import Cloud
from apifold_services.multicloud.options import Options

REMEMBERED_SECONDS = 10.0
"""How long a record is believed without asking again."""


class Aai:
    """Asks an A&AI, and remembers what it said for a moment.

    Raises:
        SettingsError: the password can't be read.
    """

    def __init__(self, deployment: Deployment, options: Options) -> None:
        deployment.allow(options.aai)
        self.deployment = deployment
        self.url = options.aai.rstrip("/")
        self.headers = {"Accept": "application/json", "X-FromAppId": "MultiCloud", "X-TransactionId": "9001"}
        if options.aai_user:
            try:
                password = Path(options.aai_password).read_text("utf-8").strip()
            except OSError as error:
                raise SettingsError(f"services: multicloud: aai_password: {error.strerror}") from None
            secret = base64.b64encode(f"{options.aai_user}:{password}".encode()).decode()
            self.headers["Authorization"] = f"Basic {secret}"
        self._known: dict[tuple[str, str], tuple[Cloud, float]] = {}

    async def find(self, owner: str, region: str) -> Cloud:
        known = self._known.get((owner, region))
        if known is not None and known[1] > time.monotonic():
            return known[0]
        reply = await self._ask(owner, region)
        if reply.status == 404:
            raise NotFound(f"Failed to query VIM with id ({owner}_{region}) from extsys.")
        if reply.status != 200:
            raise fault_of(reply)
        cloud = _cloud(owner, region, reply.json())
        self._known[owner, region] = cloud, time.monotonic() + REMEMBERED_SECONDS
        return cloud

    async def forget(self, owner: str, region: str) -> None:
        self._known.pop((owner, region), None)

    async def _ask(self, owner: str, region: str) -> Reply:
        upstream = Upstream(self.deployment.outgoing(), FixedSession(self.url, self.headers))
        place = "/".join(quote(part, safe="") for part in (owner, region))
        path = f"/cloud-infrastructure/cloud-regions/cloud-region/{place}?depth=all"
        reply: Reply = await upstream.call("GET", path)
        return reply


def _cloud(owner: str, region: str, body: dict[str, Any]) -> Cloud:
    try:
        login = body["esr-system-info-list"]["esr-system-info"][0]
        extra = json.loads(body.get("cloud-extra-info") or "{}")
        return Cloud(
            owner,
            region,
            body["cloud-type"],
            str(body.get("cloud-region-version", "")),
            login["service-url"],
            login["user-name"],
            login["password"],
            login.get("default-tenant", ""),
            login.get("cloud-domain") or "Default",
            extra if isinstance(extra, dict) else {},
            str(body.get("resource-version", "")),
        )
    except (KeyError, IndexError, TypeError, ValueError):
        raise UpstreamFailed(f"What the inventory knows of {owner}_{region} is not complete.") from None
