"""The static reference: complete, linked, harmless, and no larger than what was written."""

from __future__ import annotations

import time
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apifold.reference.pages import CatalogueEntry
from apifold.reference.prose import LONGEST_EXAMPLE, example, markdown
from apifold.reference.schema_tree import SchemaTree
from apifold.reference.static_pages import MOST_ON_ONE_PAGE, Names
from apifold.reference.static_reference import write_reference
from tests.framework.reference.markup import Markup

OK = {"200": {"description": "fine"}}


def entry(name="api", title="T", base="/v1", status=""):
    return CatalogueEntry(name, title, "1", status, base, "About it", 1, f"{base}/ui", f"{base}/openapi.json")


def document(paths, schemas=None, **more):
    return {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas or {}},
        **more,
    }


@pytest.fixture
def site(tmp_path):
    """Writes one API, or several, and gives the pages by file name."""

    def write(*documents):
        pairs = [one if isinstance(one, tuple) else (entry(), one) for one in documents]
        return {path.name: path.read_text("utf-8") for path in write_reference(pairs, tmp_path)}

    return write


def assert_linked(files):
    """Every link of every page leads to a page and an anchor that are there, every id stands once."""
    pages = {name: Markup(text) for name, text in files.items() if name.endswith(".html")}
    for name, markup in pages.items():
        ids = markup.values("id")
        assert len(ids) == len(set(ids)), name
        for link in markup.values("href"):
            if link == "data:,":
                continue
            file, _, anchor = link.removeprefix("./").partition("#")
            assert (file or name) in files, f"{name} -> {link}"
            if anchor:
                assert unquote(anchor) in pages[file or name].values("id"), f"{name} -> {link}"
        assert markup.handlers == []
        assert "script" not in markup.names
    return pages


def test_an_operation_is_shown_with_all_that_is_written_of_it(site):
    pages = assert_linked(
        site(
            document(
                {
                    "/hosts": {
                        "parameters": [{"name": "limit", "in": "query", "schema": {"type": "string"}}],
                        "post": {
                            "tags": ["machines"],
                            "summary": "Create a host",
                            "description": "With **care**.",
                            "deprecated": True,
                            "parameters": [
                                {"$ref": "#/components/parameters/Limit"},
                                {
                                    "name": "filter",
                                    "in": "query",
                                    "content": {"application/json": {"schema": {"type": "boolean"}}},
                                },
                            ],
                            "requestBody": {
                                "required": True,
                                "content": {
                                    "application/json": {
                                        "schema": {"$ref": "#/components/schemas/Host"},
                                        "examples": {"small": {"value": {"name": "tiny"}}},
                                    }
                                },
                            },
                            "responses": {"201": {"$ref": "#/components/responses/Made"}},
                        },
                    }
                },
                tags=[{"name": "machines", "description": "What *we* run"}],
            )
            | {
                "components": {
                    "schemas": {
                        "Host": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": {"type": "string", "maxLength": 9},
                                "parent": {"$ref": "#/components/schemas/Host"},
                            },
                        }
                    },
                    "parameters": {
                        "Limit": {
                            "name": "limit",
                            "in": "query",
                            "required": True,
                            "schema": {"type": "integer", "minimum": 1, "default": 5},
                        }
                    },
                    "responses": {"Made": {"description": "Made it", "headers": {"Location": {}}}},
                }
            }
        )
    )
    text = pages["api.html"].text
    for told in (
        "POST /v1/hosts",
        "Create a host",
        "With care.",
        "DEPRECATED",
        "What we run",
        "integer · default 5 · at least 1",
        "boolean",
        "tiny",
        "9 characters or fewer",
        "required",
        "Made it",
        "Location",
    ):
        assert told in text
    assert "limitquerystring" not in text, "an operation's parameter replaces that of its path"
    assert "api.html#schema-host" in pages["api.html"].values("href")


