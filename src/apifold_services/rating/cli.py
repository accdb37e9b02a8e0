"""`apifold rating`: what an operator does beside the API."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec
from rich.progress import track

from apifold import Deployment, Fault, setting_options, settings_from
from apifold_services.rating.core.options import Options
from apifold_services.rating.core.rating import RatingCore
from apifold_services.rating.v2.handlers import read_frame

CHUNK = 100
"""Frames that are kept together."""


@click.group("rating")
def command() -> None:
    """Look after rated usage."""


@command.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"), default="-")
@setting_options("config", "state", "database")  # type: ignore[untyped-decorator]  # a public name, looked up late
def import_frames(file: TextIO, **options: Any) -> None:
    """Keep the usage in FILE (- for standard input) at the prices that it has.

    FILE is a document with `dataframes`, as API v2 takes it, or one frame on each line. This works beside a running
    server, and for a storage of version 1, which has no API for it.
    """
    deployment = Deployment(settings_from((), options))
    count = 0
    try:
        core = RatingCore(deployment, deployment.options("rating", Options))
        for frames in _chunks(track(_frames(file), "importing", transient=True, disable=not sys.stderr.isatty())):
            with core.database.writing() as connection:
                core.storage.push(connection, frames)
            count += len(frames)
    except click.ClickException as error:
        raise click.ClickException(f"{error.message}; the first {count} frames are kept") from None
    finally:
        deployment.close()
    click.echo(f"{count} frames kept")


def _frames(file: TextIO) -> Iterator[Any]:
    name = getattr(file, "name", "-")
    for number, line in enumerate(_lines(file), 1):
        try:
            said = msgspec.json.decode(line)
            for one in said.get("dataframes", [said]):
                yield read_frame(one)
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError, Fault) as error:
            why = error.detail if isinstance(error, Fault) else f"{type(error).__name__}: {error}"
            raise click.ClickException(f"{Path(name).name}, entry {number}: {why}") from None


def _lines(file: TextIO) -> Iterator[str]:
    """The lines of a file of frames; a document that is written over many lines as a whole."""
    first = file.readline()
    try:
        msgspec.json.decode(first)
    except msgspec.DecodeError:
        yield first + file.read()
        return
    yield first
    yield from (line for line in file if line.strip())


def _chunks(frames: Any) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for frame in frames:
        chunk.append(frame)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
