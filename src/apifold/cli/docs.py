"""`apifold docs`: a static reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.progress import track

from apifold import extension_points
from apifold.application import Application
from apifold.cli.options import setting_options, settings_from
from apifold.reference.os_api_ref import write_os_api_ref
from apifold.reference.static_reference import write_reference


@click.command("docs", short_help="write a static reference")
@click.argument("targets", nargs=-1)
@click.option(
    "--output", "-o", default="site", show_default=True, type=click.Path(file_okay=False), help="directory to write to"
)
@click.option(
    "--format",
    "form",
    default="html",
    show_default=True,
    type=click.Choice(["html", "os-api-ref"]),
    help="plain pages, or source for Sphinx with os-api-ref",
)
@setting_options("config", "handlers", "implementation")
def command(targets: tuple[str, ...], output: str, form: str, **options: Any) -> None:
    """Write the reference of every API of TARGETS as plain HTML pages that need no server.

    With `--format os-api-ref` it is source for OpenStack's os-api-ref: `sphinx-build -W -b html site site/html`.
    """
    settings = settings_from(targets, {**options, "quarantine": True, "state": ""})
    application = Application.serving(targets or extension_points.names("apifold.services"), settings)
    try:
        application.build()
        documents = track(application.overview.documents(), "writing", transient=True)
        written = (write_os_api_ref if form == "os-api-ref" else write_reference)(documents, Path(output))
    finally:
        application.close()
    if form == "os-api-ref":
        click.echo(f"{len(written)} files in {output}; sphinx-build -W -b html {output} {Path(output) / 'html'}")
        return
    count = sum(path.suffix == ".html" for path in written)
    click.echo(f"{count} pages in {output}; open {Path(output) / 'index.html'}")
