"""What is made durable: work that nobody goes on with is picked up, or ended, and nothing waits for anything else."""

from __future__ import annotations

import threading

import pytest

from apifold_services.platform.core import states
from apifold_services.platform.core.launching import Turns
from apifold_services.platform.core.plans import Draft
from apifold_services.platform.core.scope import EVERYBODY
from tests.jobs import AtOnce
from tests.services.platform.conftest import CAMP, PLAN


@pytest.fixture
def assembly(platform):
    return platform.assembly()


def row(platform, assembly):
    return platform.core.assemblies.row(EVERYBODY, assembly["uuid"])


def status(platform, assembly):
    return row(platform, assembly).status


def test_one_thing_at_a_time_is_done_to_an_assembly():
    turns, order = Turns(), []
    began, go = threading.Event(), threading.Event()

    def first():
        with turns.of("a"):
            began.set()
            go.wait(5)
            order.append("first")

    def second():
        with turns.of("a"):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    began.wait(5)
    threads[1].start()
    with turns.now("a") as mine:
        assert not mine
    with turns.of("b"), turns.now("c") as mine:
        assert mine
    go.set()
    for one in threads:
        one.join(5)
    assert order == ["first", "second"]
    with turns.now("a") as mine:
        assert mine


def test_a_job_that_was_never_started_is_started(platform, assembly):
    core = platform.core
    core.assemblies.operate(EVERYBODY, assembly["uuid"], "stop")
    before = row(platform, assembly)
    with core.database.writing() as connection:  # as if this process had died between the row and its job
        table = core.assemblies.moving.__globals__["assemblies"]
        changed = {"attempt": before.attempt + 1}
        connection.execute(table.update().where(table.c.id == before.id).values(**changed))
    lost = core.assemblies.job_of(row(platform, assembly))
    core.care(lambda: False)
    job = core.deployment.jobs().get(lost)
    assert (job.kind, job.arguments) == ("platform.operate", {"id": assembly["uuid"]})
    core.carry_out(AtOnce(), assembly["uuid"])
    assert status(platform, assembly) == states.STOPPED


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (states.QUEUED, states.ERROR),
        (states.BUILDING, states.ERROR),
        (states.UNIT_TESTING, states.UNIT_TESTING_FAILED),
        (states.STARTING, states.ERROR_DEPLOYMENT),
    ],
)
def test_what_a_job_left_that_has_ended_is_told_of_and_can_be_deleted(platform, was, becomes):
    made = platform.post(f"{CAMP}/assemblies", {"plan_uri": platform.plan()["uri"]}).json
    core = platform.core
    core.deployment.jobs().cancel(core.assemblies.job_of(row(platform, made)))
    core.assemblies.advance(made["uuid"], was)
    core.care(lambda: False)
    shown = platform.get(made["uri"]).json
    assert (shown["status"], shown["representation_skew"]) == (becomes, "NONE")
    assert "no more" in shown["reason"]
    assert platform.delete(made["uri"]).status == 204
    platform.settle()
    assert platform.get(made["uri"]).status == 404


def test_a_deletion_that_nobody_goes_on_with_may_be_asked_for_again(platform, assembly):
    core = platform.core
    platform.delete(assembly["uri"])
    core.deployment.jobs().cancel(core.assemblies.job_of(row(platform, assembly)))
    core.care(lambda: False)
    assert status(platform, assembly) == states.ERROR_DELETE
    platform.delete(assembly["uri"])
    platform.settle()
    assert platform.get(assembly["uri"]).status == 404


def test_care_leaves_alone_what_a_job_is_at_work_at(platform, assembly):
    core = platform.core
    core.assemblies.operate(EVERYBODY, assembly["uuid"], "restart")
    with core.launching.turns.of(assembly["uuid"]):
        core.care(lambda: False)
    assert status(platform, assembly) == states.DEPLOYING
    platform.settle()
    assert status(platform, assembly) == states.COMPLETE


def test_a_step_that_failed_fails_the_same_way_when_it_is_gone_over_again(platform):
    class Again(AtOnce):
        """A job that ran before: what its steps gave is known."""

        def __init__(self):
            self.known = {}

        def step(self, name, do, *arguments):
            if name not in self.known:
                self.known[name] = do(*arguments)
            return self.known[name]

    text = "camp_version: CAMP 1.1\nname: {name}\nartifacts: [{{artifact_type: x, unittest_cmd: 'false', content: {{href: 'https://example.org/x.git'}}}}]"
    made = platform.post(f"{CAMP}/assemblies", {"plan_uri": platform.plan(text)["uri"]}).json
    core, job = platform.core, Again()
    core.launch(job, made["uuid"])
    assert status(platform, made) == states.UNIT_TESTING_FAILED
    core.assemblies.advance(made["uuid"], states.QUEUED)
    core.launch(job, made["uuid"])
    assert status(platform, made) == states.UNIT_TESTING_FAILED
    assert "the tests failed" in platform.get(made["uri"]).json["reason"]


@pytest.mark.parametrize("length", [250, 255])
def test_an_assembly_of_a_plan_with_a_long_name_has_one_that_fits(platform, length):
    made = platform.post(f"{CAMP}/assemblies", {"plan_uri": platform.plan(name="n" * length)["uri"]})
    assert made.status == 201, made.text
    assert made.json["name"].startswith("n" * length)
    assert len(made.json["name"]) <= 255


@pytest.mark.parametrize("api", ["/v1/plans", f"{CAMP}/plans"])
def test_a_plan_that_is_too_large_is_refused_by_either_api(platform, api):
    text = PLAN.format(name="large") + f"version: 1\nx-large: {'x' * 70_000}\n"
    assert platform.send(api, text).status == 413
    many = "version: 1\na: &a [" + "0123456789, " * 1000 + "]\nb: [" + "*a, " * 40 + "]\n"
    assert platform.send(api, PLAN.format(name="grows") + many).status == 413


def test_a_package_leaves_no_files_where_its_plan_can_t_be_written(platform):
    core = platform.core
    before = set(core.plans.folder.glob("*"))

    class Package:
        def keep(self, place):
            place.mkdir(parents=True)

    with pytest.raises(RuntimeError), core.plans.prepared(EVERYBODY, Draft({"name": "x"}, Package())):
        raise RuntimeError
    assert set(core.plans.folder.glob("*")) == before
