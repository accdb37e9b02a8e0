"""Versions of one API: their order, what is there at each, and which one a request gets."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate

from apifold import DescriptionErrors, Version
from apifold.cli.main import apifold as command_line

ORDERED = [
    "0.9",
    "1",
    "1.0.1",
    "2.0-alpha",
    "2.0-alpha.1",
    "2.0-beta",
    "2.0-beta.2",
    "2.0-beta.10",
    "2.0-beta.x",
    "2.0-rc.1",
    "2.0",
    "2.0.1",
    "2.1",
    "2.9",
    "2.10",
    "10.0",
]


def test_versions_are_ordered_as_semver_says():
    versions = [Version.parse(text) for text in ORDERED]
    assert all(one < other for index, one in enumerate(versions) for other in versions[index + 1 :])


@pytest.mark.parametrize(("one", "other"), [("2", "2.0.0"), ("v2.1", "2.1"), ("2.0-beta.1", "2.0.0-beta.1+build.7")])
def test_numbers_that_are_left_out_are_zero(one, other):
    assert Version.parse(one) == Version.parse(other) == other
    assert len({Version.parse(one), Version.parse(other)}) == 1


@pytest.mark.parametrize(
    "text", ["", "latest", "2.", "2.01", "-1", "2.0-", "2.0-beta..1", "2.0.0.0.0", "2 1", "\uff19.1"]
)
def test_what_is_no_version_is_refused(text):
    with pytest.raises(ValueError, match="no version"):
        Version.parse(text)
    assert Version.parse("2.1") != text


@pytest.mark.parametrize(
    ("version", "after"),
    [
        ("2.9", "2.10"),
        ("2", "3"),
        ("v2", "3"),
        ("2.0-beta.1", "2.0-beta.2"),
        ("2.0-rc", "2.0-rc.0"),
        ("1.2.3+x.4", "1.2.4"),
    ],
)
def test_each_version_has_a_next_one(version, after):
    assert Version.parse(version).next() == after


_versions = st.builds(
    lambda numbers, pre: ".".join(map(str, numbers)) + (f"-{'.'.join(pre)}" if pre else ""),
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.lists(st.sampled_from(["1", "2", "10", "a", "beta", "x-1"]), max_size=3),
)


@given(_versions, _versions, _versions)
def test_the_order_is_total(one, other, third):
    a, b, c = map(Version.parse, (one, other, third))
    assert (a < b) + (b < a) + (a == b) == 1
    assert not (a < b and b < c) or a < c
    assert (a == b) <= (hash(a) == hash(b))


SERVERS = """
openapi: 3.1.0
info: {title: Servers, version: "2.30"}
servers: [{url: /compute/v2.1}]
x-apifold:
  handlers: servers_handlers
  unknown: reject
  validation: {response: reject}
  microversions:
    min: "2.1"
    max: "2.26"
    headers: {OpenStack-API-Version: "compute {version}", X-OpenStack-Nova-API-Version: "{version}"}
paths:
  /servers:
    get:
      operationId: list_servers
      parameters:
        - {name: name, in: query, schema: {type: string}}
        - {name: tags, in: query, schema: {type: string}, x-apifold: {since: "2.10"}}
      responses:
        "200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Server"}}}}
    post:
      operationId: make_server
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Server"}}}}
      responses:
        "200": {description: made, x-apifold: {until: "2.1"}}
        "201": {description: made, x-apifold: {since: "2.2"}}
  /servers/{id}/tags:
    x-apifold: {since: "2.10"}
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: list_tags, responses: {"200": {description: ok}}}
  /networks:
    get:
      operationId: list_networks
      x-apifold: {until: "2.9"}
      responses: {"200": {description: ok}}
  /version:
    get:
      operationId: tell_version
      responses: {"200": {description: ok}}
  /next:
    get:
      operationId: tell_version_next
      x-apifold: {since: "2.27"}
      responses: {"200": {description: ok}}
