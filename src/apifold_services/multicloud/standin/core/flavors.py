"""Flavors: sizes of servers."""

from __future__ import annotations

from typing import Any

from apifold import Deployment
from apifold_services.multicloud.standin.core.fixed import FIXED
from apifold_services.multicloud.standin.core.resources import SHARED, Resource, Resources


class Flavors(Resources):
    """The flavors; every project sees all of them."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment, "Flavor", ({**FIXED["flavor"], **one} for one in FIXED["flavors"]), unique="name")

    def add(self, wish: dict[str, Any]) -> Resource:
        """A new flavor. Raises Conflict where its id or name is taken."""
        given = {name: value for name, value in wish.items() if value is not None}
        return self.create(SHARED, {**FIXED["flavor"], **given})

    def specify(self, id: str, specs: dict[str, str]) -> dict[str, str]:
        """Add extra specs, and tell all of them. Raises NotFound."""
        changed = self.change(SHARED, id, lambda flavor: {"extra_specs": {**flavor["extra_specs"], **specs}})
        return changed["extra_specs"]  # type: ignore[no-any-return]  # as `add` put it there
