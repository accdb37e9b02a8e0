"""Settings as options: each setting is an option of the same name, told by its own description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from apifold.settings import Settings, load

_NOT_OPTIONS = ("apis", "services", "upstreams")
"""Mappings; the settings file and the environment have them."""


def setting_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that gives a command the options of some settings; of all where none is named."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for field in reversed(msgspec.structs.fields(Settings)):
            if field.name not in _NOT_OPTIONS and (not names or field.name in names):
                function = _option(field)(function)
        return function

    return decorate


def _option(field: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    option = "--" + field.name.replace("_", "-")
    text = says(field)
    shown = (
        ""
        if field.default in ("", ())
        else f"  [{str(field.default).lower() if isinstance(field.default, bool) else field.default}]"
    )
    if isinstance(field.default, bool):
        return click.option(
            f"{option}/--no-{field.name.replace('_', '-')}", field.name, default=None, help=text + shown
        )
    if isinstance(field.default, tuple):
        return click.option(option, field.name, multiple=True, help=f"{text} (may be repeated){shown}")
    return click.option(option, field.name, default=None, metavar=_metavar(field), help=text + shown)


def says(field: Any) -> str:
    """What a setting is for, from its declaration."""
    return str(next(meta.description for meta in _metas(field.type)))


def _metas(kind: Any) -> list[Any]:
    return [meta for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]


def _metavar(field: Any) -> str:
    return {int: "N", float: "SECONDS" if "second" in says(field) else "N"}.get(type(field.default), "TEXT")


def settings_from(targets: tuple[str, ...], options: dict[str, Any]) -> Settings:
    """The settings that a command line asks for, the first target's `apifold.yaml` among them."""
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    directories = [path if path.is_dir() else path.parent for path in map(Path, targets) if path.exists()]
    return load(directories[0] if directories else None, given)
