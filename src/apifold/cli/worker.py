"""`apifold worker`: do long work without serving."""

from __future__ import annotations

import os
from typing import Any

import click

from apifold import extension_points
from apifold.application import Application
from apifold.cli.options import setting_options, settings_from
from apifold.observe import logs
from apifold.server.job_process import do_jobs


@click.command("worker", short_help="do long work without serving")
@click.argument("services", nargs=-1)
@setting_options("database", "jobs", "state", "config", "log_format", "log_level")
def command(services: tuple[str, ...], **options: Any) -> None:
    """Do the long work of each installed SERVICE, until told to stop; of every one where none is named.

    `apifold serve` does so by itself. Use this on further machines, with the PostgreSQL database that the serving
    ones have, or where another server hosts the application. One such process works for a state directory; a second
    one waits for its end.
    """
    settings = settings_from(services, options)
    logs.set_up(settings)
    application = Application.serving(services or extension_points.names("apifold.services"), settings)
    kinds = ", ".join([*application.jobs, *application.duties])
    click.echo(f"apifold: doing {kinds}; Ctrl-C stops" if kinds else "", err=True)
    do_jobs(application)
    os._exit(0)  # threads may still be waiting for a tool's end; that tool ends with us
