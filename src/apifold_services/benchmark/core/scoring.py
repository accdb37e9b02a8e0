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
MODES: tuple[Mode, ...] = ("documented", "compatible")

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
    formula = DEFAULT_FORMULA if mode == "compatible" else spec.get("formula") or DEFAULT_FORMULA
    overall = mean(formula, ((one["score"], one["weight"]) for one in sections if one["score"] is not None))
    reference = (baseline or {}).get("score", REFERENCE_SCORE)
    return {
        "name": spec["name"],
        "description": spec.get("description", ""),
        "formula": formula,
        "score": None if overall is None else _index(overall * reference, mode),
        "complete": bool(sections) and all(one["complete"] for one in sections),
        "sections": sections,
    }


def score_pod(scores: Sequence[int]) -> int | None:
    """The score of several nodes together."""
    return int(fmean(scores)) if scores else None


def _index(value: float, mode: Mode) -> int:
    # What is 2048 but for the last bit of a float is 2048.
    return int(value + 1e-9) if mode == "compatible" else round(value)


def _section(
    spec: Mapping[str, Any], measured: Mapping[str, Measured], baseline: Mapping[str, Any] | None, mode: Mode
) -> dict[str, Any]:
    known = _named(baseline, "sections", spec["name"])
    if spec.get("regex"):
        return _selected(spec, measured, known, mode)
    metrics = [_metric(metric, measured.get(metric["name"]), known, mode) for metric in spec.get("metrics") or ()]
    formula = DEFAULT_FORMULA if mode == "compatible" else spec.get("formula") or DEFAULT_FORMULA
    if formula == "geometric mean":
        parts = [(one["score"], 1.0) for metric in metrics for one in metric["workloads"] if one["score"] is not None]
    else:
        parts = [(metric["score"], metric["weight"]) for metric in metrics if metric["score"] is not None]
    return {
        "name": spec["name"],
        "description": _description(spec),
        "formula": formula,
        "weight": float(spec.get("weight", 1)),
        "score": mean(formula, parts),
        "complete": bool(metrics) and all(metric["complete"] for metric in metrics),
        "metrics": metrics,
    }


def _metric(spec: Mapping[str, Any], found: Measured | None, known: Sequence[Any], mode: Mode) -> dict[str, Any]:
    reference = _baseline_of(spec["name"], found, known, mode)
    workloads = [
        _workload(one["name"], _description(one), found, reference, mode) for one in spec.get("workloads") or ()
    ]
    formula = DEFAULT_FORMULA if mode == "compatible" else spec.get("formula") or DEFAULT_FORMULA
    return {
        "name": spec["name"],
        "description": _description(spec),
        "formula": formula,
        "weight": float(spec.get("weight", 1)),
        "tool": found.tool if found else "",
        "score": mean(formula, ((one["score"], one["weight"]) for one in workloads if one["score"] is not None)),
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


def _selected(
    spec: Mapping[str, Any], measured: Mapping[str, Measured], known: Sequence[Any], mode: Mode
) -> dict[str, Any]:
    """A section that selects its workloads by a regular expression, from whatever was measured."""
    belongs = matcher(spec["regex"])
    lower_is_better = bool(spec.get("use_reciprocal"))
    metrics: list[dict[str, Any]] = []
    for name, found in sorted(measured.items()):
        reference = _baseline_of(name, found, known, mode)
        workloads = []
        for key in sorted(found.values):
            if key.startswith("_") or not belongs(key):
                continue
            one = _workload(key, "", found, reference, mode)
            if one["result"] and one["baseline"]:
                if lower_is_better:
                    one["score"] = one["baseline"] / one["result"]
                workloads.append(one)
            elif one["result"] and mode == "documented":
                workloads.append(one)
        if workloads:
            scores = [(one["score"], 1.0) for one in workloads if one["score"] is not None]
            metrics.append(
                {
                    "name": name,
                    "description": "",
                    "formula": DEFAULT_FORMULA,
                    "weight": 1.0,
                    "tool": found.tool,
                    "score": mean(DEFAULT_FORMULA, scores),
                    "complete": len(scores) == len(workloads),
                    "workloads": workloads,
                }
            )
    parts = [(one["score"], 1.0) for metric in metrics for one in metric["workloads"] if one["score"] is not None]
    formula = DEFAULT_FORMULA if mode == "compatible" else spec.get("formula") or DEFAULT_FORMULA
    return {
        "name": spec["name"],
        "description": _description(spec),
        "formula": formula,
        "weight": float(spec.get("weight", 1)),
        "score": mean(formula, parts),
        "complete": bool(metrics) and all(metric["complete"] for metric in metrics),
        "metrics": metrics,
    }


def _baseline_of(name: str, found: Measured | None, known: Sequence[Any], mode: Mode) -> Mapping[str, Any]:
    """The baseline's values for a metric, where they are of the same tool."""
    for metric in known:
        if metric["name"] == name and _same_tool(metric.get("tool", ""), found.tool if found else "", mode):
            return {one["name"]: one.get("baseline") for one in metric.get("workloads") or ()}
    return {}


def _same_tool(one: str, other: str, mode: Mode) -> bool:
    """Whether figures may be compared. QTIP's own documents name no tool; only its own scoring takes that."""
    return one == other if one or mode == "documented" else True


def _named(baseline: Mapping[str, Any] | None, members: str, name: str) -> Sequence[Any]:
    for section in (baseline or {}).get(members) or ():
        if section["name"] == name:
            found: Sequence[Any] = section.get("metrics") or ()
            return found
    return ()


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
