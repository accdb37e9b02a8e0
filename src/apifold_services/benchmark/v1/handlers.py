"""QTIP's API v1.0: names with `.yaml`, lists in an object of their own name, a run that is waited for."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from apifold import Job, Request, Unavailable
from apifold_services.benchmark.core import Library, Order, Results, Runs
from apifold_services.benchmark.errors import check_endpoint_for_error, not_implemented

POLL_SECONDS = 0.3


def list_plans(library: Library) -> dict[str, Any]:
    return {"plans": library.plans.names()}


@check_endpoint_for_error("Plan")
def get_plan(library: Library, name: str) -> dict[str, Any]:
    return library.plans.get(name)


@check_endpoint_for_error("Plan")
async def run_plan(library: Library, runs: Runs, results: Results, name: str, action: str, request: Request) -> Any:
    """Run it and answer with its result; `Prefer: respond-async`, or `wait=SECONDS`, answers sooner (RFC 7240)."""
    plan = await asyncio.to_thread(library.plans.get, name)
    if action != "run":
        raise not_implemented("Plan", action)
    job = await asyncio.to_thread(runs.start, Order("plan", name))
    ended = await _wait(runs, job, _patience(request.headers.get("prefer", "")))
    if not ended.has_ended:
        beside = request.path.rpartition("/plans/")[0].rpartition("/")[0]
        return _shown(ended), 202, {"Location": f"{request.prefix}{beside}/v2/jobs/{job.id}"}
    if ended.state != "done":
        raise Unavailable(f"The run is {ended.state}. {ended.error}".strip())
    return _in_qtips_form(plan["name"], await asyncio.to_thread(results.get, job.id))


def list_qpis(library: Library) -> dict[str, Any]:
    return {"qpis": library.qpis.names()}


@check_endpoint_for_error("QPI")
def get_qpi(library: Library, name: str) -> dict[str, Any]:
    return library.qpis.get(name)


def list_metrics(library: Library) -> dict[str, Any]:
    return {"metrics": library.metrics.names()}


@check_endpoint_for_error("Metric")
def get_metric(library: Library, name: str) -> dict[str, Any]:
    return library.metrics.get(name)


async def _wait(runs: Runs, job: Job, seconds: float) -> Job:
    end = asyncio.get_running_loop().time() + seconds
    while not job.has_ended and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(POLL_SECONDS)
        job = await asyncio.to_thread(runs.deployment.jobs().get, job.id)
    return job


def _patience(prefer: str) -> float:
    """How many seconds the client wants to wait; as long as it takes where it says nothing."""
    for preference in prefer.lower().replace(";", ",").split(","):
        name, _, value = preference.strip().partition("=")
        if name == "respond-async":
            return 0.0
        if name == "wait" and value.strip().isdigit():
            return float(value)
    return float("inf")


def _shown(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "state": "processing" if job.state == "running" else job.state}


def _in_qtips_form(plan: str, result: dict[str, Any]) -> dict[str, Any]:
    """A result as QTIP's Danube release gave it: one system under test with its indexes."""
    return {
        "plan_name": plan,
        "start_time": _minute(result["started"]),
        "stop_time": _minute(result["stopped"]),
        "score": result["score"],
        "result_id": result["id"],
        "sut": [
            {
                "name": result["node"],
                "type": "baremetal",
                "system_info": result["system_info"],
                "qpis": [
                    {key: one[key] for key in ("name", "description", "score", "baseline", "sections")}
                    for one in result["qpis"]
                ],
            }
        ],
    }


def _minute(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d-%H-%M")
