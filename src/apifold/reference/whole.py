"""One document of an API and of what others add to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def with_parts(data: dict[str, Any], parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A document with the paths, the tags and the schemas of others."""
    if not parts:
        return data
    merged = {**data, "paths": dict(data["paths"])}
    for part in parts:
        for path, item in part["paths"].items():
            merged["paths"][path] = {**merged["paths"].get(path, {}), **item}
        for key in ("definitions", "components"):
            if key in part:
                merged[key] = _together(merged.get(key) or {}, part[key])
        if "tags" in part:
            there = {tag["name"] for tag in merged.get("tags", ())}
            merged["tags"] = [*merged.get("tags", ()), *(tag for tag in part["tags"] if tag["name"] not in there)]
    return merged


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = {**one[key], **other[key]}
    return both
