"""Key pairs: public keys of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apifold import Denied
from apifold_services.compute.core import keys
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.compute import ComputeCore
from apifold_services.compute.core.listing import Cut
from apifold_services.compute.resource import Resource
from apifold_services.compute.views import Allowed

RESOURCE = Resource(__name__, "os-keypairs", "Keypairs", "Keypair support.", "2011-08-08T00:00:00Z")

BY_NAME = Cut(sort=(("name", False),))


def list_keypairs(core: ComputeCore, ask: Ask, allowed: Allowed, user_id: str = "") -> Any:
    found = core.keypairs.page(_whose(ask, allowed, user_id), BY_NAME)
    return {"keypairs": [{"keypair": _brief(row)} for row in found]}


def create_keypair(core: ComputeCore, ask: Ask, allowed: Allowed, keypair: Mapping[str, Any]) -> Any:
    user = _whose(ask, allowed, keypair.get("user_id", ""))
    most = core.quotas.limits(ask.caller.project, user)["key_pairs"]
    kind = keypair.get("type", "ssh")
    private, public = ("", keypair["public_key"]) if "public_key" in keypair else keys.generate(kind, user)
    made = core.keypairs.keep(user, keypair["name"].strip(), public, kind, most)
    shown = {**_brief(made), "user_id": user, **({"private_key": private} if private else {})}
    return {"keypair": shown}


def show_keypair(core: ComputeCore, ask: Ask, allowed: Allowed, keypair_name: str, user_id: str = "") -> Any:
    row = core.keypairs.get(_whose(ask, allowed, user_id), keypair_name)
    never = {"deleted": False, "deleted_at": None, "updated_at": None}
    return {"keypair": {**_brief(row), "user_id": row.user_id, "created_at": row.created, "id": row.number, **never}}


def delete_keypair(core: ComputeCore, ask: Ask, allowed: Allowed, keypair_name: str, user_id: str = "") -> None:
    core.keypairs.delete(_whose(ask, allowed, user_id), keypair_name)


def _whose(ask: Ask, allowed: Allowed, user: str) -> str:
    """The user whose key pairs are meant. Raises Denied: he is somebody else."""
    if user and user != ask.caller.user and not allowed("os_compute_api:os-keypairs:others"):
        raise Denied("You are not allowed to see the key pairs of others.")
    return user or ask.caller.user


def _brief(row: Any) -> dict[str, Any]:
    return {"name": row.name, "public_key": row.public_key, "fingerprint": row.fingerprint, "type": row.type}
