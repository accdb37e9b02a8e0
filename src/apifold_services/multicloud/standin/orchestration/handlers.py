"""Orchestration: stacks and what they say they made."""

from __future__ import annotations

from typing import Any

from apifold_services.multicloud.standin.core.resources import Resource
from apifold_services.multicloud.standin.core.stacks import Stacks, resources_of, status_of
from apifold_services.multicloud.standin.gate import Visitor, guarded

orchestration = guarded("orchestration")


@orchestration
def create_stack(stacks: Stacks, visitor: Visitor, project_id: str, body: dict[str, Any]) -> dict[str, Any]:
    made = stacks.add(project_id, visitor.user, body)
    return {"stack": {"id": made["id"], "links": _links(made, visitor)}}


@orchestration
def list_stacks(stacks: Stacks, visitor: Visitor, project_id: str, name: str = "") -> dict[str, Any]:
    return {"stacks": [_brief(one, visitor) for one in stacks.page(project_id, name=name)]}


@orchestration
def find_stack(stacks: Stacks, visitor: Visitor, project_id: str, name: str) -> dict[str, Any]:
    return {"stack": _whole(stacks.find(project_id, name), visitor)}


@orchestration
def show_stack(stacks: Stacks, visitor: Visitor, project_id: str, name: str, id: str) -> dict[str, Any]:
    return {"stack": _whole(stacks.named(project_id, name, id), visitor)}


@orchestration
def update_stack(stacks: Stacks, project_id: str, name: str, id: str, body: dict[str, Any]) -> None:
    stacks.update(project_id, stacks.named(project_id, name, id)["id"], body)


@orchestration
def delete_stack(stacks: Stacks, project_id: str, name: str, id: str) -> None:
    stacks.remove(project_id, stacks.named(project_id, name, id)["id"])


@orchestration
def list_resources(stacks: Stacks, visitor: Visitor, project_id: str, name: str, id: str) -> dict[str, Any]:
    stack = stacks.named(project_id, name, id)
    address = _links(stack, visitor)[0]["href"]
    found = resources_of(stack)
    for one in found:
        one["links"] = [
            {"rel": "self", "href": f"{address}/resources/{one['resource_name']}"},
            {"rel": "stack", "href": address},
        ]
    return {"resources": found}


def _links(stack: Resource, visitor: Visitor) -> list[dict[str, str]]:
    place = f"{stack['project_id']}/stacks/{stack['name']}/{stack['id']}"
    return [{"rel": "self", "href": f"{visitor.cloud}/orchestration/v1/{place}"}]


def _brief(stack: Resource, visitor: Visitor) -> dict[str, Any]:
    status = status_of(stack)
    action, _, state = status.partition("_")
    doing = "started" if state == "IN_PROGRESS" else "completed successfully"
    return {
        "id": stack["id"],
        "stack_name": stack["name"],
        "description": stack["template"].get("description", ""),
        "stack_status": status,
        "stack_status_reason": f"Stack {action} {doing}",
        "creation_time": stack["created_at"],
        "updated_time": stack["updated_time"],
        "deletion_time": None,
        "parent": None,
        "project": stack["project_id"],
        "stack_owner": None,
        "stack_user_project_id": stack["project_id"],
        "tags": stack["tags"],
        "links": _links(stack, visitor),
    }


def _whole(stack: Resource, visitor: Visitor) -> dict[str, Any]:
    own = {"OS::stack_id": stack["id"], "OS::stack_name": stack["name"], "OS::project_id": stack["project_id"]}
    return {
        **_brief(stack, visitor),
        "parameters": {**own, **stack["parameters"]},
        "outputs": [],
        "capabilities": [],
        "notification_topics": [],
        "disable_rollback": stack["disable_rollback"],
        "timeout_mins": stack["timeout_mins"],
        "template_description": stack["template"].get("description", "No description"),
    }
