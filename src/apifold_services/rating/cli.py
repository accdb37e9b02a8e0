"""`apifold rating`: what an operator does beside the API."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click
import msgspec
from rich.progress import track

from apifold import Deployment, Fault, setting_options, settings_from
from apifold_services.rating.core.options import Options
from apifold_services.rating.core.rating import RatingCore
from apifold_services.rating.v2.handlers import read_frame, read_used

CHUNK = 100
"""Entries that are kept together."""

T = TypeVar("T")


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
    with _core(options) as core:
        count = _take(_entries(file, "dataframes", read_frame), core.keep, "frames")
    click.echo(f"{count} frames kept")


@command.command("push")
@click.argument("file", type=click.File("r", encoding="utf-8"), default="-")
@setting_options("config", "state", "database")  # type: ignore[untyped-decorator]  # as above
def push_usage(file: TextIO, **options: Any) -> None:
    """Push the usage in FILE (- for standard input): it is collected and rated like any, by the collector `usage`.

    FILE is a document with `usage`, as `POST /v2/usage` takes it, or one entry on each line:
    {"metric": "cpu", "scope_id": "p1", "value": 2, "moment": "2026-01-01T00:00:00Z", "labels": {"flavor": "small"}}
    """
    with _core(options) as core:
        count = _take(_entries(file, "usage", read_used), core.push, "entries")
    click.echo(f"{count} entries pushed")


@contextmanager
def _core(options: dict[str, Any]) -> Iterator[RatingCore]:
    deployment = Deployment(settings_from((), options))
    try:
        yield RatingCore(deployment, deployment.options("rating", Options))
    finally:
        deployment.close()


def _take(entries: Iterator[T], keep: Callable[[list[T]], None], what: str) -> int:
    """Keep entries, some at a time; what comes before one that is wrong is kept."""
    count = 0
    try:
        for some in _chunks(track(entries, "reading", transient=True, disable=not sys.stderr.isatty())):
            keep(some)
            count += len(some)
    except (click.ClickException, Fault) as error:
        why = error.detail if isinstance(error, Fault) else error.message
        raise click.ClickException(f"{why}; the first {count} {what} are kept") from None
    return count


def _entries(file: TextIO, key: str, read: Callable[[Any], T]) -> Iterator[T]:
    """What a file holds: documents with a list under a key, or single entries."""
    name = getattr(file, "name", "-")
    for number, line in enumerate(_lines(file), 1):
        try:
            said = msgspec.json.decode(line)
            for one in said.get(key, [said]):
                yield read(one)
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError, Fault) as error:
            why = error.detail if isinstance(error, Fault) else f"{type(error).__name__}: {error}"
            raise click.ClickException(f"{Path(name).name}, entry {number}: {why}") from None


def _lines(file: TextIO) -> Iterator[str]:
    """The lines of a file; a document that is written over many lines as a whole."""
    first = file.readline()
    try:
        msgspec.json.decode(first)
    except msgspec.DecodeError:
        yield first + file.read()
        return
    yield first
    yield from (line for line in file if line.strip())


def _chunks(entries: Iterable[T]) -> Iterator[list[T]]:
    chunk: list[T] = []
    for entry in entries:
        chunk.append(entry)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
