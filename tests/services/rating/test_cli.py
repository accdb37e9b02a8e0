"""`apifold rating`, and API v1 over a storage of its own shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from apifold.cli.main import apifold as command_line
from tests.services.rating.test_v1 import WHEN, usage


def imported(state, text):
    return CliRunner().invoke(command_line, ["rating", "import", "--state", str(state)], input=text)


@pytest.mark.parametrize("storage", [1, 2])
def test_usage_is_imported_and_reported(serve, tmp_path, monkeypatch, storage):
    monkeypatch.setenv("APIFOLD_RATING_STORAGE", str(storage))
    state = tmp_path / "state"
    told = imported(state, json.dumps(usage(a="0.1", b="0.2"), indent=1))
    assert (told.exit_code, told.output) == (0, "1 frames kept\n")
    frame = usage(a=1)["dataframes"][0]
    assert imported(state, "\n".join(json.dumps(frame) for _ in range(250))).output == "250 frames kept\n"
    api = serve("rating", state=str(state), services={"rating": {"storage": storage}})
    assert api.get("/v1/report/total", **WHEN).json == "500.4"
    frames = api.get("/v1/storage/dataframes", resource_type="ram", **WHEN).json["dataframes"]
    assert len(frames) == (251 if storage == 1 else 1)
    assert sum(len(one["resources"]) for one in frames) == 251
    assert (api.get("/v2/summary").status == 404) == (storage == 1)
    ids = [one["id"] for one in api.get("/", headers={"accept": "application/json"}).json["versions"]]
    assert ids == (["v1"] if storage == 1 else ["v1", "v2"])


@pytest.mark.parametrize("storage", [1, 2])
def test_usage_from_a_file_is_rated_like_any(serve, tmp_path, monkeypatch, storage):
    monkeypatch.setenv("APIFOLD_RATING_STORAGE", str(storage))
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=12)
    lines = [
        {"metric": "cpu", "scope_id": "p1", "value": value, "moment": (begin + timedelta(hours=hour)).isoformat()}
        for hour, value in enumerate((2, "0.5", 4))
    ]
    line = ["rating", "push", "--state", str(tmp_path)]
    told = CliRunner().invoke(command_line, line, input="\n".join(map(json.dumps, lines)))
    assert (told.exit_code, told.output) == (0, "3 entries pushed\n")
    again = CliRunner().invoke(command_line, line, input=json.dumps({"usage": [{**lines[0], "metric": "none"}]}))
    assert (again.exit_code, "There is no metric 'none'" in again.output) == (1, True)
    api = serve("rating", state=str(tmp_path), services={"rating": {"storage": storage}})
    service = api.post("/v1/rating/module_config/hashmap/services", json={"name": "instance"}).json
    rule = {"cost": "0.1", "type": "flat", "service_id": service["service_id"]}
    rule["start"] = begin.isoformat()
    assert api.post("/v1/rating/module_config/hashmap/mappings?force=true", json=rule).status == 201
    assert api.put("/v1/rating/modules/hashmap", json={"module_id": "hashmap", "enabled": True}).status == 302
    core = api.application.targets[0].provides["core"]
    names = {"scope_key": "project_id", "fetcher": "usage", "collector": "usage"}
    core.scopes.add("p1", **names, last_processed=begin)
    core.work(lambda: False)
    total = api.get("/v1/report/total", begin=begin.isoformat(), end=(begin + timedelta(hours=9)).isoformat())
    assert total.json == "0.3"


def test_with_the_shape_of_v1_nothing_is_a_row(serve, tmp_path):
    api = serve("rating", state=str(tmp_path), services={"rating": {"storage": 1}})
    assert api.get("/v1/report/total").json == "0"
    (row,) = api.get("/v1/report/summary").json["summary"]
    assert (row["tenant_id"], row["rate"]) == ("ALL", "0")


@pytest.mark.parametrize(
    ("text", "says"), [("{", "entry 1"), ('{"period": {}}', "entry 1: KeyError"), ("[1]", "entry 1")]
)
def test_what_is_no_usage_is_told(tmp_path, text, says):
    told = imported(tmp_path / "state", text)
    assert told.exit_code == 1
    assert says in told.output
    assert "the first 0 frames are kept" in told.output
