"""Quotas: how much projects, and users in them, may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.quotas import shown, whole_numbers
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import is_true

RESOURCE = Resource(__name__, "os-quota-sets", "Quotas", "Quotas management support.", "2011-08-08T00:00:00Z")


def show_quotas(core: ComputeCore, quota_project_id: str, user_id: str = "") -> Any:
    return {"quota_set": {"id": quota_project_id, **core.quotas.limits(quota_project_id, user_id)}}


def show_quotas_in_detail(core: ComputeCore, quota_project_id: str, user_id: str = "") -> Any:
    limits, used = core.quotas.limits(quota_project_id, user_id), core.quotas.used(quota_project_id, user_id)
    return {"quota_set": {"id": quota_project_id, **shown(limits, used)}}


def show_default_quotas(core: ComputeCore, quota_project_id: str) -> Any:
    return {"quota_set": {"id": quota_project_id, **core.quotas.defaults()}}


def update_quotas(core: ComputeCore, quota_project_id: str, quota_set: Mapping[str, Any], user_id: str = "") -> Any:
    said = {name: value for name, value in quota_set.items() if name != "force"}
    force = is_true(quota_set.get("force", False))
    core.quotas.set(quota_project_id, user_id, whole_numbers(said), force=force)
    return {"quota_set": core.quotas.limits(quota_project_id, user_id)}


def delete_quotas(core: ComputeCore, quota_project_id: str, user_id: str = "") -> None:
    core.quotas.reset(quota_project_id, user_id)


def show_quota_class(core: ComputeCore, quota_class: str) -> Any:
    return {"quota_class_set": {"id": quota_class, **_class(core, quota_class)}}


def update_quota_class(core: ComputeCore, quota_class: str, quota_class_set: Mapping[str, Any]) -> Any:
    core.quotas.set_class(quota_class, whole_numbers(quota_class_set))
    return {"quota_class_set": _class(core, quota_class)}


def _class(core: ComputeCore, name: str) -> dict[str, int]:
    """What holds for a class, but for what upstream tells of projects only."""
    limits = {**core.quotas.defaults(), **core.quotas.of_class(name)}
    return {name: limit for name, limit in limits.items() if not name.startswith("server_group")}
