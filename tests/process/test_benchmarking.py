"""The benchmark service as it is used: real processes, its command line, its page, and what survives a kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import APIFOLD, until

pytestmark = pytest.mark.process

QPI = {
    "sections": [
        {"name": name, "metrics": [{"name": name, "workloads": [{"name": workload}]}]}
        for name, workload in (("integer", "dhrystone_lps"), ("floating", "whetstone_MWIPS"))
    ]
}


@pytest.fixture
def started(server):
    return server("benchmark", "--no-access-log", "--workers", "2")


def job_process(server) -> int:
    return until(lambda: server.get("/-/apis").json["jobs"])[0]["pid"]


def start(server, **order):
    answer = server.request("POST", "/v2/jobs", {"seconds": 1, **order})
    assert answer.status == 202, answer.body
    return answer.headers["location"]


def ended(server, location, seconds=60):
    return until(lambda: (job := server.get(location).json)["state"] not in ("queued", "running") and job, seconds)


def test_a_killed_job_process_loses_no_run(started):
    started.request("PUT", "/v2/qpis/loops", QPI)
    before = job_process(started)
    location = start(started, qpi="loops", seconds=2)
    until(lambda: started.get(location).json.get("progress", {}).get("done") == 1, 30)
    first = started.get(location).json
    os.kill(before, signal.SIGKILL)
    job = ended(started, location)
    assert job["state"] == "done"
    assert job_process(started) != before
    result = started.get(f"/v2/results/{job['id']}").json
    assert [one["status"] for one in result["measurements"]] == ["done", "done"]
    assert job["created"] == first["created"]
    assert len(started.get("/v2/results").json["results"]) == 1


def test_killed_workers_lose_no_run_and_every_worker_tells_of_it(started):
    started.request("PUT", "/v2/qpis/loops", QPI)
    location = start(started, qpi="loops", seconds=1.5)
    for worker in [one["pid"] for one in started.get("/-/apis").json["workers"]]:
        os.kill(worker, signal.SIGKILL)
    until(lambda: _answers(started))
    assert ended(started, location)["state"] == "done"


def _answers(server):
    try:
        return server.get("/-/ready").status == 200
    except OSError:
        return False


def test_a_killed_server_goes_on_with_its_run_when_it_is_started_again(server, tmp_path):
    state = tmp_path / "state"
    first = server("benchmark", "--no-access-log", environment={"APIFOLD_STATE": str(state)})
    line = first.process.args
    first.request("PUT", "/v2/qpis/loops", QPI)
    location = start(first, qpi="loops", seconds=2)
    until(lambda: first.get(location).json["state"] == "running")
    everybody = [first.process.pid, job_process(first), *(one["pid"] for one in first.get("/-/apis").json["workers"])]
    for pid in everybody:
        os.kill(pid, signal.SIGKILL)
    first.process.wait()
    with first.log.open("ab") as log:
        first.process = subprocess.Popen(line, stdout=log, stderr=log, cwd=first.log.parent)
    first.wait()
    assert ended(first, location)["state"] == "done"


def test_a_roll_of_the_workers_keeps_a_run(started):
    started.request("PUT", "/v2/qpis/loops", QPI)
    before = job_process(started)
    location = start(started, qpi="loops", seconds=1.5)
    until(lambda: started.get(location).json["state"] == "running")
    started.signal(signal.SIGHUP)
    assert ended(started, location)["state"] == "done"
    until(lambda: job_process(started) != before)


def test_stopping_leaves_no_process(started):
    started.request("PUT", "/v2/qpis/loops", QPI)
    location = start(started, qpi="loops", seconds=30)
    until(lambda: started.get(location).json.get("progress"))
    job = job_process(started)
    tool = until(lambda: Path(f"/proc/{job}/task").is_dir() and _children(job))[0]
    assert started.stop() == 0
    until(lambda: not Path(f"/proc/{job}").exists() and not Path(f"/proc/{tool}").exists())


def _children(pid: int) -> list[int]:
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


def run(*arguments, url: str, seconds: float = 90) -> subprocess.CompletedProcess:
    return subprocess.run(
        [APIFOLD, "benchmark", *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, "BENCHMARK_URL": url, "COLUMNS": "120"},
    )


def test_the_command_line_runs_the_compute_plan_and_prints_its_score(started, tmp_path):
    listed = run("plan", "list", url=started.url)
    assert listed.stdout.splitlines()[0].startswith("Plans")
    assert "compute" in listed.stdout
    shown = run("plan", "show", "compute", url=started.url)
    assert json.loads(shown.stdout)["QPIs"] == ["compute.yaml"]
    ran = run("plan", "run", "compute", "--seconds", "0.1", "-p", str(tmp_path), url=started.url)
    assert ran.returncode == 0, ran.stderr
    score = started.get("/v2/results/latest").json["score"]
    assert isinstance(score, int)
    assert f"score {score}" in ran.stdout
    assert "arithmetic" in ran.stdout
    kept = json.loads(next(tmp_path.glob("plan-compute-*.json")).read_text())
    assert kept["score"] == score
    report = run("report", "show", url=started.url)
    assert f"score {score}" in report.stdout
    assert run("report", "show", "--format", "text", url=started.url).stdout.startswith("plan compute on ")
    assert run("report", "calibrate", "mine", url=started.url).returncode == 0
    again = run("qpi", "run", "compute", "--seconds", "0.1", "--baseline", "mine", "--json", url=started.url)
    assert json.loads(again.stdout)["result"]["qpis"][0]["baseline"] == "mine"
    compared = run("report", "compare", "latest", kept["id"], url=started.url)
    assert "rsa_sign_512" in compared.stdout
    assert "compute" in run("report", "list", url=started.url).stdout
    assert "done" in run("job", "list", url=started.url).stdout
    assert "openssl" in run("tools", url=started.url).stdout


def test_the_command_line_says_what_is_wrong(started):
    ended_badly = run("plan", "run", "nope", url=started.url)
    assert (ended_badly.returncode, ended_badly.stderr) == (1, "Error: There is no plan `nope`.\n")
    unreachable = run("plan", "list", url="http://127.0.0.1:9")
    assert unreachable.returncode == 1
    assert "apifold serve benchmark" in unreachable.stderr
    elsewhere = run("plan", "list", url=f"{started.url}/v1.0")
    assert elsewhere.returncode == 1
    assert run("plan", "list", url=f"{started.url}/v2").returncode == 0
    detached = run("metric", "run", "integer", "--seconds", "20", "--detach", url=started.url)
    until(lambda: started.get(f"/v2/jobs/{detached.stdout.strip()}").json["state"] == "running")
    busy = run("metric", "run", "integer", url=started.url)
    assert "Another job is at work" in busy.stderr
    assert run("job", "cancel", detached.stdout.strip(), url=started.url).stdout == "cancelled\n"


def test_a_pod_is_scored_over_its_nodes(server, tmp_path):
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text("- {token: secret, user: u, roles: [admin]}\n")
    with_token = {"x-auth-token": "secret"}
    far = server("benchmark", "--no-access-log", "--workers", "1", "--auth", "tokens", "--tokens", tokens)
    near = server("benchmark", "--no-access-log", "--workers", "1")
    near.request("PUT", "/v2/nodes/far", {"url": f"{far.url}/v2", "token": "secret"})
    near.request("PUT", "/v2/nodes/near", {"url": f"{near.url}/v2"})
    for one, headers in ((far, with_token), (near, {})):
        assert one.request("PUT", "/v2/qpis/loops", QPI, headers).status == 201
        baseline = {
            "sections": [
                {
                    "name": name,
                    "metrics": [{"name": name, "tool": "python/3", "workloads": [{"name": workload, "baseline": 100}]}],
                }
                for name, workload in (("integer", "dhrystone_lps"), ("floating", "whetstone_MWIPS"))
            ]
        }
        assert one.request("PUT", "/v2/baselines/loops", baseline, headers).status == 201
    job = ended(near, start(near, qpi="loops", seconds=0.1, nodes=["far", "near"]))
    assert job["state"] == "done"
    pod = near.get(f"/v2/results/{job['id']}").json
    scores = {node["name"]: node["score"] for node in pod["nodes"]}
    assert pod["score"] == int(sum(scores.values()) / 2)
    assert scores["far"] == far.get("/v2/results/latest").json["score"]
    assert b"secret" not in near.log.read_bytes()
    wrong = near.request("PUT", "/v2/nodes/far", {"url": f"{far.url}/v2", "token": "wrong"})
    assert wrong.status == 200
    refused = ended(near, start(near, qpi="loops", seconds=0.1, nodes=["far"]))
    told = near.get(f"/v2/results/{refused['id']}").json
    assert (told["score"], told["nodes"][0]["error"][:14]) == (None, "it answers 401")


@pytest.mark.browser
def test_the_report_page_shows_the_result(started, browser):
    from selenium.webdriver.common.by import By

    started.request("PUT", "/v2/qpis/loops", QPI)
    ended(started, start(started, qpi="loops", seconds=0.1))
    started.request("POST", "/v2/results/latest/calibrate", {"name": "loops"})
    for _ in range(2):
        ended(started, start(started, qpi="loops", seconds=0.1))
    score = started.get("/v2/results/latest").json["score"]
    browser.get(f"{started.url}/v2/results/latest/report")
    assert browser.find_element(By.ID, "score").text == str(score)
    assert browser.find_element(By.TAG_NAME, "h1").text.startswith("qpi loops on ")
    text = browser.find_element(By.TAG_NAME, "body").text
    for expected in ("integer", "dhrystone_lps", "whetstone_MWIPS", "python/3", "against baseline loops", "cores"):
        assert expected in text, expected
    assert len(browser.find_elements(By.CSS_SELECTOR, "#history rect")) == 2
    bars = browser.find_elements(By.CSS_SELECTOR, "svg.bars rect")
    assert [bar.size["width"] > 50 for bar in bars] == [True, True]
    browser.find_element(By.CSS_SELECTOR, "#measurements summary").click()
    assert "dhrystone_lps" in browser.find_element(By.CSS_SELECTOR, "#measurements pre").text
    pdf = browser.execute_cdp_cmd("Page.printToPDF", {})
    assert len(pdf["data"]) > 10_000
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_worker_of_its_own_does_jobs_where_another_server_hosts(tmp_path):
    state = str(tmp_path / "state")
    from apifold import Settings
    from apifold.testing import client

    with client("benchmark", settings=Settings(state=state)) as api:
        location = api.post("/v2/jobs", json={"metric": "integer", "seconds": 0.05}).headers["location"]
        worker = subprocess.Popen(
            [APIFOLD, "worker", "benchmark", "--state", state], stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
        try:
            until(lambda: api.get(location).json["state"] == "done", 30)
        finally:
            worker.send_signal(signal.SIGTERM)
            _, said = worker.communicate(timeout=20)
        assert worker.returncode == 0
        assert "doing benchmark.run, benchmark.pod" in said


def test_a_worker_without_work_says_so():
    answered = subprocess.run([APIFOLD, "worker", "library"], capture_output=True, text=True, timeout=30)
    assert answered.returncode == 2
    assert "long work" in answered.stderr


def test_kernels_are_programs_of_their_own():
    from apifold_services.benchmark.core.drivers.driver import kernel

    for arguments in (
        ("loops", "integer", 0.05),
        ("memory", "python", "int", "copy", 0.05),
        ("packets", "inspect", 0.05),
    ):
        told = subprocess.run(kernel(*arguments), capture_output=True, text=True, timeout=30)
        assert all(value > 0 for value in json.loads(told.stdout).values()), (arguments, told.stderr)
    assert sys.executable in kernel("loops")