components:
  schemas:
    Locked: {type: boolean, x-apifold: {since: "2.9"}}
    Server:
      type: object
      required: [name, locked]
      properties:
        name: {type: string}
        locked: {$ref: "#/components/schemas/Locked"}
        key:
          anyOf:
            - {type: string, x-apifold: {until: "2.9"}}
            - {type: [string, "null"], x-apifold: {since: "2.10"}}
"""

HANDLERS = """
def list_servers(version, name=None, tags=None):
    return {"name": str(version), "locked": False}

def make_server(body):
    return None

def list_tags(id):
    return [id]

def list_networks():
    return []

def tell_version(version):
    return {"version": str(version)}

tell_version_next = tell_version
"""


@pytest.fixture
def api(write, serve):
    return serve(write(servers_yaml=SERVERS, servers_handlers_py=HANDLERS))


def at(version, header="X-OpenStack-Nova-API-Version"):
    return {header: version}


BASE = "/compute/v2.1"


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({}, "2.1"),
        (at("2.7"), "2.7"),
        (at("2.26"), "2.26"),
        (at("latest"), "2.26"),
        (at("LATEST"), "2.26"),
        (at("compute 2.5", "OpenStack-API-Version"), "2.5"),
        (at("identity 3.1, compute 2.5", "OpenStack-API-Version"), "2.5"),
        (at("identity 3.1", "OpenStack-API-Version"), "2.1"),
        ({**at("compute 2.3", "OpenStack-API-Version"), **at("2.4")}, "2.3"),
    ],
)
def test_a_request_gets_the_version_that_it_asks_for_and_is_told_so(api, headers, version):
    answer = api.get(f"{BASE}/version", headers=headers)
    assert (answer.status, answer.json) == (200, {"version": version})
    assert answer.headers["openstack-api-version"] == f"compute {version}"
    assert answer.headers["x-openstack-nova-api-version"] == version
    assert answer.headers["vary"] == "OpenStack-API-Version, X-OpenStack-Nova-API-Version"


def test_a_version_that_is_not_there_is_not_acceptable(api):
    for version in ("2.999", "2.0", "1.1", "2.27"):
        answer = api.get(f"{BASE}/version", headers=at(version))
        assert answer.status == 406
        assert answer.json["detail"] == (
            f"Version {version} is not supported by the API. Minimum is 2.1 and maximum is 2.26."
        )
        assert answer.headers["x-openstack-nova-api-version"] == version


def test_what_is_no_version_is_a_bad_request(api):
    for text in ("two", "2.", "2.01", "2.1\tx"):
        answer = api.get(f"{BASE}/version", headers=at(text))
        assert answer.status == 400
        assert "openstack-api-version" not in answer.headers
        assert answer.headers["vary"].startswith("OpenStack-API-Version")


@pytest.mark.parametrize(
    ("path", "version", "status"),
    [
        ("/networks", "2.9", 200),
        ("/networks", "2.10", 404),
        ("/servers/a/tags", "2.9", 404),
        ("/servers/a/tags", "2.10", 200),
        ("/servers?tags=x", "2.9", 400),
        ("/servers?tags=x", "2.10", 200),
        ("/next", "latest", 404),
    ],
)
def test_operations_and_parameters_come_and_go(api, path, version, status):
    answer = api.get(BASE + path, headers=at(version))
    assert answer.status == status
    assert answer.headers["x-openstack-nova-api-version"] == ("2.26" if version == "latest" else version)


def test_members_alternatives_and_statuses_come_and_go(api):
    def made(version, **body):
        return api.post(f"{BASE}/servers", json={"name": "a", **body}, headers=at(version)).status

    assert made("2.1") == 200
    assert made("2.2") == 201
    assert made("2.8", locked=True) == 400
    assert made("2.9") == 400
    assert made("2.9", locked=True) == 201
    assert made("2.9", locked=True, key=None) == 400
    assert made("2.10", locked=True, key=None) == 201
    assert [api.get(f"{BASE}/servers", headers=at(version)).json for version in ("2.8", "2.9")] == [
        {"name": "2.8"},
        {"name": "2.9", "locked": False},
    ]


def test_endpoints_that_do_not_change_are_shared(api):
    api.get(BASE)
    states = api.application.running.generation.site.by_name["servers"].versions.states
    assert len(states) == 4
    assert len({id(state.endpoint("tell_version")) for state in states}) == 1
    assert len({id(state.endpoint("GET /compute/v2.1/version")) for state in states}) == 1
    assert len({id(state.endpoint("list_servers")) for state in states}) == 4


def test_every_version_is_a_valid_document_that_can_be_fetched(api):
    for version in ("2.1", "2.2", "2.9", "2.10", "2.26", "latest"):
        document = api.get(f"{BASE}/openapi.json", version=version).json
        validate(document)
        assert document["info"]["version"] == ("2.26" if version == "latest" else version)
        assert ("/networks" in document["paths"]) == (version in ("2.1", "2.2", "2.9"))
    assert api.get(f"{BASE}/openapi.json").json["paths"].keys() == {"/servers", "/servers/{id}/tags", "/version"}
    assert yaml.safe_load(api.get(f"{BASE}/openapi.yaml", version="2.1").body)["info"]["version"] == "2.1"
    assert api.get(f"{BASE}/openapi.json", version="3").status == 404
    assert api.get(f"{BASE}/openapi.json", version="no").status == 404
    entry = api.get("/", headers={"accept": "application/json"}).json["apis"][0]
    assert (entry["oldest"], entry["newest"]) == ("2.1", "2.26")


def test_a_default_and_the_documents_own_version_are_taken_where_they_are_said(write, serve):
    text = SERVERS.replace('    max: "2.26"\n', '    default: "2.7"\n')
    api = serve(write(servers_yaml=text, servers_handlers_py=HANDLERS))
    assert api.get(f"{BASE}/version").json == {"version": "2.7"}
    assert api.get(f"{BASE}/next", headers=at("latest")).json == {"version": "2.30"}


RATING = """
openapi: 3.1.0
info: {title: Rating, version: "2.0-beta.2"}
servers: [{url: /v2}]
paths:
  /dataframes:
    get: {x-apifold: {binding: {static: {value: 1}}}, responses: {"200": {description: ok}}}
  /summary:
    get:
      summary: Rated usage
      x-apifold: {binding: {static: {value: 1}}, since: "2.0-beta.2"}
      responses: {"200": {description: ok}}
  /scope:
    get:
      x-apifold: {binding: {static: {value: 1}}, since: "2.0-beta.10"}
      responses: {"200": {description: ok}}
