"""Limits: how much one may have, and has."""

from __future__ import annotations

from typing import Any

from apifold import Denied
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import Allowed

RESOURCE = Resource(__name__, "limits", "Limits", "How much one may have.", "2013-03-18T00:00:00Z", core=True)

LIMITS = {
    "maxServerMeta": "metadata_items",
    "maxPersonality": "injected_files",
    "maxPersonalitySize": "injected_file_content_bytes",
    "maxImageMeta": "metadata_items",
    "maxTotalInstances": "instances",
    "maxTotalCores": "cores",
    "maxTotalRAMSize": "ram",
    "maxTotalKeypairs": "key_pairs",
    "maxTotalFloatingIps": "floating_ips",
    "maxSecurityGroups": "security_groups",
    "maxSecurityGroupRules": "security_group_rules",
    "maxServerGroups": "server_groups",
    "maxServerGroupMembers": "server_group_members",
}
USED = {
    "totalInstancesUsed": "instances",
    "totalCoresUsed": "cores",
    "totalRAMUsed": "ram",
    "totalServerGroupsUsed": "server_groups",
}


def show_limits(core: ComputeCore, ask: Ask, allowed: Allowed, tenant_id: str = "", reserved: str = "") -> Any:
    project = tenant_id or ask.caller.project
    if project != ask.caller.project and not allowed("os_compute_api:limits:other_project"):
        raise Denied(rule="os_compute_api:limits:other_project")
    limits, used = core.quotas.limits(project), core.quotas.used(project)
    absolute = {name: limits[quota] for name, quota in LIMITS.items()}
    absolute |= {name: used[quota] for name, quota in USED.items()}
    return {"limits": {"rate": [], "absolute": {**absolute, "totalFloatingIpsUsed": 0, "totalSecurityGroupsUsed": 0}}}
