"""`apifold mock`: serve answers made from examples and schemas."""

from __future__ import annotations

from typing import Any

import click

from apifold.cli import serve
from apifold.cli.options import setting_options, settings_from


@click.command("mock", short_help="serve answers made from examples and schemas")
@click.argument("targets", nargs=-1, required=True)
@setting_options("listen", "workers", "state", "log_format", "access_log")
def command(targets: tuple[str, ...], **options: Any) -> None:
    """Serve each TARGET without its handlers.

    Requests are checked as they would be; answers are the description's examples, or made from its schemas: valid, and
    the same every time.
    """
    serve.run(targets, settings_from(targets, {**options, "implementation": "mock"}))
