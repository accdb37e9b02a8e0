"""`apifold check`: every error of every file."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import click

from apifold.application import check
from apifold.cli.options import setting_options, settings_from


@click.command("check", short_help="tell every error of every file, with file, line and what to do")
@click.argument("targets", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="for programs: a list of {file, line, pointer, message, remedy}")
@setting_options("config", "handlers", "remote_references", "implementation", "examples", "policy", "auth")
def command(targets: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Load each TARGET as `serve` would, and tell everything that is wrong with it, at once.

    Exit code 1 where there is an error.
    """
    settings = settings_from(targets, options)
    errors = check(targets, settings)
    if as_json:
        names = ("file", "line", "pointer", "message", "remedy")
        click.echo(json.dumps([{name: getattr(error, name) for name in names} for error in errors], indent=2))
    elif errors:
        click.echo("\n".join(map(str, errors)))
        per_file = Counter(error.file for error in errors)
        click.echo(f"\n{len(errors)} error{'s' * (len(errors) > 1)} in {len(per_file)} file{'s' * (len(per_file) > 1)}")
    else:
        click.echo("no errors")
    sys.exit(1 if errors else 0)
