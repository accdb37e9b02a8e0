"""What the docs say is so: pages drawn from tables are fresh, links lead somewhere, the tutorial works."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from apifold import Settings
from apifold.cli.main import COMMANDS
from apifold.cli.main import apifold as command_line
from apifold.description.extension import EXTENSION_KEYS
from apifold.extension_points import EXTENSION_POINTS, names
from apifold.settings import load

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "src").rglob("README.md"),
        *(ROOT / "bench").glob("*.md"),
    ]
)

_spec = importlib.util.spec_from_file_location("reference_docs", ROOT / "tools" / "reference_docs.py")
reference_docs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference_docs)


@pytest.mark.parametrize("page", reference_docs.PAGES)
def test_a_page_drawn_from_a_table_is_fresh(page):
    assert (ROOT / "docs" / "reference" / page).read_text() == reference_docs.PAGES[page](), (
        "run: python tools/reference_docs.py"
    )


def test_every_setting_key_command_and_door_is_told():
    everything = "\n".join(path.read_text() for path in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
    for field in msgspec.structs.fields(Settings):
        assert f"`{field.name}`" in everything
    for keys in EXTENSION_KEYS.values():
        assert [key for key in keys if f"`{key}`" not in everything] == []
    assert [command for command in COMMANDS if f"apifold {command}" not in everything] == []
    for group in EXTENSION_POINTS:
        assert f"`{group}`" in everything
        assert [
            name
            for name in names(group)
            if name not in ("library", "echo", "sheets", "stamped", "terse", "shelfmarks", "badge", "books")
            and name not in everything
        ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_fits_on_a_screen_and_a_half():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90


def test_the_two_commands_of_the_readme_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"^    make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_model_file_of_the_readme_works(tmp_path, serve):
    text = re.search(r"(    model: host\n(?:    .*\n)+)", (ROOT / "README.md").read_text()).group(1)
    (tmp_path / "hosts.model.yaml").write_text(re.sub(r"^    ", "", text, flags=re.MULTILINE))
    api = serve(tmp_path)
    assert api.post("/inventory/hosts", json={"name": "a"}).json["status"] == "up"


def test_the_tutorial_works_step_by_step(tmp_path, serve):
    tutorial = (ROOT / "docs" / "tutorial" / "first-api.md").read_text()
    blocks = re.findall(r"```(\w+)\n(.*?)```", tutorial, re.DOTALL)
    yaml_blocks = [text for kind, text in blocks if kind == "yaml"]
    python_blocks = [text for kind, text in blocks if kind == "python"]
    apis = tmp_path / "apis"
    assert CliRunner().invoke(command_line, ["new", "api", "shop", "-d", str(apis)]).exit_code == 0
    assert python_blocks[0].strip() in (apis / "shop_handlers.py").read_text()
    first = serve(apis)
    assert first.get("/shop/greetings/Ada").text == '{"greeting":"Hello Ada"}'
    assert first.get(f"/shop/greetings/{'a' * 81}").status == 400
    assert first.delete("/shop/greetings/Ada").headers["allow"] == "GET, HEAD"

    (apis / "shop.yaml").write_text(
        (apis / "shop.yaml").read_text().replace("paths:\n", f"paths:\n{yaml_blocks[0]}", 1)
    )
    (apis / "shop_handlers.py").write_text((apis / "shop_handlers.py").read_text() + "\n\n" + python_blocks[1])
    sys.modules.pop("shop_handlers")
    shutil.rmtree(apis / "__pycache__", ignore_errors=True)
    assert CliRunner().invoke(command_line, ["check", str(apis)]).output == "no errors\n"
    second = serve(apis)
    assert second.post("/shop/orders", json={"item": "tea"}).text == '{"ordered":"tea","count":1}'
    refused = second.post("/shop/orders", json={"itm": "tea", "count": 0})
    told = msgspec.json.decode(next(text for kind, text in blocks if kind == "json"))
    assert sorted(map(str, refused.json.pop("errors"))) == sorted(map(str, told.pop("errors")))
    assert {key: value for key, value in refused.json.items() if key != "errors"} == told

    (apis / "shop2.yaml").write_text(
        (apis / "shop.yaml").read_text().replace("servers: [{url: /shop}]\n", yaml_blocks[1])
    )
    text = (apis / "shop.yaml").read_text()
    (apis / "shop.yaml").write_text(text.replace("x-apifold:\n  handlers: shop_handlers\n", yaml_blocks[2]))
    third = serve(apis)
    assert third.get("/shop/greetings/Ada").json == third.get("/shop/v2/greetings/Ada").json
    entry = next(one for one in third.get("/").json["apis"] if one["name"] == "shop")
    assert (entry["status"], entry["successor"]) == ("DEPRECATED", "shop2")
    (apis / "shop.yaml").unlink()
    fourth = serve(apis)
    assert fourth.get("/shop/greetings/Ada").status == 404
    assert fourth.get("/shop/v2/greetings/Ada").status == 200


def test_an_endpoint_is_added_step_by_step(tmp_path, monkeypatch, serve):
    tutorial = (ROOT / "docs" / "tutorial" / "endpoint.md").read_text()
    finished = ROOT / "examples" / "endpoint"
    place, description, functions, one_more, rules, test = re.findall(
        r"```(?:yaml|python)\n(.*?)```", tutorial, re.DOTALL
    )
    no_function, no_rule = re.findall(r"```\n(.*)\n```", tutorial)
    monkeypatch.chdir(tmp_path)

    def make(name: str, text: str) -> None:
        assert (finished / name).read_text() == text
        (tmp_path / name).write_text(text)

    def check() -> str:
        return CliRunner().invoke(command_line, ["check", "rating", "--config", "apifold.yaml"]).output

    def api(**changes):
        return serve("rating", settings=load(tmp_path, {"state": str(tmp_path / "state"), **changes}))

    (tmp_path / "additions").mkdir()
    (tmp_path / "apifold.yaml").write_text(place)
    assert check() == "no errors\n"
    make("additions/example.yaml", description)
    assert no_function in check()
    make("additions/example_handlers.py", functions)
    importlib.invalidate_caches()
    assert no_rule in check()
    make("apifold.yaml", place + one_more)
    make("policy.yaml", rules)
    assert check() == "no errors\n"

    first = api()
    for method, path, body, status, text in re.findall(r"\| `(\w+) (\S+) ?(.*?)` \| (\d+) `(.*)` \|", tutorial):
        answer = first.request(method, path, json=json.loads(body)) if body else first.request(method, path)
        assert (answer.status, answer.text) == (int(status), text)
    document = first.get("/v2/openapi.json").json
    assert {"/example", "/summary"} <= document["paths"].keys()
    assert "example" in {tag["name"] for tag in document["tags"]}
    assert "/v2/example" in CliRunner().invoke(command_line, ["routes", "rating", "--config", "apifold.yaml"]).output

    make("test_example.py", test)
    tested = subprocess.run([sys.executable, "-m", "pytest", "-q"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout
    for line in re.findall(r"^    apifold (docs .*)$", tutorial, re.MULTILINE):
        assert CliRunner().invoke(command_line, line.split()).exit_code == 0
    assert "/v2/example" in (tmp_path / "site" / "rating-v2.html").read_text()
    assert ".. rest_method:: POST /v2/example" in (tmp_path / "api-ref" / "rating-v2.rst").read_text()

    (tmp_path / "additions" / "example.yaml").unlink()
    second = api()
    assert (second.get("/v2/example").status, second.get("/v2/summary").status) == (404, 200)


def test_requests_are_routed_as_is_said(serve):
    page = (ROOT / "docs" / "explanation" / "routing.md").read_text()
    rows = re.findall(r"\| `(\w+) (\S+)` \| (?:`(\w\S*)`)? ?\| (?:`(\w+)`)? ?\| (\d+)", page)
    api = serve("rating")
    for method, path, *_ in rows:
        api.request(method, path)
    wanted = Counter((name, operation, status) for _, _, name, operation, status in rows)
    counted = re.findall(
        r'_count\{api="(\w*|[\w-]+)",operation="(\w*)",status="(\d+)"\} (\d+)', api.get("/-/metrics").text
    )
    assert wanted == {(name, operation, status): int(count) for name, operation, status, count in counted}
    assert len(rows) == 9


def test_the_dummies_of_qtips_guide_work_step_by_step(tmp_path, monkeypatch):
    import importlib
    import sys

    import apifold
    from apifold.testing.client import Client

    blocks = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "docs" / "tutorial" / "dummies.md").read_text(), re.DOTALL)
    yaml_blocks = [text for kind, text in blocks if kind == "yaml"]
    python_blocks = [text for kind, text in blocks if kind == "python"]
    package = tmp_path / "qtip_like"
    (package / "spec").mkdir(parents=True)
    (package / "controllers").mkdir()
    for folder in (package, package / "controllers"):
        (folder / "__init__.py").touch()
    (package / "__main__.py").write_text(python_blocks[0])
    (package / "spec" / "swagger.yaml").write_text(yaml_blocks[0])
    (package / "controllers" / "plan.py").write_text(python_blocks[1])
    monkeypatch.syspath_prepend(str(tmp_path))

    def client(app):
        return Client(app.application)

    with client(importlib.import_module("qtip_like.__main__").get_app()) as first:
        assert first.get("/v1.0/plans/compute").json["name"] == "compute"
        missing = first.get("/v1.0/plans/nope")
        assert (missing.status, missing.json["title"]) == (404, "Plan not found")
        assert missing.json["detail"] == "Requested plan `nope` not found."

    swagger = package / "spec" / "swagger.yaml"
    good = (
        yaml_blocks[0]
        .replace("paths:\n", f"paths:\n{yaml_blocks[1]}")
        .replace("definitions:\n", f"definitions:\n{yaml_blocks[2]}")
    )
    swagger.write_text(good.replace("items: {$ref: '#/definitions/Dummy'}", "items: {$ref: '#/definitions/Dummy}"))
    checked = CliRunner().invoke(command_line, ["check", str(package / "spec")])
    assert checked.exit_code == 1
    assert re.search(r"swagger\.yaml:\d+: ", checked.output)
    swagger.write_text(good)
    (package / "controllers" / "dummy.py").write_text(python_blocks[2])
    (package / "spec" / "new_api.yaml").write_text(yaml_blocks[3])
    (tmp_path / "both.py").write_text(python_blocks[3])
    dummies = [{"name": "first", "id": "1"}]
    with client(importlib.import_module("both").my_app) as both:
        for base in ("/v1.0", "/api2"):
            assert both.get(f"{base}/dummies").json == dummies
            assert both.get(f"{base}/swagger.json").status == both.get(f"{base}/ui").status == 200
        assert both.get("/v1.0/dummies?more=1").status == 400
    with_slash = sys.modules["qtip_like.__main__"].get_app()
    with_slash.add_api("new_api.yaml", base_path="/api2")
    with client(with_slash) as same:
        assert same.get("/api2/dummies").json == dummies
    assert isinstance(with_slash, apifold.App)


def test_the_long_work_of_the_how_to_is_done(tmp_path):
    from apifold import Deployment
    from apifold.jobs.runner import Runner
    from tests.servers import until

    text = (ROOT / "docs" / "howto" / "long-work.md").read_text()
    found = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], found)
    deployment = Deployment(Settings(state=str(tmp_path)))
    service = found["service"](deployment)
    kinds = {f"{service.name}.{name}": kind for name, kind in service.jobs.items()}
    runner = Runner(deployment.jobs(), kinds, deployment.directory())
    runner.start()
    try:
        job = service.provides["reports"].start("May")
        done = until(lambda: (job_now := deployment.jobs().get(job.id)).has_ended and job_now)
    finally:
        runner.stop()
        deployment.close()
    assert (done.state, done.result, done.progress) == ("done", 6, {"rows": 3})


def test_the_project_speaks_of_itself_alone():
    words = re.compile(
        r"\b((this|a|last|next) sessions?|issue \d|pull request|/work/|pypi\.org|registry\.npmjs)\b", re.IGNORECASE
    )
    for path in [
        *PAGES,
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "src").rglob("*.yaml"),
        *(ROOT / "tools").glob("*"),
        ROOT / "Makefile",
        ROOT / "pyproject.toml",
    ]:
        if path.is_file():
            assert not words.search(path.read_text()), (path, words.search(path.read_text()))
