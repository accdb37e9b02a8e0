"""`apifold benchmark`: plans, indexes and metrics from the command line, over the API v2."""

from __future__ import annotations

import json
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from apifold import ENDED_STATES

DEFAULT_URL = "http://127.0.0.1:8080"
NAME = "benchmark-v2"
POLL_SECONDS = 0.4
COLUMNS = {"plan": "Plans", "qpi": "QPIs", "metric": "Metrics"}


class Api:
    """The API v2 of a server.

    Args:
        url: the server's address, or the API's own.
        token: the caller's, "" where none is asked for.
    """

    def __init__(self, url: str, token: str) -> None:
        self.given = url.rstrip("/")
        self.client = httpx.Client(headers={"X-Auth-Token": token} if token else {}, timeout=30)

    @cached_property
    def url(self) -> str:
        """The API's own address: from the server's catalogue, where there is one."""
        answer = self._send("GET", f"{self.given}/", headers={"Accept": "application/json"})
        try:
            bases = {one["name"]: one["base"] for one in answer.json()["apis"]}
        except (ValueError, KeyError, TypeError):
            return self.given
        if NAME not in bases:
            raise click.ClickException(f"{self.given} does not serve the benchmark service")
        return str(bases[NAME])

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask; end the program with the server's own words where it says no."""
        answer = self._send(method, self.url + path, **more)
        if answer.is_success:
            return answer
        try:
            told = answer.json()
            why = told.get("detail") or told["title"]
        except (ValueError, KeyError, AttributeError):
            why = f"it answers {answer.status_code}; is that the address of a server?"
        raise click.ClickException(why)

    def _send(self, method: str, url: str, **more: Any) -> httpx.Response:
        try:
            return self.client.request(method, url, **more)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise click.ClickException(
                f"{self.given} can't be reached ({error}); is `apifold serve benchmark` running? say where with --url"
            ) from None

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at a path."""
        return self.ask("GET", path, params=query, headers={"Accept": "application/json"}).json()


@click.group(short_help="rate a machine: plans, indexes, metrics, results")
@click.option("--url", envvar="BENCHMARK_URL", default=DEFAULT_URL, show_default=True, help="where it is served")
@click.option("--token", envvar="BENCHMARK_TOKEN", default="", help="your token; better in BENCHMARK_TOKEN")
@click.pass_context
def command(context: click.Context, url: str, token: str) -> None:
    """Rate a machine, over the API of a server that runs there.

    \b
    apifold benchmark plan list
    apifold benchmark plan run compute
    apifold benchmark report show
    """
    context.obj = Api(url, token)


def _kind(kind: str) -> click.Group:
    """The commands of plans, of indexes or of metrics."""

    @click.group(kind, short_help=f"list, show or run a {kind}")
    def group() -> None:
        """List, show or run."""

    group.help = f"List, show or run a {kind}."

    @group.command("list")
    @click.pass_obj
    def list_(api: Api) -> None:
        """List them."""
        _table(api.get(f"/{kind}s")["items"], {COLUMNS[kind]: "name", "": "description"})

    @group.command("show")
    @click.argument("name")
    @click.pass_obj
    def show(api: Api, /, name: str) -> None:
        """Show one."""
        click.echo(json.dumps(api.get(f"/{kind}s/{name}"), indent=2))

    @group.command("run")
    @click.argument("name")
    @click.option(
        "-p", "--path", type=click.Path(file_okay=False, path_type=Path), help="directory to keep the result in"
    )
    @click.option("--mode", type=click.Choice(["documented", "compatible"]), help="how it is scored")
    @click.option("--baseline", help="baseline to hold it against")
    @click.option("--seconds", type=float, help="how long each measurement takes")
    @click.option("--max-minutes", type=float, help="time limit")
    @click.option("--node", "nodes", multiple=True, help="run it on this node instead (may be repeated)")
    @click.option("--detach", is_flag=True, help="do not wait for its end")
    @click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
    @click.pass_obj
    def run(api: Api, /, name: str, path: Path | None, detach: bool, as_json: bool, **wanted: Any) -> None:
        """Run one, and show its score. Exit code 1 where it did not come to its end."""
        order = {kind: name, **{key: value for key, value in wanted.items() if value}}
        job = api.ask("POST", "/jobs", json=order).json()
        if detach:
            click.echo(job["id"])
            return
        job = _watch(api, job)
        if job["state"] != "done":
            raise click.ClickException(f"the run is {job['state']}. {job.get('error', '')}".strip())
        if path:
            path.mkdir(parents=True, exist_ok=True)
            file = path / f"{kind}-{name.removesuffix('.yaml')}-{job['id']}.json"
            file.write_text(json.dumps(api.get(f"/results/{job['id']}"), indent=2), "utf-8")
            click.echo(f"wrote {file}", err=True)
        _show(api, job["id"], "json" if as_json else "table")

    return group


for _one in COLUMNS:
    command.add_command(_kind(_one))


@command.group(short_help="show what runs found")
def report() -> None:
    """Show what runs found."""


@report.command("show")
@click.argument("id", default="latest")
@click.option(
    "--format", "form", type=click.Choice(["table", "text", "json", "html"]), default="table", show_default=True
)
@click.pass_obj
def report_show(api: Api, id: str, form: str) -> None:
    """Show the result ID, the newest one otherwise."""
    _show(api, id, form)


@report.command("list")
@click.pass_obj
def report_list(api: Api) -> None:
    """List the newest results."""
    columns = {"Result": "id", "of": "kind", "name": "name", "node": "node", "started": "started", "score": "score"}
    _table(api.get("/results")["results"], columns)


@report.command("compare")
@click.argument("id")
@click.argument("other")
@click.pass_obj
def report_compare(api: Api, id: str, other: str) -> None:
    """Show how many times better the result ID is than OTHER."""
    found = api.get(f"/results/{id}/comparison", **{"with": other})
    rows = [
        {"metric": f"{section['name']}/{metric['name']}", **workload}
        for qpi in found["qpis"]
        for section in qpi["sections"]
        for metric in section["metrics"]
        for workload in metric["workloads"]
    ]
    _table(rows, {"metric": "metric", "workload": "name", "here": "here", "there": "there", "ratio": "ratio"})


@report.command("calibrate")
@click.argument("name")
@click.argument("id", default="latest")
@click.option("--qpi", default="", help="which QPI, where the result has several")
@click.pass_obj
def report_calibrate(api: Api, name: str, id: str, qpi: str) -> None:
    """Make the baseline NAME of the result ID, the newest one otherwise."""
    made = api.ask("POST", f"/results/{id}/calibrate", json={"name": name, **({"qpi": qpi} if qpi else {})}).json()
    click.echo(f"made the baseline {made['name']}; use it with --baseline {made['name']}")


@command.group(short_help="look after runs")
def job() -> None:
    """Look after runs."""


@job.command("list")
@click.pass_obj
def job_list(api: Api) -> None:
    """List the newest runs."""
    columns = {"Job": "id", "of": "kind", "name": "name", "state": "state", "created": "created"}
    _table(api.get("/jobs")["jobs"], columns)


@job.command("cancel")
@click.argument("id")
@click.pass_obj
def job_cancel(api: Api, id: str) -> None:
    """End a run early."""
    click.echo(api.ask("POST", f"/jobs/{id}/cancel").json()["state"])


@command.command("tools")
@click.pass_obj
def tools(api: Api) -> None:
    """List the tools that measure, and how one gets those that are missing."""
    rows = [
        {**tool, "has": tool.get("version") or f"missing: {tool['hint']}", "measures": ", ".join(tool["metrics"])}
        for tool in api.get("/tools")["tools"]
    ]
    _table(rows, {"Tool": "name", "version": "has", "measures": "measures"})


def _watch(api: Api, job: dict[str, Any]) -> dict[str, Any]:
    """Wait for a run's end with a bar that shows how far it is."""
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(job["state"], total=None)
        try:
            while job["state"] not in ENDED_STATES:
                time.sleep(POLL_SECONDS)
                job = api.get(f"/jobs/{job['id']}")
                told = job.get("progress") or {"done": 0, "total": None, "steps": []}
                now = next((step["metric"] for step in told["steps"] if step["status"] == "running"), job["state"])
                bar.update(task, description=now, completed=told["done"], total=told["total"])
        except KeyboardInterrupt:
            bar.stop()
            click.echo(f"\nthe run goes on; end it with: apifold benchmark job cancel {job['id']}", err=True)
            sys.exit(130)
    return job


