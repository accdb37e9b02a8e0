"""The rating service as it is used: a real server process, and CloudKitty's own client in both of its forms."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.servers import until

pytestmark = pytest.mark.process

CLIENTS = Path(__file__).parent.parent.parent / ".clients" / "bin"
NEEDS = pytest.mark.skipif(
    not (CLIENTS / "cloudkitty").exists(), reason="CloudKitty's client is missing: make .clients/.test"
)
SETTINGS = {
    "APIFOLD_RATING_PERIOD": "60",
    "APIFOLD_RATING_WAIT_PERIODS": "0",
    "APIFOLD_RATING_INTERVAL": "0.2",
    "APIFOLD_RATING_PYSCRIPTS": "true",
}


@pytest.fixture
def started(server):
    return server("rating", "--no-access-log", "--workers", "2", environment=SETTINGS)


class Client:
    """One form of the client, for one version of the API."""

    def __init__(self, server, form, version):
        self.line = {
            "cloudkitty": [CLIENTS / "cloudkitty", "--os-rating-api-version", version],
            "openstack": [CLIENTS / "openstack", "--rating-api-version", version],
        }[form]
        self.line += ["--os-auth-type", "none", "--os-endpoint", server.url]
        self.line += ["rating"] if form == "openstack" else []

    def __call__(self, words, *, given=None, fails=False):
        done = subprocess.run(
            [*self.line, *words.split(), *(["-f", "json"] if given is None and not fails else [])],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        )
        if fails:
            return done.stdout + done.stderr
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip().startswith(("[", "{")) else done.stdout

    def quiet(self, words):
        """A command that shows nothing."""
        done = subprocess.run(
            [*self.line, *words.split()],
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)


def now(minutes=0):
    return datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=minutes)


def plain(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


@NEEDS
def test_v1_from_rules_to_a_summary(started):
    v1 = Client(started, "cloudkitty", "1")
    service = v1("hashmap service create instance")[0]["Service ID"]
    field = v1(f"hashmap field create {service} flavor_id")[0]["Field ID"]
    group = v1("hashmap group create base")[0]["Group ID"]
    mapping = v1(f"hashmap mapping create 0.1 -s {service} -g {group}")[0]["Mapping ID"]
    v1(f"hashmap mapping create 2 --field-id {field} --value large -t rate -g {group}")
    threshold = v1(f"hashmap threshold create 10 0.5 -s {service}")[0]["Threshold ID"]
    assert [one["Name"] for one in v1("hashmap service list")] == ["instance"]
    assert v1(f"hashmap service get {service}")[0]["Service ID"] == service
    assert [one["Field ID"] for one in v1(f"hashmap field list {service}")] == [field]
    assert [one["Group ID"] for one in v1("hashmap group list")] == [group]
    assert len(v1(f"hashmap group mappings get {group}")) == 2
    assert v1(f"hashmap group thresholds get {group}") == []
    assert len(v1(f"hashmap mapping list -s {service}")) == 1
    assert float(v1(f"hashmap mapping get {mapping}")[0]["Cost"]) == 0.1
    assert {one["Mapping types"] for one in v1("hashmap mapping-types list")} == {"flat", "rate"}
    v1(f"hashmap threshold update {threshold} --cost 0.25")
    assert float(v1(f"hashmap threshold list -s {service}")[0]["Cost"]) == 0.25
    late = v1(f"hashmap mapping create 3 --field-id {field} --value x --start {plain(now(60))}")[0]["Mapping ID"]
    assert float(v1(f"hashmap mapping update {late} --cost 4")[0]["Cost"]) == 4
    v1.quiet(f"hashmap mapping delete {late}")
    assert "already exists" in v1("hashmap service create instance", fails=True)
    assert v1("module enable hashmap")[0]["Enabled"] is True
    assert v1("module set priority hashmap 7")[0]["Priority"] == 7
    assert {one["Module"] for one in v1("module list")} == {"hashmap", "noop", "pyscripts"}

    begin = now(-5)
    used = [
        {
            "metric": "cpu",
            "scope_id": "p",
            "value": 1,
            "moment": plain(begin),
            "labels": {"id": name, "flavor_id": flavor},
        }
        for name, flavor in (("a", "small"), ("b", "large"))
    ]
    scope = {"scope_id": "p", "last_processed_timestamp": plain(begin)}
    assert started.request("POST", "/v2/scope", scope).status == 200
    assert started.request("POST", "/v2/usage", {"usage": used}).status == 202
    service_start = {"service_id": service, "cost": "1", "start": plain(begin), "name": "past"}
    assert started.request("POST", "/v1/rating/module_config/hashmap/mappings?force=true", service_start).status == 201
    until(lambda: started.get("/v2/scope").json["results"][0]["last_processed_timestamp"] > plain(begin), 20)
    total = v1(f"total get -b {plain(begin)} -e {plain(now(5))}")
    assert float(total[0]["Value"] if isinstance(total, list) else total["Total"]) == 2
    summary = v1(f"summary get -b {plain(begin)} -e {plain(now(5))} -g tenant_id,res_type")
    assert [(one["Tenant ID"], one["Resource Type"], float(one["Rate"])) for one in summary] == [("p", "instance", 2.0)]
    assert v1(f"report tenant list -b {plain(begin)} -e {plain(now(5))}")[0]["Tenant ID"] == "p"
    frames = v1(f"dataframes get -b {plain(begin)} -e {plain(now(5))}")
    assert len(frames) == 1
    assert v1("info config get")
    assert any(one["Metric"] == "instance" for one in v1("info metric list"))
    assert v1("info metric get instance")[0]["Unit"] == "instance"


@NEEDS
def test_v1_scripts_and_collectors(started, tmp_path):
    v1 = Client(started, "cloudkitty", "1")
    (tmp_path / "script.py").write_text("for one in data['usage'].get('cpu', []):\n    one['rating']['price'] += 1\n")
    script = v1(f"pyscript create plus {tmp_path / 'script.py'}")[0]["Script ID"]
    assert [one["Name"] for one in v1("pyscript list")] == ["plus"]
    assert v1(f"pyscript get {script}")[0]["Script ID"] == script
    v1.quiet(f"pyscript delete {script}")
    assert v1("pyscript list") == []
    assert v1("collector enable prometheus")[0]["State"] is True
    assert v1("collector state get prometheus")[0]["State"] is True
    v1("collector disable prometheus")
    v1("collector-mapping create cpu prometheus")
    assert v1("collector-mapping get cpu")[0]["Collector"] == "prometheus"
    assert len(v1("collector-mapping list")) == 1
    v1.quiet("collector-mapping delete cpu")


@NEEDS
@pytest.mark.parametrize("form", ["cloudkitty", "openstack"])
def test_v2_from_pushed_usage_to_a_summary(started, tmp_path, form):
    v2 = Client(started, form, "2")
    frames = {
        "dataframes": [
            {
                "period": {"begin": plain(now(-60)), "end": plain(now(-59))},
                "usage": {
                    "cpu": [
                        {
                            "vol": {"unit": "i", "qty": 2},
                            "rating": {"price": 0.3},
                            "groupby": {"project_id": project},
                            "metadata": {},
                        }
                        for project in ("a", "b")
                    ]
                },
            }
        ]
    }
    (tmp_path / "frames.json").write_text(json.dumps(frames))
    v2.quiet(f"dataframes add {tmp_path / 'frames.json'}")
    when = f"-b {plain(now(-120))} -e {plain(now(60))}"
    summary = v2(f"summary get {when} -g project_id -g type")
    assert [(one["Project id"], one["Type"], float(one["Rate"])) for one in summary] == [
        ("a", "cpu", 0.3),
        ("b", "cpu", 0.3),
    ]
    assert len(v2(f"summary get {when} -g project_id --filter project_id:a")) == 1
    assert len(v2(f"summary get {when} -g project_id --limit 1 --offset 1")) == 1
    assert len(v2(f"dataframes get {when} --filter type:cpu")) == 2
    assert v2("module enable hashmap")[0]["Enabled"] is True
    assert v2("module get hashmap")[0]["Module"] == "hashmap"
    assert v2("module set priority hashmap 3")[0]["Priority"] == 3
    assert {one["Module"] for one in v2("module list")} == {"hashmap", "noop", "pyscripts"}
    last = plain(now(-30))
    assert started.request("POST", "/v2/scope", {"scope_id": "s", "last_processed_timestamp": last}).status == 200
    assert [one["Scope ID"] for one in v2("scope state get")] == ["s"]
    v2("scope patch -id s --active false", fails=True)  # the client ends with 1 although it is done
    assert started.get("/v2/scope?active=0").json["results"][0]["scope_id"] == "s"
    v2("scope patch -id s --active true", fails=True)
    v2.quiet(
        f"tasks reprocessing create --scope-id s --start-reprocess-time {plain(now(-40))} "
        f"--end-reprocess-time {plain(now(-35))} --reason because"
    )
    assert [one["Reason"] for one in v2("tasks reprocessing get")] == ["because"]
    v2.quiet(f"scope state reset {last} --scope-id s")


def test_the_pipeline_survives_kill_9(started):
    """Rating is killed again and again while it works; nothing is missing and nothing is there twice."""
    begin = now(-30)
    started.request("PUT", "/v2/rating/modules/hashmap", {"enabled": True})
    service = started.request("POST", "/v1/rating/module_config/hashmap/services", {"name": "instance"}).json[
        "service_id"
    ]
    mapping = {"service_id": service, "cost": "1", "start": plain(begin)}
    started.request("POST", "/v1/rating/module_config/hashmap/mappings?force=true", mapping)
    used = [
        {
            "metric": "cpu",
            "scope_id": f"s{scope}",
            "value": 1,
            "moment": plain(begin + timedelta(minutes=minute)),
            "labels": {"id": str(scope)},
        }
        for scope in range(5)
        for minute in range(25)
    ]
    assert started.request("POST", "/v2/usage", {"usage": used}).status == 202
    for scope in range(5):
        body = {"scope_id": f"s{scope}", "last_processed_timestamp": plain(begin)}
        assert started.request("POST", "/v2/scope", body).status in (200, 409)
    killed = 0
    end = until(lambda: datetime.now(UTC)) + timedelta(seconds=40)

    def done():
        rows = started.get("/v2/scope?limit=10").json["results"]
        return all((one["last_processed_timestamp"] or "") >= plain(begin + timedelta(minutes=25)) for one in rows)

    while not done() and datetime.now(UTC) < end:
        processes = started.get("/-/apis").json.get("jobs") or []
        if processes and killed < 4:
            with suppress(ProcessLookupError):
                os.kill(processes[0]["pid"], signal.SIGKILL)
                killed += 1
        until(lambda: True)
    until(done, 40)
    assert killed
    when = f"begin={plain(begin)}&end={plain(now(5))}"
    summary = started.get(f"/v2/summary?groupby=project_id&{when}").json
    assert [(row[-1], row[2], row[3]) for row in summary["results"]] == [(f"s{scope}", 25, 25) for scope in range(5)]
