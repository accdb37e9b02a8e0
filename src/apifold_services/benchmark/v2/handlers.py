"""The API v2: jobs and results as resources."""

from __future__ import annotations

from typing import Any

from apifold import Invalid, Job, JobQuery, NotFound, Page, Problem, Request, Response
from apifold_services.benchmark.core import Library, Nodes, Order, Pods, Results, Runs
from apifold_services.benchmark.core.library import SUFFIX, Shelf, check_qpi
from apifold_services.benchmark.core.pods import KIND as POD
from apifold_services.benchmark.core.runs import KIND as RUN
from apifold_services.benchmark.core.runs import kind_of
from apifold_services.benchmark.v2.report import FORMATS, written


def list_jobs(runs: Runs, page: Page, state: list[str] | None = None, kind: str = "", name: str = "") -> dict[str, Any]:
    tags = {key: value for key, value in (("kind", kind), ("name", name.removesuffix(SUFFIX))) if value}
    query = JobQuery((RUN, POD), tuple(state or ()), tags, page.limit, page.marker or "")
    try:
        found = runs.deployment.jobs().page(query)
    except NotFound:
        raise Invalid(problems=[Problem("query", "/marker", "is no job's id")]) from None
    page.next_marker = found.next_marker
    return {"jobs": [_job(job) for job in found.items]}


def start_job(runs: Runs, pods: Pods, body: dict[str, Any], request: Request) -> Any:
    kind = kind_of(body)
    minutes = body["max_minutes"]
    if "nodes" in body:
        job = pods.start({key: value for key, value in body.items() if key != "nodes"}, body["nodes"], minutes)
    else:
        order = Order(kind, body[kind], body["mode"], body.get("baseline", ""), body["seconds"], minutes)
        job = runs.start(order)
    return _job(job), 202, {"Location": f"{request.prefix}{request.path.rstrip('/')}/{job.id}"}


def get_job(runs: Runs, id: str) -> dict[str, Any]:
    return _job(runs.deployment.jobs().get(id))


def cancel_job(runs: Runs, id: str) -> dict[str, Any]:
    return _job(runs.deployment.jobs().cancel(id))


def list_results(results: Results, page: Page, kind: str = "", name: str = "", node: str = "") -> dict[str, Any]:
    given = {"kind": kind, "name": name.removesuffix(SUFFIX), "node": node}
    listed, page.next_marker = results.page(
        {key: value for key, value in given.items() if value}, page.limit, page.marker
    )
    return {"results": listed}


def get_result(results: Results, id: str) -> dict[str, Any]:
    return results.get(id)


def delete_result(results: Results, id: str) -> None:
    results.remove(id)


def get_report(results: Results, id: str, media: str, format: str = "") -> Response:
    result = results.get(id)
    return Response(200, *written(result, results.earlier(result), FORMATS[format] if format else media))


def compare_results(results: Results, id: str, with_: str) -> dict[str, Any]:
    return results.compare(id, with_)


def calibrate(results: Results, library: Library, id: str, body: dict[str, Any], request: Request) -> Any:
    name = body["name"].removesuffix(SUFFIX)
    made = results.calibrate(id, name, body.get("qpi", "").removesuffix(SUFFIX), body.get("condition", ""))
    kept, revision = library.baselines.put(name, made)
    address = f"{request.prefix}{request.path.partition('/results/')[0]}/baselines/{name}"
    return kept, 201, {"Location": address, "ETag": _tag(revision)}


def list_plans(library: Library) -> dict[str, Any]:
    return _listed(library.plans)


def get_plan(library: Library, name: str) -> Any:
    return _shown(library.plans, name)


def put_plan(library: Library, name: str, body: dict[str, Any], expected: str) -> Any:
    missing = [
        Problem("body", f"/QPIs/{index}", f"there is no QPI `{qpi}`")
        for index, qpi in enumerate(body["QPIs"])
        if not _is_there(library.qpis, qpi)
    ]
    if missing:
        raise Invalid(problems=missing)
    return _put(library.plans, name, body, expected)


def delete_plan(library: Library, name: str, expected: str) -> None:
    library.plans.remove(name, _revision(expected))


def list_qpis(library: Library) -> dict[str, Any]:
    return _listed(library.qpis)


def get_qpi(library: Library, name: str) -> Any:
    return _shown(library.qpis, name)


def put_qpi(library: Library, name: str, body: dict[str, Any], expected: str) -> Any:
    check_qpi(body)
    return _put(library.qpis, name, body, expected)


def delete_qpi(library: Library, name: str, expected: str) -> None:
    library.qpis.remove(name, _revision(expected))


def list_baselines(library: Library) -> dict[str, Any]:
    return _listed(library.baselines)


def get_baseline(library: Library, name: str) -> Any:
    return _shown(library.baselines, name)


def put_baseline(library: Library, name: str, body: dict[str, Any], expected: str) -> Any:
    return _put(library.baselines, name, body, expected)


def delete_baseline(library: Library, name: str, expected: str) -> None:
    library.baselines.remove(name, _revision(expected))


def list_metrics(library: Library) -> dict[str, Any]:
    return _listed(library.metrics)


def get_metric(library: Library, name: str) -> Any:
    return _shown(library.metrics, name)


def list_tools(runs: Runs) -> dict[str, Any]:
    return {"tools": runs.tools()}


def list_nodes(nodes: Nodes) -> dict[str, Any]:
    return {"nodes": nodes.names()}


def get_node(nodes: Nodes, name: str) -> dict[str, Any]:
    return _without_token(nodes.get(name))


def put_node(nodes: Nodes, name: str, body: dict[str, Any]) -> Any:
    kept, new = nodes.put(name, body)
    return _without_token(kept), 201 if new else 200


def delete_node(nodes: Nodes, name: str) -> None:
    nodes.remove(name)


def _job(job: Job) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": job.id,
        "state": job.state,
        "kind": job.tags["kind"],
        "name": job.tags["name"],
        "created": job.created.isoformat(),
        "started": job.started.isoformat() if job.started else None,
        "ended": job.ended.isoformat() if job.ended else None,
    }
    if "names" in job.arguments:
        shown["nodes"] = job.arguments["names"]
    if job.progress:
        shown["progress"] = job.progress
    if job.error:
        shown["error"] = job.error
    if job.state == "done":
        shown |= job.result
    return shown


def _listed(shelf: Shelf) -> dict[str, Any]:
    return {
        "items": [
            {"name": name, "description": content.get("description", ""), "shipped": not revision}
            for name, content, revision in shelf.listed()
        ]
    }


def _shown(shelf: Shelf, name: str) -> Any:
    content, revision = shelf.find(name)
    return (content, 200, {"ETag": _tag(revision)}) if revision else content


def _put(shelf: Shelf, name: str, body: dict[str, Any], expected: str) -> Any:
    content, revision = shelf.put(name, body, _revision(expected))
    return content, 201 if revision == 1 else 200, {"ETag": _tag(revision)}


def _is_there(shelf: Shelf, name: str) -> bool:
    try:
        shelf.find(name)
    except NotFound:
        return False
    return True


def _tag(revision: int) -> str:
    return f'"{revision}"'


def _revision(expected: str) -> int | None:
    """The revision that a change is based on; what has none is a shipped document."""
    text = expected.strip('"')
    return int(text) if text.isdigit() else None


def _without_token(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "token"}
