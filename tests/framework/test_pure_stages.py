"""Pure stages by rows: reading text, coercing parameters, finding routes, making values."""

from __future__ import annotations

import json
from urllib.parse import quote

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from apifold import marked
from apifold.description import Parameter
from apifold.errors import DescriptionErrors, Malformed
from apifold.http import best_match
from apifold.http.fields import parse_cookies, parse_query
from apifold.routing import Table
from apifold.schema.coerce import MISSING, compile_coercer
from apifold.schema.generate import CannotGenerate, generate
from apifold.schema.patterns import CannotMatch, matching
from apifold.traits.patch import merged
from apifold.traits.select import select

SAME = lambda schema: schema  # noqa: E731  # nothing to resolve


# YAML and JSON


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", {"a": "no"}),
        ("a: on", {"a": "on"}),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 0x1F", {"a": 31}),
        ("a: 0o17", {"a": 15}),
        ("a: 017", {"a": 17}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("200: x", {"200": "x"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
    ],
)
def test_yaml_is_read_as_json_would_be(text, value):
    assert marked.read(text, "x.yaml") == value


words = some.text(some.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=5)
data = some.recursive(
    some.none() | some.booleans() | some.integers() | words,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(words, inner, max_size=3),
)


@given(data)
def test_json_is_yaml_too(value):
    text = json.dumps(value, ensure_ascii=False)
    assert marked.read(text, "x.json") == value
    assert marked.read(text, "x.yaml") == value


@given(some.text(max_size=60))
def test_any_text_is_read_or_refused_with_its_place(text):
    for name in ("x.yaml", "x.json"):
        try:
            marked.read(text, name)
        except DescriptionErrors as errors:
            assert all(error.file == name and error.message for error in errors.errors)


@pytest.mark.parametrize(
    ("pointer", "line"),
    [("", 1), ("/a", 1), ("/b", 2), ("/b/c", 3), ("/b/c/1", 5), ("/b/x~1y", 6), ("/b/nope", 2), ("/zzz", 1)],
)
def test_a_pointer_has_its_line(pointer, line):
    assert marked.line("a: 1\nb:\n  c:\n    - 1\n    - 2\n  x/y: 3\n", pointer) == line


# Query strings and cookies


@given(
    some.dictionaries(
        some.text(min_size=1, max_size=5), some.lists(some.text(max_size=5), min_size=1, max_size=3), max_size=4
    )
)
def test_a_query_is_read_as_it_was_written(fields):
    raw = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, values in fields.items() for value in values
    )
    assert parse_query(raw) == fields


@given(some.text(alphabet="ab=&%+;[]0f", max_size=30))
def test_any_query_is_read_or_malformed(raw):
    try:
        parse_query(raw)
    except Malformed:
        pass


def test_a_query_has_its_limits():
    with pytest.raises(Malformed):
        parse_query("&".join("a=1" for _ in range(2000)))
    with pytest.raises(Malformed):
        parse_query("a=%ff")


def test_cookies_are_fields():
    assert parse_cookies('a=1; b="two"; c') == {"a": ["1"], "b": ["two"]}


@pytest.mark.parametrize(
    ("accept", "best"),
    [
        ("application/json", "application/json"),
        ("text/*;q=0.5, application/json;q=0.4", "text/html"),
        ("*/*", "application/json"),
        ("text/html;q=0, */*", "application/json"),
        ("image/png", None),
        ("text/html;q=0.9, application/json", "application/json"),
        ("nonsense;;q=x,,", None),
    ],
)
def test_the_best_media_type_wins(accept, best):
    assert best_match(accept, ("application/json", "text/html")) == best


# Parameters


def coerce(schema, fields, where="query", style="form", explode=True, name="p"):
    return compile_coercer(Parameter(name, where, False, schema, style, explode, ""), SAME)(fields)


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "5", 5),
        ({"type": "integer"}, "-5", -5),
        ({"type": "integer"}, str(2**80), 2**80),
        ({"type": "integer"}, "5.0", "5.0"),
        ({"type": "integer"}, "1_0", "1_0"),
        ({"type": "integer"}, "٣", "٣"),
        ({"type": "integer"}, " 5", " 5"),
        ({"type": "number"}, "5", 5),
        ({"type": "number"}, "5.5", 5.5),
        ({"type": "number"}, "1e400", "1e400"),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "number"}, "inf", "inf"),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "True", "True"),
        ({"type": "boolean"}, "1", "1"),
        ({"type": ["integer", "null"]}, "", None),
        ({"type": "string"}, "5", "5"),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, "5", 5),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, "x", "x"),
        ({"enum": [1, 2]}, "2", 2),
        ({}, "5", "5"),
    ],
)
def test_text_becomes_its_declared_type(schema, text, value):
    found = coerce(schema, {"p": [text]})
    assert found == value
    assert type(found) is type(value)


