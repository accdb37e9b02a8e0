"""What a request meets: validation, modes, errors in the API's dialect, content negotiation."""

from __future__ import annotations

import json
import logging
import sys

import pytest

import apifold.settings
from apifold import Request, Response

API = """
openapi: 3.1.0
info: {title: T, version: "1"}
x-apifold: {EXTENSION}
paths:
  /plain:
    get:
      operationId: handlers.plain
      responses: {"200": {description: ok, content: {application/json: {}}}}
  /things/{id}:
    post:
      operationId: handlers.make
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
        - {name: limit, in: query, schema: {type: integer, maximum: 10, default: 5}}
        - {name: filter, in: query, style: deepObject, explode: true, schema: {type: object, properties: {a: {type: integer}}}}
        - {name: X-Level, in: header, required: true, schema: {type: integer}}
        - {name: session, in: cookie, schema: {type: string, minLength: 3}}
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: "#/components/schemas/Thing"}}
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/Thing"}}
          text/plain: {schema: {type: string, maxLength: 5}}
      responses:
        "201": {description: made, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
        default: {description: wrong}
  /answers/{kind}:
    get:
      operationId: handlers.answers
      parameters: [{name: kind, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: ok, content: {application/json: {schema: {type: object, required: [a]}}}}}
  /numbers/{count}:
    get:
      operationId: handlers.numbers
      parameters: [{name: count, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: ok, content: {application/json: {schema: {type: array, items: {type: integer}}}}}}
  /tagged:
    get:
      operationId: handlers.tagged
      x-apifold: {traits: [etag]}
      responses: {"200": {description: ok, content: {application/json: {schema: {type: array}}}}}
  /forms:
    get:
      operationId: handlers.forms
      responses: {"200": {description: ok, content: {application/json: {}, text/csv: {}}}}
components:
  schemas:
    Base: {type: object, required: [kind], properties: {kind: {type: string}}}
    Thing:
      type: object
      required: [name, id]
      properties:
        id: {type: integer, readOnly: true}
        made: {type: string, readOnly: true, x-apifold: {read_only_reason: only the server knows when}}
        secret: {type: string, writeOnly: true}
        name: {type: string, minLength: 1}
        size: {type: integer, default: 3}
        sub: {$ref: "#/components/schemas/Thing"}
        based: {allOf: [{$ref: "#/components/schemas/Base"}, {type: object, properties: {extra: {type: integer}}}]}
        free: {type: object}
"""

HANDLERS = """
from datetime import date
from decimal import Decimal

seen = []

def plain():
    return {"date": date(2026, 1, 2), "number": Decimal("1.5"), "big": 2**70, "set": {2, 1}}

def make(id, body, limit, filter=None):
    seen.append(body)
    if isinstance(body, str):
        return {"name": body, "id": id}, 201
    return {**body, "id": id, "size": body.get("size", limit)}, 201

def answers(kind):
    if kind == "crash":
        raise RuntimeError("a secret of ours")
    if kind == "teapot":
        return {"a": 1}, 418
    return {"good": {"a": 1}, "bad": {"b": 1}}[kind]

def forms():
    return "a,b"

def numbers(count):
    for number in range(count):
        seen.append(number)
        yield number

def tagged():
    yield from ["a", "b"]
"""


@pytest.fixture
def api(write, serve):
    def make(extension: str = "{}", **settings):
        folder = write(api_yaml=API.replace("{EXTENSION}", extension), handlers_py=HANDLERS)
        return serve(folder, **settings)

    return make


GOOD = {"headers": {"x-level": "1"}, "json": {"name": "a"}}


def told(answer):
    return {(one["in"], one["pointer"]): one["detail"] for one in answer.json["errors"]}


def test_everything_wrong_is_told_at_once(api):
    answer = api("{unknown: reject}").post(
        "/things/0?limit=x&filter[a]=y&filter[b]=1&extra=1",
        json={"name": "", "size": "big", "sub": {"nme": 1}, "odd/one": 1},
    )
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert told(answer) == {
        ("path", "/id"): "must be at least 1",
        ("query", "/limit"): "must be an integer",
        ("query", "/filter/a"): "must be an integer",
        ("query", "/filter/b"): "is not a known member",
        ("query", "/extra"): "is not a known parameter",
        ("header", "/X-Level"): "is missing",
        ("body", "/name"): "must have at least 1 character",
        ("body", "/size"): "must be an integer",
        ("body", "/sub/name"): "is missing",
        ("body", "/sub/nme"): "is not a known member",
        ("body", "/odd~1one"): "is not a known member",
    }


def test_what_is_declared_is_coerced_and_defaulted(api):
    answer = api().post("/things/7", **GOOD)
    assert answer.json == {"name": "a", "id": 7, "size": 3}


def test_read_only_members_are_dropped_or_refused_with_their_reason(api):
    made = api("{unknown: reject}").post("/things/7", headers={"x-level": "1"}, json={"name": "a", "id": 99})
    assert made.json["id"] == 7
    refused = api("{unknown: reject}").post("/things/7", headers={"x-level": "1"}, json={"name": "a", "made": "now"})
    assert told(refused) == {("body", "/made"): "only the server knows when"}


