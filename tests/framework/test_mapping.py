"""`source`: from the API's shape to the core's and back, and what is told when a file is loaded."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apifold.application import check
from apifold.schema.mapping import compile_mapping, parse_source
from apifold.settings import Settings

PORT = yaml.safe_load("""
type: object
required: [name]
properties:
  name: {type: string}
  segmentation: {type: integer, x-apifold: {source: "provider:segmentation_id"}, default: 0}
  subnet: {type: string, x-apifold: {source: "fixed_ips[0].subnet_id"}}
  address: {type: string, x-apifold: {source: "fixed_ips[0].ip_address"}}
  owner: {type: object, properties: {id: {type: string, x-apifold: {source: user}}}, x-apifold: {source: meta}}
  flat: {type: object, properties: {color: {type: string}}, x-apifold: {source: "."}}
  groups: {type: array, x-apifold: {source: security_groups}, items: {type: string, x-apifold: {source: name}}}
  disks: {type: array, items: {type: object, properties: {size: {type: integer, x-apifold: {source: gb}}}}}
  labels: {type: array, items: {type: object}, x-apifold: {source: metadata, action: pairs}}
  status: {type: string, readOnly: true}
  secret: {type: string, writeOnly: true, x-apifold: {source: password}}
""")
SHAPE = {
    "name": "p",
    "segmentation": 7,
    "subnet": "s",
    "address": "192.0.2.1",
    "owner": {"id": "u"},
    "flat": {"color": "red"},
    "groups": ["a", "b"],
    "disks": [{"size": 1}],
    "labels": [{"keyName": "k", "value": "v"}],
    "secret": "x",
}
CORE = {
    "name": "p",
    "provider:segmentation_id": 7,
    "fixed_ips": [{"subnet_id": "s", "ip_address": "192.0.2.1"}],
    "meta": {"user": "u"},
    "color": "red",
    "security_groups": [{"name": "a"}, {"name": "b"}],
    "disks": [{"gb": 1}],
    "metadata": {"k": "v"},
    "password": "x",
}


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ("router:external", ("router:external",)),
        ('a["b.c"][12]', ("a", "b.c", 12)),
        (".", ()),
    ],
)
def test_a_source_is_a_path(text, steps):
    assert parse_source(text) == steps


@pytest.mark.parametrize("text", ["", "[0]", "a..b", "a.", ".a", "a[x]", "a[0", "a[0]b", "a]"])
def test_what_is_no_source_is_refused(text):
    with pytest.raises(ValueError, match="is no source"):
        parse_source(text)


def test_a_shape_is_lifted_and_lowered():
    mapping = compile_mapping(PORT, {})
    assert mapping.lift(SHAPE) == CORE
    lowered, missing = mapping.lower({**CORE, "status": "up", "inside": "stays there"})
    assert lowered == {**{name: value for name, value in SHAPE.items() if name != "secret"}, "status": "up"}
    assert missing == []


def test_a_read_only_member_is_not_lifted_and_what_is_not_described_comes_along():
    assert compile_mapping(PORT, {}).lift({"status": "up", "more": 1}) == {"more": 1}


def test_what_is_not_there_has_its_default_or_is_told():
    lowered, missing = compile_mapping(PORT, {}).lower({"fixed_ips": [], "security_groups": None})
    assert lowered == {"segmentation": 0, "groups": None}
    schema = {"properties": {"a": {"default": 1, "x-apifold": {"source": "b", "absent": None}}}}
    assert compile_mapping(schema, {}).lower({}) == ({"a": None}, [])
    assert missing == ["/name"]


def test_undescribed_members_stay_where_the_schema_takes_them():
    schema = {"properties": {"a": {"x-apifold": {"source": "b"}}}, "additionalProperties": True}
    assert compile_mapping(schema, {}).lower({"b": 1, "c": 2}) == ({"a": 1, "c": 2}, [])


def test_a_schema_that_contains_itself_is_mapped_to_any_depth():
    named = {
        "tree": {
            "properties": {
                "name": {"x-apifold": {"source": "label"}},
                "sons": {"items": {"$ref": "#/components/schemas/tree"}},
            }
        }
    }
    mapping = compile_mapping({"$ref": "#/components/schemas/tree"}, named)
    core = {"label": "a", "sons": [{"label": "b", "sons": [{"label": "c"}]}]}
    shape = {"name": "a", "sons": [{"name": "b", "sons": [{"name": "c"}]}]}
    assert mapping.lower(core)[0] == shape
    assert mapping.lift(shape) == core


def test_what_is_required_of_one_alternative_is_not_required_of_all():
    schema = {
        "properties": {"a": {"x-apifold": {"source": "A"}}, "b": {"x-apifold": {"source": "B"}}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    assert compile_mapping(schema, {}).lower({"A": 1}) == ({"a": 1}, [])


def test_values_of_any_name_are_mapped_beside_members():
    value = {"type": "object", "properties": {"x": {"x-apifold": {"source": "y"}}}}
    mapping = compile_mapping({"properties": {"a": {"x-apifold": {"source": "A"}}}, "additionalProperties": value}, {})
    assert mapping.lower({"A": 1, "more": {"y": 2}})[0] == {"a": 1, "more": {"x": 2}}
    assert mapping.lift({"a": 1, "more": {"x": 2}}) == {"A": 1, "more": {"y": 2}}


def test_a_read_only_member_can_t_be_written_by_its_inner_name():
    schema = {"properties": {"status": {"readOnly": True, "x-apifold": {"source": "core_status"}}}}
    assert compile_mapping(schema, {}).lift({"core_status": "evil", "status": "x", "other": 1}) == {"other": 1}


def test_without_a_source_there_is_nothing_to_do():
    assert compile_mapping({"properties": {"a": {"type": "string"}}}, {}) is None


_names = st.text(
    st.characters(codec="utf-8", exclude_characters='.[]"', exclude_categories=("Cs",)), min_size=1, max_size=5
)


@given(st.dictionaries(_names, st.tuples(st.lists(_names, min_size=1, max_size=3), st.integers()), max_size=6))
def test_what_is_lifted_comes_back(members):
    """Whatever the places, as long as none lies in or on another."""
    taken: list[tuple[str, ...]] = []
    properties, shape = {}, {}
    for name, (steps, value) in members.items():
        path = tuple(steps)
        if any(path[: len(other)] == other or other[: len(path)] == path for other in taken):
            continue
        taken.append(path)
        properties[name] = {"x-apifold": {"source": ".".join(path)}}
        shape[name] = value
    mapping = compile_mapping({"properties": properties}, {})
    if mapping is not None:
        assert mapping.lower(mapping.lift(shape)) == (shape, [])


API = """
openapi: 3.1.0
info: {{title: T, version: "1"}}
paths:
  /things:
    post:
      operationId: things_handlers.make
      requestBody: {{content: {{application/json: {{schema: {{$ref: "#/components/schemas/Thing"}}}}}}}}
      responses: {{"201": {{description: ok, content: {{application/json: {{schema: {{$ref: "#/components/schemas/Thing"}}}}}}}}}}
  /things/{{thing-id}}:
    get:
      operationId: things_handlers.read
      parameters:
        - {{name: thing-id, in: path, required: true, schema: {{type: string}}, x-apifold: {{source: identifier}}}}
      responses: {{"200": {{description: ok, content: {{application/json: {{schema: {{$ref: "#/components/schemas/Thing"}}}}}}}}}}
    patch:
      operationId: things_handlers.change
      x-apifold: {{traits: [merge-patch]}}
      parameters:
        - {{name: thing-id, in: path, required: true, schema: {{type: string}}, x-apifold: {{source: identifier}}}}
      responses: {{"200": {{description: ok, content: {{application/json: {{schema: {{$ref: "#/components/schemas/Thing"}}}}}}}}}}
