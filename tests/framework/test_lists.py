"""Conventions of lists: pages with totals and links, filters, groups; nothing skipped or repeated while rows are added."""

from __future__ import annotations

import textwrap
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apifold import DescriptionErrors, Page

LISTS = """
openapi: 3.1.0
info: {title: Lists, version: "1"}
x-apifold: {handlers: lists_handlers, unknown: reject}
paths:
  /told:
    get:
      operationId: tell
      x-apifold:
        traits:
          filter: {scope: null, active: {type: integer, enum: [0, 1]}, filters: pairs}
          group: {name: groupby, by: [type, day]}
      responses: {"200": {description: ok}}
  /single:
    get:
      operationId: tell_pairs
      parameters:
        - name: filters
          in: query
          x-apifold: {style: pairs}
          schema:
            type: object
            properties: {level: {type: integer}, tags: {type: array, items: {type: string}}}
            additionalProperties: {type: string}
      responses: {"200": {description: ok}}
  /pages:
    get:
      operationId: tell_page
      x-apifold: {traits: {page: {by: offset, limit: 3, max: 5, total: total}}}
      responses: {"200": {description: ok}}
  /plain:
    get:
      operationId: tell_plain
      parameters:
        - {name: name, in: query, schema: {type: string}}
      responses: {"200": {description: ok}}
"""

HANDLERS = """
rows = list(range(7))

def tell(scope=None, active=None, filters=None, groupby=None):
    return {"scope": scope, "active": active, "filters": filters, "groupby": groupby}

def tell_pairs(filters=None):
    return {"filters": filters}

def tell_page(page):
    return {"rows": page.cut(rows)}

def tell_plain(name=None):
    return name
"""


@pytest.fixture
def api(write, serve):
    return serve(write(lists_yaml=LISTS, lists_handlers_py=HANDLERS))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", {}),
        ("scope=a", {"scope": ["a"]}),
        ("scope=a,b", {"scope": ["a", "b"]}),
        ("scope=a&scope=b", {"scope": ["a", "b"]}),
        ("scope=a,b&scope=c&scope=", {"scope": ["a", "b", "c"]}),
        ("scope=", {"scope": []}),
        ("active=0,1&active=1", {"active": [0, 1, 1]}),
        ("filters=type:cpu", {"filters": {"type": ["cpu"]}}),
        ("filters=type:cpu,type:ram&filters=project:a", {"filters": {"type": ["cpu", "ram"], "project": ["a"]}}),
        ("filters=type:", {"filters": {"type": [""]}}),
        ("groupby=type&groupby=day,type", {"groupby": ["type", "day"]}),
    ],
)
def test_filters_and_groups_are_read_however_they_are_written(api, query, told):
    answer = api.get(f"/told?{query}")
    assert answer.status == 200
    assert answer.json == {"scope": None, "active": None, "filters": None, "groupby": []} | told


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("active=2", "/active/0"),
        ("active=yes", "/active/0"),
        ("filters=abc", "/filters"),
        ("filters=a:b:c", "/filters"),
        ("filters=:b", "/filters"),
        ("filters=a:b,abc", "/filters"),
        ("groupby=weight", "/groupby/0"),
        ("other=1", "/other"),
    ],
)
def test_what_is_no_filter_is_refused(api, query, pointer):
    answer = api.get(f"/told?{query}")
    assert answer.status == 400
    assert {problem["pointer"] for problem in answer.json["errors"]} == {pointer}


def test_pairs_have_the_types_of_their_schema(api):
    answer = api.get("/single?filters=level:1,level:2,tags:a,tags:b,other:3")
    assert answer.json == {"filters": {"level": 2, "tags": ["a", "b"], "other": "3"}}
    assert api.get("/single?filters=level:high").json["errors"][0]["pointer"] == "/filters/level"


def test_what_stands_once_is_not_taken_twice(api):
    answer = api.get("/plain?name=a&name=b")
    assert (answer.status, answer.json["errors"][0]["detail"]) == (400, "is given more than once")


def test_traits_are_in_the_document(api):
    parameters = {one["name"]: one for one in api.get("/openapi.json").json["paths"]["/told"]["get"]["parameters"]}
    assert parameters.keys() == {"scope", "active", "filters", "groupby"}
    assert parameters["groupby"]["schema"]["items"]["enum"] == ["type", "day"]
    assert "key:value" in parameters["filters"]["description"]


@pytest.mark.parametrize(
    "traits", ["{filter: status}", "{filter: {status: many}}", "{filter: []}", "{group: {of: [a]}}", "{group: {by: a}}"]
)
def test_a_convention_that_makes_no_sense_is_refused_at_load(write, serve, traits):
    text = LISTS.replace("traits: {page: {by: offset, limit: 3, max: 5, total: total}}", f"traits: {traits}")
    with pytest.raises(DescriptionErrors, match="the trait"):
        serve(write(lists_yaml=text, lists_handlers_py=HANDLERS)).get("/")


def test_pages_tell_their_total_and_where_they_go_on(api):
    first = api.get("/pages")
    assert first.json == {"total": 7, "rows": [0, 1, 2]}
    assert 'offset=3&limit=3>; rel="next"' in first.headers["link"]
    assert api.get("/pages?offset=6").json == {"total": 7, "rows": [6]}
    assert api.get("/pages?offset=99").json == {"total": 7, "rows": []}
    assert [api.get(f"/pages?limit={limit}").status for limit in (0, 6, "x", "-1", 10**9)] == [400] * 5
    assert api.get("/pages?offset=-1").status == 400


@given(st.lists(st.integers(), max_size=20), st.integers(1, 5))
def test_pages_of_a_list_hold_all_of_it_once(items, limit):
    found = []
    for offset in range(0, len(items) + limit, limit):
        page = Page(limit, offset=offset)
        found += page.cut(items)
        assert page.total == len(items)
    assert found == items


HOSTS = """
model: host
path: /hosts
fields: {name: {type: string, required: true}}
sort: [name]
%s
"""


@pytest.mark.parametrize("by", ["marker", "offset"])
def test_a_list_that_grows_while_it_is_read_skips_and_repeats_nothing(write, serve, by):
    """In the order of creation, which is that of a list that asks for no other."""
    folder = write(hosts_model_yaml=HOSTS % "")
    if by == "offset":
        overlay = """
        overlay: 1.0.0
        info: {title: By offset, version: "1"}
        extends: hosts_model.yaml
        actions:
          - target: $.paths['/hosts'].get['x-apifold']
            update: {traits: {page: {by: offset, total: total}}}
          - target: $.components.schemas['host-list'].properties
            update: {total: {type: integer}}
        """
        (folder / "hosts.overlay.yaml").write_text(textwrap.dedent(overlay))
    api = serve(folder)
    names = [f"host {number}" for number in range(10)]
    for name in names:
        api.post("/hosts", json={"name": name})
    found, path = [], "/hosts?limit=3"
    while path:
        answer = api.get(path)
        assert answer.status == 200, answer.text
        found += [one["name"] for one in answer.json["items"]]
        if len(found) <= 10:
            api.post("/hosts", json={"name": f"added {len(found)}"})
        link = answer.headers.get("link", "").partition('>; rel="next"')[0].lstrip("<")
        path = (
            urlsplit(link)._replace(scheme="", netloc="").geturl()
            if 'rel="next"' in answer.headers.get("link", "")
            else ""
        )
    assert found[:10] == names
    assert len(found) == len(set(found))
    if by == "offset":
        assert answer.json["total"] == len(found)
