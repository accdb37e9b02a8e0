"""Traits, on plain handlers and on model files: one line each."""

from __future__ import annotations

import json

import pytest

API = """
openapi: 3.1.0
info: {title: T, version: "1"}
x-apifold: {handlers: notes_handlers, unknown: reject}
paths:
  /notes:
    get:
      operationId: list_notes
      x-apifold: {traits: {page: {by: offset, limit: 2, max: 3, links: notes_links}}}
      responses: {"200": {description: ok, content: {application/json: {schema: {type: object}}}}}
    post:
      operationId: make_note
      x-apifold: {traits: {idempotent: required}}
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}
      responses: {"201": {description: made}}
  /notes/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: get_note
      x-apifold: {traits: {etag: null, select: only}}
      responses: {"200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}}
    put:
      operationId: put_note
      x-apifold: {traits: {etag: required}}
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}
      responses: {"200": {description: ok}}
    patch:
      operationId: notes_handlers.put_note
      x-apifold: {traits: [etag, json-patch, merge-patch]}
      responses: {"200": {description: ok}}
components:
  schemas:
    Note:
      type: object
      required: [text]
      properties:
        text: {type: string, maxLength: 10}
        tags: {type: array, items: {type: string}}
        owner: {type: object, properties: {name: {type: string}, mail: {type: string}}}
        made: {type: integer, readOnly: true}
"""

HANDLERS = """
from apifold import NotFound

notes = {"a": {"text": "one", "tags": ["x"], "owner": {"name": "ada", "mail": "a@b"}, "made": 1}}
calls = []

def list_notes(page):
    numbers = list(range(5))
    page.total = len(numbers)
    return {"notes": numbers[page.offset:page.offset + page.limit]}

def make_note(body):
    calls.append(body)
    if body["text"] == "fail":
        raise NotFound("nowhere to put it")
    return {"number": len(calls)}, 201

def get_note(id):
    if id not in notes:
        raise NotFound("no such note")
    return notes[id]

def put_note(id, body, expected):
    notes[id] = {**body, "made": 1}
    return notes[id]
"""


@pytest.fixture
def api(write, serve):
    folder = write(api_yaml=API, notes_handlers_py=HANDLERS)
    return serve(folder)


JSON_PATCH = {"content-type": "application/json-patch+json"}
MERGE_PATCH = {"content-type": "application/merge-patch+json"}


