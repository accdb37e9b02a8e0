"""The directory changes while it is served: swapped whole, the last good version kept, nothing stale."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading

import pytest

from apifold import Settings
from apifold.application import Application
from apifold.errors import DescriptionErrors
from apifold.generation.watch import Watch
from apifold.schema.checker import Checker

GOOD = """
openapi: 3.1.0
info: {{title: T, version: "1"}}
servers: [{{url: {base}}}]
paths: {{/x: {{get: {{x-apifold: {{binding: {{static: {{value: {value}}}}}}}, responses: {{"200": {{description: ok}}}}}}}}}}
"""


def good(value="1", base="/t"):
    return GOOD.format(value=value, base=base)


@pytest.fixture
def apis(tmp_path):
    folder = tmp_path / "apis"
    folder.mkdir()
    (folder / "api.yaml").write_text(good())
    return folder


@pytest.fixture
def application(apis, tmp_path):
    made = []

    def make(**settings):
        chosen = Settings(state=str(tmp_path / "state"), **settings)
        made.append(Application.serving((str(apis),), chosen))
        return made[-1]

    yield make
    for one in made:
        one.close()


def served(generation):
    return {one.api.name: one.description.operations[0].extension.bound[1]["value"] for one in generation.loaded}


def test_the_same_files_are_the_same_generation(apis, application):
    builder = application().builder
    first = builder.build()
    second = builder.build(first)
    assert first.id == second.id
    assert first.loaded[0] is second.loaded[0], "what did not change is not compiled again"


CHECKED = """
openapi: 3.1.0
info: {{title: T, version: "{version}"}}
paths:
  /x:
    put:
      x-apifold: {{binding: {{static: {{value: 1}}}}}}
      requestBody: {{content: {{application/json: {{schema: {{$ref: "#/components/schemas/Node"}}}}}}}}
      responses: {{"200": {{description: ok}}}}
components:
  schemas:
    Node: {{type: object, properties: {{name: {{type: string, default: a}}, below: {{$ref: "#/components/schemas/Node"}}}}}}
