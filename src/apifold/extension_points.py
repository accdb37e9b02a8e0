"""The doors for guests: one entry-point group each. What apifold ships walks through the same doors."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any

from apifold.errors import MissingExtra, SettingsError

EXTENSION_POINTS = {
    "apifold.services": "a service: `service(deployment) -> apifold.Service`, served by its entry point's name",
    "apifold.bindings": "a binding: how an operation gets its answer, named by `x-apifold: {binding: {NAME: ...}}`",
    "apifold.actions": "an action: `lower` and `lift` of a value with a `source`, named by `x-apifold: {action: NAME}`",
    "apifold.traits": "a trait: a habit of an operation, switched on by `x-apifold: {traits: [NAME]}`",
    "apifold.dialects": "a dialect: how one API words its faults, named by `x-apifold: {errors: NAME}`",
    "apifold.discoveries": "a discovery: the shape of a service's list of its APIs, named by `Service.discovery`",
    "apifold.auth": "an auth method: who is asking, made as `method(deployment)`, named by the setting `auth: NAME`",
    "apifold.commands": "a command: a `click` command or group, run as `apifold NAME`",
}


@cache
def names(group: str) -> tuple[str, ...]:
    """The names that are registered in a group, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


@cache
def load(group: str, name: str) -> Any:
    """The object a name stands for in a group.

    Raises:
        SettingsError: nothing is registered by that name, two packages claim it, or what one brings misses something.
        MissingExtra: what apifold brings needs a part that is not installed.
    """
    found = {point.value: point for point in entry_points(group=group) if point.name == name}
    if not found:
        raise SettingsError(f"no {group.partition('.')[2]} entry named {name!r}; there are: {', '.join(names(group))}")
    if len(found) > 1:
        raise SettingsError(f"{name!r} is claimed twice in {group}: {', '.join(sorted(found))}; uninstall one")
    point = next(iter(found.values()))
    try:
        return point.load()
    except ModuleNotFoundError as error:
        brings = point.dist.name if point.dist else "its package"
        if brings == "apifold":
            raise MissingExtra(f"{name} (it misses {error.name})", name) from None
        raise SettingsError(f"{name!r} of {brings} misses the module {error.name}; install that, too") from None
