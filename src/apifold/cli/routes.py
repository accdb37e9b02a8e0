"""`apifold routes`: what would be served."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from apifold import extension_points
from apifold.application import Application
from apifold.cli.options import setting_options, settings_from
from apifold.pipeline.endpoint import describe_site

_LINE = 1_000
"""Characters of a line for a pipe: each route is on one."""


@click.command("routes", short_help="list what would be served")
@click.argument("targets", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="for programs: a list of {api, method, path, operation, rule}")
@click.option("--all", "everything", is_flag=True, help="with documents, pages and health, too")
@setting_options("config", "handlers", "implementation", "policy")
def command(targets: tuple[str, ...], as_json: bool, everything: bool, **options: Any) -> None:
    """List every method and path that TARGETS would serve, with operation and policy rule."""
    settings = settings_from(targets, {**options, "quarantine": True, "state": ""})
    application = Application.serving(targets or extension_points.names("apifold.services"), settings)
    try:
        generation = application.build()
        own = {loaded.api.name for loaded in generation.loaded}
        routes = [route for route in describe_site(generation.site) if everything or route["api"] in own]
    finally:
        application.close()
    routes.sort(key=lambda route: (route["path"], route["method"]))
    if as_json:
        click.echo(json.dumps(routes, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("api", "method", "path", "operation", "rule"):
        table.add_column(column, overflow="fold")
    for route in routes:
        table.add_row(*(route[column] for column in ("api", "method", "path", "operation", "rule")))
    Console(width=None if sys.stdout.isatty() else _LINE).print(table)
