"""QTIP's API v1.0: names with `.yaml`, lists in an object of their own name."""

from __future__ import annotations

from typing import Any

from apifold import ToBeDone
from apifold_services.benchmark.core import Library


def list_plans(library: Library) -> dict[str, Any]:
    return {"plans": library.plans.names()}


def get_plan(library: Library, name: str) -> dict[str, Any]:
    return library.plans.get(name)


def run_plan(library: Library, name: str, action: str) -> None:
    library.plans.get(name)
    detail = f"Requested operation `{action}` on plan not implemented."
    raise ToBeDone(detail, title=f"{action.capitalize()} handler not implemented")


def list_qpis(library: Library) -> dict[str, Any]:
    return {"qpis": library.qpis.names()}


def get_qpi(library: Library, name: str) -> dict[str, Any]:
    return library.qpis.get(name)


def list_metrics(library: Library) -> dict[str, Any]:
    return {"metrics": library.metrics.names()}


def get_metric(library: Library, name: str) -> dict[str, Any]:
    return library.metrics.get(name)