LIST = {"type": "array", "items": {"type": "integer"}}
OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "style", "explode", "fields", "value"),
    [
        (LIST, "form", True, {"p": ["1", "2"]}, [1, 2]),
        (LIST, "form", True, {"p[]": ["1", "2"]}, [1, 2]),
        (LIST, "form", False, {"p": ["1,2"]}, [1, 2]),
        (LIST, "spaceDelimited", False, {"p": ["1 2"]}, [1, 2]),
        (LIST, "pipeDelimited", False, {"p": ["1|2"]}, [1, 2]),
        (LIST, "tabDelimited", False, {"p": ["1\t2"]}, [1, 2]),
        (LIST, "simple", False, {"p": ["1, 2"]}, [1, 2]),
        (LIST, "label", False, {"p": [".1,2"]}, [1, 2]),
        (LIST, "label", True, {"p": [".1.2"]}, [1, 2]),
        (LIST, "matrix", False, {"p": [";p=1,2"]}, [1, 2]),
        (LIST, "matrix", True, {"p": [";p=1;p=2"]}, [1, 2]),
        (LIST, "form", False, {"p": [""]}, []),
        (OBJECT, "form", True, {"a": ["1"], "b": ["x"]}, {"a": 1, "b": "x"}),
        (OBJECT, "form", False, {"p": ["a,1,b,x"]}, {"a": 1, "b": "x"}),
        (OBJECT, "simple", False, {"p": ["a,1,b,x"]}, {"a": 1, "b": "x"}),
        (OBJECT, "simple", True, {"p": ["a=1,b=x"]}, {"a": 1, "b": "x"}),
        (OBJECT, "label", True, {"p": [".a=1.b=x"]}, {"a": 1, "b": "x"}),
        (OBJECT, "matrix", True, {"p": [";a=1;b=x"]}, {"a": 1, "b": "x"}),
        (OBJECT, "deepObject", True, {"p[a]": ["1"], "p[b]": ["x"], "q[a]": ["2"]}, {"a": 1, "b": "x"}),
        ({"type": "object", "properties": {"a": OBJECT}}, "deepObject", True, {"p[a][a]": ["1"]}, {"a": {"a": 1}}),
        ({"type": "object", "properties": {"a": LIST}}, "deepObject", True, {"p[a]": ["1", "2"]}, {"a": [1, 2]}),
        (LIST, "form", True, {}, MISSING),
        (OBJECT, "deepObject", True, {}, MISSING),
    ],
)
def test_each_style_is_read(schema, style, explode, fields, value):
    assert coerce(schema, fields, style=style, explode=explode) == value


@given(
    some.lists(some.integers(), min_size=1, max_size=5),
    some.sampled_from(
        [("form", True, None), ("form", False, ","), ("pipeDelimited", False, "|"), ("simple", False, ",")]
    ),
)
def test_a_list_is_read_as_it_was_written(values, how):
    style, explode, separator = how
    texts = [str(value) for value in values]
    fields = {"p": texts if separator is None else [separator.join(texts)]}
    assert coerce(LIST, fields, style=style, explode=explode) == values


@given(
    some.text(max_size=20),
    some.sampled_from(["integer", "number", "boolean", "array", "object", "string"]),
    some.sampled_from(["form", "deepObject", "label", "matrix", "simple"]),
    some.booleans(),
)
def test_any_text_is_coerced_without_an_exception(text, kind, style, explode):
    coerce(
        {"type": kind, "items": {"type": "integer"}, "properties": {"a": {"type": "integer"}}},
        {"p": [text], f"p[{text}]": [text]},
        style=style,
        explode=explode,
    )


# Routes

segments = some.lists(some.sampled_from(["a", "b", "{x}", "{y}.json", "c"]), min_size=1, max_size=4)


@settings(max_examples=300)
@given(
    some.lists(segments, min_size=1, max_size=8),
    some.lists(some.sampled_from(["a", "b", "c", "d", "d.json"]), min_size=1, max_size=4),
)
def test_a_path_finds_a_template_that_fits_it_or_none_does(templates, path):
    table = Table()
    shapes = {}
    for template in templates:
        shape = tuple("{}" if part == "{x}" else "{}.json" if part == "{y}.json" else part for part in template)
        shapes[shape] = template
        table.add("/" + "/".join(template), "GET", shape)
    fitting = [shape for shape in shapes if fits(shape, path)]
    found = table.find("/" + "/".join(path), path, "GET")
    if not fitting:
        assert found is None
        return
    shape, values = found
    assert shape in fitting
    assert len(values) == sum("{}" in part for part in shape)
    literal = [other for other in fitting if "{}" not in "".join(other)]
    if literal:
        assert shape in literal


def fits(shape, path):
    return len(shape) == len(path) and all(
        part == given or part == "{}" or (part == "{}.json" and given.endswith(".json") and given != ".json")
        for part, given in zip(shape, path, strict=True)
    )


