"""The benchmark service's API v2: jobs, results, baselines and one's own documents; and v1.0's runs."""

from __future__ import annotations

import asyncio
import re

import pytest
from openapi_spec_validator import validate

from apifold import NotFound, ToBeDone
from apifold.jobs.runner import Runner
from apifold_services.benchmark.errors import check_endpoint_for_error
from tests.servers import until

LOOPS = {
    "description": "Two loops of our own",
    "formula": "weighted arithmetic mean",
    "sections": [
        {"name": "integer", "weight": 2, "metrics": [{"name": "integer", "workloads": [{"name": "dhrystone_lps"}]}]},
        {"name": "floating", "metrics": [{"name": "floating", "workloads": [{"name": "whetstone_MWIPS"}]}]},
    ],
}
QUICK = {"seconds": 0.05}


@pytest.fixture
def api(serve, tmp_path):
    return serve("benchmark", validation_response="reject", state=str(tmp_path / "state"))


@pytest.fixture
def running(api):
    """The API, with a process's part that does its jobs."""
    deployment = api.application.deployment
    runner = Runner(deployment.jobs(), api.application.jobs, deployment.directory())
    runner.start()
    yield api
    runner.stop()


def run(api, **order):
    started = api.post("/v2/jobs", json={**QUICK, **order})
    assert started.status == 202, started.text
    return until(lambda: (job := api.get(started.headers["location"]).json)["state"] in ("done", "failed") and job, 60)


def test_a_plan_of_ones_own_is_run_scored_and_kept(running):
    api = running
    assert api.put("/v2/qpis/loops", json=LOOPS).status == 201
    assert api.put("/v2/plans/mine", json={"QPIs": ["loops.yaml"]}).status == 201
    job = run(api, plan="mine.yaml")
    assert (job["state"], job["kind"], job["name"]) == ("done", "plan", "mine")
    assert [step["status"] for step in job["progress"]["steps"]] == ["done", "done"]
    assert job["progress"]["done"] == job["progress"]["total"] == 2

    result = api.get(f"/v2/results/{job['result']}").json
    assert result["score"] is None, "there is no baseline for it yet"
    assert not result["complete"]
    for one in result["measurements"]:
        assert one["tool"]["name"] == "python"
        assert one["tool"]["version"]
        assert "loops.py" in one["command"]
        assert re.search(r"\d", one["output"])
        assert all(value > 0 for value in one["values"].values())

    made = api.post(f"/v2/results/{job['result']}/calibrate", json={"name": "loops"})
    assert made.status == 201, made.text
    assert api.get(made.headers["location"]).json == made.json
    again = api.get(f"/v2/results/{run(api, plan='mine')['result']}").json
    assert 500 < again["score"] < 8000, "about what a machine gets that is its own baseline"
    assert again["complete"]
    assert again["qpis"][0]["baseline"] == "loops"
    assert api.get("/v2/results/latest").json == again

    compared = api.get(f"/v2/results/{again['id']}/comparison", **{"with": job["result"]}).json
    pair = compared["qpis"][0]["sections"][0]["metrics"][0]["workloads"][0]
    assert pair["ratio"] == pytest.approx(pair["here"] / pair["there"], abs=1e-3)

    report = api.get("/v2/results/latest/report")
    assert [one["id"] for one in report.json["earlier"]] == [job["result"]]
    page = api.get("/v2/results/latest/report", headers={"accept": "text/html,*/*;q=0.1"})
    assert page.headers["content-type"].startswith("text/html")
    assert f'id="score">{again["score"]}<' in page.text
    text = api.get("/v2/results/latest/report", format="text").text
    assert f"plan mine on {again['node']}: {again['score']}" in text

    listed = api.get("/v2/results", name="mine").json["results"]
    assert [one["id"] for one in listed] == [again["id"], job["result"]]
    first = api.get("/v2/results", limit=1)
    assert [one["id"] for one in first.json["results"]] == [again["id"]]
    following = re.search(r"<([^>]+)>; rel=\"next\"", first.headers["link"])[1]
    assert [one["id"] for one in api.get(following.partition("testserver")[2] or following).json["results"]] == [
        job["result"]
    ]
    assert api.get("/v2/results", name="other").json["results"] == []
    assert api.delete(f"/v2/results/{job['result']}").status == 204
    assert api.get(f"/v2/results/{job['result']}").status == 404
    assert api.get(f"/v2/jobs/{job['id']}").json["state"] == "done"


def test_a_single_metric_and_a_single_index_are_run(running):
    metric = run(running, metric="integer")
    result = running.get(f"/v2/results/{metric['result']}").json
    assert [(one["name"], one["sections"][0]["metrics"][0]["tool"]) for one in result["qpis"]] == [
        ("integer", "python/3")
    ]
    assert running.put("/v2/qpis/loops", json=LOOPS).status == 201
    assert run(running, qpi="loops")["state"] == "done"
    assert [job["name"] for job in running.get("/v2/jobs", kind="metric").json["jobs"]] == ["integer"]
    assert {job["kind"] for job in running.get("/v2/jobs", state="done").json["jobs"]} == {"metric", "qpi"}


