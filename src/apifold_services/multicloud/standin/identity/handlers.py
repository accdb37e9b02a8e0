"""Identity: tokens and what they are good for."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from apifold import Denied, Request, Unauthenticated
from apifold_services.multicloud.standin.core import accounts
from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.gate import Gate, Visitor, cloud_of, guarded

REGION = "RegionOne"
_NAMES = uuid.UUID("6f3f0f0e-7a52-4b0c-8f5e-0f6c5c1d7a10")

identity = guarded("identity")
public = guarded("identity", known=False)


@public
def show_version(request: Request) -> dict[str, Any]:
    links = [{"rel": "self", "href": f"{cloud_of('identity', request)}/identity/v3/"}]
    media = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]
    return {"version": {"id": "v3.14", "status": "stable", "links": links, "media-types": media}}


@public
def issue_token(gate: Gate, request: Request, body: dict[str, Any]) -> Any:
    auth = body["auth"]
    given = auth["identity"]
    until, methods = "", given["methods"]
    if "password" in methods and "password" in given:
        user = accounts.with_password(given["password"]["user"])
    elif "token" in methods and "token" in given:
        before = gate.tokens.trusted(given["token"]["id"])
        user, until = accounts.user_of(before["user"]), before["expires_at"]
        methods = sorted({*methods, *before["methods"]})
    else:
        raise Unauthenticated("The request you have made requires authentication.", "Keystone")
    scope = auth.get("scope", {})
    project = accounts.scoped(user, scope["project"]) if "project" in scope else ""
    text, known = gate.tokens.issue(user.id, project, methods, gate.faults.token_seconds(), until)
    return {"token": _shown(known, cloud_of("identity", request))}, 201, {"X-Subject-Token": text}


@identity
def show_token(gate: Gate, visitor: Visitor, x_subject_token: str) -> Any:
    known = gate.tokens.read(x_subject_token)
    return {"token": _shown(known, visitor.cloud)}, 200, {"X-Subject-Token": x_subject_token}


@identity
def revoke_token(gate: Gate, x_subject_token: str) -> None:
    gate.tokens.revoke(x_subject_token)


@identity
def list_projects(visitor: Visitor, name: str = "") -> dict[str, Any]:
    if "admin" not in accounts.user_of(visitor.user).roles.get(visitor.project, ()):
        raise Denied("You are not authorized to perform the requested action: identity:list_projects.")
    return _listed(id for id, called in accounts.PROJECTS.items() if name in ("", called))


@identity
def list_own_projects(visitor: Visitor) -> dict[str, Any]:
    return _listed(accounts.user_of(visitor.user).roles)


@identity
def show_catalog(visitor: Visitor) -> dict[str, Any]:
    return {"catalog": _catalog(visitor.cloud, visitor.project) if visitor.project else []}


def _listed(ids: Iterable[str]) -> dict[str, Any]:
    return {"projects": [accounts.project_of(id) for id in ids], "links": {"next": None, "previous": None}}


def _shown(known: dict[str, Any], cloud: str) -> dict[str, Any]:
    user, project = accounts.user_of(known["user"]), known["project"]
    shown = {name: known[name] for name in ("methods", "issued_at", "expires_at", "audit_ids")}
    shown["user"] = {"id": user.id, "name": user.name, "domain": accounts.DOMAIN, "password_expires_at": None}
    if project:
        shown["is_domain"] = False
        shown["project"] = {"id": project, "name": accounts.PROJECTS[project], "domain": accounts.DOMAIN}
        shown["roles"] = [{"id": _id(role), "name": role} for role in user.roles[project]]
        shown["catalog"] = _catalog(cloud, project)
    return shown


def _catalog(cloud: str, project: str) -> list[dict[str, Any]]:
    return [
        {
            "id": _id(one["type"]),
            "type": one["type"],
            "name": one["name"],
            "endpoints": [
                {
                    "id": _id(f"{one['type']} {interface}"),
                    "interface": interface,
                    "region": REGION,
                    "region_id": REGION,
                    "url": cloud + one["path"].format(project=project),
                }
                for interface in ("public", "internal", "admin")
            ],
        }
        for one in FIXED["catalog"]
    ]


def _id(name: str) -> str:
    return uuid.uuid5(_NAMES, name).hex
