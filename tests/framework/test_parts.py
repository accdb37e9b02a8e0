"""Parts: a directory of files that add operations to one API of a service, each on its own."""

from __future__ import annotations

import sys

import pytest

from apifold.errors import SettingsError
from apifold.settings import ApiSettings
from apifold.testing import client

SERVICE = """
from pathlib import Path
from apifold import NotADescription, Parts, Service

def expand(data, name):
    if "swagger" in data:
        return data
    if data.get("words") == "crash":
        return {"swagger": "2.0", "info": None, "paths": {"/x": {"get": 5}}, "basePath": "/v1"}
    if "words" not in data:
        raise NotADescription([("/word" if "word" in data else "", "there are no `words`", "write `words: [...]`")])
    return {
        "swagger": "2.0",
        "info": {"title": name, "version": "1"},
        "basePath": "/v1",

        "paths": {f"/{name}/{{id}}": {"get": {
            "operationId": f"get_{name}",
            "parameters": [{"name": "id", "in": "path", "type": "string", "required": True}],
            "x-apifold": {"binding": {"static": {"value": data["words"]}}, "policy": "say"},
            "responses": {"200": {"description": "words", "schema": {"$ref": f"#/definitions/{name}"}}},
        }}},
        "definitions": {name: {"type": "array", "items": {"type": "string"}}},
    }

def service(deployment):
    folder = Path(__file__).with_name("given")
    parts = Parts(api="words-v1", directory=folder, expand=expand)
    return Service(name="words", apis=("v1",), policy="rules.yaml", parts=(parts,), implementations={"words-v1/mocked": "mock"})
"""
WHOLE = """
swagger: "2.0"
info: {title: Words, version: "1"}
basePath: /v1
x-apifold: {service: words, id: v1, errors: message}
paths:
  /own:
    get:
      operationId: own
      x-apifold: {public: true, binding: {static: {value: [own]}}}
      responses: {"200": {description: own}}
"""


@pytest.fixture
def words(tmp_path, monkeypatch):
    """The service, its folder of parts, and a client."""
    package = tmp_path / "words_service"
    for folder in ("", "v1", "given"):
        (package / folder).mkdir()
    (package / "__init__.py").touch()
    (package / "service.py").write_text(SERVICE)
    (package / "v1" / "swagger.yaml").write_text(WHOLE)
    (package / "rules.yaml").write_text("say: '@'\n")
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def serve_it(**settings):
        made.append(client("words_service.service:service", **settings))
        return made[-1]

    yield package / "given", serve_it
    for one in made:
        one.close()
    sys.modules.pop("words_service", None)


def rebuild(talker):
    running = talker.application.running
    running.generation = running.builder.build(running.generation)
    return running.generation


def test_parts_come_and_go_with_their_share_of_the_document(words):
    folder, serve_it = words
    talker = serve_it()
    assert talker.get("/v1/hello/1").status == 404
    (folder / "hello.yaml").write_text("words: [hello]")
    rebuild(talker)
    assert talker.get("/v1/hello/1").json == ["hello"]
    document = talker.get("/v1/swagger.json").json
    assert sorted(document["paths"]) == ["/hello/{id}", "/own"]
    assert sorted(document["definitions"]) == ["hello"]
    assert talker.get("/v1/own").json == ["own"]
    listed = talker.get("/", headers={"Accept": "application/json"}).json["apis"]
    assert [(one["name"], one["operations"]) for one in listed] == [("words-v1", 2)]
    state = {one["name"]: one.get("part_of") for one in talker.get("/-/apis").json["apis"]}
    assert state == {"words-v1": None, "words-v1/hello": "words-v1"}
    (folder / "hello.yaml").unlink()
    rebuild(talker)
    assert talker.get("/v1/hello/1").status == 404
    assert sorted(talker.get("/v1/swagger.json").json["paths"]) == ["/own"]
    assert talker.get("/v1/nothing").json == {"message": "Nothing is served at this path."}


def test_a_part_that_breaks_leaves_the_others_and_its_last_good_version(words):
    folder, serve_it = words
    (folder / "one.yaml").write_text("words: [one]")
    (folder / "two.yaml").write_text("words: [two]")
    talker = serve_it()
    assert talker.get("/v1/one/1").json == ["one"]
    (folder / "one.yaml").write_text("\nword: [one]")
    (folder / "three.yaml").write_text("words: [")
    generation = rebuild(talker)
    assert talker.get("/v1/one/1").json == ["one"]
    assert talker.get("/v1/two/1").json == ["two"]
    told = {(error.file.rpartition("/")[2], error.line, error.message) for error in generation.all_errors}
    assert ("one.yaml", 2, "there are no `words`") in told
    assert any(name == "three.yaml" for name, _, _ in told)