def _show(api: Api, id: str, form: str) -> None:
    if form != "table":
        click.echo(api.ask("GET", f"/results/{id}/report", params={"format": form}).text)
        return
    result = api.get(f"/results/{id}")
    table = Table(title=f"{result['kind']} {result['name']} on {result['node']}", title_justify="left")
    for name in ("", "score", "tool", "measured"):
        table.add_column(name, justify="right" if name == "score" else "left")
    for node in result.get("nodes") or ():
        table.add_row(node["name"], _text(node["score"]), "", node.get("error", ""))
    for qpi in result["qpis"]:
        table.add_row(f"[bold]{qpi['name']}", f"[bold]{_text(qpi['score'])}", "", _against(qpi))
        for section in qpi["sections"]:
            table.add_row(f"  {section['name']}", _text(section["score"]))
            for metric in section["metrics"]:
                done = sum(one["result"] is not None for one in metric["workloads"])
                measured = f"{done} of {len(metric['workloads'])} workloads"
                table.add_row(f"    {metric['name']}", _text(metric["score"]), metric["tool"], measured)
    console = Console()
    console.print(table)
    for one in result["measurements"]:
        if one["status"] != "done":
            console.print(f"{one['status']}: {one['metric']}: {one.get('error') or one.get('hint')}", markup=False)
    console.print(f"[bold]score {_text(result['score'])}[/]  {api.url}/results/{result['id']}/report", soft_wrap=True)


def _against(qpi: dict[str, Any]) -> str:
    return f"against {qpi['baseline']}" if qpi["baseline"] else "no baseline"


def _table(rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_text(row.get(key)) for key in columns.values()))
    Console().print(table, markup=False)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
