"""The rating service's API v1 over HTTP: as CloudKitty's clients of old know it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from openapi_spec_validator import validate

H = "/v1/rating/module_config/hashmap"
S = "/v1/rating/module_config/pyscripts/scripts"
UNKNOWN = "aaaaaaaa-1111-4222-8333-bbbbbbbbbbbb"


@pytest.fixture
def api(serve, tmp_path):
    return serve(
        "rating",
        validation_response="reject",
        state=str(tmp_path / "state"),
        services={"rating": {"pyscripts": True}},
    )


def fault(answer):
    assert answer.json.keys() == {"faultcode", "faultstring", "debuginfo"}, answer.text
    assert answer.json["faultcode"] == ("Client" if answer.status < 500 else "Server")
    return answer.json["faultstring"]


def later(**delta):
    return (datetime.now(UTC) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%S")


def made(api, path, **body):
    answer = api.post(path, json=body)
    assert answer.status == 201, answer.text
    return answer.json


@pytest.fixture
def service(api):
    return made(api, f"{H}/services/", name="cpu")["service_id"]


@pytest.fixture
def field(api, service):
    return made(api, f"{H}/fields/", name="flavor", service_id=service)["field_id"]


@pytest.mark.parametrize("path", ["modules", "modules/"])
@pytest.mark.parametrize("beginning", ["/v1/rating", "/v1/billing"])
def test_paths_have_many_spellings(api, beginning, path):
    answer = api.get(f"{beginning}/{path}")
    assert answer.status == 200
    assert [one["module_id"] for one in answer.json["modules"]] == ["hashmap", "noop", "pyscripts"]
    assert answer.json["modules"][0]["hot-config"] is True


def test_what_is_said_in_the_path_may_be_said_again(api):
    assert api.get("/v1/rating/modules/hashmap?module_id=hashmap").status == 200
    assert fault(api.get("/v1/rating/modules?module_id=hashmap")) == 'Unknown argument: "module_id"'


@pytest.mark.parametrize("path", ["/v1/nope", "/v1/rating", H, f"{H}/nope", "/v1/rating/module_config/nope"])
def test_unknown_paths_are_not_allowed(api, path):
    answer = api.get(path)
    assert (answer.status, answer.json) == (405, {"code": 405, "title": "Method Not Allowed", "description": ""})
    assert api.post("/v1/rating/modules", json={}).status == 405


def test_updates_are_answered_by_a_redirect_to_themselves(api):
    for path in ("/v1/rating/modules/hashmap", "/v1/rating/modules/", "/v1/rating/modules"):
        for _ in range(3):
            answer = api.put(path, json={"module_id": "hashmap", "enabled": True, "priority": 4})
            assert (answer.status, answer.body) == (302, b"")
            assert answer.headers["location"] == f"http://testserver{path}"
    assert api.get("/v1/rating/modules/hashmap").json["priority"] == 4
    assert fault(api.put("/v1/rating/modules/nope", json={"module_id": "nope"})) == "Module not found."
    missing = api.put("/v1/rating/modules/hashmap", json={"enabled": True})
    assert fault(missing) == "Invalid input for field/attribute module_id. Value: 'None'. Mandatory field missing."


def test_a_module_without_configuration(api):
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = api.request(method, "/v1/rating/module_config/noop", json={})
        assert (answer.status, fault(answer)) == (409, "Module is not configurable")
    assert api.get("/v1/rating/reload_modules").status == 204


def test_services_and_groups(api):
    for name, key in (("services", "service_id"), ("groups", "group_id")):
        one = name.removesuffix("s")
        answer = api.post(f"{H}/{name}", json={"name": "x"})
        assert answer.headers["location"] == f"http://testserver{H}/{name}/{answer.json[key]}"
        assert list(answer.json) == [key, "name"]
        again = api.post(f"{H}/{name}", json={"name": "x"})
        assert (again.status, fault(again)) == (409, f"{one.capitalize()} x already exists (UUID: {answer.json[key]})")
        assert api.get(f"{H}/{name}").json == {name: [answer.json]}
        assert api.get(f"{H}/{name}/{answer.json[key]}/").json == answer.json
        unknown = api.get(f"{H}/{name}/{UNKNOWN}")
        assert (unknown.status, fault(unknown)) == (404, f"No such {one}: None (UUID: {UNKNOWN})")
        assert (
            fault(api.post(f"{H}/{name}", json={"name": "x", "y": 1}))
            == f"Unknown attribute for argument {one}_data: y"
        )
        assert fault(api.delete(f"{H}/{name}")) == f'Missing argument: "{key}"'
        assert api.delete(f"{H}/{name}/", json={key: answer.json[key]}).status == 204
        assert api.delete(f"{H}/{name}/{answer.json[key]}").status == 404
    assert sorted(api.get(f"{H}/types").json) == ["flat", "rate"]


def test_fields(api, service, field):
    assert fault(api.get(f"{H}/fields")) == 'Missing argument: "service_id"'
    assert [one["field_id"] for one in api.get(f"{H}/fields/", service_id=service).json["fields"]] == [field]
    assert api.get(f"{H}/fields/", service_id=UNKNOWN).json == {"fields": []}
    assert fault(api.get(f"{H}/fields/{UNKNOWN}")) == f"No such field: {UNKNOWN}"
    assert api.delete(f"{H}/fields", field_id=field).status == 204


def test_a_mapping_is_shown_as_of_old(api, service):
    mapping = made(api, f"{H}/mappings/", service_id=service, cost="0.5")
    assert list(mapping) == [
        "mapping_id", "value", "type", "cost", "service_id", "field_id", "group_id", "tenant_id", "created_at", "start",
        "end", "name", "description", "deleted", "created_by", "updated_by", "deleted_by",
    ]  # fmt: skip
    assert (mapping["cost"], mapping["type"], mapping["value"]) == ("0.5000000000000000000000000000", "flat", "")
    assert len(mapping["name"]) == 32
    twin = api.post(f"{H}/mappings", json={"service_id": service, "cost": 9})
    assert fault(twin) == f"Mapping '' already exists for service '{service}', tenant: 'None'"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"cost": "1"}, "You must specify one parent."),
        ({"service_id": "SERVICE", "field_id": "FIELD", "cost": "1"}, "You can only specify one parent."),
        ({"service_id": "SERVICE", "value": "v", "cost": "1"}, "You can't specify a value and a service_id."),
        ({"field_id": "FIELD", "cost": "1"}, "You must specify a value for a field mapping."),
        ({"service_id": UNKNOWN, "cost": "1"}, f"No such service: None (UUID: {UNKNOWN})"),
        ({"service_id": "SERVICE"}, "Invalid input for field/attribute cost. Value: 'None'. Mandatory field missing."),
        ({"service_id": "SERVICE", "cost": "abc"}, "Invalid input for field/attribute cost. Value: 'abc'."),
        ({"service_id": "SERVICE", "cost": "NaN"}, "Invalid input for field/attribute cost. Value: 'NaN'."),
        ({"service_id": "SERVICE", "cost": "1", "type": "x"}, "Invalid input for field/attribute type."),
        ({"service_id": "SERVICE", "cost": "1", "start": "2020-01-01"}, "Cannot create a rule with start in the past."),
        ({"service_id": "SERVICE", "cost": "1", "end": "2020-01-01"}, "Cannot create a rule with start after end."),
        ({"service_id": "SERVICE", "cost": "1", "start": "soon"}, "Invalid start"),
    ],
)
def test_mappings_that_make_no_sense(api, service, field, body, says):
    filled = {name: {"SERVICE": service, "FIELD": field}.get(value, value) for name, value in body.items()}
    answer = api.post(f"{H}/mappings", json=filled)
    assert answer.status == 400
    assert fault(answer).startswith(says)


def test_mappings_are_found_by_what_they_are(api, service, field):
    group = made(api, f"{H}/groups", name="g")["group_id"]
    one = made(api, f"{H}/mappings", service_id=service, cost="1", group_id=group, description="the first")
    two = made(
        api, f"{H}/mappings", field_id=field, value="x", cost="2", type="rate", tenant_id="t", start=later(days=2)
    )

    def found(**query):
        return [row["mapping_id"] for row in api.get(f"{H}/mappings/", **query).json["mappings"]]

    ids = [one["mapping_id"], two["mapping_id"]]
    assert found() == ids
    for query, which in (
        ({"service_id": service}, 0),
        ({"field_id": field}, 1),
        ({"group_id": group}, 0),
        ({"no_group": "true"}, 1),
        ({"filter_tenant": "true"}, 0),
        ({"filter_tenant": "true", "tenant_id": "t"}, 1),
        ({"is_active": "true"}, 0),
        ({"start": later(days=1)}, 1),
        ({"description": "first"}, 0),
        ({"description": "fir%st"}, None),
        ({"end": later(days=9)}, None),
    ):
        assert found(**query) == ([] if which is None else [ids[which]]), query
    assert [row["mapping_id"] for row in api.get(f"{H}/groups/{group}/mappings").json["mappings"]] == [ids[0]]
    assert [row["mapping_id"] for row in api.get(f"{H}/groups/mappings/", group_id=group).json["mappings"]] == [ids[0]]
    assert api.get(f"{H}/mappings/{ids[0]}/group").json["name"] == "g"
    assert fault(api.get(f"{H}/mappings/group", mapping_id=ids[1])) == f"Mapping has no group (UUID: {ids[1]})"
    assert api.delete(f"{H}/mappings", json={"mapping_id": ids[1]}).status == 204
    assert found() == ids[:1]
    assert found(deleted="true") == ids
    assert api.get(f"{H}/mappings/{ids[1]}").json["deleted_by"] == "developer", "it is still there"
    assert api.delete(f"{H}/mappings/{ids[1]}").status == 404


def test_a_mapping_in_force_may_only_be_ended(api, service):
    running = made(api, f"{H}/mappings", service_id=service, cost="1")["mapping_id"]
    refused = api.put(f"{H}/mappings/", json={"mapping_id": running, "cost": "2"})
    assert fault(refused).startswith("You are allowed to update only the attribute [end]")
    for _ in range(3):
        assert (
            api.put(f"{H}/mappings/", json={"mapping_id": running, "cost": "1.0", "end": later(days=3)[:10]}).status
            == 302
        )
    assert api.get(f"{H}/mappings/{running}").json["end"].endswith("T23:59:59")
    forced = api.post(
        f"{H}/mappings?force=true", json={"service_id": service, "cost": "1", "tenant_id": "t", "start": "2020-01-01"}
    )
    assert forced.status == 201


def test_thresholds(api, service):
    first = made(api, f"{H}/thresholds/", service_id=service, level="2", cost="0.5")
    assert (first["level"], first["cost"][:4]) == ("2.00000000", "0.50")
    assert fault(api.get(f"{H}/thresholds")).startswith("You must specify")
    assert len(api.get(f"{H}/thresholds", service_id=service).json["thresholds"]) == 1
    twin = api.post(f"{H}/thresholds", json={"service_id": service, "level": "2.0", "cost": "9"})
    assert (twin.status, "already exists for service" in fault(twin)) == (409, True)
    body = {"threshold_id": first["threshold_id"], "level": 3, "cost": 1}
    assert api.put(f"{H}/thresholds/", json=body).status == 302
    assert api.get(f"{H}/thresholds/{first['threshold_id']}").json["level"] == "3.00000000"
    assert api.put(f"{H}/thresholds/", json={**body, "group_id": UNKNOWN}).status == 400
    assert api.delete(f"{H}/thresholds/{first['threshold_id']}").status == 204


def test_quotes(api, service, field):
    def quoted(*resources):
        answer = api.post("/v1/rating/quote/", json={"resources": list(resources)})
        assert answer.status == 200, answer.text
        return float(answer.json)

    made(api, f"{H}/mappings", service_id=service, cost="1.5")
    made(api, f"{H}/mappings", field_id=field, value="m1", cost="2", type="rate")
    made(api, f"{H}/mappings", service_id=service, cost="99", tenant_id="t")
    resource = {"service": "cpu", "desc": {"metadata": {"flavor": "m1"}}, "volume": "2"}
    assert quoted(resource) == 0, "the module is off"
    api.put("/v1/rating/modules/hashmap", json={"module_id": "hashmap", "enabled": True})
    assert quoted(resource) == 6
    assert quoted(resource, {"service": "cpu", "desc": {}, "volume": 1}, {"service": "nope", "volume": 1}) == 7.5


def test_scripts(api):
    script = made(api, S, name="one", data="a = 1\n")
    assert script["checksum"].startswith("c5a9ed00e6547392")
    twin = api.post(S, json={"name": "one", "data": "b"})
    assert (twin.status, fault(twin)) == (409, f"Script one already exists (UUID: {script['script_id']})")
    assert fault(api.post(S, json={"name": "two", "data": "def ("})).startswith("This is no Python")
    refused = api.put(f"{S}/{script['script_id']}", json={"name": "one", "data": "a = 2\n"})
    assert fault(refused).startswith("You are allowed to update only")
    future = made(api, S, name="late", data="a = 1\n", start=later(days=1))
    changed = api.put(f"{S}/", json={"script_id": future["script_id"], "name": "late", "data": "a = 3\n"})
    assert (changed.status, changed.json["data"]) == (201, "a = 3\n")
    assert changed.headers["location"] == f"http://testserver{S}/{future['script_id']}"
    assert [row["data"] for row in api.get(f"{S}?no_data=true").json["scripts"]] == [None, None]
    assert [row["name"] for row in api.get(f"{S}?is_active=true").json["scripts"]] == ["one"]
    assert api.delete(f"{S}/", json={"script_id": script["script_id"]}).status == 204
    assert fault(api.get(f"{S}/{script['script_id']}")).startswith("No such script: None (UUID:")
    assert api.get("/v1/rating/module_config/pyscripts/script").status == 405


def test_information(api):
    metrics = api.get("/v1/info/metrics/").json["metrics"]
    assert metrics == api.get("/v1/info/services").json["metrics"]
    assert {"metric_id": "instance", "metadata": ["name", "flavor_name", "vcpus"], "unit": "instance"} in metrics
    assert api.get("/v1/info/metrics/instance").json["unit"] == "instance"
    unknown = api.get("/v1/info/metrics/nope")
    assert (unknown.status, fault(unknown)) == (404, "nope")
    assert api.get("/v1/info/config").json["metrics"]["cpu"]["alt_name"] == "instance"


def test_collectors(api):
    assert api.get("/v1/collector/gnocchi/states").json == {"name": "gnocchi", "enabled": False}
    on = {"name": "gnocchi", "enabled": True}
    assert api.put("/v1/collector/states/gnocchi", json=on).json == on
    assert api.get("/v1/collector/states?name=gnocchi").json == on
    assert api.post("/v1/collector/mappings/prometheus/cpu").json == {"service": "cpu", "collector": "prometheus"}
    assert api.post("/v1/collector/mappings/", json={"service": "ram", "collector": "gnocchi"}).status == 200
    assert [one["service"] for one in api.get("/v1/collector/mappings?collector=gnocchi").json["mappings"]] == ["ram"]
    assert fault(api.get("/v1/collector/mappings/disk")) == "No mapping for service: disk"
    assert api.delete("/v1/collector/mappings", service="cpu").status == 204
    assert fault(api.post("/v1/collector/mappings", json={"collector": "x"})) == 'Missing argument: "service"'


def usage(**prices):
    period = {"begin": "2026-07-01T10:00:00Z", "end": "2026-07-01T11:00:00Z"}
    points = [
        {
            "vol": {"unit": "i", "qty": 1},
            "rating": {"price": price},
            "groupby": {"project_id": project},
            "metadata": {"m": "x"},
        }
        for project, price in prices.items()
    ]
    return {"dataframes": [{"period": period, "usage": {"cpu": points, "ram": points[:1]}}]}


WHEN = {"begin": "2026-07-01 00:00:00", "end": "2026-08-01T00:00:00"}


def test_what_v2_keeps_v1_reports(api):
    assert api.get("/v1/report/total").json == "0"
    assert api.get("/v1/report/summary").json == {"summary": []}
    assert api.get("/v1/storage/dataframes").json == {"dataframes": []}
    assert api.post("/v2/dataframes", json=usage(a="0.1", b="0.2")).status == 204
    assert api.get("/v1/report/total", **WHEN).json == "0.4"
    assert api.get("/v1/report/total", tenant_id="a", service="cpu", **WHEN).json == "0.1"
    assert api.get("/v1/report/tenants", **WHEN).json == ["a", "b"]
    whole = {
        "begin": "2026-07-01T00:00:00",
        "end": "2026-08-01T00:00:00",
        "tenant_id": "ALL",
        "res_type": "ALL",
        "rate": "0.4",
    }
    assert api.get("/v1/report/summary", **WHEN).json == {"summary": [whole]}
    rows = api.get("/v1/report/summary", groupby="tenant_id,res_type", **WHEN).json["summary"]
    assert [(row["tenant_id"], row["res_type"], row["rate"]) for row in rows] == [
        ("a", "cpu", "0.1"),
        ("a", "ram", "0.1"),
        ("b", "cpu", "0.2"),
    ]
    assert api.get("/v1/report/summary?groupby=tenant_id&groupby=res_type", **WHEN).json["summary"] == rows
    frames = api.get("/v1/storage/dataframes", resource_type="cpu", **WHEN).json["dataframes"]
    assert [(frame["begin"], frame["tenant_id"], len(frame["resources"])) for frame in frames] == [
        ("2026-07-01T10:00:00", "a", 2)
    ]
    assert frames[0]["resources"][0] == {
        "service": "cpu",
        "desc": {"m": "x", "project_id": "a"},
        "volume": "1",
        "rating": "0.1",
    }
    assert fault(api.get("/v1/report/total?begin=zz")).startswith("Invalid begin")
    assert fault(api.get("/v1/report/total?zz=1")) == 'Unknown argument: "zz"'


TOKENS = """
- {token: admin-secret-0123456789, user: root, project: ops, roles: [admin]}
- {token: ada-secret-0123456789, user: ada, project: a, roles: [member]}
- {token: bob-secret-0123456789, user: bob, roles: [member]}
"""


def test_everybody_sees_his_own_project_whatever_he_asks_for(serve, tmp_path):
    (tmp_path / "tokens.yaml").write_text(TOKENS)
    api = serve("rating", state=str(tmp_path / "state"), auth="tokens", tokens=str(tmp_path / "tokens.yaml"))

    def whose(name):
        return {"headers": {"x-auth-token": f"{name}-secret-0123456789"}}

    assert api.post("/v2/dataframes", json=usage(a=1, b=5), **whose("admin")).status == 204
    for query in ({}, {"tenant_id": "b"}, {"all_tenants": "true"}):
        assert api.get("/v1/report/total", **query, **WHEN, **whose("ada")).json == "2"
        assert [
            row["rate"] for row in api.get("/v1/report/summary", **query, **WHEN, **whose("ada")).json["summary"]
        ] == ["2.0"]
        frames = api.get(
            "/v1/storage/dataframes", **{k: v for k, v in query.items() if k == "tenant_id"}, **WHEN, **whose("ada")
        )
        assert {one["desc"]["project_id"] for frame in frames.json["dataframes"] for one in frame["resources"]} == {"a"}
    assert api.get("/v1/report/total", **WHEN, **whose("bob")).json == "0"
    assert api.get("/v1/report/total", **WHEN, **whose("admin")).json == "7"
    assert api.get("/v1/report/tenants", **whose("ada")).status == 403
    for endpoint in api.application.running.generation.site.by_name["rating-v1"].endpoints:
        if endpoint.api == "rating-v1":
            assert api.request(endpoint.method, endpoint.path).status == 401, endpoint.title


def test_both_apis_are_discovered_and_described(api):
    versions = api.get("/", headers={"accept": "application/json"}).json["versions"]
    assert [(one["id"], one["status"]) for one in versions] == [("v1", "CURRENT"), ("v2", "EXPERIMENTAL")]
    validate(api.get("/v1/openapi.json").json)
    validate(api.get("/v2/openapi.json").json)
    state = {one["name"]: one for one in api.get("/-/apis").json["apis"]}["rating-v1"]
    named = state["without_successor"]
    assert not [one for one in named if "hashmap/" in one and "types" not in one], "each rule of v1 has one in v2"
    assert "GET /v1/report/summary" not in named


def test_the_same_rules_are_seen_through_both(api, service):
    v2 = "/v2/rating/hashmap"
    assert api.get(f"{v2}/services").json == {"total": 1, "services": [{"service_id": service, "name": "cpu"}]}
    field = api.post(f"{v2}/fields", json={"name": "flavor", "service_id": service})
    assert field.status == 201
    body = {"field_id": field.json["field_id"], "value": "m1", "cost": "0.10", "scope_id": "t", "start": later(days=1)}
    mapping = api.post(f"{v2}/mappings", json=body)
    assert mapping.status == 201
    assert (mapping.json["cost"], mapping.json["scope_id"]) == (0.1, "t")
    one = mapping.json["mapping_id"]
    assert api.get(f"{H}/mappings/{one}").json["tenant_id"] == "t"
    changed = api.put(f"{v2}/mappings/{one}", json={"cost": 2, "type": "rate"})
    assert (changed.status, changed.json["cost"], changed.json["type"]) == (200, 2, "rate")
    assert api.get(f"{v2}/mappings?scope_id=t&limit=1").json["total"] == 1
    assert api.get(f"{v2}/mappings?active=true").json["total"] == 0
    threshold = api.post(f"{v2}/thresholds", json={"service_id": service, "level": 2, "cost": 3}).json
    assert api.put(f"{v2}/thresholds/{threshold['threshold_id']}", json={"level": 5, "cost": 3}).json["level"] == 5
    assert api.get(f"{H}/thresholds", service_id=service).json["thresholds"][0]["level"] == "5.00000000"
    group = api.post(f"{v2}/groups", json={"name": "g"}).json["group_id"]
    for path in (
        f"mappings/{one}",
        f"thresholds/{threshold['threshold_id']}",
        f"groups/{group}",
        f"services/{service}",
    ):
        assert api.delete(f"{v2}/{path}").status == 204
        if not path.startswith("mappings"):
            assert api.get(f"{v2}/{path}").status == 404
    assert api.get(f"{v2}/fields").json["total"] == 0
    twice = [api.post(f"{v2}/groups", json={"name": "twin"}).status for _ in range(2)]
    assert twice == [201, 409]