"""


def test_without_a_choice_the_documents_own_version_is_served(write, serve):
    api = serve(write(rating_yaml=RATING))
    assert [api.get(f"/v2{path}").status for path in ("/dataframes", "/summary", "/scope")] == [200, 200, 404]
    assert "vary" not in api.get("/v2/summary").headers
    assert api.get("/v2/openapi.json", version="2.0-beta.1").status == 404
    newer = serve(write(rating_yaml=RATING.replace('version: "2.0-beta.2"', 'version: "2.0"')))
    assert newer.get("/v2/scope").status == 200


@pytest.mark.parametrize(
    ("version", "paths"), [("2.0-beta.1", 1), ("2.0-beta.2", 2), ("2.0-beta.9", 2), ("2.0-beta.10", 3), ("3", 3)]
)
def test_show_tells_how_an_api_is_was_or_will_be(write, version, paths):
    file = write(rating_yaml=RATING) / "rating.yaml"
    shown = CliRunner().invoke(command_line, ["show", str(file), "--at", version, "--json"])
    document = json.loads(shown.output)
    assert (len(document["paths"]), document["info"]["version"]) == (paths, version)


def test_show_refuses_what_is_no_version(write):
    file = write(rating_yaml=RATING) / "rating.yaml"
    assert "no version" in CliRunner().invoke(command_line, ["show", str(file), "--at", "new"]).output


def test_the_changelog_is_drawn_from_the_marks(write):
    folder = write(rating_yaml=RATING.replace('beta.2"}\nservers', 'rc.1"}\nservers'))
    told = CliRunner().invoke(command_line, ["changelog", str(folder)]).output
    assert told == (
        "# Changes of Rating\n\n## 2.0-beta.10\n\n* `GET /scope`: added\n\n"
        "## 2.0-beta.2\n\n* `GET /summary`: added: Rated usage\n"
    )
    listed = json.loads(CliRunner().invoke(command_line, ["changelog", str(folder), "--json"]).output)
    assert [one["version"] for one in listed] == ["2.0-beta.10", "2.0-beta.2"]
    assert listed[0]["changes"][0]["rule"] == "operation-added"


WRONG = [
    ('since: "2.10"}\n    parameters', "since: 2.10}\n    parameters", "write it in quotes"),
    ('since: "2.27"', 'since: "two"', "no version"),
    ('until: "2.9"}\n      responses', 'until: "2.9", since: "2.10"}\n      responses', "before it comes"),
    ('min: "2.1"', 'min: "2.99"', "older than the oldest"),
    ('min: "2.1"', 'min: "2.1", default: "2.50"', "not between"),
    ('{version}", X', '{number}", X', "neither"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_marks_that_make_no_sense_are_refused_at_load(write, serve, old, new, message):
    text = (
        SERVERS.replace(old, new, 1)
        if "default" not in new
        else SERVERS.replace('min: "2.1"\n', 'min: "2.1"\n    default: "2.50"\n')
    )
    assert text != SERVERS
    with pytest.raises(DescriptionErrors, match=message) as refused:
        serve(write(servers_yaml=text, servers_handlers_py=HANDLERS)).get("/")
    assert all(error.line for error in refused.value.errors)


SMALL = """
openapi: 3.1.0
info: {{title: T, version: "2"}}
x-apifold: {{microversions: {{min: "1", headers: [X-Version]}}}}
paths:
  /x:
    post:
      x-apifold: {{binding: {{static: {{value: 1}}}}}}
      requestBody: {{content: {{application/json: {{schema: {schema}}}}}}}
      responses: {responses}
