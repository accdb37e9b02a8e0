"""`apifold serve`: serve directories, files or installed services."""

from __future__ import annotations

from typing import Any

import click

from apifold import extension_points
from apifold.application import Application
from apifold.cli.options import setting_options, settings_from
from apifold.server.processes import serve
from apifold.settings import Settings


@click.command("serve", short_help="serve directories, files or installed services")
@click.argument("targets", nargs=-1)
@setting_options()
def command(targets: tuple[str, ...], **options: Any) -> None:
    """Serve each TARGET: a directory of descriptions, one file, or an installed service.

    One target is served at `/`, several each below its own name. Without a target, every installed service is.
    Each option is also a key of apifold.yaml and an environment variable: --workers, workers, APIFOLD_WORKERS.
    """
    run(targets, settings_from(targets, options))


def run(targets: tuple[str, ...], settings: Settings) -> None:
    """Serve until told to stop."""
    serve(settings, Application.serving(targets or extension_points.names("apifold.services"), settings))
