"""Stacks: templates that were accepted. Their resources are told of, not made."""

from __future__ import annotations

import time
import uuid
from typing import Any

import yaml

from apifold import Deployment, Invalid, NotFound
from apifold_services.multicloud.standin.core.resources import Resource, Resources, now

BUSY_SECONDS = 1.0
"""How long a stack stays in progress."""


class Stacks(Resources):
    """The stacks of each project."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment, "Stack", unique="place")

    def add(self, project: str, user: str, wish: dict[str, Any]) -> Resource:
        """A new stack.

        Raises:
            Conflict: its name is taken.
            Invalid: its template can't be read.
        """
        name = wish["stack_name"]
        place = {"name": name, "place": f"{project}/{name}", "owner": user, "updated_time": None}
        return self.create(project, {**place, **_accepted(wish, "CREATE")})

    def update(self, project: str, id: str, wish: dict[str, Any]) -> None:
        """Put another template, or other parameters, in place. Raises NotFound and Invalid."""
        self.change(project, id, lambda stack: {**_accepted({**stack, **wish}, "UPDATE"), "updated_time": now()})

    def find(self, project: str, name: str) -> Resource:
        """The stack of a name, or of an id. Raises NotFound."""
        return next(iter(self.page(project, name=name)), None) or self.get(project, name)

    def named(self, project: str, name: str, id: str) -> Resource:
        """The stack of an id that has this name. Raises NotFound."""
        found = self.get(project, id)
        if found["name"] != name:
            raise self.missing(name)
        return found

    def missing(self, id: str) -> NotFound:
        """As Heat says it."""
        return NotFound(f"The Stack ({id}) could not be found.", title="EntityNotFound")


def status_of(stack: Resource) -> str:
    """What a stack, and each of its resources, is at."""
    state = "IN_PROGRESS" if time.time() < stack["busy_until"] else "COMPLETE"
    return f"{stack['action']}_{state}"


def resources_of(stack: Resource) -> list[Resource]:
    """The resources that a stack's template names."""
    return [
        {
            "resource_name": name,
            "logical_resource_id": name,
            "physical_resource_id": str(uuid.uuid5(uuid.UUID(stack["id"]), name)),
            "resource_type": kind,
            "resource_status": status_of(stack),
            "resource_status_reason": "state changed",
            "creation_time": stack["created_at"],
            "updated_time": stack["updated_at"],
            "required_by": [],
        }
        for name, kind in stack["kinds"].items()
    ]


def _accepted(wish: dict[str, Any], action: str) -> Resource:
    template = _read(wish.get("template") or {})
    return {
        "template": template,
        "kinds": {name: str(one.get("type", "")) for name, one in (template.get("resources") or {}).items()},
        "parameters": wish.get("parameters") or {},
        "tags": wish.get("tags"),
        "timeout_mins": wish.get("timeout_mins"),
        "disable_rollback": wish.get("disable_rollback", True),
        "action": action,
        "busy_until": time.time() + BUSY_SECONDS,
    }


def _read(template: Any) -> dict[str, Any]:
    try:
        read = yaml.safe_load(template) if isinstance(template, str) else template
        if all(isinstance(one, dict) for one in (read.get("resources") or {}).values()):
            return read  # type: ignore[no-any-return]  # it has `get`
    except (yaml.YAMLError, AttributeError):
        pass
    raise Invalid("The template can't be read: it is no mapping with `resources`.")
