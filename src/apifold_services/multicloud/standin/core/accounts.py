"""Who may use the cloud: users, projects and the roles between them. They never change."""

from __future__ import annotations

import hmac
from typing import Any, NamedTuple

from apifold import Unauthenticated
from apifold_services.multicloud.standin.core.fixed import FIXED

DOMAIN: dict[str, str] = FIXED["domain"]
PROJECTS: dict[str, str] = FIXED["projects"]
"""Names by id."""


class User(NamedTuple):
    """Somebody, with roles by project id."""

    id: str
    name: str
    password: str
    roles: dict[str, list[str]]


USERS = tuple(User(**user) for user in FIXED["users"])


def user_of(id: str) -> User:
    """The user of an id that a token has."""
    return next(user for user in USERS if user.id == id)


def project_of(id: str) -> dict[str, Any]:
    """A project as the identity API shows it."""
    shown = {"id": id, "name": PROJECTS[id], "domain_id": DOMAIN["id"], "parent_id": DOMAIN["id"]}
    return {**shown, "enabled": True, "is_domain": False, "description": "", "links": {}}


def with_password(asked: dict[str, Any]) -> User:
    """The user who knows a password.

    Args:
        asked: `password`, and `id` or `name` with `domain`.

    Raises:
        Unauthenticated: nobody, or another password.
    """
    for user in USERS:
        is_named = asked.get("name") == user.name and _is_default(asked.get("domain", {}))
        if (asked.get("id") == user.id or is_named) and hmac.compare_digest(
            asked["password"].encode(), user.password.encode()
        ):
            return user
    raise _unknown()


def scoped(user: User, asked: dict[str, Any]) -> str:
    """The id of a project that a user has roles in.

    Args:
        asked: `id`, or `name` with `domain`.

    Raises:
        Unauthenticated: there is none.
    """
    for id in user.roles:
        if asked.get("id") == id or (asked.get("name") == PROJECTS[id] and _is_default(asked.get("domain", {}))):
            return id
    raise _unknown()


def _is_default(domain: dict[str, str]) -> bool:
    return any(domain.get(key) == value for key, value in DOMAIN.items())


def _unknown() -> Unauthenticated:
    return Unauthenticated("The request you have made requires authentication.", "Keystone")