@pytest.mark.parametrize(("unknown", "status"), [("reject", 400), ("strip", 201), ("allow", 201)])
def test_unknown_members_are_treated_as_the_setting_says(api, unknown, status):
    answer = api(f"{{unknown: {unknown}}}").post(
        "/things/7", headers={"x-level": "1"}, json={"name": "a", "more": 1, "sub": {"name": "b", "more": 1}}
    )
    assert answer.status == status
    if unknown == "strip":
        assert "more" not in answer.json
        assert "more" not in answer.json["sub"]
    if unknown == "allow":
        assert answer.json["more"] == 1


def test_parts_of_a_composition_do_not_refuse_each_other(api):
    good = {"name": "a", "based": {"kind": "k", "extra": 1}, "free": {"any": "thing"}}
    strict = api("{unknown: reject}")
    assert strict.post("/things/7", headers={"x-level": "1"}, json=good).status == 201
    bad = {"name": "a", "based": {"kind": "k", "nope": 1}}
    assert told(strict.post("/things/7", headers={"x-level": "1"}, json=bad)) == {
        ("body", "/based/nope"): "is not a known member"
    }


def test_forms_and_text_are_bodies_too(api):
    sent = api().post(
        "/things/7",
        body=b"name=a%20b&size=4",
        headers={"x-level": "1", "content-type": "application/x-www-form-urlencoded"},
    )
    assert sent.json == {"name": "a b", "size": 4, "id": 7}
    assert (
        api()
        .post("/things/7", body=b"hello", headers={"x-level": "1", "content-type": "text/plain; charset=utf-8"})
        .json["name"]
        == "hello"
    )
    assert (
        api().post("/things/7", body=b"too long", headers={"x-level": "1", "content-type": "text/plain"}).status == 400
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "truncated"),
        (b"[" * 100_000, "deeply"),
        (b'{"name": NaN}', "invalid"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b'{"size": 1e400}', "range"),
        (b'{"a": 1} x', "trailing"),
        (b"\x00", "malformed"),
    ],
)
def test_a_body_that_is_not_json_is_a_400(api, body, says):
    answer = api().post("/things/7", body=body, headers={"x-level": "1", "content-type": "application/json"})
    assert answer.status == 400
    assert says.lower() in answer.text.lower()


def test_statuses_have_their_headers(api):
    served = api(max_body_bytes=100)
    other = served.post("/things/7", body=b"x", headers={"x-level": "1", "content-type": "image/png"})
    assert (other.status, other.headers["accept"]) == (
        415,
        "application/json, application/x-www-form-urlencoded, text/plain",
    )
    assert (
        served.post(
            "/things/7", body=b"{}", headers={"x-level": "1", "content-type": "application/json; charset=latin-1"}
        ).status
        == 415
    )
    wrong = served.put("/things/7", json={})
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert served.get("/forms", headers={"accept": "image/png"}).status == 406
    assert served.post("/things/7", headers={"x-level": "1"}, json={"name": "a" * 200}).status == 413
    assert served.get("/nope").status == 404
    assert served.get("/things/%ff").status == 400
    assert served.post("/things/7", headers={"x-level": "1"}).json["errors"] == [
        {"in": "body", "pointer": "", "detail": "is missing"}
    ]


def test_the_client_gets_the_form_it_likes_best(api):
    served = api()
    assert served.get("/forms", headers={"accept": "text/csv"}).text == "a,b"
    assert served.get("/forms", headers={"accept": "text/csv"}).headers["content-type"] == "text/csv; charset=utf-8"
    assert served.get("/forms", headers={"accept": "text/csv;q=0.1, */*"}).json == "a,b"


def test_values_of_python_are_written_as_json(api):
    assert api().get("/plain").json == {"date": "2026-01-02", "number": 1.5, "big": 2**70, "set": [1, 2]}


def test_a_crash_tells_the_client_nothing_and_the_log_everything(api, caplog):
    with caplog.at_level(logging.ERROR, "apifold"):
        answer = api().get("/answers/crash")
    assert answer.status == 500
    assert "secret" not in answer.text
    id = answer.json["request_id"]
    assert id.startswith("test-")
    assert "a secret of ours" in caplog.text
    assert caplog.records[0].request_id == id


@pytest.mark.parametrize(("mode", "status"), [("reject", 500), ("log", 200), ("off", 200)])
def test_answers_are_held_against_the_description_by_mode(api, caplog, mode, status):
    served = api(f"{{validation: {{response: {mode}}}}}")
    with caplog.at_level(logging.WARNING, "apifold"):
        assert served.get("/answers/bad").status == status
    assert ("is missing" in caplog.text) == (mode != "off")
    assert served.get("/answers/good").status == 200


def test_an_undescribed_status_breaks_the_contract(api, caplog):
    with caplog.at_level(logging.WARNING, "apifold"):
        assert api().get("/answers/teapot").status == 418
    assert "418 is not described" in caplog.text