"""


@pytest.mark.parametrize(
    ("schema", "responses", "message"),
    [
        (
            '{type: array, items: {type: string, x-apifold: {since: "2"}}}',
            '{"200": {description: ok}}',
            "can't be left",
        ),
        (
            '{anyOf: [{type: string, x-apifold: {since: "2"}}]}',
            '{"200": {description: ok}}',
            "nothing of this is left at versions before 2",
        ),
        ("{}", '{"200": {description: ok, x-apifold: {since: "2"}}}', "nothing of this is left"),
        ("{}", '{"200": {description: ok, x-apifold: {status: CURRENT}}}', "not an x-apifold key of a response"),
    ],
)
def test_what_would_be_no_document_at_some_version_is_refused(write, serve, schema, responses, message):
    with pytest.raises(DescriptionErrors, match=message):
        serve(write(small_yaml=SMALL.format(schema=schema, responses=responses))).get("/")


def test_a_handler_must_work_at_every_version(write, serve):
    broken = HANDLERS.replace("name=None, tags=None", "tags, name=None")
    with pytest.raises(DescriptionErrors, match="needs 'tags', which nothing gives"):
        serve(write(servers_yaml=SERVERS, servers_handlers_py=broken)).get("/")


def test_large_bodies_meet_the_version_that_they_ask_for(write, serve):
    api = serve(write(servers_yaml=SERVERS, servers_handlers_py=HANDLERS))
    answer = api.post(f"{BASE}/servers", json={"name": "a" * 100_000, "locked": True}, headers=at("2.9"))
    assert answer.status == 201


SPANS = """
openapi: 3.1.0
info: {{title: T, version: "3"}}
x-apifold: {{microversions: {{min: "1", max: "3", headers: [X-Version]}}, unknown: reject, handlers: spans_handlers}}
paths:
{paths}
components:
{components}
"""

ECHO = """
def echo(body=None):
    return body

def other():
    return 1
