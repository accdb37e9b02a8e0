"""Pods: the same plan on several nodes at once, each another installation that is reached over its API v2."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from apifold import ENDED_STATES, Deployment, Invalid, Job, NotFound, Problem, Query, RunningJob
from apifold_services.benchmark.core.results import Results
from apifold_services.benchmark.core.runs import kind_of, now
from apifold_services.benchmark.core.scoring import score_together

KIND = "benchmark.pod"
POLL_SECONDS = 1.0
TRIES = 5


@dataclass(frozen=True, slots=True)
class NodeFailed(Exception):
    """A node could not be asked, or said no."""

    why: str

    def __str__(self) -> str:
        return self.why


class Nodes:
    """The nodes that may be asked: name, address of their API v2, and the token that they want.

    Args:
        deployment: whose database holds them.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def names(self) -> list[str]:
        """Every node, sorted."""
        return sorted(document.id for document in self._kept.page(Query(limit=1000)).items)

    def get(self, name: str) -> dict[str, Any]:
        """A node, with its token.

        Raises:
            NotFound: there is none.
        """
        try:
            found: dict[str, Any] = self._kept.read(name).body
        except NotFound:
            raise NotFound(f"There is no node `{name}`.", title="Node not found") from None
        return found

    def put(self, name: str, content: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Keep a node under a name; the node, and whether it is new.

        Raises:
            Invalid: its address can't be one.
        """
        try:
            httpx.URL(content["url"])
            urlsplit(content["url"]).port  # noqa: B018  # says no where host or port can't be
        except (httpx.InvalidURL, ValueError):
            raise Invalid(problems=[Problem("body", "/url", "is no address")]) from None
        document = self._kept.put(name, {**content, "name": name, "url": content["url"].rstrip("/")})
        return document.body, document.revision == 1

    def remove(self, name: str) -> None:
        """Forget a node. Raises NotFound where there is none."""
        self.get(name)
        self._kept.delete(name)

    @property
    def _kept(self) -> Any:
        return self.deployment.collection("benchmark-nodes")


class Pods:
    """Runs a plan on several nodes, and scores them together.

    Args:
        deployment: whose jobs they are.
        nodes: whom it may ask.
        results: where the pod's result is kept.
    """

    def __init__(self, deployment: Deployment, nodes: Nodes, results: Results) -> None:
        self.deployment = deployment
        self.nodes = nodes
        self.results = results

    def start(self, order: dict[str, Any], names: list[str], minutes: float) -> Job:
        """Have an order carried out by each of the nodes.

        Args:
            order: as a node's API takes it: `{plan: ..., mode: ...}`.

        Raises:
            NotFound: there is no such node.
            Conflict: the same pod is at work.
        """
        for name in names:
            self.nodes.get(name)
        kind = kind_of(order)
        return self.deployment.jobs().start(
            KIND,
            {"order": order, "names": names},
            alone=f"a run on the pod {', '.join(names)}",
            seconds=minutes * 60,
            tags={"kind": kind, "name": str(order[kind])},
        )

    def carry_out(self, job: RunningJob, order: dict[str, Any], names: list[str]) -> dict[str, Any]:
        """Start it everywhere, wait for each, add up: the function of the job."""
        began = job.step("begin", now)
        started = {name: job.step(f"start {name}", self._start, name, order, f"{job.id}-{name}") for name in names}
        ended: dict[str, Any] = {}
        for name in names:
            ended[name] = job.step(f"wait for {name}", self._wait, job, name, started[name])
            job.tell({"done": len(ended), "total": len(names), "steps": _steps(names, ended)})
        result = job.step("score", self._score, job.id, order, began, ended)
        job.step("keep", self.results.keep, result)
        return {"result": job.id, "score": result["score"]}

    def _start(self, name: str, order: dict[str, Any], key: str) -> dict[str, Any]:
        """Start a node's run. The key sees to it that a second try is not a second run."""
        try:
            told = self._ask(name, "POST", "/jobs", json=order, headers={"Idempotency-Key": key})
        except NodeFailed as error:
            return {"error": error.why}
        return {"job": told["id"]}

    def _wait(self, job: RunningJob, name: str, started: dict[str, Any]) -> dict[str, Any]:
        if "error" in started:
            return started
        try:
            while not job.stopped():
                told = self._ask(name, "GET", f"/jobs/{started['job']}")
                if told["state"] == "done":
                    return {"result": self._ask(name, "GET", f"/results/{started['job']}")}
                if told["state"] in ENDED_STATES:
                    return {"error": told.get("error") or f"its run is {told['state']}"}
                time.sleep(POLL_SECONDS)
            self._ask(name, "POST", f"/jobs/{started['job']}/cancel")
        except NodeFailed as error:
            return {"error": error.why}
        return {"error": "it was stopped"}

    def _score(self, id: str, order: dict[str, Any], began: str, ended: dict[str, Any]) -> dict[str, Any]:
        kind = kind_of(order)
        nodes = [
            {"name": name, "score": told["result"]["score"], "result": told["result"]}
            if "result" in told
            else {"name": name, "score": None, "error": told["error"]}
            for name, told in ended.items()
        ]
        return {
            "id": id,
            "kind": kind,
            "name": order[kind],
            "node": ", ".join(ended),
            "mode": order.get("mode", "documented"),
            "started": began,
            "stopped": now(),
            "score": score_together(node["score"] for node in nodes),
            "complete": all("result" in node and node["result"]["complete"] for node in nodes),
            "system_info": {},
            "qpis": [],
            "measurements": [],
            "nodes": nodes,
        }

    def _ask(self, name: str, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Ask a node; again where the way to it fails for a moment.

        Raises:
            NodeFailed: it can't be reached, or refuses. The text holds nothing of the token.
        """
        try:
            node = self.nodes.get(name)
        except NotFound:
            raise NodeFailed("it is not known any more") from None
        headers = {**more.pop("headers", {}), **({"X-Auth-Token": node["token"]} if node.get("token") else {})}
        for left in reversed(range(TRIES)):
            try:
                answer = httpx.request(
                    method, node["url"] + path, headers=headers, timeout=30, follow_redirects=False, **more
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if not left:
                    raise NodeFailed(f"it can't be reached: {type(error).__name__}") from None
            else:
                if answer.status_code < 500:
                    return _told(answer)
                if not left:
                    raise NodeFailed(f"it answers {answer.status_code}")
            time.sleep(POLL_SECONDS)
        raise AssertionError


def _told(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not answer.is_success or not isinstance(told, dict):
        detail = told.get("detail") if isinstance(told, dict) else ""
        raise NodeFailed(f"it answers {answer.status_code}: {str(detail or '')[:300]}")
    return told


def _steps(names: list[str], ended: dict[str, Any]) -> list[dict[str, Any]]:
    def status(name: str) -> str:
        if name not in ended:
            return "running"
        return "done" if "result" in ended[name] else "failed"

    return [{"metric": name, "workloads": [], "status": status(name)} for name in names]
