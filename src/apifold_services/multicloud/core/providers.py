"""Which plug-in speaks with a cloud: by its type and version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from apifold import NotFound, SettingsError, read_file

PREFIX = "multicloud-"


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a cloud type, and its plug-in."""

    version: str
    plugin: str


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One type of cloud; `default` is the version that stands for any that is not known."""

    vim_type: str
    versions: tuple[Version, ...]
    default: str


class Providers:
    """The cloud types that are known.

    Args:
        file: YAML or JSON, a list of `{vim_type, versions: [{version, plugin}], default}`.

    Raises:
        SettingsError: it can't be read.
    """

    def __init__(self, file: Path) -> None:
        try:
            self.providers = msgspec.convert(read_file(file), tuple[Provider, ...])
        except OSError as error:
            raise SettingsError(f"services: multicloud: providers: {file}: {error.strerror}") from None
        except msgspec.ValidationError as error:
            raise SettingsError(f"services: multicloud: providers: {file}: {error}") from None

    def types(self) -> list[dict[str, Any]]:
        """The types with their versions, as clients are told."""
        return [
            {"vim_type": one.vim_type, "versions": [version.version for version in one.versions]}
            for one in self.providers
        ]

    def plugin(self, kind: str, version: str) -> str:
        """The full name of the plug-in for a cloud.

        Raises:
            NotFound: its type is not supported.
        """
        for provider in self.providers:
            if provider.vim_type == kind:
                plugins = {one.version: one.plugin for one in provider.versions}
                return PREFIX + (plugins.get(version) or plugins[provider.default])
        known = ", ".join(one.vim_type for one in self.providers)
        raise NotFound(f"Not support VIM type: {kind}; supported are: {known}.")
