"""Long work: started, seen, ended, and gone on with after a crash. One suite over both databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from apifold import Conflict, NotFound
from apifold.jobs.job import JobKind, JobQuery
from apifold.jobs.jobs import Jobs
from apifold.jobs.runner import Runner
from tests.postgres import empty_database
from tests.servers import until


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/jobs.db"
    return empty_database(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def jobs(url):
    opened = Jobs(url)
    yield opened
    opened.close()


def add(job, one, other):
    return job.step("add", lambda: one + other)


def fail(job):
    raise ValueError("no such luck")


def wait(job):
    job.tell({"waiting": True})

    def until_stopped():
        while not job.stopped():
            time.sleep(0.02)

    job.step("wait", until_stopped)


KINDS = {"t.add": JobKind(add), "t.fail": JobKind(fail), "t.wait": JobKind(wait, at_once=2)}


@pytest.fixture
def runner(jobs, tmp_path):
    runner = Runner(jobs, KINDS, tmp_path / "state")
    runner.start()
    yield runner
    runner.stop()


def ended(jobs, job):
    return until(lambda: (found := jobs.get(job.id)).has_ended and found, 20)


def test_a_job_is_done_and_told(jobs, runner):
    job = jobs.start("t.add", {"one": 1, "other": 2}, tags={"for": "me"})
    assert job.state in ("queued", "running", "done")
    found = ended(jobs, job)
    assert (found.state, found.result, found.error) == ("done", 3, "")
    assert (found.arguments, found.tags) == ({"one": 1, "other": 2}, {"for": "me"})
    assert found.created <= found.ended


def test_a_failure_is_told_in_words(jobs, runner):
    found = ended(jobs, jobs.start("t.fail", {}))
    assert (found.state, found.error) == ("failed", "ValueError: no such luck")


def test_a_job_is_cancelled_once(jobs, runner):
    job = jobs.start("t.wait", {})
    until(lambda: jobs.get(job.id).progress == {"waiting": True})
    assert jobs.cancel(job.id).state == "cancelled"
    with pytest.raises(Conflict, match="cancelled"):
        jobs.cancel(job.id)


def test_a_job_whose_time_is_up_is_ended(jobs, runner):
    found = ended(jobs, jobs.start("t.wait", {}, seconds=0.5))
    assert found.state == "expired"


def test_what_wants_to_be_alone_is(jobs, runner):
    first = jobs.start("t.wait", {}, alone="here")
    with pytest.raises(Conflict, match="here"):
        jobs.start("t.wait", {}, alone="here")
    jobs.cancel(first.id)
    second = until(lambda: _start(jobs))
    jobs.cancel(second.id)


def _start(jobs):
    try:
        return jobs.start("t.wait", {}, alone="here")
    except Conflict:
        return None


def test_the_same_id_is_the_same_job(jobs, runner):
    first = jobs.start("t.add", {"one": 1, "other": 2}, id="mine")
    again = jobs.start("t.add", {"one": 5, "other": 5}, id="mine")
    assert again.arguments == first.arguments


def test_what_is_no_job_is_not_found(jobs):
    for ask in (jobs.get, jobs.cancel):
        with pytest.raises(NotFound):
            ask("nope")
    with pytest.raises(NotFound):
        jobs.page(JobQuery(marker="nope"))


def test_pages_skip_and_repeat_nothing(jobs):
    made = [
        jobs.start(f"t.{'add' if number % 2 else 'wait'}", {}, tags={"odd": str(number % 2)}) for number in range(7)
    ]
    seen, marker = [], ""
    while True:
        page = jobs.page(JobQuery(limit=2, marker=marker))
        seen += [job.id for job in page.items]
        marker = page.next_marker
        if not marker:
            break
        jobs.start("t.add", {})
    assert sorted(seen) == sorted(job.id for job in made)
    assert {job.kind for job in jobs.page(JobQuery(kinds=("t.wait",))).items} == {"t.wait"}
    assert len(jobs.page(JobQuery(tags={"odd": "1"})).items) == 3
    assert jobs.page(JobQuery(states=("done",))).items == ()


CRASHING = """
    import os, signal, sys, time
    from pathlib import Path
    from apifold.jobs.job import JobKind
    from apifold.jobs.jobs import Jobs
    from apifold.jobs.runner import Runner

    notes = Path(sys.argv[2])

    def note(word):
        with notes.open("a") as file:
            file.write(word + "\\n")
        return word

    def second():
        note("second begins")
        if sys.argv[3] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return note("second ends")

    def work(job):
        return [job.step("first", note, "first"), job.step("second", second), job.step("third", note, "third")]

    Runner(Jobs(sys.argv[1]), {"t.work": JobKind(work)}, Path(sys.argv[4])).start()
    time.sleep(60)
"""


def crash_test(url, tmp_path, how):
    program = tmp_path / "crashing.py"
    program.write_text(textwrap.dedent(CRASHING))
    line = [sys.executable, program, url, tmp_path / "notes", how, tmp_path / "state"]
    return subprocess.Popen(line, stderr=(tmp_path / "log").open("ab"))


@pytest.mark.process
def test_a_killed_process_loses_no_job_and_does_nothing_twice(jobs, url, tmp_path):
    job = jobs.start("t.work", {})
    dying = crash_test(url, tmp_path, "dies")
    assert dying.wait(30) == -signal.SIGKILL
    assert jobs.get(job.id).state == "running"
    process = crash_test(url, tmp_path, "lives")
    try:
        assert ended(jobs, job).result == ["first", "second ends", "third"]
    finally:
        process.kill()
        process.wait()
    # What was done is not done again; what was not finished is.
    assert (tmp_path / "notes").read_text().split("\n")[:-1] == [
        "first",
        "second begins",
        "second begins",
        "second ends",
        "third",
    ]


@pytest.mark.process
def test_a_job_that_kills_every_process_is_given_up(jobs, url, tmp_path):
    job = jobs.start("t.work", {})
    for _ in range(8):
        dying = crash_test(url, tmp_path, "dies")
        end = time.monotonic() + 20
        while dying.poll() is None and time.monotonic() < end and not jobs.get(job.id).has_ended:
            time.sleep(0.05)
        dying.kill()
        dying.wait()
        if jobs.get(job.id).has_ended:
            break
    found = jobs.get(job.id)
    assert found.state == "failed"
    assert "given up" in found.error


def test_one_runner_works_for_a_state_directory(jobs, runner, tmp_path):
    assert Runner(jobs, KINDS, tmp_path / "state").start() is False


def test_a_jobs_database_is_no_place_for_code(jobs, runner, tmp_path):
    job = jobs.start("t.add", {"one": "a", "other": "b"})
    assert ended(jobs, job).result == "ab"
    with pytest.raises(TypeError, match="plain JSON"):
        jobs.start("t.add", {"one": object(), "other": 2})
    assert os.stat(tmp_path / "state").st_mode & 0o077 == 0
