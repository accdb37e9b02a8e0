"""`apifold docs`: a static reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.progress import track

from apifold import extension_points
from apifold.application import Application
from apifold.cli.options import setting_options, settings_from
from apifold.reference.static_reference import write_reference


@click.command("docs", short_help="write a static reference")
@click.argument("targets", nargs=-1)
@click.option(
    "--output", "-o", default="site", show_default=True, type=click.Path(file_okay=False), help="directory to write to"
)
@setting_options("config", "handlers", "implementation")
def command(targets: tuple[str, ...], output: str, **options: Any) -> None:
    """Write the reference of every API of TARGETS as plain HTML pages that need no server."""
    settings = settings_from(targets, {**options, "quarantine": True, "state": ""})
    application = Application.serving(targets or extension_points.names("apifold.services"), settings)
    try:
        generation = application.build()
        entries = {entry.name: entry for entry in application.entries()}
        documents = [(entries[one.api.name], one.description.written) for one in generation.loaded]
        written = write_reference(track(documents, "writing", transient=True), Path(output))
    finally:
        application.close()
    count = sum(path.suffix == ".html" for path in written)
    click.echo(f"{count} pages in {output}; open {Path(output) / 'index.html'}")
