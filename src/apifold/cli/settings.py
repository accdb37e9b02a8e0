"""`apifold settings`: every setting."""

from __future__ import annotations

import json

import click
import msgspec

from apifold.cli.options import says
from apifold.settings import Settings


@click.command("settings", short_help="list every setting")
@click.option("--json", "as_json", is_flag=True, help="for programs: a list of {name, default, says}")
def command(as_json: bool) -> None:
    """List every setting: key of apifold.yaml, default, meaning. `APIFOLD_NAME` in the environment sets it too."""
    rows = [
        (field.name, field.default if field.default is not msgspec.NODEFAULT else {}, says(field))
        for field in msgspec.structs.fields(Settings)
    ]
    if as_json:
        click.echo(
            json.dumps([{"name": name, "default": default, "says": text} for name, default, text in rows], indent=2)
        )
        return
    for name, default, text in rows:
        click.echo(f"{name}: {json.dumps(default)}\n    {text}")
