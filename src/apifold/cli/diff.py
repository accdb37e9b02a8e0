"""`apifold diff`: what changed between two descriptions, and whether it breaks clients."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from apifold.application import Application
from apifold.cli.options import setting_options, settings_from
from apifold.errors import DescriptionErrors
from apifold.generation.changes import changes_between
from apifold.versions.diff import RULES, Change, differences
from apifold.versions.history import History
from apifold.versions.version import Version


@click.command("diff", short_help="what changed between two descriptions, and what breaks clients")
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option("--from", "first", metavar="VERSION", help="with one TARGET: hold this version ...")
@click.option("--to", "last", metavar="VERSION", help="... against this one, its own where nothing is said")
@click.option("--breaking", is_flag=True, help="only what breaks clients")
@click.option("--rules", is_flag=True, help="list every rule, and which of them find what breaks clients")
@click.option(
    "--json", "as_json", is_flag=True, help="for programs: a list of {api, rule, breaking, operation, pointer, text}"
)
@setting_options("config", "handlers")
def command(
    old: str | None,
    new: str | None,
    first: str | None,
    last: str | None,
    breaking: bool,
    rules: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Tell what changed from OLD to NEW: two files, directories or installed services, or one at two of its versions.

    The exit code is 1 where anything breaks clients, 2 where something can't be read.
    """
    if rules:
        for name, (breaks, meaning) in RULES.items():
            click.echo(f"{'breaks' if breaks else '      '}  {name}: {meaning}")
        return
    if old is None or (new is None) == (first is None) or (new and last):
        raise click.UsageError("say two targets, or one and `--from VERSION`")
    before = _histories(old, options)
    found = list(_versions(before, first, last) if first else _targets(before, _histories(new or "", options)))
    shown = [(api, change) for api, change in found if change.is_breaking or not breaking]
    if as_json:
        click.echo(json.dumps([_plain(api, change) for api, change in shown], indent=2))
    else:
        for api, change in shown:
            click.echo(f"{'breaks' if change.is_breaking else '      '}  {api}: {change} ({change.rule})")
        broken = sum(change.is_breaking for _, change in found)
        click.echo(f"{len(found)} changes, {broken} of which break clients" if found else "no changes")
    sys.exit(any(change.is_breaking for _, change in found))


def _histories(target: str, options: dict[str, Any]) -> dict[str, History]:
    """The histories of what a target describes, by API."""
    application = Application.serving((target,), settings_from((target,), {**options, "state": ""}))
    try:
        return {one.name: History(one) for one in application.builder.descriptions()}
    except DescriptionErrors as errors:
        raise click.UsageError(str(errors)) from None
    finally:
        application.close()


def _versions(found: dict[str, History], first: str, last: str | None) -> Iterator[tuple[str, Change]]:
    try:
        before, after = Version.parse(first), Version.parse(last) if last else None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for name, history in found.items():
        for change in differences(history.at(before), history.at(after) if after else history.served):
            yield name, change


def _targets(before: dict[str, History], after: dict[str, History]) -> Iterator[tuple[str, Change]]:
    if len(before) == len(after) == 1:
        before = dict(zip(after, before.values(), strict=True))
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield name, Change("api-removed", "", "", "the API is gone")
        elif name not in before:
            yield name, Change("api-added", "", "", "the API is new")
        else:
            for change in changes_between(before[name], after[name]):
                yield name, change


def _plain(api: str, change: Change) -> dict[str, Any]:
    return {
        "api": api,
        "rule": change.rule,
        "breaking": change.is_breaking,
        "operation": change.operation,
        "pointer": change.pointer,
        "text": change.text,
    }
