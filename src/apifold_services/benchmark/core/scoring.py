"""Scores: what was measured held against a baseline, by the formulas that a spec names. Pure.

`documented` honours the spec: a section's formula goes over all its workloads, a weighted one over its metrics; the
index is rounded. `compatible` gives the figures of QTIP's own code: text values lose their fraction, every mean is
arithmetic, weights are ignored and the index is cut to an integer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from apifold import matcher

Mode = Literal["documented", "compatible"]

FORMULAS = ("arithmetic mean", "weighted arithmetic mean", "geometric mean", "weighted geometric mean")
DEFAULT_FORMULA = "arithmetic mean"
REFERENCE_SCORE = 2048
"""The index of a machine that equals its baseline."""

_NUMBER = re.compile(r"\s*([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([kKmMgGtTpP]?)[bB]?\s*")
_SCALE = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured for one metric: by which tool, and each workload's samples.

    `tool` is `NAME/MAJOR` ("" where nobody knows): figures of different tools can't be compared.
    """

    tool: str
    values: Mapping[str, Sequence[float | str]] = field(default_factory=dict)


def number(value: Any, mode: Mode) -> float:
    """A value that stands as a number, or as text with a size: `455386.11k`, `2.42 M`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{value!r} is no number")
    scaled = float(found[1]) * _SCALE[found[2].lower()]
    return float(int(scaled)) if mode == "compatible" else scaled


def mean(formula: str, weighted: Iterable[tuple[float, float]]) -> float | None:
    """The mean of `(score, weight)` pairs by a formula's name; None of nothing.

    Raises:
        ValueError: there is no such formula.
    """
    pairs = list(weighted)
    if formula not in FORMULAS:
        raise ValueError(f"there is no formula {formula!r}; there are: {', '.join(FORMULAS)}")
    if not formula.startswith("weighted"):
        pairs = [(score, 1.0) for score, _ in pairs]
    total = sum(weight for _, weight in pairs)
    if not pairs or total <= 0:
        return None
    if formula.endswith("arithmetic mean"):
        return math.fsum(score * weight for score, weight in pairs) / total
    if any(score <= 0 for score, _ in pairs):
        return 0.0
    return math.exp(math.fsum(math.log(score) * weight for score, weight in pairs) / total)


def score_qpi(
    spec: Mapping[str, Any], measured: Mapping[str, Measured], baseline: Mapping[str, Any] | None, mode: Mode
) -> dict[str, Any]:
    """The score of a performance index, with all that it is made of.

    Args:
        spec: the QPI's document.
        measured: by metric.
        baseline: the document to hold it against; without one nothing has a score.

    Returns:
        `{name, description, score, complete, sections}`. `score` is None where nothing could be compared; `complete`
        says that everything could.
    """
    sections = [_section(section, measured, baseline, mode) for section in spec.get("sections") or ()]
    formula = _formula(spec, mode)
    overall = _mean_of(formula, sections)
    reference = (baseline or {}).get("score", REFERENCE_SCORE)
    return {
        "name": spec["name"],
        "description": spec.get("description", ""),
        "formula": formula,
        "score": None if overall is None else _index(overall * reference, mode),
        "complete": bool(sections) and all(one["complete"] for one in sections),
        "sections": sections,
    }


def score_together(scores: Iterable[int | None]) -> int | None:
    """The score of several indexes, or of several nodes: their mean; None where one has none, or there are none."""
    told = list(scores)
    known = [score for score in told if score is not None]
    return int(fmean(known)) if known and len(known) == len(told) else None


def _index(value: float, mode: Mode) -> int:
    # What is 2048 but for the last bit of a float is 2048.
    return int(value + 1e-9) if mode == "compatible" else round(value)


def _section(
    spec: Mapping[str, Any], measured: Mapping[str, Measured], baseline: Mapping[str, Any] | None, mode: Mode
) -> dict[str, Any]:
    known = _metrics_of(baseline, spec["name"])
    if spec.get("regex"):
        metrics = _selected(spec, measured, known, mode)
    else:
        metrics = [_metric(metric, measured.get(metric["name"]), known, mode) for metric in spec.get("metrics") or ()]
    formula = _formula(spec, mode)
    # What a regular expression selects has no metrics to weigh, and a geometric mean is one of all workloads.
    by_workload = bool(spec.get("regex")) or formula == "geometric mean"
    parts = [one for metric in metrics for one in (metric["workloads"] if by_workload else [metric])]
    return {
        "name": spec["name"],
        "description": _description(spec),
        "formula": formula,
        "weight": float(spec.get("weight", 1)),
        "score": _mean_of(formula, parts),
        "complete": bool(metrics) and all(metric["complete"] for metric in metrics),
        "metrics": metrics,
    }


def _metric(spec: Mapping[str, Any], found: Measured | None, known: Sequence[Any], mode: Mode) -> dict[str, Any]:
    reference = _baseline_of(spec["name"], found, known, mode)
    workloads = [
        _workload(one["name"], _description(one), found, reference, mode) for one in spec.get("workloads") or ()
    ]
    return _scored_metric(spec, found, workloads, mode)


def _selected(
    spec: Mapping[str, Any], measured: Mapping[str, Measured], known: Sequence[Any], mode: Mode
) -> list[dict[str, Any]]:
    """The metrics of a section that selects its workloads by a regular expression, from whatever was measured.

    A workload without a result (a zero is none: the tool did nothing of the kind) is left out; QTIP's own scoring also
    leaves out what the baseline does not have.
    """
    belongs = matcher(spec["regex"])
    metrics = []
    for name, found in sorted(measured.items()):
        reference = _baseline_of(name, found, known, mode)
        keys = [key for key in sorted(found.values) if not key.startswith("_") and belongs(key)]
        workloads = [_workload(key, "", found, reference, mode) for key in keys]
        wanted = [one for one in workloads if one["result"] and (one["baseline"] or mode == "documented")]
        if spec.get("use_reciprocal"):
            for one in wanted:
                one["score"] = one["baseline"] / one["result"] if one["baseline"] else None
        if wanted:
            metrics.append(_scored_metric({"name": name}, found, wanted, mode))
    return metrics


def _scored_metric(
    spec: Mapping[str, Any], found: Measured | None, workloads: list[dict[str, Any]], mode: Mode
) -> dict[str, Any]:
    formula = _formula(spec, mode)
    return {
        "name": spec["name"],
        "description": _description(spec),
        "formula": formula,
        "weight": float(spec.get("weight", 1)),
        "tool": found.tool if found else "",
        "score": _mean_of(formula, workloads),
        "complete": bool(workloads) and all(one["score"] is not None for one in workloads),
        "workloads": workloads,
    }


def _workload(
    name: str, description: str, found: Measured | None, reference: Mapping[str, Any], mode: Mode
) -> dict[str, Any]:
    taken: Sequence[float | str] = found.values.get(name, ()) if found else ()
    samples = [number(sample, mode) for sample in taken]
    result = fmean(samples) if samples else None
    base = number(reference[name], mode) if reference.get(name) is not None else None
    score = result / base if result is not None and base else None
    return {"name": name, "description": description, "weight": 1.0, "result": result, "baseline": base, "score": score}


def _baseline_of(name: str, found: Measured | None, known: Sequence[Any], mode: Mode) -> Mapping[str, Any]:
    """The baseline's values for a metric, where they are of the same tool."""
    for metric in known:
        if metric["name"] == name and _same_tool(metric.get("tool", ""), found.tool if found else "", mode):
            return {one["name"]: one.get("baseline") for one in metric.get("workloads") or ()}
    return {}