def test_an_unchanged_thing_is_not_sent_again(api):
    first = api.get("/notes/a")
    again = api.get("/notes/a", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert api.get("/notes/a", headers={"if-none-match": '"other"'}).status == 200
    assert api.get("/notes/a", headers={"if-none-match": f'"x", W/{first.headers["etag"]}'}).status == 304


def test_a_change_must_say_what_it_is_based_on(api):
    assert api.put("/notes/a", json={"text": "two"}).status == 428
    tag = api.get("/notes/a").headers["etag"]
    assert api.put("/notes/a", json={"text": "two"}, headers={"if-match": '"old"'}).status == 412
    assert api.put("/notes/a", json={"text": "two"}, headers={"if-match": tag}).status == 200
    assert api.put("/notes/a", json={"text": "three"}, headers={"if-match": tag}).status == 412
    assert api.put("/notes/a", json={"text": "x"}, headers={"if-none-match": "*"}).status == 412
    assert api.put("/notes/new", json={"text": "x"}, headers={"if-match": "*"}).status == 412
    assert api.put("/notes/new", json={"text": "x"}, headers={"if-none-match": "*"}).status == 200


def test_only_the_members_that_are_named_are_sent(api):
    assert api.get("/notes/a?only=text,owner.name").json == {"text": "one", "owner": {"name": "ada"}}
    assert api.get("/notes/a?only=nope").json == {}
    assert {one["name"] for one in api.get("/openapi.json").json["paths"]["/notes/{id}"]["get"]["parameters"]} == {
        "only"
    }


@pytest.mark.parametrize(
    ("patch", "status", "text"),
    [
        ([{"op": "replace", "path": "/text", "value": "two"}], 200, "two"),
        (
            [{"op": "test", "path": "/text", "value": "one"}, {"op": "copy", "from": "/owner/name", "path": "/text"}],
            200,
            "ada",
        ),
        (
            [{"op": "replace", "path": "/text", "value": "two"}, {"op": "test", "path": "/text", "value": "three"}],
            409,
            "one",
        ),
        ([{"op": "remove", "path": "/nope"}], 422, "one"),
        ([{"op": "replace", "path": "/text", "value": "much too long"}], 400, "one"),
        ([{"op": "remove", "path": "/text"}], 400, "one"),
        ([{"op": "add", "path": "/more", "value": 1}], 400, "one"),
        ([{"op": "replace", "path": "/made", "value": 2}], 400, "one"),
        ([{"op": "jump", "path": "/text"}], 400, "one"),
        ([{"op": "replace", "path": "/text"}], 400, "one"),
        ([{"op": "replace", "path": "text", "value": "x"}], 400, "one"),
        ({"text": "x"}, 400, "one"),
        ([{"op": "test", "path": "/text", "value": "one"}] * 201, 400, "one"),
    ],
)
def test_a_json_patch_is_carried_out_whole_or_not_at_all(api, patch, status, text):
    assert api.patch("/notes/a", body=json.dumps(patch).encode(), headers=JSON_PATCH).status == status
    assert api.get("/notes/a").json["text"] == text


def test_a_patch_that_would_grow_without_end_is_stopped(api):
    grow = [{"op": "add", "path": "/tags", "value": ["x" * 1000] * 10}] + [
        {"op": "copy", "from": "/tags", "path": "/tags/-"}
    ] * 40
    assert api.patch("/notes/a", body=json.dumps(grow).encode(), headers=JSON_PATCH).status == 422


def test_a_merge_patch_sets_and_removes(api):
    answer = api.patch("/notes/a", body=b'{"text": "two", "tags": null, "owner": {"mail": null}}', headers=MERGE_PATCH)
    assert answer.json == {"text": "two", "owner": {"name": "ada"}, "made": 1}
    wrong = api.patch("/notes/a", json={"text": "x"})
    assert (wrong.status, wrong.headers["accept-patch"]) == (
        415,
        "application/json-patch+json, application/merge-patch+json",
    )


def test_lists_come_in_pages_with_links(api):
    first = api.get("/notes?limit=2")
    assert first.json == {
        "notes": [0, 1],
        "notes_links": [{"rel": "next", "href": "http://testserver/notes?offset=2&limit=2"}],
    }
    assert first.headers["link"] == '<http://testserver/notes?offset=2&limit=2>; rel="next"'
    last = api.get("/notes?limit=2&offset=4")
    assert (last.json["notes"], last.headers["link"]) == ([4], '<http://testserver/notes?offset=2&limit=2>; rel="prev"')
    assert api.get("/notes?limit=4").status == 400
    assert api.get("/notes?offset=-1").status == 400
    assert len(api.get("/notes").json["notes"]) == 2


def test_a_repeated_request_is_done_once(api):
    key = {"idempotency-key": "k1"}
    first = api.post("/notes", json={"text": "a"}, headers=key)
    again = api.post("/notes", json={"text": "a"}, headers=key)
    assert first.json == again.json == {"number": 1}
    assert again.headers["idempotency-replayed"] == "true"
    assert api.post("/notes", json={"text": "b"}, headers=key).status == 422
    assert api.post("/notes", json={"text": "a"}, headers={"idempotency-key": "k2"}).json == {"number": 2}
    assert api.post("/notes", json={"text": "a"}).status == 400


def test_a_request_that_failed_may_be_repeated(api):
    key = {"idempotency-key": "k1"}
    assert api.post("/notes", json={"text": "fail"}, headers=key).status == 404
    assert api.post("/notes", json={"text": "fail"}, headers=key).status == 404


MODEL = """
model: host
path: /inventory/hosts
fields:
  name:   {type: string, minLength: 1, maxLength: 20, required: true}
  status: {type: string, enum: [up, down], default: up}
  cores:  {type: integer, minimum: 1}
filter: [name, status, cores]
unique: [name]
"""
HOSTS = "/inventory/hosts"


def test_a_model_file_is_a_whole_api(write, serve):
    api = serve(write(hosts_model_yaml=MODEL))
    made = api.post(HOSTS, json={"name": "a", "cores": 2})
    assert made.status == 201
    assert made.json.items() >= {"name": "a", "status": "up", "cores": 2}.items()
    where = made.headers["location"]
    assert where == f"{HOSTS}/{made.json['id']}"
    assert api.get(where).json == made.json
    tag = api.get(where).headers["etag"]
    assert api.get(where, headers={"if-none-match": tag}).status == 304
    changed = api.patch(
        where, body=b'[{"op": "replace", "path": "/status", "value": "down"}]', headers={**JSON_PATCH, "if-match": tag}
    )
    assert changed.json["status"] == "down"
    assert api.put(where, json={"name": "b"}, headers={"if-match": tag}).status == 412
    assert api.put(where, json=changed.json | {"name": "b"}).json["name"] == "b"
    assert api.patch(where, body=b'{"cores": null}', headers=MERGE_PATCH).json.get("cores") is None
    assert api.post(HOSTS, json={"name": "b"}).status == 409
    assert api.post(HOSTS, json={"name": "", "statu": "up"}).status == 400
    assert api.delete(where).status == 204
    assert api.delete(where).status == 404


def test_a_model_files_list_is_filtered_sorted_and_paged(write, serve):
    api = serve(write(hosts_model_yaml=MODEL))
    for number, name in enumerate("dacb", 1):
        api.post(HOSTS, json={"name": name, "cores": number, "status": "down" if number > 2 else "up"})

    def names(**query):
        return "".join(one["name"] for one in api.get(HOSTS, **query).json["items"])

    assert names() == "dacb"
    assert names(sort="name") == "abcd"
    assert names(sort="status,-name") == "cbda"
    assert names(status="up") == "da"
    assert names(cores=[1, 4]) == "db"
    first = api.get(HOSTS, sort="name", limit=3)
    assert "next" in first.headers["link"]
    assert names(sort="name", limit=3, marker=first.json["next"]) == "d"
    assert api.get(HOSTS, sort="nope").status == 400
    assert api.get(HOSTS, marker="nope").status == 400
    assert api.get(HOSTS, nope="x").status == 400


def test_a_model_file_is_documented(write, serve):
    api = serve(write(hosts_model_yaml=MODEL))
    paths = api.get(f"{HOSTS}/openapi.json").json["paths"]
    assert set(paths) == {"/hosts", "/hosts/{id}"}
    patch = paths["/hosts/{id}"]["patch"]["requestBody"]["content"]
    assert set(patch) == {"application/json-patch+json", "application/merge-patch+json"}
    assert {"limit", "marker", "sort", "name"} <= {one["name"] for one in paths["/hosts"]["get"]["parameters"]}


def test_some_operations_of_a_model_file(write, serve):
    api = serve(write(hosts_model_yaml=MODEL + "operations: [list, create]\n"))
    assert api.post(HOSTS, json={"name": "a"}).status == 201
    assert api.delete(HOSTS).status == 405
    assert api.get(f"{HOSTS}/x").status == 404


def test_a_model_file_may_be_bound_to_rules(write, serve, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("- {token: reader, user: r, roles: [reader]}\n- {token: boss, user: b, roles: [admin]}\n")
    tokens.chmod(0o600)
    folder = write(
        apis__hosts_model_yaml=MODEL + "policy: inventory\n",
        apis__policy_yaml='"inventory:list": "role:reader or role:admin"\n'
        + "".join(f'"inventory:{name}": "role:admin"\n' for name in ("create", "read", "replace", "patch", "delete")),
    )
    api = serve(folder / "apis", auth="tokens", tokens=str(tokens))
    reader, boss = {"authorization": "Bearer reader"}, {"x-auth-token": "boss"}
    assert api.get(HOSTS).status == 401
    assert api.get(HOSTS, headers=reader).status == 200
    assert api.post(HOSTS, json={"name": "a"}, headers=reader).status == 403
    assert api.post(HOSTS, json={"name": "a"}, headers=boss).status == 201