def test_swagger_2_is_shown_as_well(site):
    pages = assert_linked(
        site(
            {
                "swagger": "2.0",
                "info": {"title": "T", "version": "1"},
                "consumes": ["application/x-host"],
                "produces": ["application/json"],
                "definitions": {
                    "Host": {
                        "type": "object",
                        "properties": {"size": {"type": "integer", "minimum": 1, "exclusiveMinimum": True}},
                    }
                },
                "paths": {
                    "/hosts": {
                        "post": {
                            "parameters": [
                                {
                                    "name": "body",
                                    "in": "body",
                                    "required": True,
                                    "schema": {"$ref": "#/definitions/Host"},
                                },
                                {
                                    "name": "color",
                                    "in": "query",
                                    "type": "array",
                                    "items": {"type": "string"},
                                    "description": "which",
                                },
                            ],
                            "responses": {
                                "200": {
                                    "description": "fine",
                                    "schema": {"type": "array", "items": {"$ref": "#/definitions/Host"}},
                                    "examples": {"application/json": [{"size": 77}]},
                                }
                            },
                        }
                    }
                },
            }
        )
    )
    text = pages["api.html"].text
    for told in ("application/x-host", "array of Host", "array of string", "77", "size integer · at least 1", "which"):
        assert told in text
    assert text.count("which") == 1


def test_hostile_texts_stay_texts_in_every_place(site):
    bad = '"><script>alert(1)</script><img src=x onerror=alert(1)>[x](javascript:alert(1))![y](http://e/y.png)'
    operation = {
        "tags": [bad],
        "summary": bad,
        "description": bad,
        "parameters": [
            {
                "name": bad,
                "in": bad,
                "description": bad,
                "schema": {"enum": [bad], "pattern": bad, "format": bad, "default": bad},
            }
        ],
        "requestBody": {
            "description": bad,
            "content": {
                bad: {
                    "schema": {"type": bad, "properties": {bad: {"$ref": bad}}, "example": bad},
                    "example": {bad: bad},
                }
            },
        },
        "responses": {bad: {"description": bad, "headers": {bad: {}}}},
    }
    hostile = document(
        {f"/{bad}": {"get": operation}},
        {bad: {"title": bad, "description": bad}},
        tags=[{"name": bad, "description": bad}],
    )
    hostile["info"]["description"] = bad
    files = site((CatalogueEntry(bad, bad, bad, bad, bad, bad, 1, bad, bad, bad, bad), hostile))
    pages = assert_linked(files)
    for markup in pages.values():
        assert "img" not in markup.names
        assert not any(link.startswith("javascript:") for link in markup.values("href"))
    assert all("/" not in name and " " not in name for name in files)


NODES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=8),
        st.just("#/components/schemas/a"),
        st.just("#/paths"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "items",
                    "enum",
                    "$ref",
                    "allOf",
                    "required",
                    "description",
                    "example",
                    "schema",
                    "in",
                    "name",
                    "tags",
                    "/a",
                    "get",
                    "post",
                    "responses",
                    "parameters",
                    "content",
                    "200",
                    "requestBody",
                    "examples",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=25,
)


@given(paths=NODES, schemas=NODES, tags=NODES)
@settings(max_examples=150, deadline=None)
def test_what_is_not_as_specified_is_passed_over(tmp_path_factory, paths, schemas, tags):
    folder = tmp_path_factory.mktemp("site")
    files = write_reference([(entry(), document({"/x": paths, "x-more": paths}, schemas, tags=tags))], folder)
    for path in files:
        if path.suffix == ".html":
            assert "script" not in Markup(path.read_text("utf-8")).names


def test_names_that_would_collide_are_told_apart(site):
    same = document({"/a/{b}": {"get": {"responses": OK}}, "/a/b": {"get": {"responses": OK}}}, {"A b": {}, "a-B": {}})
    files = site((entry("Index", "First"), same), (entry("a b", "Second"), same), (entry("A-B", "Third"), same))
    pages = assert_linked(files)
    assert {"index.html", "index-2.html", "a-b.html", "a-b-2.html"} <= set(files)
    assert [title in pages["index.html"].text for title in ("First", "Second", "Third")] == [True] * 3


def test_references_are_found_though_their_keys_are_escaped(site):
    schemas = {"a/b c~d": {"type": "object", "properties": {"x": {"type": "string"}}}}
    one = {
        "get": {
            "responses": {
                "200": {
                    "description": "",
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/a~1b%20c~0d"}},
                        "text/plain": {"schema": {"$ref": "#/components/schemas/a~1b%20c~0d/properties/x"}},
                    },
                }
            }
        }
    }
    pages = assert_linked(site(document({"/x": one}, schemas)))
    assert pages["api.html"].values("href").count("api.html#schema-a-b-c-d") == 2