"""


@pytest.fixture
def spans(write, serve):
    def make(paths, components="  schemas: {}"):
        return serve(write(spans_yaml=SPANS.format(paths=paths, components=components), spans_handlers_py=ECHO))

    return make


def status(api, version, path="/a", **more):
    ask = api.post if "json" in more else api.get
    return ask(path, headers={"X-Version": version}, **more).status


GET = "get: {operationId: other, responses: {'200': {description: ok}}}"


@pytest.mark.parametrize(
    "beside",
    ["", "\n  /b: {x-apifold: {since: '2.3'}, get: {operationId: echo, responses: {'200': {description: ok}}}}"],
)
def test_whether_something_is_there_depends_on_nothing_else(spans, beside):
    api = spans(f"  /a:\n    x-apifold: {{until: '2'}}\n    {GET}{beside}")
    assert [status(api, version) for version in ("1", "2", "2.5", "2.9.9", "3")] == [200, 200, 200, 200, 404]


@pytest.mark.parametrize(
    ("paths", "components"),
    [
        (
            "  /a: {$ref: '#/components/pathItems/P'}",
            f"  pathItems:\n    P:\n      x-apifold: {{since: '2'}}\n      {GET}",
        ),
        (
            "  /a: {$ref: '#/components/pathItems/P'}",
            "  pathItems:\n    P: {get: {operationId: other, x-apifold: {since: '2'}, responses: {'200': {description: ok}}}}",
        ),
    ],
)
def test_marks_in_components_count(spans, paths, components):
    api = spans(paths, components)
    assert [status(api, version) for version in ("1", "2")] == [404, 200]


@pytest.mark.parametrize("wrong", ["{sinse: '2'}", "{since: 1.10}"])
def test_marks_in_components_are_checked(spans, wrong):
    components = f"  pathItems:\n    P:\n      x-apifold: {wrong}\n      {GET}"
    with pytest.raises(DescriptionErrors, match=r"did you mean `since`|write it in quotes"):
        spans("  /a: {$ref: '#/components/pathItems/P'}", components).get("/")


BODY = """  /a:
    post:
      operationId: echo
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
      responses: {'200': {description: ok}}"""


def test_a_discriminated_alternative_comes_with_its_name(spans):
    components = """  schemas:
    Pet:
      oneOf: [{$ref: '#/components/schemas/Cat'}, {$ref: '#/components/schemas/Dog'}]
      discriminator: {propertyName: kind}
    Cat: {type: object, required: [kind], properties: {kind: {type: string}, lives: {type: integer}}}
    Dog: {type: object, x-apifold: {since: '2'}, required: [kind], properties: {kind: {type: string}, barks: {type: boolean}}}"""
    api = spans(BODY, components)
    assert [status(api, version, json={"kind": "Dog", "barks": True}) for version in ("1", "2")] == [400, 200]
    assert [status(api, version, json={"kind": "Cat", "lives": 9}) for version in ("1", "2")] == [200, 200]


def test_what_is_required_where_it_is_not_is_refused_at_load(spans):
    components = """  schemas:
    Pet: {allOf: [{$ref: '#/components/schemas/Base'}, {required: [name, lock]}]}
    Base: {type: object, properties: {name: {type: string}, lock: {type: string, x-apifold: {since: '2'}}}}"""
    with pytest.raises(DescriptionErrors, match="`lock` is required at versions before 2"):
        spans(BODY, components).get("/")


def test_what_goes_with_what_it_stands_in_needs_no_mark_of_its_own(spans):
    paths = """  /a:
    x-apifold: {since: '2'}
    get:
      operationId: other
      responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Tag'}}}}}"""
    api = spans(paths, "  schemas:\n    Tag: {type: integer, x-apifold: {since: '2'}}")
    assert [status(api, version) for version in ("1", "2")] == [404, 200]


def test_names_and_paths_may_be_used_again(spans):
    paths = """  /a:
    x-apifold: {until: '1'}
    get: {operationId: other, responses: {'200': {description: ok}}}
  /b:
    x-apifold: {since: '2'}
    get: {operationId: other, responses: {'200': {description: ok}}}"""
    api = spans(paths)
    assert [(status(api, version), status(api, version, "/b")) for version in ("1", "2")] == [(200, 404), (404, 200)]
    with pytest.raises(DescriptionErrors, match="stands twice"):
        spans(paths.replace("until: '1'", "until: '2'")).get("/")


