"""What a caller may see: everything for an admin, his own project's usage for everybody else, whatever he asks for."""

from __future__ import annotations

from apifold import Caller
from apifold_services.rating.core.storage import Filters


def visible(caller: Caller, filters: Filters, scope_key: str) -> Filters:
    """The filters that a caller's question comes down to; somebody without a project sees nothing."""
    if is_admin(caller):
        return filters
    return {**filters, scope_key: (caller.project,) if caller.project else ()}


def is_admin(caller: Caller) -> bool:
    """Whether a caller sees everything."""
    return "admin" in caller.roles
