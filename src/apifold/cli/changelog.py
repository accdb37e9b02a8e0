"""`apifold changelog`: what each version of an API brought."""

from __future__ import annotations

import json
from typing import Any

import click

from apifold.cli.options import setting_options
from apifold.cli.show import chosen_api
from apifold.versions.changelog import as_markdown, changelog


@click.command("changelog", short_help="what each version of an API brought")
@click.argument("target")
@click.argument("api", required=False)
@click.option("--json", "as_json", is_flag=True, help="for programs: a list of {version, changes}")
@setting_options("config", "handlers")
def command(target: str, api: str | None, as_json: bool, **options: Any) -> None:
    """Print, as Markdown, what each version of an API of TARGET brought, drawn from `since` and `until`."""
    chosen = chosen_api(target, api, options)
    releases = changelog(chosen.compiled.history)
    if not as_json:
        click.echo(as_markdown(chosen.description.title, releases), nl=False)
        return
    listed = [
        {
            "version": release.version.text,
            "changes": [
                {"rule": one.rule, "breaking": one.is_breaking, "operation": one.operation, "text": one.text}
                for one in release.changes
            ],
        }
        for release in releases
    ]
    click.echo(json.dumps(listed, indent=2))