def test_a_missing_tool_is_skipped_with_a_hint_and_the_rest_is_scored(running, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("apifold_services.benchmark.core.drivers.builtin.find_spec", lambda name: None)
    result = running.get(f"/v2/results/{run(running, plan='compute')['result']}").json
    status = {one["metric"]: one["status"] for one in result["measurements"]}
    assert status == {
        "ssl_rsa": "done",
        "ssl_aes": "skipped",
        "dpi_throughput": "done",
        "floatmem": "done",
        "intmem": "done",
        "integer": "done",
        "floating": "done",
    }
    skipped = next(one for one in result["measurements"] if one["status"] == "skipped")
    assert skipped["hint"] == "apt-get install openssl"
    assert "values" not in skipped
    assert isinstance(result["score"], int), "a bare machine has a score"
    assert not result["complete"]
    page = running.get("/v2/results/latest/report", format="html").text
    assert "apt-get install openssl" in page


def test_a_busy_node_says_so_and_a_run_can_be_cancelled(running):
    running.put("/v2/qpis/loops", json=LOOPS)
    first = running.post("/v2/jobs", json={"qpi": "loops", "seconds": 20})
    assert first.status == 202
    busy = running.post("/v2/jobs", json={"qpi": "loops"})
    assert busy.status == 409
    assert "a run on this node" in busy.json["detail"]
    until(lambda: running.get(first.headers["location"]).json.get("progress"))
    assert running.post(f"{first.headers['location']}/cancel").json["state"] == "cancelled"
    assert running.post(f"{first.headers['location']}/cancel").status == 409
    again = until(lambda: (answer := running.post("/v2/jobs", json={**QUICK, "qpi": "loops"})).status == 202 and answer)
    until(lambda: running.get(again.headers["location"]).json["state"] == "done", 30)
    cancelled = first.headers["location"].rpartition("/")[2]
    assert running.get(f"/v2/results/{cancelled}").status == 404


def test_a_run_has_a_time_limit(running):
    running.put("/v2/qpis/loops", json=LOOPS)
    started = running.post("/v2/jobs", json={"qpi": "loops", "seconds": 20, "max_minutes": 0.01})
    until(lambda: running.get(started.headers["location"]).json["state"] == "expired", 20)


def test_an_idempotent_start_is_one_run(api):
    key = {"idempotency-key": "once"}
    first = api.post("/v2/jobs", json={"metric": "integer"}, headers=key)
    again = api.post("/v2/jobs", json={"metric": "integer"}, headers=key)
    assert (first.status, again.status) == (202, 202)
    assert first.json == again.json
    assert len(api.get("/v2/jobs").json["jobs"]) == 1


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({}, 400),
        ({"plan": "compute", "qpi": "compute"}, 400),
        ({"plan": "nope"}, 404),
        ({"plan": "../service"}, 404),
        ({"qpi": "nope"}, 404),
        ({"metric": "nope"}, 404),
        ({"plan": "sample"}, 400),
        ({"plan": "compute", "baseline": "nope"}, 404),
        ({"plan": "compute", "mode": "harmonic"}, 400),
        ({"plan": "compute", "seconds": 1e9}, 400),
        ({"plan": "compute", "nodes": ["nope"]}, 404),
        ({"plan": "compute", "more": 1}, 400),
    ],
)
def test_what_can_not_be_run_is_refused_and_leaves_nothing(api, order, status):
    assert api.post("/v2/jobs", json=order).status == status
    assert api.get("/v2/jobs").json == {"jobs": []}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("plans", {"QPIs": ["compute"]}),
        ("qpis", LOOPS),
        (
            "baselines",
            {"sections": [{"name": "s", "metrics": [{"name": "m", "workloads": [{"name": "w", "baseline": "1.5k"}]}]}]},
        ),
    ],
)
def test_ones_own_documents_are_made_changed_and_removed_with_etags(api, kind, content):
    at = f"/v2/{kind}/mine"
    made = api.put(at, json=content, headers={"if-none-match": "*"})
    assert made.status == 201
    assert made.json["name"] == "mine"
    assert api.put(at, json=content, headers={"if-none-match": "*"}).status == 412
    read = api.get(f"{at}.yaml")
    assert (read.json, read.headers["etag"]) == (made.json, made.headers["etag"])
    assert api.get(at, headers={"if-none-match": read.headers["etag"]}).status == 304
    changed = api.put(at, json={**content, "description": "new"}, headers={"if-match": read.headers["etag"]})
    assert changed.status == 200
    assert api.put(at, json=content, headers={"if-match": read.headers["etag"]}).status == 412
    assert {"name": "mine", "description": "new", "shipped": False} in api.get(f"/v2/{kind}").json["items"]
    assert api.delete(at, headers={"if-match": read.headers["etag"]}).status == 412
    assert api.delete(at, headers={"if-match": changed.headers["etag"]}).status == 204
    assert api.get(at).status == 404
    assert api.delete(at).status == 404