def test_a_part_that_nobody_understands_is_told_and_the_next_change_is_followed(words):
    folder, serve_it = words
    (folder / "one.yaml").write_text("words: [one]")
    talker = serve_it()
    talker.application.build()
    (folder / "crash.yaml").write_text("words: crash")
    assert any(error.file.endswith("crash.yaml") for error in rebuild(talker).all_errors)
    assert talker.get("/v1/one/1").json == ["one"]
    (folder / "two.yaml").write_text("words: [two]")
    rebuild(talker)
    assert talker.get("/v1/two/1").json == ["two"]


def test_a_part_may_add_a_method_to_a_path_of_the_whole(words):
    folder, serve_it = words
    more = (
        WHOLE.replace("service: words, id: v1, ", "")
        .replace("get:", "post:")
        .replace("operationId: own", "operationId: add")
    )
    (folder / "more.yaml").write_text(more)
    talker = serve_it()
    assert [talker.request(method, "/v1/own").status for method in ("GET", "POST")] == [200, 200]
    assert sorted(talker.get("/v1/swagger.json").json["paths"]["/own"]) == ["get", "post"]


def test_two_parts_never_share_a_place(words):
    folder, serve_it = words
    (folder / "own.yaml").write_text(WHOLE.replace("service: words, id: v1, ", ""))
    (folder / "elsewhere.yaml").write_text(WHOLE.replace("/v1", "/v2").replace("/own", "/other"))
    talker = serve_it(quarantine=True)
    messages = "\n".join(str(error) for error in talker.application.build().all_errors)
    assert "GET /own is also in" in messages
    assert "its base path /v2 is not /v1" in messages
    assert talker.get("/v1/own").json == ["own"]


ADDED = """
openapi: 3.1.0
info: {title: More, version: "1"}
servers: [{url: /v1}]
x-apifold: {handlers: more_handlers}
paths:
  /more:
    get:
      operationId: more
      x-apifold: {policy: say}
      responses: {"200": {description: more}}
"""


def test_a_deployment_adds_to_an_api_while_it_is_served(words, tmp_path):
    _, serve_it = words
    additions = tmp_path / "additions"
    additions.mkdir()
    (additions / "more_handlers.py").write_text("def more():\n    return ['more']\n")
    talker = serve_it(apis={"words-v1": ApiSettings(additions=str(additions))})
    assert talker.get("/v1/more").status == 404
    (additions / "more.yaml").write_text(ADDED)
    rebuild(talker)
    assert talker.get("/v1/more").json == ["more"]
    assert "/more" in talker.get("/v1/swagger.json").json["paths"]
    (additions / "more.yaml").write_text(ADDED.replace("operationId: more", "operationId: nothing"))
    assert len(rebuild(talker).all_errors) == 1
    assert (talker.get("/v1/more").json, talker.get("/v1/own").json) == (["more"], ["own"])
    (additions / "more.yaml").unlink()
    rebuild(talker)
    assert (talker.get("/v1/more").status, talker.get("/v1/own").json) == (404, ["own"])


@pytest.mark.parametrize(
    ("name", "directory", "told"),
    [("other-v1", "", "no service that is served here"), ("words-v1", "nowhere", "nowhere is no directory")],
)
def test_additions_that_have_no_place_are_told(words, tmp_path, name, directory, told):
    _, serve_it = words
    with pytest.raises(SettingsError, match=told):
        serve_it(apis={name: ApiSettings(additions=str(tmp_path / directory))})


def test_additions_to_an_api_that_is_not_there_leave_the_others(words, tmp_path):
    _, serve_it = words
    additions = tmp_path / "additions"
    additions.mkdir()
    (additions / "more.yaml").write_text(WHOLE.replace("service: words, id: v1, ", ""))
    talker = serve_it(apis={"words-v9": ApiSettings(additions=str(additions))}, quarantine=True)
    assert [error.file for error in talker.application.build().all_errors] == [str(additions / "more.yaml")]
    assert talker.get("/v1/own").json == ["own"]


def test_what_is_said_of_the_whole_holds_for_its_parts(words):
    folder, serve_it = words
    (folder / "hello.yaml").write_text("words: [hello]")
    moved = serve_it(apis={"words-v1": ApiSettings(base_path="/moved")})
    assert moved.get("/moved/hello/1").json == ["hello"]
    off = serve_it(apis={"words-v1": ApiSettings(enabled=False)})
    assert off.get("/v1/hello/1").status == 404
    (folder / "mocked.yaml").write_text("words: [hello]")
    mocked = serve_it()
    assert mocked.get("/v1/mocked/1").json == ["text"]
    own = serve_it(apis={"words-v1": ApiSettings(implementation="native")})
    assert own.get("/v1/mocked/1").json == ["hello"]


def test_a_service_is_named_by_its_function_or_told(words):
    with pytest.raises(Exception, match="neither a directory, nor a file, nor a service"):
        client("words_service.service:nothing")
    with pytest.raises(Exception, match="neither a directory, nor a file, nor a service"):
        client("nowhere.service:service")


