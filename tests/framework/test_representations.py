"""Representations: links, constants, YAML, members that clients name, and changes of what a GET shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from apifold.application import check
from apifold.schema.mapping import compile_mapping
from apifold.settings import Settings

API = """
openapi: 3.1.0
info: {title: Shelves, version: "1"}
servers: [{url: /library}]
x-apifold:
  handlers: shelf_handlers
  unknown: reject
  traits:
    get: {etag: null, select: {name: only, strict: true}}
    put: {etag: null, replace: {select: only, read_only: denied}}
    patch: {etag: null, json-patch: {read_only: denied}}
paths:
  /shelves/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: get_shelf, responses: &shelf {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Shelf"}}, application/yaml: {schema: {$ref: "#/components/schemas/Shelf"}}}}}}
    put: {operationId: put_shelf, responses: *shelf}
    patch: {operationId: patch_shelf, x-apifold: {binding: {handler: put_shelf}}, responses: *shelf}
  /shelves:
    get: {operationId: list_shelves, x-apifold: {traits: {etag: false, select: false}}, responses: {"200": {description: ok, content: {application/json: {schema: {type: object}}}}}}
    post:
      operationId: make_shelf
      requestBody:
        required: true
        content: {application/yaml: {schema: {$ref: "#/components/schemas/Shelf"}}, x-application/yaml: {schema: {$ref: "#/components/schemas/Shelf"}}}
      responses: {"201": {description: made, content: {application/json: {schema: {type: object}}}}}
components:
  schemas:
    Shelf:
      allOf: [{$ref: "#/components/schemas/Thing"}]
      type: object
      required: [name]
      properties:
        uri: {readOnly: true, x-apifold: {link: "/shelves/{id}"}}
        type: {const: shelf, readOnly: true}
        room: {type: string, readOnly: true, x-apifold: {link: "/rooms/{room.name}"}}
        books: {type: array, readOnly: true, items: {type: object, properties: {href: {type: string, readOnly: true, x-apifold: {link: "/books/{isbn}"}}, title: {type: string, x-apifold: {source: name}}}}}
        root: {type: string, readOnly: true, x-apifold: {link: .}}
    Thing:
      type: object
      properties:
        uri: {type: string, readOnly: true}
        name: {type: string, minLength: 1}
        note: {type: string}
        tags: {type: array, items: {type: string}}
"""

HANDLERS = """
from apifold import NotFound

def fresh():
    return {"id": "a b", "name": "top", "note": "n", "tags": ["x"], "room": {"name": "ö/1"}, "books": [{"isbn": 1, "name": "One"}, {"name": "Two"}]}

shelves = {"a b": fresh()}
bodies = []

def get_shelf(id):
    if id not in shelves:
        raise NotFound()
    return shelves[id]

def put_shelf(id, body):
    bodies.append(body)
    kept = {key: shelves[id][key] for key in ("id", "room", "books")}
    shelves[id] = {**kept, **body}
    return shelves[id]

def list_shelves():
    return {"shelves": list(shelves)}

def make_shelf(body):
    return {"got": body}
"""

SHELF = "/library/shelves/a%20b"


@pytest.fixture
def library(write, serve):
    return serve(write(api_yaml=API, shelf_handlers_py=HANDLERS))


def test_links_are_made_of_where_the_api_is_and_of_the_core_s_values(library):
    shown = library.get(SHELF).json
    assert shown == {
        "uri": "http://testserver/library/shelves/a%20b",
        "type": "shelf",
        "name": "top",
        "note": "n",
        "tags": ["x"],
        "room": "http://testserver/library/rooms/%C3%B6%2F1",
        "books": [{"href": "http://testserver/library/books/1", "title": "One"}, {"title": "Two"}],
        "root": "http://testserver/library",
    }
    elsewhere = library.get(SHELF, headers={"host": "example.org"}).json
    assert elsewhere["uri"] == "http://example.org/library/shelves/a%20b"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{type: string, x-apifold: {link: /a}}", "made by the server"),
        ('{type: string, readOnly: true, x-apifold: {link: "/a/{b[}"}}', "is no source"),
    ],
)
def test_a_link_that_can_t_work_is_told_when_the_file_is_loaded(write, said, message):
    folder = write(api_yaml=API.replace("{type: string, readOnly: true, x-apifold: {link: .}}", said))
    (folder / "shelf_handlers.py").write_text(HANDLERS)
    assert any(message in str(error) for error in check((str(folder),), Settings()))


def test_what_has_no_value_has_no_link_and_a_constant_is_so_whatever_the_core_has():
    mapping = compile_mapping(
        {"properties": {"a": {"x-apifold": {"link": "/a/{b}"}}, "kind": {"const": "k"}}, "required": ["a"]}, {}
    )
    assert mapping.lower({"b": None, "kind": "other"}, "http://h") == ({"kind": "k"}, ["/a"])


def test_yaml_is_read_and_written(library):
    sent = library.post(
        "/library/shelves", body=b"name: no\ntags: [a, 'b']\n", headers={"content-type": "application/yaml"}
    )
    assert sent.json == {"got": {"name": "no", "tags": ["a", "b"]}}
    old = library.post(
        "/library/shelves", body=b"name: x", headers={"content-type": "x-application/yaml; charset=utf-8"}
    )
    assert old.status == 201
    shown = library.get(SHELF, headers={"accept": "application/yaml"})
    assert shown.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(shown.text) == library.get(SHELF).json


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"name: [", "line 1"),
        (b"name: a\nname: b\n", "line 2"),
        (b"name: \xff", "UTF-8"),
        (b"unknown: 1\nname: a", "/unknown"),
        (b"- a", "must be an object"),
    ],
)
def test_yaml_that_is_not_as_it_should_be_is_told_of(library, text, said):
    refused = library.post("/library/shelves", body=text, headers={"content-type": "application/yaml"})
    assert refused.status == 400
    assert said in refused.text


@pytest.mark.parametrize(
    ("query", "members"),
    [("only=name", {"name"}), ("only=name, tags", {"name", "tags"}), ("only=name&only=uri", {"name", "uri"})],
)
def test_a_part_has_the_etag_of_the_whole(library, query, members):
    whole = library.get(SHELF)
    part = library.get(f"{SHELF}?{query.replace(' ', '%20')}")
    assert part.json.keys() == members
    assert part.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("query", ["only=", "only=nothing", "only=name,name", "only=name&only=name", "only=tags.x"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_members_that_can_t_be_named_are_refused(library, method, query):
    refused = library.request(method, f"{SHELF}?{query}", json={"name": "x"} if method == "PUT" else None)
    assert refused.status == 400
    assert "/only" in refused.text


def test_a_thing_is_replaced_as_it_was_shown(library):
    shown = library.get(SHELF)
    changed = library.put(SHELF, json={**shown.json, "name": "new"}, headers={"if-match": shown.headers["etag"]})
    assert changed.json == {**shown.json, "name": "new"}
    least = library.put(SHELF, json={"name": "least"})
    assert least.status == 200
    assert "note" not in least.json
    assert "tags" not in least.json
    assert least.json["room"] == shown.json["room"]
    stale = library.put(SHELF, json={"name": "x"}, headers={"if-match": shown.headers["etag"]})
    assert stale.status == 412


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ("", {"note": "no name"}, 400),
        ("", {"name": ""}, 400),
        ("", {"name": "a", "unknown": 1}, 400),
        ("", {"name": "a", "uri": "http://elsewhere/"}, 403),
        ("", {"name": "a", "books": []}, 403),
        ("", [], 400),
        ("?only=note", {"note": "a", "name": "b"}, 400),
        ("?only=name", {}, 400),
        ("?only=uri", {"uri": "http://elsewhere/"}, 403),
    ],
)
def test_what_may_not_be_replaced_changes_nothing(library, query, body, status):
    before = library.get(SHELF).json
    refused = library.put(f"{SHELF}{query}", json=body)
    assert refused.status == status, refused.text
    assert library.get(SHELF).json == before


def test_only_the_members_that_are_named_are_replaced(library):
    before = library.get(SHELF).json
    assert library.put(f"{SHELF}?only=note", json={"note": "b"}).json == {**before, "note": "b"}
    without = library.put(f"{SHELF}?only=note,tags", json={"tags": ["y"]}).json
    assert "note" not in without
    assert without["tags"] == ["y"]


@pytest.mark.parametrize(
    ("path", "media", "body", "status"),
    [
        ("/library/shelves/none", "text/plain", b"{", 404),
        ("/library/shelves/none", "application/json-patch+json", b"{", 404),
        (SHELF, "text/plain", b"{", 415),
        (SHELF, "application/json-patch+json", b"{", 400),
        (SHELF, "application/json-patch+json", b"", 400),
        (SHELF, "application/json-patch+json", b'[{"op": "replace", "path": "/uri", "value": "x"}]', 403),
        (SHELF, "application/json-patch+json", b'[{"op": "test", "path": "/name", "value": "x"}]', 409),
        (SHELF, "application/json-patch+json", b'[{"op": "remove", "path": "/name"}]', 400),
        (SHELF, "application/json-patch+json", b'[{"op": "remove", "path": "/nothing"}]', 422),
    ],
)
def test_what_is_not_there_is_told_before_what_is_wrong_with_a_body(library, path, media, body, status):
    before = library.get(SHELF).json
    answer = library.request("PATCH", path, body=body, headers={"content-type": media})
    assert answer.status == status, answer.text
    assert library.get(SHELF).json == before


def test_a_patch_changes_what_is_shown(library):
    patch = [{"op": "add", "path": "/tags/-", "value": "y"}, {"op": "move", "from": "/note", "path": "/name"}]
    changed = library.request(
        "PATCH", SHELF, body=json.dumps(patch).encode(), headers={"content-type": "application/json-patch+json"}
    )
    assert (changed.json["name"], changed.json["tags"], "note" in changed.json) == ("n", ["x", "y"], False)


def test_traits_of_a_document_are_those_of_its_operations_unless_they_say_otherwise(library):
    assert "etag" in library.get(SHELF).headers
    assert "etag" not in library.get("/library/shelves").headers
    described = library.get("/library/openapi.json").json["paths"]
    assert [one["name"] for one in described["/shelves/{id}"]["get"]["parameters"]] == ["only"]
    assert "parameters" not in described["/shelves"]["get"]


def test_faults_as_wsme_words_them(write, serve):
    text = API.replace("  unknown: reject", "  unknown: reject\n  errors: wsme")
    library = serve(write(api_yaml=text, shelf_handlers_py=HANDLERS))
    refused = library.get("/library/shelves/none")
    assert (refused.status, refused.json) == (
        404,
        {"faultcode": "Client", "faultstring": "Not found", "debuginfo": None},
    )


def test_the_how_to_works(write, serve):
    page = (Path(__file__).parent.parent.parent / "docs" / "howto" / "representations.md").read_text()
    (text,), (handlers,) = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("yaml", "python"))
    library = serve(write(api_yaml=text, shelf_handlers_py=handlers))
    shown = library.get("/library/shelves/top").json
    assert shown["room_uri"] == "http://testserver/library/rooms/3"
    assert library.put("/library/shelves/top?fields=name", json={"name": "Best"}).json == {**shown, "name": "Best"}
    assert library.put("/library/shelves/top", json={**shown, "books": []}).status == 403
