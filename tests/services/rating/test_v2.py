"""The rating service's API v2 over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate

import apifold_services.rating
from apifold import Version

DESCRIPTION = Path(apifold_services.rating.__file__).parent / "v2" / "openapi.yaml"

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
WHEN = {"begin": "2026-07-01T00:00:00Z", "end": "2026-08-01T00:00:00Z"}


@pytest.fixture
def api(serve, tmp_path):
    return serve("rating", validation_response="reject", state=str(tmp_path / "state"))


def point(qty=1, price=None, metadata=None, /, **groupby):
    return {
        "vol": {"unit": "GiB", "qty": qty},
        **({} if price is None else {"rating": {"price": price}}),
        "groupby": groupby,
        "metadata": metadata or {},
    }


def frame(number, **usage):
    begin = BEGIN + timedelta(hours=number)
    period = {"begin": begin.isoformat(), "end": (begin + timedelta(hours=1)).isoformat()}
    return {"period": period, "usage": usage}


def push(api, *frames):
    answer = api.post("/v2/dataframes", json={"dataframes": list(frames)})
    assert (answer.status, answer.body) == (204, b"")


@pytest.fixture
def stored(api):
    push(
        api,
        frame(0, cpu=[point(1, "0.1", project_id="a", flavor="s"), point(2, "0.2", project_id="b", flavor="s")]),
        frame(1, cpu=[point(1, 0.1, {"zone": "x"}, project_id="a", flavor="l")], ram=[point("0.5", 3, project_id="a")]),
    )
    return api


def message(answer):
    assert list(answer.json) == ["message"]
    return answer.json["message"]


def test_frames_come_back_as_they_were_pushed(stored):
    answer = stored.get("/v2/dataframes", **WHEN)
    assert answer.json["total"] == 4
    first, second = answer.json["dataframes"]
    assert first["period"] == {"begin": "2026-07-01T00:00:00+00:00", "end": "2026-07-01T01:00:00+00:00"}
    assert first["usage"]["cpu"][0] == point(1, 0.1, flavor="s", project_id="a")
    assert second["usage"]["ram"][0]["vol"] == {"unit": "GiB", "qty": 0.5}
    assert b'"price":0.1}' in answer.body, "no float noise"


def test_frames_are_filtered_and_paged(stored):
    assert stored.get("/v2/dataframes?filters=type:ram", **WHEN).json["total"] == 1
    assert stored.get("/v2/dataframes?filters=project_id:a,flavor:s", **WHEN).json["total"] == 1
    assert stored.get("/v2/dataframes?filters=zone:x", **WHEN).json["total"] == 1
    page = stored.get("/v2/dataframes", limit=1, offset=3, **WHEN).json
    assert (page["total"], list(page["dataframes"][0]["usage"])) == (4, ["ram"])
    nothing = stored.get("/v2/dataframes?filters=type:disk", **WHEN)
    assert (nothing.status, message(nothing)) == (404, "No resource found for provided filters.")


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([], "Parameter dataframes must not be empty."),
        ([{"period": {}, "usage": {}}], "period/begin: is missing"),
        ([frame(0, cpu=[{"vol": {"unit": "u"}, "groupby": {}, "metadata": {}}])], "vol/qty: is missing"),
        ([frame(0, cpu=[point("many")])], "qty"),
        ([frame(0, cpu=[point(1, "1e-40")])], "price"),
        ([frame(0, cpu=[point(True)])], "qty"),
        ([{**frame(0), "more": 1}], "more: is not a known member"),
        ([{"period": {"begin": "yesterday", "end": "today"}, "usage": {}}], "Invalid begin"),
        ([{"period": {"begin": "2026-07-02", "end": "2026-07-01"}, "usage": {}}], "ends after it begins"),
    ],
)
def test_frames_that_are_none_are_refused(api, frames, says):
    answer = api.post("/v2/dataframes", json={"dataframes": frames})
    assert answer.status == 400
    assert says in message(answer)
    assert api.get("/v2/dataframes", **WHEN).status == 404, "nothing of it is kept"


@pytest.mark.parametrize("body", [b"{", b"[1", b"nope", b'{"dataframes": NaN}', b"[" * 10_000])
def test_what_is_no_json_is_refused(api, body):
    answer = api.post("/v2/dataframes", body=body, headers={"content-type": "application/json"})
    assert answer.status == 400
    assert message(answer)


def test_both_forms_of_dates_are_taken(api):
    one = frame(0, cpu=[point(1)])
    one["period"] = {"begin": "20260723T122810Z", "end": "2026-07-23 13:28:10"}
    push(api, one)
    assert api.get("/v2/dataframes", begin="20260723T122810Z", end="2026-07-23T12:28:11+00:00").json["total"] == 1


def test_a_summary_has_one_row_for_each_group(stored):
    table = stored.get("/v2/summary?groupby=type,project_id", **WHEN).json
    assert table == {
        "total": 3,
        "columns": ["begin", "end", "qty", "rate", "type", "project_id"],
        "results": [
            ["2026-07-01T00:00:00+00:00", "2026-08-01T00:00:00+00:00", 2, 0.2, "cpu", "a"],
            ["2026-07-01T00:00:00+00:00", "2026-08-01T00:00:00+00:00", 2, 0.2, "cpu", "b"],
            ["2026-07-01T00:00:00+00:00", "2026-08-01T00:00:00+00:00", 0.5, 3, "ram", "a"],
        ],
        "format": "table",
    }
    rows = stored.get("/v2/summary?groupby=type&response_format=object", **WHEN).json
    assert rows["format"] == "object"
    assert [(row["type"], row["rate"]) for row in rows["results"]] == [("cpu", 0.4), ("ram", 3)]
    by_time = stored.get("/v2/summary?groupby=time&filters=type:cpu", **WHEN).json
    assert [row[:4] for row in by_time["results"]] == [
        ["2026-07-01T00:00:00+00:00", "2026-07-01T01:00:00+00:00", 3, 0.3],
        ["2026-07-01T01:00:00+00:00", "2026-07-01T02:00:00+00:00", 1, 0.1],
    ]


def test_a_summary_is_filtered_and_paged(stored):
    both = stored.get("/v2/summary?filters=type:cpu,type:ram&filters=project_id:a&groupby=type", **WHEN).json
    assert both["total"] == 2
    page = stored.get("/v2/summary?groupby=type&limit=1&offset=1", **WHEN).json
    assert (page["total"], len(page["results"]), page["results"][0][-1]) == (2, 1, "ram")
    assert stored.get("/v2/summary?filters=type:disk", **WHEN).json == {
        "total": 0,
        "columns": [],
        "results": [],
        "format": "table",
    }
    assert stored.get("/v2/summary", begin=WHEN["end"], end=WHEN["begin"]).json["total"] == 0


def test_custom_fields(stored):
    rows = stored.get(
        "/v2/summary", custom_fields="sum(qty) AS hours, mean(price), COUNT(qty) as n", response_format="object", **WHEN
    ).json["results"]
    assert rows[0]["hours"] == 4.5
    assert rows[0]["mean_price"] == 0.85
    assert rows[0]["n"] == 4


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("groupby=time-q", "Invalid groupby time option. There is no groupby processing for [time-q]."),
        ("groupby=a%20b", "no attribute's name"),
        ("groupby=a'%3BDROP", "no attribute's name"),
        ("filters=abc", "filters: must be an object"),
        ("filters=a:b:c", "filters"),
        ("filters=a%22b:c", "no attribute's name"),
        ("response_format=x", 'response_format: must be one of "table", "object"'),
        ("custom_fields=DROP(qty)", "no custom field"),
        ("custom_fields=sum(qty)%20as%20x%3Bdrop", "no custom field"),
        ("begin=soon", "Invalid begin"),
        ("limit=0", "limit: must be at least 1"),
        ("offset=-1", "offset: must be at least 0"),
        ("limit=a", "limit"),
        ("limit=1&limit=2", "limit: is given more than once"),
        ("colour=red", "colour: is not a known parameter"),
    ],
)
def test_questions_that_can_not_be_answered_are_refused(stored, query, says):
    answer = stored.get(f"/v2/summary?{query}")
    assert answer.status == 400
    assert says in message(answer)


def scope(api, name, **more):
    return api.post("/v2/scope", json={"scope_id": name, "last_processed_timestamp": "2026-07-01T00:00:00Z", **more})


def test_scopes_are_made_found_changed_and_set_back(api):
    assert api.get("/v2/scope").status == 404
    made = scope(api, "a")
    assert made.status == 200
    assert made.json["last_processed_timestamp"] == made.json["state"] == "2026-07-01T00:00:00+00:00"
    assert (made.json["scope_key"], made.json["fetcher"], made.json["active"]) == ("project_id", "usage", True)
    again = scope(api, "a")
    assert (again.status, message(again)) == (409, "Cannot create a scope with an already existing scope_id: a.")
    scope(api, "b", active=False, collector="prometheus")
    assert [one["scope_id"] for one in api.get("/v2/scope").json["results"]] == ["a", "b"]
    assert [one["scope_id"] for one in api.get("/v2/scope?active=0").json["results"]] == ["b"]
    assert [one["scope_id"] for one in api.get("/v2/scope?scope_id=a,b&limit=1&offset=1").json["results"]] == ["b"]
    assert api.get("/v2/scope?offset=5").status == 404
    toggled = api.patch("/v2/scope", json={"scope_id": "b", "active": True}).json
    assert toggled["active"] is True
    assert api.patch("/v2/scope", json={"scope_id": "c", "active": True}).status == 404
    for body, status, says in (
        ({"last_processed_timestamp": "2026-06-01"}, 400, "Either all_scopes or a scope_id should be specified."),
        ({"all_scopes": True, "scope_id": ["a"], "state": "2026-06-01"}, 400, "Either all_scopes"),
        ({"all_scopes": True}, 400, "cannot be empty/None"),
        ({"scope_id": "c", "state": "2026-06-01"}, 404, "No resource found"),
    ):
        answer = api.put("/v2/scope", json=body)
        assert (answer.status, says in message(answer)) == (status, True)
    assert api.put("/v2/scope", json={"scope_id": "a,b", "state": "2026-06-01"}).status == 202


def test_modules(api):
    modules = {one["module_id"]: one for one in api.get("/v2/rating/modules").json["modules"]}
    assert modules.keys() == {"hashmap", "noop", "pyscripts"}
    assert modules["hashmap"] == {
        "module_id": "hashmap",
        "description": "HashMap rating module.",
        "enabled": False,
        "hot_config": True,
        "priority": 1,
    }
    assert api.put("/v2/rating/modules/hashmap", json={"enabled": True, "priority": 9}).status == 204
    assert api.get("/v2/rating/modules/hashmap").json["priority"] == 9
    unknown = api.get("/v2/rating/modules/nope")
    assert (unknown.status, message(unknown)) == (404, "Module 'nope' not found")
    assert api.put("/v2/rating/modules/hashmap", json={"enabled": "yes"}).status == 400


def test_reprocesses(api):
    scope(api, "a")
    asked = {
        "scope_ids": "a",
        "start_reprocess_time": "2026-06-01T00:00:00Z",
        "end_reprocess_time": "2026-06-02T00:00:00Z",
        "reason": "because",
    }
    assert api.get("/v2/task/reprocesses").json == {"results": []}
    made = api.post("/v2/task/reprocesses", json=asked)
    assert (made.status, made.json) == (202, {})
    (one,) = api.get("/v2/task/reprocesses/a").json["results"]
    assert one == {
        "scope_id": "a",
        "reason": "because",
        "start_reprocess_time": "2026-06-01T00:00:00",
        "end_reprocess_time": "2026-06-02T00:00:00",
        "current_reprocess_time": "",
    }
    assert api.get("/v2/task/reprocesses?order=ASC&scope_ids=a,b").json["results"] == [one]
    assert api.get("/v2/task/reprocesses?order=up").status == 400
    refused = api.post("/v2/task/reprocesses", json={**asked, "scope_ids": ["nope"]})
    assert (refused.status, "do not exist" in message(refused)) == (400, True)


def test_pushed_usage_is_rated(api):
    core = api.application.targets[0].service.provides["core"]
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    begin = now - timedelta(hours=5)
    api.put("/v2/rating/modules/hashmap", json={"enabled": True})
    service = core.rules.add("service", name="instance")["service_id"]
    from decimal import Decimal

    from apifold_services.rating.core.rules import Draft

    core.rules.add_mapping(Draft(Decimal("0.3"), service_id=service, start=begin, force=True), "")
    scope(api, "a", last_processed_timestamp=begin.isoformat())
    moment = (begin + timedelta(minutes=5)).isoformat()
    used = {"metric": "cpu", "scope_id": "a", "value": 1, "moment": moment, "labels": {"id": "i", "flavor_name": "s"}}
    assert api.post("/v2/usage", json={"usage": [used, {**used, "labels": {"id": "j"}}]}).status == 202
    assert "There is no metric 'gpu'" in message(api.post("/v2/usage", json={"usage": [{**used, "metric": "gpu"}]}))
    core.work(lambda: False)
    summary = api.get("/v2/summary?groupby=type,id", begin=begin.isoformat(), end=now.isoformat()).json
    assert [row[2:] for row in summary["results"]] == [[1, 0.3, "instance", "i"], [1, 0.3, "instance", "j"]]


TOKENS = """
- {token: admin-secret-0123456789, user: root, project: ops, roles: [admin]}
- {token: ada-secret-0123456789, user: ada, project: a, roles: [member]}
- {token: bob-secret-0123456789, user: bob, roles: [member]}
- {token: guest-secret-0123456789, user: guest, project: a, roles: []}
"""


@pytest.fixture
def guarded(serve, tmp_path):
    (tmp_path / "tokens.yaml").write_text(TOKENS)
    return serve("rating", state=str(tmp_path / "state"), auth="tokens", tokens=str(tmp_path / "tokens.yaml"))


def whose(name):
    return {"x-auth-token": f"{name}-secret-0123456789"}


def test_everybody_sees_his_own_project_whatever_he_asks_for(guarded):
    frames = [frame(0, cpu=[point(1, 1, project_id="a"), point(5, 5, project_id="b")])]
    assert guarded.post("/v2/dataframes", json={"dataframes": frames}, headers=whose("admin")).status == 204

    def rate(name, query=""):
        rows = guarded.get(f"/v2/summary?{query}", headers=whose(name), **WHEN).json["results"]
        return rows[0][3] if rows else None

    assert rate("admin") == 6
    assert [
        rate("ada", query)
        for query in ("", "filters=project_id:b", "filters=type:cpu&filters=project_id:a,project_id:b")
    ] == [1, 1, 1]
    assert rate("ada", "groupby=project_id") == 1
    assert rate("bob") is None
    ask = {"headers": whose("ada"), **WHEN}
    assert guarded.get("/v2/dataframes?filters=project_id:b", **ask).json["total"] == 1
    assert guarded.get("/v2/dataframes", headers=whose("bob"), **WHEN).status == 404


def test_each_operation_has_its_rule(guarded):
    for endpoint in guarded.application.running.generation.site.by_name["rating-v2"].endpoints:
        if endpoint.api != "rating-v2":
            continue
        path = endpoint.path.replace("{module_id}", "hashmap").replace("{scope_id}", "a")
        nobody = guarded.request(endpoint.method, path)
        assert nobody.status == 401, endpoint.title
        guest = guarded.request(endpoint.method, path, headers=whose("guest"))
        assert guest.status == 403, endpoint.title
        assert list(guest.json) == ["message"]


def test_its_versions_are_discovered(api):
    versions = api.get("/", headers={"accept": "application/json"}).json["versions"]
    assert (versions[1]["id"], versions[1]["status"], versions[1]["release"]) == ("v2", "EXPERIMENTAL", "2.0-beta.5")
    assert api.get("/v2").json["version"]["id"] == "v2"
    validate(api.get("/v2/openapi.json").json)


def test_with_storage_1_there_is_no_v2(serve, tmp_path):
    api = serve("rating", state=str(tmp_path / "state"), services={"rating": {"storage": 1}})
    assert api.get("/v2/summary").status == 404
    assert api.get("/-/apis").json["left_out"][0]["reasons"] == ["it requires storage >=2, and storage is 1"]


@pytest.mark.parametrize("path", ["/v2/nope", "/v2/summary/", "/v2/rating"])
def test_what_is_not_there_is_told_in_json(api, path):
    answer = api.get(path)
    assert (answer.status, list(answer.json)) == (404, ["message"])
    other = api.delete("/v2/summary")
    assert (other.status, other.headers["allow"]) == (405, "GET, HEAD")
    assert api.post("/v2/scope", body=b"x", headers={"content-type": "text/plain"}).status == 415


def test_another_operation_is_another_version():
    """What clients read at `/` grows with what they may call; record both anew with each change of either."""
    recorded, *operations = Path(__file__).with_name("v2_operations.txt").read_text().splitlines()
    document = yaml.safe_load(DESCRIPTION.read_text())
    methods = ("get", "post", "put", "patch", "delete")
    there = [
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item if method in methods
    ]
    assert (document["info"]["version"], sorted(there)) == (recorded, operations)
    since = [
        Version.parse(item[method]["x-apifold"]["since"])
        for item in document["paths"].values()
        for method in methods
        if "since" in item.get(method, {}).get("x-apifold", {})
    ]
    assert max(since) == Version.parse(recorded)
