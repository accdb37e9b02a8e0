"""`apifold compare`: two implementations, the same requests, the differences by field."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import track

from apifold.application import Application
from apifold.cli.options import setting_options, settings_from
from apifold.compare.differences import HEADERS, Difference, Noise
from apifold.compare.recording import RecordedRequest, read_recording
from apifold.compare.replay import ProcessSide, Side, replay
from apifold.deployment import Deployment
from apifold.errors import Fault
from apifold.pipeline.handle import SAFE
from apifold.settings import ApiSettings, Settings


@click.command("compare", short_help="hold two implementations against each other")
@click.argument("sides", nargs=-1, required=True, metavar="SIDE [SIDE]")
@click.option("--requests", "file", type=click.Path(path_type=Path), help="recorded requests, one JSON object a line")
@click.option("--first", help="for one target: the first implementation  [as it is set]")
@click.option("--second", help="for one target: the second implementation  [its shadow]")
@click.option("--header", "sent", multiple=True, help="NAME: VALUE to send with every request (may be repeated)")
@click.option("--noise", multiple=True, help="JSON Pointer of what may differ, or `times`, `ids` (may be repeated)")
@click.option("--matters", multiple=True, help=f"response header that must be the same  {list(HEADERS)}")
@click.option("--unsafe", is_flag=True, help="replay requests that change something, too")
@click.option(
    "--json", "as_json", is_flag=True, help="for programs: one object a request that was answered differently"
)
@setting_options("config", "handlers", "database", "auth", "tokens", "policy", "outgoing")
def command(  # noqa: PLR0913, PLR0917  # its options
    sides: tuple[str, ...],
    file: Path | None,
    first: str | None,
    second: str | None,
    sent: tuple[str, ...],
    noise: tuple[str, ...],
    matters: tuple[str, ...],
    unsafe: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare what two SIDES answer to the same recorded requests.

    Two sides are addresses of servers, which get the same paths. One side that is a directory, a file or a service is
    served twice in this process, without keeping anything: as it is set and as its shadow is, or as --first and
    --second say. One side that is the address of a server shows what its own shadows have shown.

    Requests are recorded by the setting `apis: {NAME: {record: FILE}}`, or written by hand: {"method": "GET", "path":
    "/v1/things?limit=2", "headers": {}, "body": ""}.

    Exit code 1 where there is a difference.
    """
    settings = settings_from(sides, options)
    headers = dict(_header(text) for text in sent)
    if file is None:
        if len(sides) != 1 or "://" not in sides[0]:
            raise click.UsageError("say which requests: --requests FILE; or one address of a server, for its shadows")
        sys.exit(asyncio.run(_show(sides[0], headers, settings, as_json)))
    requests = [one for one in read_recording(file) if unsafe or one.method in SAFE]
    opening = _opening(sides, (first, second), headers, settings)
    found = asyncio.run(_compared(opening, requests, Noise(noise), matters or HEADERS))
    _tell(found, len(requests), as_json)
    sys.exit(1 if found else 0)


def _opening(
    sides: tuple[str, ...], implementations: tuple[str | None, str | None], headers: dict[str, str], settings: Settings
) -> AbstractAsyncContextManager[list[Side]]:
    if len(sides) == 2 and all("://" in side for side in sides):
        return _servers(sides, headers, settings)
    if len(sides) == 1 and "://" not in sides[0]:
        return _applications(sides[0], implementations, headers, settings)
    raise click.UsageError("compare two addresses of servers, or one directory, file or service")


async def _compared(
    opening: AbstractAsyncContextManager[list[Side]],
    requests: list[RecordedRequest],
    noise: Noise,
    headers: tuple[str, ...],
) -> list[tuple[RecordedRequest, list[Difference]]]:
    """The requests that two sides answer differently, and how."""
    progress = track(requests, "comparing", console=Console(stderr=True), disable=not sys.stderr.isatty())
    async with opening as (first, second):
        return [(one, found) async for one, found in replay(progress, first, second, noise, headers) if found]


