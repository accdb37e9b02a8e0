"""`apifold rating`, and API v1 over a storage of its own shape."""

from __future__ import annotations

import json

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
