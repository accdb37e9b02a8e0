"""Overlays: changes to a description that stand in a file beside it (OpenAPI Overlay 1.0)."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

from jsonpath import JSONPathError, JSONPointerError, finditer

from apifold.description.places import Places
from apifold.errors import DescriptionError


def is_overlay(data: Any) -> bool:
    """Whether a file's content is an overlay."""
    return isinstance(data, dict) and "overlay" in data and "actions" in data


def is_beside(data: Any) -> bool:
    """Whether an overlay makes another API of the description that it is for, and leaves that one as it is."""
    return is_overlay(data) and (data.get("x-apifold") or {}).get("beside") is True


def extends(data: dict[str, Any], path: Path) -> Path:
    """The description that an overlay is for: what it `extends`, else `api.yaml` for `api.overlay.yaml`."""
    if isinstance(data.get("extends"), str):
        return Path(os.path.normpath(path.parent / str(data["extends"])))
    return path.with_name(path.name.replace(".overlay", "", 1))


def apply(
    document: dict[str, Any], overlay: dict[str, Any], name: str, places: Places
) -> tuple[dict[str, Any], list[DescriptionError]]:
    """The document as an overlay changes it, and what was wrong with the overlay.

    Args:
        document: the description as written; it is not changed.
        overlay: the overlay's content.
        name: the overlay's file, for places.
        places: the description's.
    """
    changed = copy.deepcopy(document)
    errors = []
    for index, action in enumerate(overlay["actions"]):
        at = f"/actions/{index}"
        target = action.get("target", "")
        try:
            matches = list(finditer(target, changed))
        except (JSONPathError, JSONPointerError) as error:
            errors.append(
                places.error_in(name, f"{at}/target", f"{target!r} is not a JSONPath: {error}", "see RFC 9535")
            )
            continue
        if not matches:
            errors.append(
                places.error_in(
                    name, f"{at}/target", f"{target!r} names nothing in the description", "is the path spelled right?"
                )
            )
        for match in reversed(matches):
            if action.get("remove") is True:
                _remove(match)
            elif "update" in action:
                _update(match.obj, action["update"])
    return changed, errors


def _remove(match: Any) -> None:
    if match.parent is not None:
        del match.parent.obj[match.parts[-1]]


def _update(target: Any, update: Any) -> None:
    """Objects are merged, arrays are appended to (Overlay 1.0, 4.4.3.1)."""
    if isinstance(target, list):
        target.append(copy.deepcopy(update))
        return
    for key, value in update.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _update(target[key], value)
        elif isinstance(value, list) and isinstance(target.get(key), list):
            target[key].extend(copy.deepcopy(value))
        else:
            target[key] = copy.deepcopy(value)
