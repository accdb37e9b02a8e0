"""`apifold show`: a description as it is served."""

from __future__ import annotations

import json
from typing import Any

import click

from apifold.application import Application
from apifold.cli.options import setting_options, settings_from
from apifold.generation import Loaded
from apifold.reference.documents import Document
from apifold.versions.version import Version


@click.command("show", short_help="print a description as it is served")
@click.argument("target")
@click.argument("api", required=False)
@click.option("--at", "at", metavar="VERSION", help="as it is, was or will be at this version")
@click.option("--json", "as_json", is_flag=True, help="as JSON; YAML otherwise")
@click.option("--normalised", is_flag=True, help="the one internal form that requests are checked against")
@setting_options("config", "handlers", "implementation")
def command(target: str, api: str | None, at: str | None, as_json: bool, normalised: bool, **options: Any) -> None:
    """Print the description of an API of TARGET; API is its name, where there are several."""
    chosen = chosen_api(target, api, options)
    description = chosen.description
    if at:
        try:
            description = chosen.compiled.at(Version.parse(at))
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    data = description.document if normalised else description.written
    if as_json:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        click.echo(Document("", "", "", data).as_yaml().decode(), nl=False)


def chosen_api(target: str, api: str | None, options: dict[str, Any]) -> Loaded:
    """An API of a target by its name, or the only one.

    Raises:
        click.UsageError: it is not there, or there are several.
    """
    settings = settings_from((target,), {**options, "quarantine": True, "state": ""})
    application = Application.serving((target,), settings)
    try:
        loaded = {one.api.name: one for one in application.build().loaded}
    finally:
        application.close()
    names = ", ".join(sorted(loaded))
    if api is None and len(loaded) != 1:
        raise click.UsageError(f"say which API: {names or 'none could be loaded; `apifold check` says why'}")
    chosen = loaded.get(api) if api else next(iter(loaded.values()))
    if chosen is None:
        raise click.UsageError(f"there is no API {api!r}; there are: {names}")
    return chosen