def test_a_shipped_document_can_not_be_changed(api):
    for kind, content in (("plans", {"QPIs": ["compute"]}), ("qpis", LOOPS), ("baselines", {"sections": []})):
        assert api.put(f"/v2/{kind}/compute", json=content).status == 409
        assert api.delete(f"/v2/{kind}/compute").status == 409


def test_ones_own_plan_is_seen_in_both_versions(api):
    api.put("/v2/plans/mine", json={"QPIs": ["compute"]})
    assert "mine.yaml" in api.get("/v1.0/plans").json["plans"]
    assert api.get("/v1.0/plans/mine.yaml").json == {"name": "mine", "QPIs": ["compute"]}


@pytest.mark.parametrize(
    ("kind", "content", "pointer"),
    [
        ("plans", {"QPIs": ["compute", "nope"]}, "/QPIs/1"),
        ("plans", {"QPIs": "compute"}, "/QPIs"),
        ("qpis", {"sections": []}, "/sections"),
        ("qpis", {"sections": [{"name": "a"}]}, "/sections/0"),
        ("qpis", {"sections": [{"name": "a", "regex": "x"}]}, "/metrics"),
        ("qpis", {"metrics": ["fio"], "sections": [{"name": "a", "regex": "("}]}, "/sections/0/regex"),
        ("qpis", {"metrics": ["fio"], "sections": [{"name": "a", "regex": "(?=a)a"}]}, "/sections/0/regex"),
        ("qpis", {**LOOPS, "formula": "harmonic mean"}, "/formula"),
        (
            "baselines",
            {"sections": [{"name": "s", "metrics": [{"name": "m", "workloads": [{"name": "w", "baseline": 0}]}]}]},
            "/sections/0/metrics/0/workloads/0/baseline",
        ),
    ],
)
def test_documents_that_could_not_be_used_are_refused(api, kind, content, pointer):
    answer = api.put(f"/v2/{kind}/mine", json=content)
    assert answer.status == 400, answer.text
    assert pointer in [error["pointer"] for error in answer.json["errors"]]


def test_a_nodes_token_is_never_told(api):
    node = {"url": "http://127.0.0.1:1/v2/", "token": "very-secret"}
    made = api.put("/v2/nodes/n1", json=node)
    assert (made.status, made.json) == (201, {"name": "n1", "url": "http://127.0.0.1:1/v2"})
    assert "secret" not in api.get("/v2/nodes/n1").text
    assert api.get("/v2/nodes").json == {"nodes": ["n1"]}
    assert api.put("/v2/nodes/n1", json=node).status == 200
    assert api.delete("/v2/nodes/n1").status == 204
    assert api.get("/v2/nodes/n1").status == 404
    for url in (
        "file:///etc/passwd",
        "http://",
        "http://[::::]/v2",
        "http://h:99999/v2",
        "http://u:p@h/v2",
        "http://h/?x",
    ):
        assert api.put("/v2/nodes/n1", json={"url": url}).status == 400, url


def test_a_pod_with_a_node_that_is_away_says_so(running, monkeypatch):
    monkeypatch.setattr("apifold_services.benchmark.core.pods.POLL_SECONDS", 0.01)
    running.put("/v2/nodes/away", json={"url": "http://127.0.0.1:9/v2", "token": "very-secret"})
    job = run(running, plan="compute", nodes=["away"])
    result = running.get(f"/v2/results/{job['result']}").json
    assert result["score"] is None
    assert "can't be reached" in result["nodes"][0]["error"]
    assert "secret" not in running.get(f"/v2/jobs/{job['id']}").text + str(result)
    assert "reached: ConnectError" in running.get(f"/v2/results/{job['result']}/report", format="html").text


@pytest.mark.postgres
def test_it_runs_on_postgresql(serve, tmp_path, postgresql_url):
    api = serve("benchmark", validation_response="reject", state=str(tmp_path / "state"), database=postgresql_url)
    runner = Runner(api.application.deployment.jobs(), api.application.jobs, tmp_path / "state")
    runner.start()
    try:
        api.put("/v2/qpis/pg-loops", json=LOOPS)
        job = run(api, qpi="pg-loops")
    finally:
        runner.stop()
    assert api.get("/v2/results", name="pg-loops").json["results"][0]["id"] == job["id"]
    assert not (tmp_path / "state" / "jobs.db").exists()


