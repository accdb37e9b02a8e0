"""Two readings of one contract; an API made of another by an overlay; what a part leaves to its API."""

from __future__ import annotations

import logging
import sys

import pytest

from apifold.settings import ApiSettings, OperationSettings, ValidationModes
from apifold.testing import client

HEAD = """
openapi: 3.1.0
info: {title: Things, version: "2.2"}
servers: [{url: /v2}]
x-apifold:
  service: things
  id: v2
  unknown: reject
  lenient: logged
  errors: message
  microversions: {min: "2.1", max: "2.2", headers: [X-Version]}
paths: {}
components:
  schemas:
    Name: {type: string, minLength: 1, pattern: '^\\S', x-apifold: {loosely: {type: string, minLength: 1}}}
    Kind: {type: string, enum: [a, b]}
    Thing:
      type: object
      required: [name]
      properties:
        name: {$ref: "#/components/schemas/Name"}
        kind: {$ref: "#/components/schemas/Kind", x-apifold: {since: "2.2"}}
"""
V1 = """
overlay: 1.0.0
info: {title: The things of old, version: "1"}
extends: ../v2/openapi.yaml
x-apifold: {beside: true}
actions:
  - {target: "$.servers[0]", update: {url: /v1}}
  - {target: $.info, update: {title: The things of old, version: "2.1"}}
  - {target: $.x-apifold, update: {id: v1, lenient: always}}
  - {target: $.x-apifold.microversions, remove: true}
"""
PART = """
info: {title: Making of things}
paths:
  /things:
    post:
      operationId: make
      x-apifold: {policy: "things:make"}
      parameters: [{name: size, in: query, schema: {type: integer}}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
      responses:
        "200": {description: it, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
"""
OVERLAY = """
overlay: 1.0.0
info: {title: Colours, version: "1"}
actions:
  - {target: $.components.schemas.Thing.properties, update: {colour: {type: string}}}
"""
SERVICE = """
from pathlib import Path
from apifold import Parts, Service

HERE = Path(__file__).parent

def service(deployment):
    parts = tuple(
        Parts(f"things-{id}", HERE / "given", files=("making.yaml",), handlers="things_service.making", policy=HERE / "given" / "rules.yaml")
        for id in ("v1", "v2")
    )
    return Service(name="things", apis=("v2", "v1"), policy="policy.yaml", parts=parts, overlays={"v2": (HERE / "colours.yaml",)})
"""


@pytest.fixture
def things(tmp_path, monkeypatch):
    package = tmp_path / "things_service"
    for folder in ("", "v1", "v2", "given"):
        (package / folder).mkdir()
    for name, text in {
        "__init__.py": "",
        "service.py": SERVICE,
        "making.py": "def make(body, size=None):\n    return {**body, 'colour': 'red'}\n",
        "policy.yaml": "things:none: '!'\n",
        "colours.yaml": OVERLAY,
        "v2/openapi.yaml": HEAD,
        "v1/openapi.yaml": V1,
        "given/making.yaml": PART,
        "given/rules.yaml": "things:make: '@'\n",
        "given/other.yaml": "not: one of them",
    }.items():
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def serve_it(**settings):
        made.append(client("things_service.service:service", **settings))
        return made[-1]

    yield serve_it
    for one in made:
        one.close()
    sys.modules.pop("things_service", None)


def make(talker, base, body, query="", version="2.2"):
    return talker.post(f"{base}/things{query}", json=body, headers={"X-Version": version})


def test_one_part_serves_both_apis_each_in_its_own_reading(things):
    talker = things()
    assert make(talker, "/v2", {"name": "n", "kind": "a"}).json == {"name": "n", "kind": "a", "colour": "red"}
    assert make(talker, "/v2", {"name": " n"}).status == 400
    assert make(talker, "/v2", {"name": "n", "more": 1}).status == 400
    assert make(talker, "/v2", {"name": "n", "kind": "a"}, version="2.1").status == 400
    assert make(talker, "/v2", {"name": "n"}, "?more=1").status == 400
    # The older one knows neither versions nor what came with them, and what it does not know it drops.
    assert make(talker, "/v1", {"name": " n", "kind": "z", "more": 1}, "?more=1").json == {
        "name": " n",
        "colour": "red",
    }
    assert make(talker, "/v1", {"name": ""}).status == 400
    assert make(talker, "/v1", {}).json == {"message": "name: is missing"}


def test_documents_say_what_holds(things):
    talker = things()
    newer, older = (talker.get(f"/{api}/openapi.json").json for api in ("v2", "v1"))
    assert newer["paths"].keys() == older["paths"].keys() == {"/things"}
    assert "pattern" in newer["components"]["schemas"]["Name"]
    assert older["components"]["schemas"]["Name"] == {"type": "string", "minLength": 1}
    assert older["info"]["title"] == "The things of old"
    for document in (newer, older):
        assert "colour" in document["components"]["schemas"]["Thing"]["properties"]


MODES = {
    "api": ApiSettings(validation=ValidationModes(request="log")),
    "operation": ApiSettings(operations={"make": OperationSettings(validation=ValidationModes(request="log"))}),
}


@pytest.mark.parametrize("place", MODES)
def test_in_log_mode_the_newer_goes_on_as_the_older_would(things, place, caplog):
    talker = things(apis={"things-v2": MODES[place]})
    with caplog.at_level(logging.WARNING, "apifold"):
        answer = make(talker, "/v2", {"name": " n", "more": 1}, "?size=2&more=1")
    assert answer.json == {"name": " n", "colour": "red"}
    assert "body/more: is not a known member" in caplog.text
    # What the older would refuse is refused.
    assert make(talker, "/v2", {"name": ""}).status == 400
    assert make(talker, "/v2", {"name": 5}).status == 400
    rows = talker.get("/-/refusals").json["refusals"]
    told = {(one["api"], one["field"], one["version"]) for one in rows}
    assert ("things-v2/making", "body/more", "2.2") in told
    assert ("things-v2/making", "query/more", "2.2") in told
    assert ("things-v2/making", "body/name", "2.2") in told


def test_an_api_that_cant_be_served_takes_its_parts_along_and_says_so(things, tmp_path):
    talker = things()
    assert make(talker, "/v2", {"name": "n"}).status == 200
    head = tmp_path / "things_service" / "v2" / "openapi.yaml"
    head.write_text(HEAD.replace("openapi: 3.1.0", "openapi: 9"))
    running = talker.application.running
    generation = running.builder.build(running.generation)
    assert make(talker, "/v2", {"name": "n"}).status == 200
    assert [error.message for error in generation.all_errors if error.file == str(head)]


def test_what_is_no_yaml_leaves_the_rest_as_it_is(things, tmp_path):
    talker = things()
    assert make(talker, "/v1", {"name": "n"}).status == 200
    (tmp_path / "things_service" / "v2" / "openapi.yaml").write_text("openapi: [")
    running = talker.application.running
    generation = running.builder.build(running.generation)
    assert generation.all_errors
    assert [one.api.name for one in generation.loaded if not one.part_of] == ["things-v2", "things-v1"]