PER_REQUEST = """
import asyncio
from apifold import PerRequest, Service

async def later(exchange):
    async with asyncio.timeout(1):
        await asyncio.sleep(0)
    return exchange.request.method.lower()

def service(deployment):
    return Service(name="per", apis=("v1",), provides={"late": PerRequest(later), "soon": PerRequest(lambda exchange: exchange.caller.user)})
"""


@pytest.mark.parametrize(("kind", "inline"), [("async def", "false"), ("def", "false"), ("def", "true")])
def test_a_service_provides_something_anew_for_each_request(tmp_path, monkeypatch, kind, inline):
    package = tmp_path / "per_service"
    (package / "v1").mkdir(parents=True)
    for file in ("__init__.py", "v1/__init__.py"):
        (package / file).touch()
    (package / "service.py").write_text(PER_REQUEST)
    (package / "v1" / "openapi.yaml").write_text(
        'openapi: 3.1.0\ninfo: {title: T, version: "1"}\npaths:\n  /x:\n    post: {operationId: say, x-apifold: {inline: INLINE}, responses: {"200": {description: ok}}}\n'.replace(
            "INLINE", inline
        )
    )
    (package / "v1" / "handlers.py").write_text(f"{kind} say(late, soon):\n    return [late, soon]\n")
    monkeypatch.syspath_prepend(tmp_path)
    with client("per_service.service:service") as talker:
        assert talker.post("/x").json == ["post", "developer"]


PART = """
swagger: "2.0"
info: {title: Part, version: "1"}
basePath: /v1
paths:
  /part: {get: {x-apifold: {binding: {static: {value: 1}}, policy: say, successor: own}, responses: {"200": {description: ok}}}}
  /later: {get: {x-apifold: {binding: {static: {value: 1}}, policy: say, since: "3"}, responses: {"200": {description: ok}}}}
  /early: {get: {x-apifold: {binding: {static: {value: 1}}, policy: say, until: "1"}, responses: {"200": {description: ok}}}}
"""


@pytest.fixture
def whole(words):
    """Serves the whole with something changed about it, and a part beside it."""
    folder, serve_it = words

    def make(extension, version="2", **settings):
        text = WHOLE.replace("errors: message", f"errors: message, {extension}").replace(
            'version: "1"', f'version: "{version}"'
        )
        (folder.parent / "v1" / "swagger.yaml").write_text(text)
        (folder / "part.yaml").write_text(PART)
        return serve_it(**settings)

    return make


@pytest.mark.parametrize(
    ("extension", "status"),
    [
        ("status: RETIRED", 410),
        ('sunset: "2026-01-01"', 410),
        ('requires: {storage: ">=2"}', 404),
        ("status: CURRENT", 200),
    ],
)
def test_a_part_is_there_as_long_as_the_whole(whole, extension, status):
    api = whole(extension)
    assert (api.get("/v1/own").status, api.get("/v1/part").status) == (status, status)


def test_a_part_follows_when_the_life_of_the_whole_changes(whole, words):
    api = whole("status: CURRENT")
    assert api.get("/v1/part").status == 200
    file = words[0].parent / "v1" / "swagger.yaml"
    file.write_text(file.read_text().replace("CURRENT", "RETIRED"))
    rebuild(api)
    assert api.get("/v1/part").status == 410


def test_a_changed_part_is_held_against_what_clients_had(whole, words):
    api = whole("status: CURRENT", breaking_changes="refuse")
    assert api.get("/v1/part").status == 200
    (words[0] / "part.yaml").write_text(PART.replace("/part:", "/other:"))
    generation = rebuild(api)
    assert api.get("/v1/part").status == 200
    assert "GET /part: removed" in str(generation.all_errors[0])


def test_operations_of_parts_have_the_successor_of_the_whole(whole):
    api = whole("successor: words-v1")
    part = next(one for one in api.get("/-/apis").json["apis"] if one["name"] == "words-v1/part")
    assert part["without_successor"] == []


def test_a_part_is_of_the_version_of_the_whole(whole):
    api = whole("status: CURRENT")
    assert [api.get(f"/v1/{path}").status for path in ("part", "later", "early")] == [200, 404, 404]


def test_a_part_is_there_at_the_versions_that_it_says(whole):
    api = whole('microversions: {min: "1", max: "3", headers: [X-Version]}')

    def statuses(version):
        return [
            api.get(f"/v1/{path}", headers={"X-Version": version}).status for path in ("own", "part", "later", "early")
        ]

    assert [statuses(version) for version in ("1", "2", "3")] == [
        [200, 200, 404, 200],
        [200, 200, 404, 404],
        [200, 200, 200, 404],
    ]
    for version, paths in (
        ("1", {"/own", "/part", "/early"}),
        ("2", {"/own", "/part"}),
        ("", {"/own", "/part", "/later"}),
    ):
        assert api.get("/v1/swagger.json", **({"version": version} if version else {})).json["paths"].keys() == paths
