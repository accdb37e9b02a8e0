"""The command line, and the same in Python."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest
import yaml
from click.testing import CliRunner

import apifold
from apifold import extension_points
from apifold import settings as read
from apifold.cli.main import COMMANDS, main
from apifold.cli.main import apifold as command_line
from apifold.errors import SettingsError

GOOD = """
    openapi: 3.1.0
    info: {title: T, version: "1"}
    servers: [{url: /t}]
    paths:
      /x: {get: {operationId: get_x, tags: [a], summary: Get it, x-apifold: {binding: {static: {value: 1}}}, responses: {"200": {description: ok}}}}
"""


def run(*arguments, code=0):
    result = CliRunner().invoke(command_line, [str(one) for one in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(command):
    assert "Usage: " in run(command, "--help")


def test_check_tells_errors_for_people_and_programs(write):
    folder = write(api_yaml=GOOD, broken_yaml="openapi: [")
    text = run("check", folder, code=1)
    assert "broken.yaml:1: this is not YAML" in text
    assert "1 error in 1 file" in text
    assert json.loads(run("check", folder, "--json", code=1))[0]["line"] == 1
    (folder / "broken.yaml").unlink()
    assert run("check", folder) == "no errors\n"


def test_routes_lists_what_is_served(write):
    folder = write(api_yaml=GOOD)
    assert json.loads(run("routes", folder, "--json")) == [
        {"api": "api", "method": "GET", "path": "/t/x", "operation": "get_x", "rule": ""}
    ]
    assert "/-/live" in run("routes", folder, "--all", "--json")
    assert "/t/x" in run("routes", folder)


def test_show_prints_the_description(write):
    folder = write(api_yaml=GOOD)
    assert yaml.safe_load(run("show", folder))["info"]["title"] == "T"
    assert json.loads(run("show", folder, "api", "--json", "--normalised"))["openapi"] == "3.1.0"
    assert "there is no API 'nope'" in run("show", folder, "nope", code=2)


def test_docs_writes_pages(write, tmp_path):
    folder = write(
        apis__api_yaml=GOOD,
        apis__hosts_model_yaml="model: host\npath: /hosts\nfields: {name: {type: string, description: '<b>bold</b>'}}\n",
    )
    run("docs", folder / "apis", "-o", tmp_path / "site")
    page = (tmp_path / "site" / "hosts_model.html").read_text()
    assert "List hosts" in page
    assert "<b>bold</b>" not in page
    assert "Get it" in (tmp_path / "site" / "api.html").read_text()
    assert 'href="api.html"' in (tmp_path / "site" / "index.html").read_text()


def test_what_new_begins_works_at_once(tmp_path, serve):
    run("new", "api", "shop", "-d", tmp_path)
    run("new", "model", "cart", "-d", tmp_path)
    run("new", "endpoint", tmp_path / "shop.yaml", "/orders/{id}", "get_order")
    assert "there already" in run("new", "api", "shop", "-d", tmp_path, code=2)
    assert run("check", tmp_path) == "no errors\n"
    api = serve(tmp_path)
    assert api.get("/shop/greetings/Ada").json == {"greeting": "Hello Ada"}
    assert api.get("/shop/orders/7").json == {"id": "7"}
    assert api.post("/carts", json={"name": "mine"}).status == 201


def test_a_new_service_is_a_package_that_works(tmp_path, serve, monkeypatch):
    run("new", "service", "bakery", "-d", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "bakery" / "src"))
    import bakery.service as made

    assert made.service(apifold.Settings()).apis == ("v1",)
    assert (
        run("check", tmp_path / "bakery" / "src" / "bakery" / "v1" / "openapi.yaml", "--handlers", "bakery")
        == "no errors\n"
    )


def test_the_database_is_looked_after(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    assert "nothing yet" in run("db", "status", "--database", url, code=1)
    assert run("db", "upgrade", "--database", url) == "at 0001\n"
    assert run("db", "status", "--database", url) == "has 0001, needs 0001\n"


def test_mistakes_on_the_command_line_are_told_without_a_trace(capsys):
    for line in (["serve", "nowhere"], ["check", "nowhere"], ["serve", ".", "--workers", "many"]):
        with pytest.raises(SystemExit) as ended:
            main(line)
        assert ended.value.code == 2
        assert "Traceback" not in capsys.readouterr().err


def test_settings_come_from_file_environment_and_options_in_that_order(write):
    folder = write(apifold_yaml="workers: 2\nlisten: 127.0.0.1:1\ntrusted_proxies: [10.0.0.0/8]\n")
    chosen = read.load(
        folder,
        {"listen": "127.0.0.1:3"},
        {"APIFOLD_WORKERS": "4", "APIFOLD_LISTEN": "127.0.0.1:2", "APIFOLD_DEV": "true"},
    )
    assert (chosen.workers, chosen.listen, chosen.trusted_proxies, chosen.dev) == (
        4,
        "127.0.0.1:3",
        ("10.0.0.0/8",),
        True,
    )


@pytest.mark.parametrize(
    ("file", "environment", "says"),
    [
        ("wrokers: 2", {}, "wrokers"),
        ("workers: many", {}, "workers"),
        ("- a", {}, "key: value"),
        ("", {"APIFOLD_WROKERS": "1"}, "wrokers"),
        ("apis: {a: {base: x}}", {}, "base"),
        ("log_format: xml", {}, "log_format"),
    ],
)
def test_settings_with_mistakes_are_refused(write, file, environment, says):
    with pytest.raises(SettingsError, match=says):
        read.load(write(apifold_yaml=file), {}, environment)


def test_an_application_in_four_lines(write, monkeypatch):
    folder = write(
        shop__main_py="""
        import apifold
        app = apifold.App(__name__, specification_dir="spec")
        app.add_api("swagger.yaml", base_path="/v1.0", strict_validation=True)
        app.add_api("more.yaml", base_path="api2")
        """,
        shop__controllers_py="def get_x():\n    return {'x': 1}\n",
        shop____init___py="",
        shop__spec__swagger_yaml='swagger: "2.0"\ninfo: {title: T, version: "1"}\npaths: {/x: {get: {operationId: shop.controllers.get_x, responses: {200: {description: ok}}}}}\n',
        shop__spec__more_yaml='openapi: 3.0.0\ninfo: {title: U, version: "1"}\npaths: {/x: {get: {operationId: shop.controllers.get_x, responses: {"200": {description: ok}}}}}\n',
    )
    monkeypatch.syspath_prepend(str(folder))
    from shop.main import app

    assert asyncio.run(ask(app, "/v1.0/x")) == (200, b'{"x":1}')
    assert asyncio.run(ask(app, "/v1.0/x?more=1"))[0] == 400
    assert asyncio.run(ask(app, "/api2/x?more=1")) == (200, b'{"x":1}')
    assert json.loads(asyncio.run(ask(app, "/v1.0/swagger.json"))[1])["basePath"] == "/v1.0"
    with pytest.raises(SettingsError, match="before the application serves"):
        app.add_api("more.yaml", base_path="api3")
    app.application.close()
    del sys.modules["shop.main"]


def test_an_application_without_its_file_is_told():
    with pytest.raises(SettingsError, match="no description"):
        apifold.App(__name__).add_api("nope.yaml")


async def ask(app, target):
    """One request over ASGI, the application under a root path that a host took away."""
    path, _, query = target.partition("?")
    sent = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"h")],
        "client": ("127.0.0.1", 1),
        "scheme": "http",
    }

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_guests_come_in_by_the_same_doors(serve, tmp_path, write):
    """The example package: a service, a binding, an action, a trait, a dialect, an auth method."""
    library = serve("library")
    assert library.get("/v1/books").headers["x-stamp"] == "stamped"
    assert library.get("/v1/books/emma").json == {"id": "emma", "title": "Emma", "sheets": 216}
    assert library.get("/v1/books/nope").text == "Not found: There is no book 'nope'.\n"
    assert library.get("/v1/echo", word="hi").json == {"said": "Hello", "asked": {"word": "hi"}}
    host = {"host": "h", "accept": "application/json"}
    assert library.get("/", headers=host).json == {"v1": "http://h/v1"}
    assert library.get("/v1", headers=host).json["title"] == library.get("/v1/", headers=host).json["title"]
    assert "Try it" in library.get("/", headers={"accept": "text/html"}).text
    guarded = serve("library", auth="badge")
    assert guarded.get("/v1/books").status == 401
    assert guarded.get("/v1/books", headers={"authorization": "Bearer ada"}).status == 200
    with pytest.raises(SettingsError, match="there are: asgi, collection, echo, handler, mock, remote"):
        extension_points.load("apifold.bindings", "nope")


def test_public_names_are_there():
    for name in apifold.__all__:
        assert getattr(apifold, name) is not None
    with pytest.raises(AttributeError):
        apifold.nothing_of_the_kind  # noqa: B018  # that is the test


def test_a_package_brings_commands():
    assert CliRunner().invoke(command_line, ["books"]).output == "Emma\n"
    told = CliRunner().invoke(command_line, ["--help"]).output
    assert "Commands of services" in told
    assert "benchmark" in told