def test_its_tools_are_listed(api):
    tools = {tool["name"]: tool for tool in api.get("/v2/tools").json["tools"]}
    assert tools["python"]["here"]
    assert all(tool["here"] or "install" in tool["hint"] for tool in tools.values())


def test_a_run_is_waited_for_in_v1_unless_one_does_not_want_to(running):
    running.put("/v2/qpis/loops", json=LOOPS)
    running.put("/v2/plans/mine", json={"QPIs": ["loops"]})
    at_once = running.post("/v1.0/plans/mine?action=run", headers={"prefer": "respond-async"})
    assert at_once.status == 202
    assert running.post("/v1.0/plans/mine?action=run").status == 409
    assert running.get(at_once.headers["location"]).json["id"] == at_once.json["job_id"]
    until(lambda: running.get(at_once.headers["location"]).json["state"] == "done", 30)
    waited = running.post("/v1.0/plans/mine.yaml?action=run")
    assert waited.status == 200
    assert waited.json["plan_name"] == "mine"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-\d\d-\d\d", waited.json["start_time"])
    assert waited.json["sut"][0]["qpis"][0]["sections"][0]["metrics"][0]["workloads"][0]["result"] > 0
    assert running.get(f"/v2/results/{waited.json['result_id']}").status == 200


def test_beside_other_services_a_run_is_found_where_it_is_told(serve, tmp_path):
    api = serve("benchmark", "library", state=str(tmp_path / "state"))
    started = api.post("/benchmark/v1.0/plans/compute?action=run", headers={"prefer": "respond-async"})
    assert started.status == 202
    assert api.get(started.headers["location"]).json["id"] == started.json["job_id"]


def test_the_description_is_sound(api):
    validate(api.get("/v2/openapi.json").json)


def test_nothing_is_there_at_first(api):
    assert api.get("/v2/results").json == {"results": []}
    for path in ("/v2/results/latest", "/v2/results/latest/report", "/v2/jobs/nope", "/v2/results/x/comparison?with=y"):
        assert api.get(path).status == 404


def test_reading_is_open_and_running_is_not(serve, tmp_path):
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text("- {token: reader, user: r, roles: [reader]}\n- {token: member, user: m, roles: [member]}\n")
    api = serve("benchmark", auth="tokens", tokens=str(tokens), state=str(tmp_path / "state"))
    for path in ("/v1.0/plans", "/v2/plans/compute", "/v2/jobs", "/v2/results", "/v2/tools"):
        assert api.get(path).status == 200
    for method, path in (
        ("POST", "/v1.0/plans/compute?action=run"),
        ("POST", "/v2/jobs"),
        ("PUT", "/v2/plans/mine"),
        ("DELETE", "/v2/results/x"),
        ("PUT", "/v2/nodes/x"),
    ):
        body = {"json": {"metric": "integer"}} if method != "DELETE" else {}
        assert api.request(method, path, **body).status == 401
        assert api.request(method, path, **body, headers={"x-auth-token": "reader"}).status == 403
    started = api.post("/v2/jobs", json={"metric": "integer"}, headers={"x-auth-token": "member"})
    assert started.status == 202
    node = api.put("/v2/nodes/x", json={"url": "http://h/v2"}, headers={"x-auth-token": "member"})
    assert node.status == 403, "whom the server calls, an administrator decides"


def test_reading_can_be_closed_by_a_policy_file(serve, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text('"benchmark:read": "role:reader"\n')
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text("- {token: reader, user: r, roles: [reader]}\n")
    api = serve("benchmark", auth="tokens", tokens=str(tokens), policy=str(policy))
    assert api.get("/v1.0/plans").status == 403
    assert api.get("/v1.0/plans", headers={"x-auth-token": "reader"}).status == 200


class TestControllersInQtipsStyle:
    def test_faults_are_told_in_its_words(self):
        @check_endpoint_for_error(resource="dummy", operation="get")
        def get_dummy(name, more=1):
            raise {"gone": NotFound("no"), "todo": ToBeDone("later")}.get(name) or ValueError(name)

        with pytest.raises(NotFound) as missing:
            get_dummy("gone")
        assert (missing.value.title, missing.value.detail) == ("Dummy not found", "Requested dummy `gone` not found.")
        with pytest.raises(ToBeDone) as later:
            get_dummy(name="todo", more=2)
        assert later.value.title == "Get handler not implemented"
        assert later.value.detail == "Requested operation `get` on dummy not implemented."
        with pytest.raises(ValueError, match="other"):
            get_dummy("other")

    def test_coroutines_and_any_arguments_are_taken(self):
        @check_endpoint_for_error("QPI")
        async def list_qpis(*names, **options):
            if names:
                raise NotFound
            return "all"

        assert asyncio.run(list_qpis()) == "all"
        with pytest.raises(NotFound, match="Requested qpi"):
            asyncio.run(list_qpis("a"))