def test_in_log_mode_a_request_goes_on_and_is_counted(api, caplog):
    served = api("{validation: {request: log}, unknown: reject}")
    with caplog.at_level(logging.WARNING, "apifold"):
        answer = served.post("/things/0?extra=1", headers={"x-level": "1"}, json={"name": "", "more": 1})
    assert answer.status == 201
    assert "/more: is not a known member" in caplog.text
    assert (
        'apifold_would_refuse_total{api="api",direction="request",field="body/more",operation="handlers.make",reason="is not a known member"} 1.0'
        in served.get("/-/metrics").text
    )
    told = served.get("/-/refusals", headers={"user-agent": "old-client/1"}).json["refusals"]
    assert {(one["field"], one["user"], one["count"]) for one in told} >= {
        ("body/more", "developer", 1),
        ("query/extra", "developer", 1),
    }


def test_in_off_mode_nobody_looks(api, caplog):
    served = api('{validation: {request: "off"}}')
    assert served.post("/things/0", headers={"x-level": "1"}, json={"name": ""}).status == 201
    assert "request of" not in caplog.text


def test_hundreds_of_mistakes_are_told_as_a_hundred(api):
    answer = api("{unknown: reject}").post(
        "/things/7", headers={"x-level": "1"}, json={"name": "a", **{f"m{number}": 1 for number in range(500)}}
    )
    assert len(answer.json["errors"]) == 100


@pytest.mark.parametrize(
    ("dialect", "shape"),
    [
        (
            "problem",
            {"type": "about:blank", "title": "Not found", "status": 404, "detail": "Nothing is served at this path."},
        ),
        ("message", {"message": "Nothing is served at this path."}),
        ("openstack", {"itemNotFound": {"code": 404, "message": "Nothing is served at this path."}}),
        (
            '{template: {error: {code: "{status}", text: "{status}: {detail}"}}}',
            {"error": {"code": 404, "text": "404: Nothing is served at this path."}},
        ),
    ],
)
def test_every_fault_speaks_the_dialect_of_its_api(api, dialect, shape):
    served = api(f"{{errors: {dialect}}}")
    assert json.loads(served.get("/nope").body) == shape
    for answer in (served.delete("/plain"), served.get("/answers/crash"), served.post("/things/0", json={})):
        assert answer.json.keys() == shape.keys() or dialect in ("openstack", "problem")
        assert answer.headers["content-type"] == (
            "application/problem+json" if dialect == "problem" else "application/json"
        )


def test_a_dialect_may_have_its_own_statuses(api):
    served = api(
        '{errors: {template: {m: "{message}"}, statuses: {Invalid: 422}, media_type: application/vnd.ours+json}}'
    )
    answer = served.post("/things/0", headers={"x-level": "1"}, json={"name": "a"})
    assert (answer.status, answer.headers["content-type"], answer.json) == (
        422,
        "application/vnd.ours+json",
        {"m": "id: must be at least 1"},
    )


def test_head_is_get_without_a_body(api):
    assert api().request("HEAD", "/plain").status == 200


def test_the_narrower_mode_wins(write, serve):
    text = """
    openapi: 3.1.0
    info: {title: T, version: "1"}
    x-apifold: {validation: {request: "off"}}
    paths:
      /loose: {get: {x-apifold: {binding: mock}, PARAMETERS, responses: {"200": {description: ok}}}}
      /strict: {get: {x-apifold: {binding: mock, validation: {request: reject}}, PARAMETERS, responses: {"200": {description: ok}}}}
    """
    folder = write(api_yaml=text.replace("PARAMETERS", "parameters: [{name: n, in: query, schema: {type: integer}}]"))
    api = serve(folder)
    assert (api.get("/loose?n=x").status, api.get("/strict?n=x").status) == (200, 400)
    asked = apifold.settings.load(None, {"apis": {"api": {"validation": {"request": "reject"}}}}, {}).apis
    assert serve(folder, apis=asked).get("/loose?n=x").status == 400


@pytest.mark.parametrize("count", [0, 1, 100, 101, 1234])
def test_an_iterator_is_a_list(api, count):
    answer = api().get(f"/numbers/{count}")
    assert (answer.headers["content-type"], answer.json) == ("application/json", list(range(count)))


def test_a_long_list_is_made_while_it_is_sent(api):
    client = api()
    made = []

    async def ask():
        request = Request("GET", "/numbers/100000")
        answered = client.application.answer(request)
        response = answered if isinstance(answered, Response) else await answered
        seen = sys.modules["handlers"].seen
        async for _ in response.body:
            made.append(len(seen))
            if len(made) == 5:
                break
        await response.body.aclose()

    client.loop.run_until_complete(ask())
    assert made == [100, 200, 300, 400, 500]


def test_traits_see_all_of_an_iterator(api):
    client = api()
    answer = client.get("/tagged")
    assert answer.json == ["a", "b"]
    assert client.get("/tagged", headers={"if-none-match": answer.headers["etag"]}).status == 304