def test_what_refers_into_a_marked_component_goes_with_it(spans):
    paths = BODY.replace(
        "$ref: '#/components/schemas/Pet'",
        "type: object, properties: {x: {$ref: '#/components/schemas/A/properties/x'}}",
    )
    api = spans(paths, "  schemas:\n    A: {type: object, x-apifold: {since: '2'}, properties: {x: {type: integer}}}")
    assert [status(api, version, json={"x": 1}) for version in ("1", "2")] == [400, 200]
    validate(api.get("/openapi.json", version="1").json)


def test_documents_and_pages_have_no_version_of_their_own(spans):
    api = spans(f"  /a:\n    {GET}")
    for path in ("/openapi.json", "/ui", "/"):
        answer = api.get(path, headers={"X-Version": "nonsense", "accept": "*/*"})
        assert (answer.status, answer.headers.get("x-version")) == (200, None)
    assert status(api, "nonsense") == 400
    assert api.get("/a", headers={"X-Version": "v2.0+build"}).headers["x-version"] == "2.0"


def test_a_kept_answer_is_of_one_version(write, serve):
    text = SERVERS.replace(
        "operationId: make_server\n", "operationId: make_server\n      x-apifold: {traits: [idempotent]}\n"
    )
    api = serve(write(servers_yaml=text, servers_handlers_py=HANDLERS))

    def made(version):
        headers = {**at(version), "Idempotency-Key": "k"}
        return api.post(f"{BASE}/servers", json={"name": "a"}, headers=headers).status

    assert [made("2.1"), made("2.1"), made("2.2")] == [200, 200, 422]


def test_pages_of_others_may_read_the_version(write, serve):
    api = serve(write(servers_yaml=SERVERS, servers_handlers_py=HANDLERS))
    from apifold.http import Request, awaited
    from apifold.server.cors import Cors

    request = Request("GET", f"{BASE}/version", headers={"origin": "https://a.example", "host": "h"})
    answer = Cors(["*"], False).around(api.application.answer)
    response = api.loop.run_until_complete(awaited(answer(request)))
    assert "X-OpenStack-Nova-API-Version" in response.header("access-control-expose-headers")


SHOWN = """
    openapi: 3.1.0
    info: {title: Shown, version: "1.1"}
    x-apifold: {handlers: handlers, microversions: {min: "1.0", max: "1.1", headers: [X-Version]}}
    paths:
      /one:
        get:
          operationId: show
          x-apifold: {traits: [etag]}
          responses:
            "200":
              description: it
              content:
                application/json:
                  schema: {type: object, properties: {a: {type: integer}, b: {type: integer, x-apifold: {since: "1.1"}}}}
            default:
              description: why not
              content:
                application/json:
                  schema: {type: object, properties: {a: {type: integer}, b: {type: integer, x-apifold: {since: "1.1"}}}}
"""


def test_what_two_versions_show_of_one_thing_are_two_representations(write, serve):
    handler = "def show():\n    return {'a': 1, 'b': 2}\n"
    served = serve(write(api_yaml=SHOWN, handlers_py=handler) / "api.yaml")
    older, newer = (served.get("/one", headers={"X-Version": version}) for version in ("1.0", "1.1"))
    assert (older.json, newer.json) == ({"a": 1}, {"a": 1, "b": 2})
    assert older.headers["etag"] != newer.headers["etag"]
    for known, version, status in ((older, "1.0", 304), (older, "1.1", 200), (newer, "1.1", 304)):
        asked = {"X-Version": version, "If-None-Match": known.headers["etag"]}
        assert served.get("/one", headers=asked).status == status


def test_answers_that_are_not_described_one_by_one_are_cut_too(write, serve):
    handler = "def show():\n    return {'a': 1, 'b': 2}, 418\n"
    served = serve(write(api_yaml=SHOWN, handlers_py=handler) / "api.yaml")
    assert served.get("/one", headers={"X-Version": "1.0"}).json == {"a": 1}