def _implemented(target: str, settings: Settings, name: str | None, *, shadow: bool) -> Application:
    """The target with every API implemented in one way."""
    alone = msgspec.structs.replace(settings, state="")
    application = Application.serving((target,), alone)
    apis: dict[str, ApiSettings] = {}
    loaded = application.build().loaded
    if shadow and not name and not any(api.shadow for api in alone.apis.values()):
        raise click.UsageError("no API has a shadow; say --second IMPLEMENTATION")
    for one in loaded:
        own = alone.apis.get(one.api.name) or alone.apis.get(one.part_of) or ApiSettings()
        asked = name or (own.shadow.to if shadow and own.shadow else None)
        implementation = asked or own.implementation
        apis[one.api.name] = msgspec.structs.replace(own, implementation=implementation, shadow=None, record="")
    application.close()
    chosen = Application.serving((target,), msgspec.structs.replace(alone, apis=apis))
    chosen.build()
    return chosen


@asynccontextmanager
async def _servers(urls: tuple[str, ...], headers: dict[str, str], settings: Settings) -> AsyncIterator[list[Side]]:
    """The servers at some addresses."""
    deployment = Deployment(settings)
    deployment.allow(*urls)
    outgoing = deployment.outgoing()
    from apifold.compare.server import ServerSide  # noqa: PLC0415  # brings aiohttp, for those who use it

    try:
        yield [ServerSide(outgoing, url, headers) for url in urls]
    finally:
        await deployment.stop()


@asynccontextmanager
async def _applications(
    target: str, implementations: tuple[str | None, str | None], headers: dict[str, str], settings: Settings
) -> AsyncIterator[list[Side]]:
    """A target, served twice in this process."""
    applications = [
        _implemented(target, settings, name, shadow=index == 1) for index, name in enumerate(implementations)
    ]
    try:
        yield [ProcessSide(application, headers) for application in applications]
    finally:
        for application in applications:
            await application.stop()


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError(f"--header {text!r}: write NAME: VALUE")
    return name.strip().lower(), value.strip()


async def _show(url: str, headers: dict[str, str], settings: Settings, as_json: bool) -> int:
    """What a server's own shadows have shown."""
    async with _servers((url,), headers, settings) as (server,):
        reply = await server.answer(RecordedRequest("GET", "/-/shadow"))
    body = reply.body if isinstance(reply.body, bytes) else b""
    if reply.status != 200:
        raise Fault(f"{url}/-/shadow answered {reply.status}", title="Not shown")
    apis = msgspec.json.decode(body)["apis"]
    if as_json:
        click.echo(json.dumps(apis, indent=2))
        return 0
    for api, record in apis.items():
        first, _, second = record["pair"].partition(" ")
        click.echo(f"{api}: {first} against {second}; the last {record['alike']} answers were alike")
        for operation, counts in record["operations"].items():
            figures = ", ".join(f"{counts[name]} {name}" for name in ("compared", "different", "skipped"))
            click.echo(f"    {operation}: {figures}")
            for place, count in sorted(counts["places"].items()):
                click.echo(f"        {place} ({count})")
    if not apis:
        click.echo("no shadow has compared anything yet")
    return 0


def _tell(found: list[tuple[RecordedRequest, list[Difference]]], compared: int, as_json: bool) -> None:
    if as_json:
        for recorded, differing in found:
            differences = [msgspec.to_builtins(one) for one in differing]
            click.echo(json.dumps({"method": recorded.method, "path": recorded.path, "differences": differences}))
        return
    for recorded, differing in found:
        click.echo(f"{recorded.method} {recorded.path}")
        for one in differing:
            click.echo(f"    {one.where}: {one.kind}: {_short(one.first)} | {_short(one.second)}")
    click.echo(f"{compared} compared, {len(found)} answered differently")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
