"""Resources: the plug-ins that the API is made of.

A resource is a module that declares itself, its handlers, and, beside the module, a description of the same name:

    RESOURCE = Resource(__name__, "os-keypairs", "Keypairs", "Public keys of users.", "2011-08-08T00:00:00Z")

A package of anybody's registers it among the entry points of `apifold_compute.resources`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apifold import Parts, SettingsError, extension_points
from apifold_services.compute.core.servers import Server

GROUP = "apifold_compute.resources"

ServerFields = Callable[[Server], Mapping[str, Any]]
"""Members that a resource adds to every answer with a whole server."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A plug-in.

    Attributes:
        module: its own name; `NAME.yaml` beside it is its description, `NAME.policy.yaml` its rules, and
            `NAME.overlay.yaml` what it changes in the API's own description, such as members that it adds to servers.
        alias: what clients and operators call it.
        updated: when its contract was made.
        core: whether the API makes no sense without it.
        server_fields: what it adds to servers.
    """

    module: str
    alias: str
    name: str
    description: str
    updated: str
    core: bool = False
    server_fields: ServerFields | None = None

    @property
    def stem(self) -> Path:
        """Its files without their endings."""
        return Path(str(importlib.import_module(self.module).__file__)).with_suffix("")

    def parts(self, api: str) -> Parts:
        """What it adds to an API."""
        stem, policy = self.stem, self.stem.with_suffix(".policy.yaml")
        return Parts(
            api,
            stem.parent,
            files=(f"{stem.name}.yaml",),
            handlers=self.module,
            policy=policy if policy.is_file() else None,
        )

    @property
    def overlays(self) -> tuple[Path, ...]:
        """What it changes in the API's own description."""
        overlay = self.stem.with_suffix(".overlay.yaml")
        return (overlay,) if overlay.is_file() else ()


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that are served."""

    all: Sequence[Resource]

    @classmethod
    def installed(cls, disabled: Sequence[str]) -> Resources:
        """Those that are installed, by alias, but for some.

        Raises:
            SettingsError: one that is to be left out is not there, or the API makes no sense without it; two have the
                same alias; one can't be loaded.
        """
        found: dict[str, Resource] = {}
        for name in extension_points.names(GROUP):
            one: Resource = extension_points.load(GROUP, name)
            if one.alias in found:
                both = f"{found[one.alias].module} and {one.module}"
                raise SettingsError(f"services: compute: {both} are both the resource {one.alias!r}; uninstall one")
            found[one.alias] = one
        for alias in disabled:
            if alias not in found:
                there = ", ".join(sorted(found))
                raise SettingsError(f"services: compute: disabled: there is no resource {alias!r}; there are: {there}")
            if found[alias].core:
                raise SettingsError(f"services: compute: disabled: {alias!r} is part of the core and can't be left out")
        return cls(tuple(found[alias] for alias in sorted(found) if alias not in disabled))

    def server_fields(self, server: Server) -> dict[str, Any]:
        """What they add to a server."""
        added: dict[str, Any] = {}
        for one in self.all:
            if one.server_fields:
                added.update(one.server_fields(server))
        return added
