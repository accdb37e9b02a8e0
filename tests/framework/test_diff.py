"""What changed between two descriptions: each rule by rows, the command, and the check when a file is reloaded."""

from __future__ import annotations

import copy
import json

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from apifold import Settings
from apifold.cli.main import apifold as command_line
from apifold.description import ParsedFiles, Sources, load
from apifold.settings import ApiSettings
from apifold.testing import client
from apifold.versions.diff import RULES, differences
from apifold.versions.diff_schemas import Schemas

BASE = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers: [{url: /shop}]
x-apifold: {status: CURRENT, unknown: reject}
paths:
  /items/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: get_item
      summary: One item
      x-apifold: {binding: {static: {value: {name: a}}}, public: true}
      parameters:
        - {name: size, in: query, schema: {type: integer, minimum: 1}}
        - {name: colour, in: query, schema: {type: array, items: {type: string}}}
      responses:
        "200":
          description: ok
          headers: {X-Count: {schema: {type: integer}}}
          content:
            application/json: {schema: {$ref: "#/components/schemas/Item"}}
            application/xml: {}
        "404": {description: none}
    put:
      operationId: put_item
      x-apifold: {binding: {static: {value: {name: a}}}}
      requestBody:
        content:
          application/json: {schema: {$ref: "#/components/schemas/Item"}}
          application/merge-patch+json: {}
      responses: {"200": {description: ok}}
components:
  schemas:
    Item:
      type: object
      required: [name]
      properties:
        name: {type: string, maxLength: 10}
        kind: {type: string, enum: [a, b]}
        note: {type: string, default: x, readOnly: false}
        made: {type: integer, readOnly: true}
        secret: {type: string, writeOnly: true}
        either: {anyOf: [{type: string}, {type: integer}]}
        parts: {type: array, items: {$ref: "#/components/schemas/Item"}}
