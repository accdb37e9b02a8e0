"""Results: what runs found, kept, listed, compared and made baselines of."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from apifold import Conflict, Deployment, Invalid, NotFound, Query
from apifold_services.benchmark.core.scoring import as_baseline

_FILTERS = ("kind", "name", "node")
_LISTED = ("id", "kind", "name", "node", "mode", "started", "stopped", "score", "complete")


class Results:
    """The results of a deployment.

    Args:
        deployment: whose database holds them.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    def keep(self, result: dict[str, Any]) -> None:
        """Keep a result; keeping it again changes nothing."""
        with suppress(Conflict):
            self._kept.create(result, result["id"])

    def get(self, id: str) -> dict[str, Any]:
        """The result of an id; `latest` is the newest.

        Raises:
            NotFound: there is none.
        """
        if id == "latest":
            newest = self._page({}, 1, "").items
            if not newest:
                raise NotFound("There is no result yet; run a plan first.", title="Result not found")
            found: dict[str, Any] = newest[0].body
            return found
        try:
            found = self._kept.read(id).body
        except NotFound:
            raise NotFound(f"There is no result `{id}`.", title="Result not found") from None
        return found

    def page(
        self, filters: dict[str, str] | None = None, limit: int = 100, marker: str = ""
    ) -> tuple[list[dict[str, Any]], str]:
        """Some results, the newest first, without their insides; and the marker of the next page, "" at the end.

        Args:
            filters: wanted values by `kind`, `name`, `node`.
        """
        found = self._page(filters or {}, limit, marker)
        return [{name: one.body[name] for name in _LISTED} for one in found.items], found.next_marker or ""

    def remove(self, id: str) -> None:
        """Forget a result.

        Raises:
            NotFound: there is none.
        """
        self.get(id)
        self._kept.delete(id)

    def earlier(self, result: dict[str, Any], most: int = 20) -> list[dict[str, Any]]:
        """Earlier results of the same thing on the same node, the oldest first."""
        same = {name: result[name] for name in _FILTERS}
        return self.page(same, most, marker=result["id"])[0][::-1]

    def compare(self, id: str, other: str) -> dict[str, Any]:
        """Two results side by side: how many times better this one is than the other, part by part.

        Only what the same tool measured, on the same scale, is compared.

        Raises:
            NotFound: one of them is not there.
        """
        this, that = self.get(id), self.get(other)
        others = {one["name"]: one for one in that["qpis"]}
        return {
            "result": this["id"],
            "with": that["id"],
            "score": _pair(this["score"], that["score"]),
            "qpis": [_compare_qpi(one, others[one["name"]]) for one in this["qpis"] if one["name"] in others],
            "only_here": [one["name"] for one in this["qpis"] if one["name"] not in others],
        }

    def calibrate(self, id: str, name: str, qpi: str = "", condition: str = "") -> dict[str, Any]:
        """A baseline document from a result.

        Args:
            qpi: which of its indexes; its only one otherwise.

        Raises:
            NotFound: there is no such result, or no such index in it.
            Invalid: it has several, and none was named; or nothing was measured.
        """
        result = self.get(id)
        wanted = [one for one in result["qpis"] if one["name"] == qpi] if qpi else result["qpis"]
        if not wanted:
            raise NotFound(f"The result has no QPI `{qpi}`.")
        if len(wanted) > 1:
            raise Invalid(f"Say which `qpi`: {', '.join(one['name'] for one in wanted)}.")
        baseline = as_baseline(wanted[0], name, result["system_info"], condition)
        if not any(section["metrics"] for section in baseline["sections"]):
            raise Invalid("Nothing was measured in that run.")
        return baseline

    def _page(self, filters: dict[str, str], limit: int, marker: str) -> Any:
        wanted = {name: (value,) for name, value in filters.items()}
        return self._kept.page(Query(filters=wanted, sort=(("created_at", True),), limit=limit, marker=marker or None))

    @property
    def _kept(self) -> Any:
        return self.deployment.collection("benchmark-results", filterable=_FILTERS, sortable=("created_at",))


def _compare_qpi(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    sections = {section["name"]: section for section in other["sections"]}
    return {
        "name": one["name"],
        "score": _pair(one["score"], other["score"]) if one["baseline"] == other["baseline"] else None,
        "sections": [
            {
                "name": section["name"],
                "score": _pair(section["score"], sections[section["name"]]["score"])
                if one["baseline"] == other["baseline"]
                else None,
                "metrics": _compare_metrics(section, sections[section["name"]]),
            }
            for section in one["sections"]
            if section["name"] in sections
        ],
    }


def _compare_metrics(one: dict[str, Any], other: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    others = {metric["name"]: metric for metric in other["metrics"]}
    for metric in one["metrics"]:
        beside = others.get(metric["name"])
        if beside is None:
            continue
        same = metric["tool"] == beside["tool"] and bool(metric["tool"])
        values = {workload["name"]: workload["result"] for workload in beside["workloads"]}
        found.append(
            {
                "name": metric["name"],
                "tools": [metric["tool"], beside["tool"]],
                "comparable": same,
                "workloads": [
                    {"name": workload["name"], **(_pair(workload["result"], values[workload["name"]]) or {})}
                    for workload in metric["workloads"]
                    if workload["name"] in values
                ]
                if same
                else [],
            }
        )
    return found


def _pair(one: float | None, other: float | None) -> dict[str, Any] | None:
    if one is None or other is None:
        return None
    return {"here": one, "there": other, "ratio": round(one / other, 4) if other else None}