"""


def test_what_is_served_no_more_goes_without_the_collector(apis, serve):
    def checkers():
        return sum(type(one) is Checker for one in gc.get_objects())

    api = serve(apis)
    running = api.application.running
    gc.collect()
    gc.disable()
    try:
        counts = []
        for version in range(4):
            (apis / "api.yaml").write_text(CHECKED.format(version=version))
            running.generation = running.builder.build(running.generation)
            assert api.put("/x", json={"below": {"name": "b"}}).status == 200
            assert api.put("/x", json={"below": 5}).status == 400
            counts.append(checkers())
    finally:
        gc.enable()
    assert counts[1:] == counts[:1] * 3


def test_files_that_come_change_and_go(apis, application):
    builder = application().builder
    first = builder.build()
    (apis / "more.yaml").write_text(good("2", "/more"))
    second = builder.build(first)
    assert served(second) == {"api": 1, "more": 2}
    (apis / "more.yaml").write_text(good("3", "/more"))
    third = builder.build(second)
    assert served(third) == {"api": 1, "more": 3}
    (apis / "more.yaml").unlink()
    fourth = builder.build(third)
    assert served(fourth) == {"api": 1}
    assert fourth.id == first.id
    assert len({first.id, second.id, third.id}) == 3


def test_a_broken_file_keeps_what_ran_before(apis, application):
    builder = application().builder
    first = builder.build()
    (apis / "api.yaml").write_text("openapi: [")
    second = builder.build(first)
    assert served(second) == {"api": 1}
    assert second.loaded[0].errors
    assert second.errors[apis / "api.yaml"][0].line == 1
    (apis / "api.yaml").write_text(good("5"))
    third = builder.build(second)
    assert served(third) == {"api": 5}
    assert not third.errors


def test_a_process_that_starts_later_serves_the_last_good_version_too(apis, application):
    application().build()
    (apis / "api.yaml").write_text("openapi: [")
    later = application()
    generation = later.build()
    assert served(generation) == {"api": 1}
    assert generation.loaded[0].errors


def test_a_removed_file_is_forgotten(apis, application):
    builder = application().builder
    first = builder.build()
    text = (apis / "api.yaml").read_text()
    (apis / "api.yaml").unlink()
    builder.build(first)
    (apis / "api.yaml").write_text(text[:40])
    assert builder.build().loaded == ()


def test_a_first_start_with_errors_is_refused_unless_asked_for(apis, application):
    (apis / "broken.yaml").write_text("openapi: [")
    with pytest.raises(DescriptionErrors, match=r"broken\.yaml:1"):
        application().build()
    assert served(application(quarantine=True).build()) == {"api": 1}


def test_of_two_that_want_one_place_the_one_that_ran_stays(apis, application):
    builder = application().builder
    first = builder.build()
    (apis / "aaa.yaml").write_text(good("2"))
    second = builder.build(first)
    assert served(second) == {"api": 1}
    assert "api.yaml" in str(second.all_errors[0])


def test_a_broken_policy_keeps_what_ran_before(apis, application):
    text = good().replace("x-apifold: {binding", "x-apifold: {policy: a, binding")
    (apis / "api.yaml").write_text(text)
    (apis / "policy.yaml").write_text('"a": "@"\n')
    builder = application().builder
    first = builder.build()
    (apis / "policy.yaml").write_text('"a": "role:x and"\n')
    second = builder.build(first)
    assert served(second) == {"api": 1}
    assert second.all_errors[0].file.endswith("policy.yaml")
    (apis / "policy.yaml").write_text('"a": "role:x"\n')
    assert builder.build(second).loaded[0].digest != first.loaded[0].digest


def test_a_file_that_is_referred_to_counts(apis, application):
    text = good().replace("paths:", "components: {schemas: {A: {$ref: 'parts/a.yaml'}}}\npaths:")
    (apis / "parts").mkdir()
    (apis / "parts" / "a.yaml").write_text("type: string\n")
    (apis / "api.yaml").write_text(text)
    builder = application().builder
    first = builder.build()
    (apis / "parts" / "a.yaml").write_text("type: integer\n")
    assert builder.build(first).id != first.id


def test_a_module_that_comes_later_mends_its_description(apis, application):
    (apis / "api.yaml").write_text(
        good().replace("x-apifold: {binding: {static: {value: 1}}}", "operationId: late_module.get")
    )
    app = application(quarantine=True)
    builder = app.builder
    first = builder.build()
    assert first.loaded == ()
    (apis / "late_module.py").write_text("def get():\n    return 1\n")
    assert len(builder.build(first).loaded) == 1


def test_a_swap_of_symbolic_links_is_seen(tmp_path):
    """As Kubernetes mounts a ConfigMap: `api.yaml -> ..data/api.yaml`, `..data -> ..2026_1`."""
    folder = tmp_path / "mounted"
    for number in (1, 2):
        (folder / f"..2026_{number}").mkdir(parents=True)
        (folder / f"..2026_{number}" / "api.yaml").write_text(good(str(number)))
    (folder / "..data").symlink_to("..2026_1")
    (folder / "api.yaml").symlink_to("..data/api.yaml")
    settings = Settings(state="")
    application = Application.serving((str(folder),), settings)
    builder = application.builder
    first = builder.build()
    assert served(first) == {"api": 1}

    async def swap():
        watch = Watch(application.targets, set, 0.05)
        (folder / "..tmp").symlink_to("..2026_2")
        os.rename(folder / "..tmp", folder / "..data")
        async for _ in watch.changes():
            return

    asyncio.run(asyncio.wait_for(swap(), 5))
    assert served(builder.build(first)) == {"api": 2}
    application.close()


def test_changes_in_quick_succession_leave_nothing_stale(apis, application):
    app = application(poll=0.05)

    async def hurry():
        await app.start()
        try:
            for number in range(2, 40):
                (apis / "api.yaml").write_text(good(str(number)))
                await asyncio.sleep(0.007)
            for _ in range(500):
                if served(app.running.generation) == {"api": 39}:
                    return True
                await asyncio.sleep(0.02)
            return False
        finally:
            await app.stop()

    assert asyncio.run(hurry())


class Held:
    """Holds an application's next build until told to go on."""

    def __init__(self, application):
        self.around = application.builder.around
        self.begun, self.go_on = threading.Event(), threading.Event()
        application.builder.around = self

    def __call__(self):
        self.begun.set()
        assert self.go_on.wait(10)
        return self.around()


def test_two_that_build_at_once_leave_the_threads_their_usual_turns(apis, application):
    usual = sys.getswitchinterval()
    first, second = application(poll=0.05), application(poll=0.05)

    async def begin(app, value):
        await app.start()
        held = Held(app)
        (apis / "api.yaml").write_text(good(value))
        assert await asyncio.to_thread(held.begun.wait, 10)
        return held

    async def end(app, held):
        before = app.running.generation
        held.go_on.set()
        while app.running.generation is before:
            await asyncio.sleep(0.01)
        await app.stop()

    async def overlap():
        began = [await begin(first, "2"), await begin(second, "3")]
        async with asyncio.timeout(10):
            await end(first, began[0])
            await end(second, began[1])

    try:
        asyncio.run(overlap())
        assert sys.getswitchinterval() == usual
    finally:
        sys.setswitchinterval(usual)


def test_the_state_tells_what_failed_and_why(apis, serve):
    (apis / "broken.yaml").write_text("openapi: [")
    api = serve(apis, quarantine=True)
    state = api.get("/-/apis").json
    assert [one["name"] for one in state["apis"]] == ["api"]
    assert state["errors"][0]["file"].endswith("broken.yaml")
    assert state["errors"][0]["line"] == 1
    assert 'apifold_description_errors{file="' in api.get("/-/metrics").text
    assert "broken.yaml" in api.get("/", headers={"accept": "text/html"}).text