"""

ITEM = "/items/{id}"


def item(document):
    return document["components"]["schemas"]["Item"]


def get(document):
    return document["paths"][ITEM]["get"]


def put(document):
    return document["paths"][ITEM]["put"]


def members(document):
    return item(document)["properties"]


def at(node, path, value):
    """Sets what a path of keys names; None removes it."""
    *parents, last = path
    for key in parents:
        node = node[key]
    if value is None:
        del node[last]
    else:
        node[last] = value


ROWS = [
    ("base-path-changed", lambda d: at(d, ["servers", 0, "url"], "/store")),
    ("operation-removed", lambda d: at(d, ["paths", ITEM, "put"], None)),
    ("operation-added", lambda d: at(d, ["paths", "/new"], {"get": {"x-apifold": {"binding": "mock"}, "responses": {"200": {"description": "ok"}}}})),
    ("operation-renamed", lambda d: at(get(d), ["operationId"], "read_item")),
    ("operation-deprecated", lambda d: at(get(d), ["deprecated"], True)),
    ("caller-needed", lambda d: at(get(d), ["x-apifold", "public"], False)),
    ("caller-not-needed", lambda d: at(put(d), ["x-apifold", "public"], True)),
    ("security-changed", lambda d: (at(get(d), ["security"], [{"key": []}]), at(d, ["components", "securitySchemes"], {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}))),
    ("unknown-taken", lambda d: at(d, ["x-apifold", "unknown"], "strip")),
    ("slash-ignored", lambda d: at(d, ["x-apifold", "trailing_slash"], "ignore")),
    ("errors-changed", lambda d: at(d, ["x-apifold", "errors"], "message")),
    ("parameter-removed", lambda d: at(get(d), ["parameters", 0], None)),
    ("parameter-added", lambda d: get(d)["parameters"].append({"name": "page", "in": "query", "schema": {}})),
    ("required-parameter-added", lambda d: get(d)["parameters"].append({"name": "page", "in": "query", "required": True, "schema": {}})),
    ("parameter-required", lambda d: at(get(d), ["parameters", 0, "required"], True)),
    ("parameter-style-changed", lambda d: at(get(d), ["parameters", 1, "explode"], False)),
    ("body-removed", lambda d: at(put(d), ["requestBody"], None)),
    ("body-added", lambda d: at(get(d), ["requestBody"], {"content": {"application/json": {}}})),
    ("required-body-added", lambda d: at(get(d), ["requestBody"], {"required": True, "content": {"application/json": {}}})),
    ("body-required", lambda d: at(put(d), ["requestBody", "required"], True)),
    ("request-media-removed", lambda d: at(put(d), ["requestBody", "content", "application/merge-patch+json"], None)),
    ("request-media-added", lambda d: at(put(d), ["requestBody", "content", "text/plain"], {})),
    ("success-removed", lambda d: at(put(d), ["responses"], {"201": {"description": "made"}})),
    ("failure-removed", lambda d: at(get(d), ["responses", "404"], None)),
    ("response-added", lambda d: at(get(d), ["responses", "410"], {"description": "gone"})),
    ("response-media-removed", lambda d: at(get(d), ["responses", "200", "content", "application/xml"], None)),
    ("response-media-added", lambda d: at(get(d), ["responses", "200", "content", "text/html"], {})),
    ("response-header-removed", lambda d: at(get(d), ["responses", "200", "headers"], None)),
    ("response-header-added", lambda d: at(get(d), ["responses", "200", "headers", "X-More"], {"schema": {}})),
    ("request-type-narrowed", lambda d: at(get(d), ["parameters", 0, "schema", "type"], "null")),
    ("request-type-widened", lambda d: at(get(d), ["parameters", 0, "schema", "type"], "number")),
    ("response-type-widened", lambda d: at(members(d), ["made", "type"], ["integer", "null"])),
    ("response-type-narrowed", lambda d: at(members(d), ["made", "type"], "null")),
    ("request-values-narrowed", lambda d: at(members(d), ["kind", "enum"], ["a"])),
    ("request-values-widened", lambda d: at(members(d), ["kind", "enum"], ["a", "b", "c"])),
    ("response-values-narrowed", lambda d: at(members(d), ["kind", "const"], "a")),
    ("response-values-widened", lambda d: at(members(d), ["kind", "enum"], None)),
    ("request-bounds-narrowed", lambda d: at(members(d), ["name", "maxLength"], 5)),
    ("request-bounds-widened", lambda d: at(members(d), ["name", "maxLength"], None)),
    ("response-bounds-widened", lambda d: at(members(d), ["name", "maxLength"], 20)),
    ("response-bounds-narrowed", lambda d: at(members(d), ["name", "minLength"], 1)),
    ("request-form-narrowed", lambda d: at(members(d), ["name", "pattern"], "^a")),
    ("request-form-widened", lambda d: None),
    ("response-form-narrowed", lambda d: at(members(d), ["name", "format"], "uri")),
    ("response-form-widened", lambda d: None),
    ("request-members-narrowed", lambda d: at(item(d), ["additionalProperties"], False)),
    ("response-members-narrowed", lambda d: at(item(d), ["additionalProperties"], False)),
    ("request-alternatives-narrowed", lambda d: at(members(d), ["either", "anyOf"], [{"type": "string"}])),
    ("request-alternatives-widened", lambda d: at(members(d), ["either", "anyOf"], None)),
    ("response-alternatives-narrowed", lambda d: at(members(d), ["name", "oneOf"], [{"minLength": 1}, {"maxLength": 0}])),
    ("response-alternatives-widened", lambda d: members(d)["either"]["anyOf"].append({"type": "null"})),
    ("request-property-removed", lambda d: at(members(d), ["note"], None)),
    ("response-property-removed", lambda d: at(members(d), ["made"], None)),
    ("request-property-added", lambda d: at(members(d), ["more"], {})),
    ("response-property-added", lambda d: at(members(d), ["more"], {"readOnly": True})),
    ("request-required-property-added", lambda d: (at(members(d), ["more"], {}), item(d)["required"].append("more"))),
    ("request-property-required", lambda d: item(d)["required"].append("kind")),
    ("response-property-required", lambda d: item(d)["required"].append("made")),
    ("request-property-optional", lambda d: at(item(d), ["required"], None)),
    ("response-property-optional", lambda d: at(item(d), ["required"], None)),
    ("request-default-changed", lambda d: at(members(d), ["note", "default"], "y")),
    ("request-restructured", lambda d: at(members(d), ["note", "not"], {"const": "q"})),
    ("response-restructured", lambda d: at(members(d), ["parts", "contains"], {})),
]  # fmt: skip

BACKWARDS = {
    "parameter-optional": "parameter-required",
    "body-optional": "body-required",
    "request-form-widened": "request-form-narrowed",
    "response-form-widened": "response-form-narrowed",
    "unknown-rejected": "unknown-taken",
    "slash-strict": "slash-ignored",
    "request-members-widened": "request-members-narrowed",
    "response-members-widened": "response-members-narrowed",
}
"""Rules that find what another row does, done backwards."""

ELSEWHERE = {"api-removed", "api-added", "versions-removed", "versions-added", "path-parameter-renamed"}
ELSEWHERE |= {"version-default-changed", "version-header-removed"}
"""Rules with a test of their own."""


@pytest.fixture
def described(tmp_path):
    def read(document, name="a"):
        path = tmp_path / name / "shop.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(document))
        return load(path, Sources(path.parent, False, ParsedFiles()))

    return read


def changed(change):
    document = yaml.safe_load(BASE)
    change(document)
    return document


@pytest.mark.parametrize(
    ("rule", "change"),
    [row for row in ROWS if row[0] not in BACKWARDS],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_each_rule_finds_its_change(described, rule, change):
    before, after = described(yaml.safe_load(BASE)), described(changed(change), "b")
    found = {one.rule for one in differences(before, after)}
    assert rule in found
    assert {one.rule for one in differences(before, before)} == set()


@pytest.mark.parametrize(("rule", "other"), BACKWARDS.items())
def test_a_change_done_backwards(described, rule, other):
    change = next(change for name, change in ROWS if name == other)
    before, after = described(changed(change)), described(yaml.safe_load(BASE), "b")
    assert rule in {one.rule for one in differences(before, after)}


def test_every_rule_has_a_test():
    assert {rule for rule, _ in ROWS} | BACKWARDS.keys() | ELSEWHERE == RULES.keys()


def test_a_renamed_variable_breaks_nobody(described):
    text = BASE.replace("{id}", "{name}").replace("name: id, in", "name: name, in")
    found = differences(described(yaml.safe_load(BASE)), described(yaml.safe_load(text), "b"))
    assert [(one.rule, one.is_breaking) for one in found] == [("path-parameter-renamed", False)] * 2


def test_words_are_those_of_the_contract(described):
    after = described(
        changed(lambda d: (at(members(d), ["kind", "enum"], ["a"]), at(members(d), ["name", "maxLength"], 5))), "b"
    )
    found = {str(one) for one in differences(described(yaml.safe_load(BASE)), after) if one.is_breaking}
    assert found == {
        "PUT /items/{id}: the body, `name`: `maxLength` was 10, is 5",
        "PUT /items/{id}: the body, `kind`: is no longer 'b'",
    }


def test_parts_of_a_composition_are_one_schema():
    old = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {}}}
    new = {"allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"b": {}}}]}
    named = {"A": {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}}
    assert list(Schemas("request", {}, named).compare(old, new)) == []


_schemas = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "number", ["string", "null"]]),
            "enum": st.lists(st.integers(0, 3), min_size=1, unique=True),
            "minimum": st.integers(0, 3),
            "maxLength": st.integers(0, 3),
            "format": st.sampled_from(["date", "uri"]),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            "additionalProperties": st.booleans(),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "items": inner,
        },
    ),
    max_leaves=6,
)


@given(_schemas, _schemas)
def test_any_two_schemas_can_be_compared_and_what_one_way_narrows_the_other_way_widens(one, other):
    there = [change.rule for change in Schemas("request", {}, {}).compare(one, other)]
    back = [change.rule for change in Schemas("request", {}, {}).compare(other, one)]
    for aspect in ("type", "values", "bounds", "form", "members", "alternatives"):
        assert (f"request-{aspect}-narrowed" in there) == (f"request-{aspect}-widened" in back)
    assert list(Schemas("response", {}, {}).compare(one, copy.deepcopy(one))) == []


A, B = {"type": "string", "maxLength": 5}, {"type": "string", "maxLength": 3}
NAMED = "#/components/schemas/X"


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ({"additionalProperties": {"$ref": NAMED}}, {"additionalProperties": {"$ref": NAMED}}, True),
        ({"prefixItems": [{"$ref": NAMED}]}, {"prefixItems": [{"$ref": NAMED}]}, True),
        ({"patternProperties": {"^x": {"$ref": NAMED}}}, {"patternProperties": {"^x": {"$ref": NAMED}}}, True),
        ({"$ref": f"{NAMED}/items"}, {"$ref": f"{NAMED}/items"}, True),
        ({"type": "array"}, {"type": "array", "items": B}, False),
        ({"allOf": [{"maxLength": 9}, {"maxLength": 5}]}, {"allOf": [{"maxLength": 9}, {"maxLength": 3}]}, False),
        ({"allOf": [{"enum": [1, 2]}]}, {"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}, False),
        (
            {"allOf": [{"properties": {"a": A}}]},
            {"allOf": [{"properties": {"a": A}}, {"properties": {"a": B}}]},
            False,
        ),
        ({"type": "object"}, {"type": "object", "required": ["q"]}, False),
    ],
)
def test_what_becomes_narrower_deep_inside_is_found(before, after, named):
    old = {"X": {**A, "items": A}} if named else {}
    new = {"X": {**B, "items": B}} if named else {}
    rules = [change.rule for change in Schemas("request", old, new).compare(before, after)]
    assert rules
    assert any(RULES[rule][0] for rule in rules)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"not": {"type": "null"}}, {"not": {"type": "null", "description": "so"}}),
        ({"additionalProperties": {"type": "string"}}, {"additionalProperties": {"type": "string", "title": "so"}}),
        ({"type": "string"}, {"type": "string", "minLength": 0}),
        ({}, {"additionalProperties": True, "items": {}}),
    ],
)
def test_what_means_the_same_is_no_change(before, after):
    assert list(Schemas("request", {}, {}).compare(before, after)) == []
    assert list(Schemas("response", {}, {}).compare(after, before)) == []


def test_what_traits_promise_is_compared_too(tmp_path):
    text = BASE.replace(
        "x-apifold: {binding: {static: {value: {name: a}}}, public: true}",
        "x-apifold: {binding: mock, traits: {page: {by: offset, max: %d}, filter: %s}}",
    )
    (tmp_path / "old.yaml").write_text(text % (50, "[tag, name]"))
    (tmp_path / "new.yaml").write_text(text % (20, "[tag]"))
    rules = {
        one["rule"]
        for one in json.loads(run(tmp_path / "old.yaml", tmp_path / "new.yaml", "--breaking", "--json").output)
    }
    assert rules == {"request-bounds-narrowed", "parameter-removed"}


def run(*arguments):
    return CliRunner().invoke(command_line, ["diff", *map(str, arguments)])


def test_the_command_tells_and_fails_on_what_breaks(tmp_path):
    (tmp_path / "old.yaml").write_text(BASE)
    (tmp_path / "new.yaml").write_text(BASE.replace("maxLength: 10", "maxLength: 5").replace("[a, b]", "[a, b, c]"))
    told = run(tmp_path / "old.yaml", tmp_path / "new.yaml")
    assert told.exit_code == 1
    assert (
        "breaks  new: PUT /items/{id}: the body, `name`: `maxLength` was 10, is 5 (request-bounds-narrowed)"
        in told.output
    )
    assert told.output.endswith("4 changes, 2 of which break clients\n")
    only = json.loads(run(tmp_path / "old.yaml", tmp_path / "new.yaml", "--breaking", "--json").output)
    assert {one["rule"] for one in only} == {"request-bounds-narrowed", "response-values-widened"}
    same = run(tmp_path / "old.yaml", tmp_path / "old.yaml")
    assert (same.exit_code, same.output) == (0, "no changes\n")


def test_the_command_compares_directories_and_versions(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.yaml").write_text(BASE)
    (tmp_path / "old" / "gone.yaml").write_text(BASE.replace("/shop", "/gone"))
    (tmp_path / "new" / "more.yaml").write_text(BASE.replace("/shop", "/more"))
    told = run(tmp_path / "old", tmp_path / "new")
    assert told.exit_code == 1
    assert {"breaks  gone: the API is gone (api-removed)", "        more: the API is new (api-added)"} < set(
        told.output.splitlines()
    )
    marked = BASE.replace(
        "x-apifold: {binding: {static: {value: {name: a}}}}", 'x-apifold: {binding: {static: {value: 1}}, since: "0.9"}'
    )
    (tmp_path / "marked.yaml").write_text(marked)
    since = run(tmp_path / "marked.yaml", "--from", "0.8")
    assert (since.exit_code, since.output.splitlines()[-1]) == (0, "1 changes, 0 of which break clients")
    assert run(tmp_path / "marked.yaml", "--from", "1", "--to", "0.8").exit_code == 1
    assert run(tmp_path / "marked.yaml").exit_code == 2
    assert run(tmp_path / "marked.yaml", "--from", "x").exit_code == 2


def test_the_command_lists_its_rules():
    lines = run("--rules").output.splitlines()
    assert len(lines) == len(RULES)
    assert "breaks  operation-removed: an operation is gone" in lines


NARROWER = BASE.replace("maxLength: 10", "maxLength: 5")


def rebuilt(api, text, folder):
    (folder / "shop.yaml").write_text(text)
    running = api.application.running
    running.generation = running.builder.build(running.generation)
    return running.generation


def took(api, name):
    return api.put("/shop/items/a", json={"name": name}).status


@pytest.mark.parametrize(
    ("mode", "text", "taken", "warned"),
    [
        ("off", NARROWER, True, False),
        ("warn", NARROWER, True, True),
        ("refuse", NARROWER, False, False),
        ("refuse", NARROWER.replace("CURRENT", "EXPERIMENTAL"), False, False),
        ("refuse", BASE.replace("maxLength: 10", "maxLength: 20"), False, False),
        ("refuse", NARROWER.replace("status: CURRENT", 'status: CURRENT, deprecated: "2999-01-01"'), False, False),
        ("refuse", BASE.replace("summary: One item", "summary: An item"), False, False),
    ],
)
def test_a_changed_file_of_a_current_api_is_held_against_what_was_served(
    write, serve, caplog, mode, text, taken, warned
):
    folder = write(shop_yaml=BASE)
    api = serve(folder, breaking_changes=mode)
    assert took(api, "abcdefgh") == 200
    generation = rebuilt(api, text, folder)
    assert took(api, "abcdefgh") == (400 if taken else 200)
    assert ("breaks its clients: PUT /items/{id}: the body, `name`: `maxLength` was 10, is 5" in caplog.text) == warned
    refused = "EXPERIMENTAL" in text or "2999" in text or (mode == "refuse" and "maxLength: 20" in text)
    told = [error.message for error in generation.all_errors]
    assert bool(told) == (refused or (mode == "refuse" and text is NARROWER))
    if told:
        assert told[0].startswith("this breaks clients of what is served")
        assert generation.all_errors[0].line


def test_what_is_not_current_may_change(write, serve):
    folder = write(shop_yaml=BASE.replace("CURRENT", "EXPERIMENTAL"))
    api = serve(folder, breaking_changes="refuse")
    assert took(api, "abcdefgh") == 200
    assert not rebuilt(api, NARROWER.replace("CURRENT", "EXPERIMENTAL"), folder).all_errors
    assert took(api, "abcdefgh") == 400


def test_a_deployment_may_let_one_api_break(write, serve):
    folder = write(shop_yaml=BASE)
    api = serve(folder, breaking_changes="refuse", apis={"shop": ApiSettings(breaking_changes="off")})
    assert took(api, "abcdefgh") == 200
    assert not rebuilt(api, NARROWER, folder).all_errors


def test_a_restart_does_not_forget_what_clients_had(write, tmp_path):
    folder = write(apis__shop_yaml=BASE) / "apis"
    settings = Settings(state=str(tmp_path / "state"), breaking_changes="refuse")
    with client(folder, settings=settings) as api:
        assert took(api, "abcdefgh") == 200
    (folder / "shop.yaml").write_text(NARROWER)
    with client(folder, settings=settings) as api:
        assert took(api, "abcdefgh") == 200
        assert "breaks clients" in str(api.application.running.generation.all_errors[0])


VERSIONED = BASE.replace(
    "x-apifold: {status: CURRENT,",
    'x-apifold: {microversions: {min: "1", max: "%s", headers: [X-Version]}, status: CURRENT,',
)


@pytest.mark.parametrize(
    ("text", "breaks"),
    [
        (VERSIONED % "1.2", False),
        (VERSIONED % "1.0", True),
        (VERSIONED.replace('min: "1"', 'min: "1.1"') % "1.1", True),
        (BASE, True),
        ((VERSIONED % "1.2").replace("[a, b]", '[a, b], x-apifold: {until: "1.1"}'), False),
        ((VERSIONED % "1.2").replace("[a, b]", '[a, b], x-apifold: {until: "1.0"}'), True),
        ((VERSIONED % "1.1").replace('min: "1",', 'min: "1", default: "1.1",'), True),
        ((VERSIONED % "1.1").replace("[X-Version]", "[X-Version, Version]"), False),
        ((VERSIONED % "1.1").replace("[X-Version]", "[Version]"), True),
    ],
)
def test_clients_that_choose_a_version_keep_it(write, serve, text, breaks):
    folder = write(shop_yaml=VERSIONED % "1.1")
    api = serve(folder, breaking_changes="refuse")
    api.get("/")
    assert bool(rebuilt(api, text, folder).all_errors) == breaks