components:
  schemas:
    Thing:
      type: object
      {extra}
      properties:
        {properties}
"""
HANDLERS = """
seen = []

def make(body):
    seen.append(body)
    return {**body, "inner": 1}

def read(identifier):
    return {"image_id": identifier, "nested": {"place": "here"}, "inner": 1}

def change(identifier, body):
    seen.append(body)
    return body
"""
GOOD = "imageRef: {type: string, x-apifold: {source: image_id}}\n        place: {type: string, x-apifold: {source: nested.place}}"


def api(properties: str, extra: str = "") -> str:
    return API.format(properties=properties, extra=extra)


def test_handlers_speak_the_core_s_shape(write, serve):
    client = serve(write(things_yaml=api(GOOD), things_handlers_py=HANDLERS))
    assert client.post("/things", json={"imageRef": "i", "place": "p"}).json == {"imageRef": "i", "place": "p"}
    assert client.get("/things/7").json == {"imageRef": "7", "place": "here"}
    media = {"Content-Type": "application/merge-patch+json"}
    assert client.request("PATCH", "/things/7", body=b'{"place": "there"}', headers=media).json == {
        "imageRef": "7",
        "place": "there",
    }
    import things_handlers

    assert things_handlers.seen == [
        {"image_id": "i", "nested": {"place": "p"}},
        {"image_id": "7", "nested": {"place": "there"}},
    ]


CORE_SCHEMA = (
    "x-apifold: {core: {type: object, properties: {image_id: {}, nested: {type: object, properties: {place: {}}}}}}"
)


@pytest.mark.parametrize(
    ("properties", "extra", "message"),
    [
        ("a: {type: string, x-apifold: {source: 'x..y'}}", "", "is no source"),
        ("a: {type: string, x-apifold: {source: x, action: nope}}", "", "no actions entry named 'nope'"),
        ("a: {x-apifold: {source: x}}\n        b: {x-apifold: {source: x}}", "", "live in the same place"),
        ("a: {x-apifold: {source: b}}\n        b: {type: string}", "", "live in the same place"),
        ("a: {type: string, x-apifold: {source: 'x[1].y'}}", "", "nothing lives in the item before"),
        ("a: {type: string, x-apifold: {source: image}}", CORE_SCHEMA, "has no 'image' there; it has 'image_id'"),
        ("a: {type: string, x-apifold: {source: nested.plac}}", CORE_SCHEMA, "it has 'place'"),
        (
            "a: {type: string, x-apifold: {source: x}}\n        b: {type: string, x-apifold: {source: x.y}}",
            "",
            "one inside the other",
        ),
    ],
)
def test_a_source_that_can_t_work_is_told_when_the_file_is_loaded(write, properties, extra, message):
    folder = write(things_yaml=api(properties, extra), things_handlers_py=HANDLERS)
    errors = check((str(folder),), Settings())
    assert any(message in str(error) for error in errors), errors
    assert all(error.line > 0 for error in errors)


def test_a_source_that_works_is_not(write):
    two = "a: {type: string, x-apifold: {source: image_id}}\n        b: {type: string, readOnly: true, x-apifold: {source: image_id}}"
    for properties, extra in ((GOOD, CORE_SCHEMA), (two, "")):
        folder = write(things_yaml=api(properties, extra), things_handlers_py=HANDLERS)
        assert check((str(folder),), Settings()) == ()