def test_a_method_is_looked_for_in_every_template_that_fits():
    table = Table()
    table.add("/servers/detail", "GET", "detail")
    table.add("/servers/{id}", "DELETE", "delete")
    table.add("/files/{path}", "GET", "rest", rest=True)
    assert table.find("/servers/detail", ["servers", "detail"], "DELETE") == ("delete", ["detail"])
    assert table.find("/servers/detail", ["servers", "detail"], "HEAD") == ("detail", [])
    assert table.find("/servers/detail", ["servers", "detail"], "PUT") is None
    assert table.methods(["servers", "detail"]) == {"GET", "HEAD", "DELETE"}
    assert table.find("/files/a/b", ["files", "a", "b"], "GET") == ("rest", ["a/b"])
    assert table.find("/servers/", ["servers", ""], "DELETE") is None
    assert table.methods(["servers", ""]) == frozenset()


# Values from schemas

leaves = some.one_of(
    some.builds(
        lambda low, size: {"type": "integer", "minimum": low, "maximum": low + size},
        some.integers(-50, 50),
        some.integers(0, 9),
    ),
    some.builds(
        lambda low, size: {"type": "string", "minLength": low, "maxLength": low + size},
        some.integers(0, 9),
        some.integers(0, 9),
    ),
    some.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"enum": ["a", 1]},
            {"const": {"a": [1]}},
            {"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
            {"type": "integer", "multipleOf": 7, "minimum": 10},
            {"type": "string", "format": "date-time"},
            {"type": "string", "format": "uuid"},
            {"type": "string", "pattern": "^[a-z]{3}-[0-9]+$"},
            {"type": ["string", "null"]},
            {"type": "string", "example": 5},
            {},
        ]
    ),
)


def compound(inner):
    members = some.dictionaries(some.sampled_from("abc"), inner, max_size=3)
    return some.one_of(
        some.builds(
            lambda item, least: {"type": "array", "items": item, "minItems": least}, inner, some.integers(0, 2)
        ),
        members.map(
            lambda found: {
                "type": "object",
                "properties": found,
                "required": sorted(found),
                "additionalProperties": False,
            }
        ),
        members.map(lambda found: {"type": "object", "properties": found, "minProperties": 1}),
        some.lists(inner, min_size=1, max_size=3).map(lambda found: {"anyOf": found}),
        some.tuples(members, members).map(
            lambda both: {
                "allOf": [
                    {"type": "object", "properties": both[0]},
                    {"type": "object", "properties": {f"x{name}": one for name, one in both[1].items()}},
                ]
            }
        ),
    )


@settings(max_examples=300, deadline=None)
@given(some.recursive(leaves, compound, max_leaves=6))
def test_a_made_value_fits_its_schema(schema):
    def valid(part, value):
        return jsonschema_rs.Draft202012Validator(part, validate_formats=True).is_valid(value)

    value = generate(schema, SAME, valid)
    jsonschema.Draft202012Validator(schema).validate(value)
    assert generate(schema, SAME, valid) == value


def test_a_schema_that_needs_itself_without_end_is_refused():
    schemas = {"A": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "A"}}}}
    with pytest.raises(CannotGenerate, match="without end"):
        generate(
            {"$ref": "A"},
            lambda schema: schemas.get(schema.get("$ref"), schema) if isinstance(schema, dict) else schema,
        )


def test_a_schema_that_may_contain_itself_ends():
    schemas = {"A": {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "A"}}}}
    value = generate(
        {"$ref": "A"}, lambda schema: schemas.get(schema.get("$ref"), schema) if isinstance(schema, dict) else schema
    )
    assert value["name"] == "name"


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{2}[0-9]{4}$",
        "a+b?",
        r"^\d{3}-\w+$",
        "^(foo|bar)$",
        "^[^a]$",
        r"^(a)\1$",
        "^a.c$",
        "x{2,4}$",
        r"^\S+@\S+\.com$",
        "^$",
        "",
    ],
)
def test_a_text_is_made_for_a_pattern(pattern):
    assert jsonschema_rs.Draft202012Validator({"pattern": pattern}).is_valid(next(matching(pattern)))


def test_a_pattern_without_a_text_is_refused():
    with pytest.raises(CannotMatch):
        next(matching("(?=b)a^"))


# Patches and selections


@pytest.mark.parametrize(
    ("thing", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_does_as_its_rfc_shows(thing, patch, result):
    assert merged(thing, patch) == result


def test_a_selection_keeps_what_it_names():
    thing = {"a": 1, "b": {"c": 2, "d": 3}, "e": [{"f": 1, "g": 2}]}
    assert select(thing, {"a": {}, "b": {"c": {}}, "e": {"f": {}}, "z": {}}) == {"a": 1, "b": {"c": 2}, "e": [{"f": 1}]}
