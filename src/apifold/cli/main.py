"""`apifold`: the commands, and what all of them share."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from apifold import extension_points
from apifold.errors import DescriptionErrors, Fault, MissingExtra, SettingsError

COMMANDS = {
    "serve": "serve directories, files or installed services",
    "check": "tell every error of every file, with file, line and what to do",
    "routes": "list what would be served",
    "show": "print a description as it is served",
    "diff": "tell what changed, and what of it breaks clients",
    "changelog": "print what each version brought",
    "mock": "serve answers made from examples and schemas",
    "compare": "hold two implementations against each other",
    "docs": "write a static reference",
    "new": "begin an API, an endpoint, a model or a service",
    "worker": "do long work without serving",
    "db": "look after the database",
    "settings": "list every setting",
}
"""Every command and what it does."""


class Lazy(click.Group):
    """Imports a command when it is asked for, so that `apifold --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *(name for name in extension_points.names("apifold.commands") if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = importlib.import_module(f"apifold.cli.{cmd_name}").command
            return command
        if cmd_name not in extension_points.names("apifold.commands"):
            return None
        guest: click.Command = extension_points.load("apifold.commands", cmd_name)
        return guest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        guests = [name for name in self.list_commands(ctx) if name not in COMMANDS]
        if guests:
            with formatter.section("Commands of services"):
                formatter.write_dl([(name, f"see apifold {name} --help") for name in guests])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="apifold", message="apifold %(version)s")
def apifold() -> None:
    """One core, every version of its API: a directory of API descriptions is the server.

    Exit codes: 0 all is well, 1 a file has errors or the server could not start, 2 the command line or a setting is
    wrong.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; errors that a person can mend are told without a trace."""
    try:
        return apifold.main(args=arguments, prog_name="apifold", standalone_mode=True)
    except DescriptionErrors as errors:
        click.echo(str(errors), err=True)
        click.echo(f"\n{len(errors.errors)} error{'s' if len(errors.errors) != 1 else ''}", err=True)
        sys.exit(1)
    except (SettingsError, MissingExtra) as error:
        click.echo(f"apifold: {error}", err=True)
        sys.exit(2)
    except Fault as fault:
        click.echo(f"apifold: {fault.title}: {fault.detail}", err=True)
        sys.exit(1)