def test_a_reference_that_leads_nowhere_is_shown_as_written(site):
    one = {
        "get": {
            "responses": {
                "200": {
                    "description": "",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Nope"}}},
                }
            }
        }
    }
    assert "#/components/schemas/Nope" in assert_linked(site(document({"/x": one})))["api.html"].text


def test_references_in_a_circle_are_left(site):
    circle = {
        "components": {
            "parameters": {"a": {"$ref": "#/components/parameters/b"}, "b": {"$ref": "#/components/parameters/a"}}
        }
    }
    assert_linked(
        site(
            {
                **document({"/x": {"get": {"parameters": [{"$ref": "#/components/parameters/a"}], "responses": OK}}}),
                **circle,
            }
        )
    )


def test_a_large_api_has_a_page_for_each_tag(site):
    paths = {
        f"/{tag}/{number}": {"get": {"tags": [tag], "responses": OK}}
        for tag in ("cats", "dogs")
        for number in range(MOST_ON_ONE_PAGE)
    }
    schemas = {
        f"S{number}": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/S0"}}}
        for number in range(MOST_ON_ONE_PAGE + 1)
    }
    pages = assert_linked(site(document(paths, schemas)))
    assert set(pages) == {
        "index.html",
        "api.html",
        "api-cats.html",
        "api-dogs.html",
        "api-schemas.html",
        "api-schemas-2.html",
    }
    assert {"api-cats.html", "api-dogs.html", "api-schemas.html"} <= set(pages["api.html"].values("href"))


def test_schemas_that_refer_to_each_other_cost_no_more_than_they_are_long(site):
    schemas = {
        f"S{number}": {
            "type": "object",
            "properties": {f"to{other}": {"$ref": f"#/components/schemas/S{other}"} for other in range(60)},
        }
        for number in range(60)
    }
    paths = {
        f"/{number}": {
            "get": {
                "responses": {
                    "200": {
                        "description": "",
                        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/S{number % 60}"}}},
                    }
                }
            }
        }
        for number in range(100)
    }
    began = time.monotonic()
    files = site(document(paths, schemas))
    assert sum(map(len, files.values())) < 1_000_000
    assert time.monotonic() - began < 5


def test_deep_schemas_are_cut_and_nothing_breaks():
    schema = {"type": "string"}
    for _ in range(5000):
        schema = {"type": "array", "items": schema, "description": "deep"}
    drawn = SchemaTree(str).draw(schema)
    assert "…" in Markup(drawn).text
    assert len(drawn) < 10_000


def test_texts_are_read_as_commonmark_below_the_headings_of_the_page():
    assert markdown("# A\n\n*b* <i>c</i>", below=2) == "<h3>A</h3>\n<p><em>b</em> &lt;i&gt;c&lt;/i&gt;</p>\n"
    assert markdown("##### A", below=5).startswith("<h6>")
    assert "<table>" in markdown("| a |\n|---|\n| 1 |")
    assert markdown("[![caption](http://e/x.png)](http://e/)") == '<p><a href="http://e/">caption</a></p>\n'
    assert [markdown(nothing) for nothing in (None, "", " ", 7, {})] == [""] * 5


def test_examples_are_shown_as_they_would_be_sent_and_cut_where_they_are_long():
    assert Markup(example("<a>\n")).text == "<a>\n"
    assert Markup(example({"a": "é"})).text == '{\n  "a": "é"\n}'
    assert Markup(example("x" * LONGEST_EXAMPLE * 2)).text == "x" * LONGEST_EXAMPLE + "\n…"


@given(st.lists(st.text(max_size=12), max_size=30))
def test_names_are_safe_and_never_given_twice(wanted):
    names = Names("index")
    given = [names.give(one) for one in wanted]
    assert len(given) == len(set(given))
    assert "index" not in given
    assert all(
        name and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") and name[0] not in ".-" for name in given
    )


def test_a_half_character_can_be_written(site):
    assert "\\ud800" in site(document({"/x": {"get": {"summary": "\ud800", "responses": OK}}}))["api.html"]