def _same_tool(one: str, other: str, mode: Mode) -> bool:
    """Whether figures may be compared. QTIP's own documents name no tool; only its own scoring takes that."""
    return one == other if one or mode == "documented" else True


def _metrics_of(baseline: Mapping[str, Any] | None, section: str) -> Sequence[Any]:
    """What a baseline has for a section."""
    for one in (baseline or {}).get("sections") or ():
        if one["name"] == section:
            found: Sequence[Any] = one.get("metrics") or ()
            return found
    return ()


def _formula(spec: Mapping[str, Any], mode: Mode) -> str:
    return DEFAULT_FORMULA if mode == "compatible" else str(spec.get("formula") or DEFAULT_FORMULA)


def _mean_of(formula: str, parts: Iterable[Mapping[str, Any]]) -> float | None:
    """The mean of what has a score."""
    return mean(formula, ((one["score"], one["weight"]) for one in parts if one["score"] is not None))


def _description(spec: Mapping[str, Any]) -> str:
    # `descrption` stands in documents of QTIP's that are in use.
    return str(spec.get("description") or spec.get("descrption") or "")


def as_baseline(result: Mapping[str, Any], name: str, facts: Mapping[str, Any], condition: str) -> dict[str, Any]:
    """A baseline document from a scored index: each workload's result is what later ones are held against."""
    sections = [
        {
            "name": section["name"],
            "metrics": [
                {
                    "name": metric["name"],
                    "tool": metric["tool"],
                    "workloads": [
                        {"name": one["name"], "baseline": one["result"]}
                        for one in metric["workloads"]
                        if one["result"] is not None
                    ],
                }
                for metric in section["metrics"]
                if any(one["result"] is not None for one in metric["workloads"])
            ],
        }
        for section in result["sections"]
    ]
    return {
        "name": name,
        "description": f"Calibrated for {result['name']}",
        "qpi": result["name"],
        "score": REFERENCE_SCORE,
        "condition": condition,
        "system_info": dict(facts),
        "sections": sections,
    }
