"""Solum's API v1: plans, assemblies, what is only kept; addresses, codes, faults, and who sees what."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from apifold_services.platform.core.tables import keys
from tests.services.platform.conftest import CAMP
from tests.services.platform.solum import COLLECTIONS, EACH_DATABASE, HREF, PACK, PLAN, emptied, faulty

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
YAML = ("application/x-yaml", "x-application/yaml", "application/yaml", "text/yaml", "text/x-yaml")


@pytest.fixture
def v1(request):
    yield from emptied(request)


# --- the root and the platform


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_the_root_lists_this_version_and_no_other(v1, method):
    expected = [{"id": "v1.0", "status": "CURRENT", "link": {"href": "http://testserver/v1", "target_name": "v1"}}]
    for asked in (v1.platform, v1.platform.by("")):
        answer = asked.request(method, "/")
        assert (answer.status, answer.json) == (200, expected)
    assert v1.platform.request("PATCH", "/").headers["allow"] == "DELETE, GET, HEAD, POST, PUT"


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_the_platform_tells_where_everything_is(v1, path):
    shown = v1.get(path).json
    told = {name: shown.pop(name) for name in [*shown] if name.endswith("_uri")}
    assert shown == {
        "uri": "http://testserver/v1",
        "name": "solum",
        "type": "platform",
        "description": "solum native implementation",
        "implementation_version": "2014.1",
    }
    names = ("plans", "assemblies", "services", "components", "extensions", "operations", "sensors", "language_packs")
    assert told == {
        f"{name}_uri": f"http://testserver/v1/{name}" for name in (*names, "pipelines", "triggers", "infrastructure")
    }
    for name, uri in told.items():
        assert v1.get(uri).status == (404 if name == "triggers_uri" else 200), name


def test_links_are_to_the_address_that_was_asked(v1):
    told = v1.get("plans", headers={"host": "solum.example:9777"})
    assert told.json == []
    assert v1.get("/v1", headers={"host": "solum.example:9777"}).json["plans_uri"] == (
        "http://solum.example:9777/v1/plans"
    )


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_slash_at_the_end_changes_nothing(v1, name):
    assert v1.get(f"{name}/").json == v1.get(name).json
    faulty(v1.get(f"{name}/none/"), 404, "none")


# --- plans


@EACH_DATABASE
def test_a_plan_is_registered_shown_written_anew_and_forgotten(v1):
    said = {
        **PLAN,
        "description": "a plan",
        "parameters": {"web": {"level": 1}},
        "services": [{"id": "db", "name": "db", "characteristics": [{"characteristic_type": "org.sql:database"}]}],
        "x-own": {"deep": [1, None]},
    }
    made = v1.made("plans", said)
    id = made["uuid"]
    assert UUID.fullmatch(id)
    assert made == {
        **said,
        "uri": f"http://testserver/v1/plans/{id}",
        "uuid": id,
        "type": "plan",
        "project_id": "a1",
        "user_id": "ada",
        "trigger_uri": made["trigger_uri"],
    }
    assert made["trigger_uri"].startswith("http://testserver/v1/triggers/")
    assert v1.get(f"plans/{id}").json == made
    assert v1.get("plans").json == [made]
    del said["x-own"], said["parameters"]
    changed = v1.put(f"plans/{id}", {**said, "description": "another"})
    assert changed.status == 200
    assert changed.json == {
        **{k: v for k, v in made.items() if k not in ("x-own", "parameters")},
        "description": "another",
    }
    gone = v1.delete(f"plans/{id}")
    assert (gone.status, gone.body) == (202, b"")
    for answer in (v1.get(f"plans/{id}"), v1.delete(f"plans/{id}"), v1.put(f"plans/{id}", PLAN)):
        faulty(answer, 404, id)


@pytest.mark.parametrize("media", YAML)
def test_a_plan_comes_and_goes_as_yaml(v1, media):
    text = yaml.safe_dump({**PLAN, "name": "by_yaml"})
    accept = {"accept": media}
    made = v1.platform.send("/v1/plans", text, media, headers=accept)
    assert (made.status, made.headers["content-type"]) == (201, media)
    plan = yaml.safe_load(made.text)
    assert (plan["name"], plan["artifacts"]) == ("by_yaml", PLAN["artifacts"])
    shown = v1.get(plan["uri"], headers=accept)
    assert (shown.headers["content-type"], yaml.safe_load(shown.text)) == (media, plan)
    listed = v1.get("plans", headers=accept)
    assert (listed.headers["content-type"], yaml.safe_load(listed.text)) == (media, [plan])
    text = yaml.safe_dump({**PLAN, "name": "again"}).encode()
    changed = v1.put(plan["uri"], body=None, headers={"content-type": f"{media}; charset=utf-8", **accept})
    faulty(changed, 400, "missing")
    changed = v1.platform.request("PUT", plan["uri"], body=text, headers={"content-type": media, **accept})
    assert (changed.headers["content-type"], yaml.safe_load(changed.text)) == (media, {**plan, "name": "again"})
    assert v1.get(plan["uri"]).json["name"] == "again"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("image/png", "application/json"),
        ("application/json, application/x-yaml;q=0.5", "application/json"),
        ("application/x-yaml, application/json;q=0.5", "application/x-yaml"),
        ("text/html, application/x-yaml;q=0.9, */*;q=0.1", "application/x-yaml"),
    ],
)
def test_plans_are_shown_as_the_client_likes_them(v1, accept, media):
    uri = v1.plan()["uri"]
    shown = v1.get(uri, headers={"accept": accept})
    assert (shown.status, shown.headers["content-type"]) == (200, media)
    assert yaml.safe_load(shown.text)["uri"] == uri


def test_a_client_that_reads_yaml_reads_what_it_gets_for_yaml(v1):
    """Solum's own client sends no `Accept` that names YAML, and parses the answer as such: JSON is."""
    made = v1.platform.send("/v1/plans", yaml.safe_dump(PLAN), "x-application/yaml")
    assert yaml.safe_load(made.text) == json.loads(made.text) == v1.get("plans").json[0]


@pytest.mark.parametrize(
    ("media", "text", "status", "words"),
    [
        ("application/json", "", 400, "missing"),
        ("application/json", "{", 400, "body"),
        ("application/json", "[]", 400, "object"),
        ("application/json", "{}", 400, "something in it"),
        ("x-application/yaml", "", 400, "missing"),
        ("x-application/yaml", "a: [", 400, "this is not YAML"),
        ("x-application/yaml", "a: 1\n b: 2", 400, "line 2"),
        ("x-application/yaml", "words", 400, "object"),
        ("x-application/yaml", "[1]", 400, "object"),
        ("x-application/yaml", "{}", 400, "something in it"),
        ("x-application/yaml", "a: &a [*a]", 400, "alias"),
        ("x-application/yaml", "!!python/object/apply:os.system [ls]", 400, "body"),
        ("text/plain", "version: 1", 415, "application/x-yaml"),
        ("", "version: 1", 415, "application/json"),
    ],
)
def test_what_is_no_plan_is_refused(v1, media, text, status, words):
    faulty(v1.platform.send("/v1/plans", text, media), status, words)
    assert v1.get("plans").json == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"version": None}, ["version", "1"]),
        ({"version": 2}, ["version: must be 1"]),
        ({"version": "abc"}, ["version: must be 1"]),
        ({"name": None}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "with space"}, ["name"]),
        ({"name": "dots.too"}, ["name"]),
        ({"name": "ünlaut"}, ["name"]),
        ({"name": "n" * 101}, ["name", "100"]),
        ({"artifacts": {}}, ["artifacts"]),
        ({"artifacts": [{"content": {"href": HREF, "data": "aGk="}}]}, ["artifacts/0/content"]),
        ({"artifacts": [{"content": {"href": 5}}]}, ["artifacts/0/content/href"]),
        ({"artifacts": [{"content": {"href": HREF}, "ports": [0]}]}, ["artifacts/0/ports", "0"]),
        ({"artifacts": [{"content": {"href": HREF}, "ports": {"web": 65536}}]}, ["artifacts/0/ports", "web"]),
        ({"artifacts": [{"requirements": [{"requirement_type": "a", "fulfillment": "id:none"}]}]}, ["id:none"]),
    ],
)  # fmt: skip
def test_a_plan_says_what_it_must(v1, said, words):
    """Both where it is registered and where it is written anew; the latter changes nothing then."""
    body = {name: value for name, value in {**PLAN, **said}.items() if value is not None}
    before = v1.plan()
    for answer in (v1.post("plans", body), v1.put(before["uri"], body)):
        faulty(answer, 400, *words)
    assert v1.get("plans").json == [before]


@pytest.mark.parametrize("said", [{"name": "n" * 100}, {"name": "A-b_9"}, {"version": "1"}, {"artifacts": []}])
def test_a_plan_may_say(v1, said):
    assert v1.plan(**said).items() >= said.items()


@pytest.mark.parametrize("ports", [80, [80, 81], {"web": 80, "admin": 81}])
@pytest.mark.parametrize("pack", ["auto", False, "false"])
def test_an_artifact_has_its_ports_and_pack_in_any_form(v1, ports, pack):
    artifact = {"content": {"href": HREF}, "ports": ports, "language_pack": pack}
    made = v1.plan(artifacts=[artifact])
    assert made["artifacts"] == [artifact]
    assembly = v1.made("assemblies", {"plan_uri": made["uri"]})
    assert v1.settle().get(assembly["uri"]).json["status"] == "DEPLOYMENT_COMPLETE"


def test_a_plan_that_a_client_got_comes_back_as_it_is(v1):
    made = v1.plan(description="d")
    assert v1.put(made["uri"], made).json == made


@pytest.mark.parametrize("name", ["uuid", "uri", "project_id", "user_id", "type", "trigger_uri"])
def test_what_the_service_says_of_a_plan_is_not_the_clients_to_say(v1, name):
    made = v1.plan(**{name: "mine"})
    assert "mine" not in made.values()
    assert v1.put(made["uri"], {**PLAN, name: "mine"}).json == made


@EACH_DATABASE
def test_a_plan_keeps_what_only_camp_knows(v1):
    text = "camp_version: CAMP 1.1\nname: from camp\norigin: https://o.example/\ntags: [a]\nx-more: {b: 1}\nartifacts: []\n"
    registered = v1.platform.send(f"{CAMP}/plans", text)
    shown = v1.get("plans").json[0]
    assert (shown["name"], shown["version"], shown["x-more"]) == ("from camp", 1, {"b": 1})
    assert "camp_version" not in shown
    assert v1.put(shown["uri"], PLAN).status == 200
    there = v1.get(registered.json["uri"]).json
    assert (there["name"], there["camp_version"], there["origin"], there["tags"]) == (
        "web",
        "CAMP 1.1",
        "https://o.example/",
        ["a"],
    )


@EACH_DATABASE
def test_a_plan_in_use_stays_what_it_is(v1):
    running = v1.running()
    plan = v1.get(running["plan_uri"]).json
    faulty(v1.delete(plan["uri"]), 409, "Assemblies")
    faulty(v1.put(plan["uri"], {**PLAN, "artifacts": []}), 409, "artifacts")
    faulty(v1.put(plan["uri"], {**PLAN, "parameters": {"a": "b"}}), 409, "parameters")
    assert v1.put(plan["uri"], {**PLAN, "description": "other"}).status == 200
    assert v1.get(plan["uri"]).json == {**plan, "description": "other"}
    v1.delete(running["uri"])
    faulty(v1.delete(plan["uri"]), 409)
    assert v1.settle().delete(plan["uri"]).status == 202


# --- deploy keys


@EACH_DATABASE
def test_a_private_source_gets_a_deploy_key_of_which_nobody_sees_the_private_half(v1):
    contents = [
        {"href": "git@github.com:octo/web.git", "private": True},
        {"href": HREF},
        {"href": HREF, "private": True},
    ]
    made = v1.plan(artifacts=[{"name": f"a{index}", "content": content} for index, content in enumerate(contents)])
    first, second, third = (artifact["content"] for artifact in made["artifacts"])
    assert first["public_key"].startswith("ssh-rsa ")
    assert third["public_key"].startswith("ssh-rsa ")
    assert first["public_key"] != third["public_key"]
    assert "public_key" not in second
    core = v1.platform.core
    with core.database.reading() as connection:
        private = list(connection.scalars(keys.select().with_only_columns(keys.c.private_key)))
    assert len(private) == 2
    assembly = v1.made("assemblies", {"plan_uri": made["uri"]})
    v1.settle()
    shown = [v1.get(name).text for name in (*COLLECTIONS, made["uri"], assembly["uri"])]
    shown += [v1.get(f"{CAMP}/{name}").text for name in ("plans", f"plans/{made['uuid']}", "assemblies")]
    shown += [v1.put(made["uri"], made).text]
    for text in shown:
        assert "PRIVATE KEY" not in text
        assert not [key for key in private if key.splitlines()[2] in text]
    assert v1.get(made["uri"]).json == made
    v1.delete(assembly["uri"])
    v1.settle().delete(made["uri"])
    with core.database.reading() as connection:
        assert list(connection.execute(keys.select())) == []


def test_a_source_that_becomes_private_gets_a_deploy_key(v1):
    made = v1.plan()
    changed = v1.put(made["uri"], {**PLAN, "artifacts": [{"name": "web", "content": {"href": HREF, "private": True}}]})
    assert changed.json["artifacts"][0]["content"]["public_key"].startswith("ssh-rsa ")


def test_a_deploy_key_goes_with_its_artifact(v1):
    private = {"name": "a", "content": {"href": "git@github.com:octo/web.git", "private": True}}
    made = v1.plan(artifacts=[private, {"name": "b", "content": {"href": HREF}}])
    changed = v1.put(made["uri"], {**made, "artifacts": made["artifacts"][::-1]}).json
    kept = v1.platform.core.plans.private_keys(made["uuid"])
    (public,) = kept
    assert [one["content"].get("public_key") for one in changed["artifacts"]] == [None, public]
    made_of = load_ssh_private_key(kept[public].encode(), None).public_key()
    assert made_of.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() == public


def test_a_source_keeps_its_deploy_key_where_a_client_does_not_send_it_back(v1):
    private = {"name": "a", "content": {"href": "git@github.com:octo/web.git", "private": True}}
    made = v1.plan(artifacts=[private])
    changed = v1.put(made["uri"], {**PLAN, "artifacts": [private]}).json
    assert changed["artifacts"] == made["artifacts"]


# --- assemblies


@EACH_DATABASE
def test_an_assembly_is_made_of_a_plan_and_removed(v1):
    plan = v1.plan(description="the plan's")
    made = v1.post("assemblies", {"plan_uri": plan["uri"], "name": "mine", "tags": ["a", "b"]})
    assert made.status == 201
    assert made.json["status"] == "QUEUED"
    uri = made.json["uri"]
    shown = v1.settle().get(uri).json
    id = shown["uuid"]
    assert uri == f"http://testserver/v1/assemblies/{id}"
    assert MOMENT.fullmatch(shown["created_at"])
    assert MOMENT.fullmatch(shown["updated_at"])
    assert shown["updated_at"] > shown["created_at"]
    parts = {name: shown.pop(name) for name in ("components", "operations", "sensors", "created_at", "updated_at")}
    assert shown == {
        "uri": uri,
        "uuid": id,
        "name": "mine",
        "type": "assembly",
        "description": "the plan's",
        "tags": ["a", "b"],
        "project_id": "a1",
        "user_id": "ada",
        "plan_uri": plan["uri"],
        "status": "DEPLOYMENT_COMPLETE",
        "reason": None,
        "application_uri": shown["application_uri"],
        "instances": 1,
        "workflow": ["unittest", "build", "deploy"],
    }
    assert shown["application_uri"].startswith("http://")
    for name in ("components", "operations", "sensors"):
        for link in parts[name]:
            assert v1.get(link["href"]).json["name"] == link["target_name"]
    assert [link["target_name"] for link in parts["operations"]] == ["start", "stop", "restart", "scale"]
    (component,) = (v1.get(link["href"]).json for link in parts["components"])
    assert (component["assembly_uuid"], component["plan_uri"], component["status"]) == (id, plan["uri"], "RUNNING")
    assert v1.get("assemblies").json[0]["uri"] == uri
    gone = v1.delete(uri)
    assert (gone.status, gone.body) == (204, b"")
    assert v1.get(uri).json["status"] == "DELETING"
    assert v1.delete(uri).status == 204
    for answer in (v1.settle().get(uri), v1.delete(uri), v1.put(uri, {"name": "x"}), v1.get(component["uri"])):
        faulty(answer, 404)
    assert v1.get(plan["uri"]).status == 200


@pytest.mark.parametrize(
    "form",
    ["http://testserver/v1/plans/{id}", "http://testserver/camp/v1_1/plans/{id}", "/v1/plans/{id}", "/v1/plan/{id}/",
     "/camp/v1_1/plan/{id}", "../plans/{id}", "plans/{id}"],
)  # fmt: skip
def test_an_assembly_names_its_plan_in_any_form(v1, form):
    plan = v1.plan()
    made = v1.made("assemblies", {"plan_uri": form.format(id=plan["uuid"])})
    assert (made["plan_uri"], made["name"]) == (plan["uri"], "web_application")


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"plan_uri": None}, 400, "plan_uri"),
        ({"plan_uri": 5}, 400, "plan_uri"),
        ({"plan_uri": ""}, 400, "plan_uri"),
        ({"plan_uri": "words"}, 400, "plan_uri"),
        ({"plan_uri": "ftp://testserver/v1/plans/x"}, 400, "plan_uri"),
        ({"plan_uri": "http://[/v1/plans/x"}, 400, "plan_uri"),
        ({"plan_uri": "http://elsewhere.example/v1/plans/{id}"}, 400, "plan_uri"),
        ({"plan_uri": "/v1/assemblies/{id}"}, 400, "plan_uri"),
        ({"plan_uri": "/v1/plans/none"}, 404, "none"),
        ({"name": "with space"}, 400, "name"),
        ({"id": "x"}, 400, "id"),
        ({"uuid": "x"}, 400, "uuid"),
        ({"project_id": "x"}, 400, "project_id"),
        ({"more": 1}, 400, "more"),
        ({"tags": "a"}, 400, "tags"),
    ],
)
def test_an_assembly_that_can_not_be_is_not_made(v1, said, status, words):
    plan = v1.plan()
    body = {"plan_uri": plan["uri"], **said}
    if isinstance(body["plan_uri"], str):
        body["plan_uri"] = body["plan_uri"].replace("{id}", plan["uuid"])
    faulty(v1.post("assemblies", {k: v for k, v in body.items() if v is not None}), status, words)
    assert v1.get("assemblies").json == []


@pytest.mark.parametrize(
    ("artifacts", "words"),
    [
        ([], "artifacts: are missing"),
        ([{"name": "a"}], "artifacts/0/content"),
        ([{"content": {"href": HREF}, "requirements": [{"requirement_type": "org.none:none"}]}], "org.none:none"),
    ],
)
def test_a_plan_that_can_not_run_is_told_so_when_it_is_to_run(v1, artifacts, words):
    plan = v1.plan(artifacts=artifacts)
    faulty(v1.post("assemblies", {"plan_uri": plan["uri"]}), 400, words)


@EACH_DATABASE
@pytest.mark.parametrize(
    ("command", "status", "done"),
    [
        ("unittest_cmd", "UNIT_TESTING_FAILED", "the tests failed"),
        ("build_cmd", "ERROR", "the build failed"),
        ("run_cmd", "ERROR_CODE_DEPLOYMENT", "it did not answer"),
    ],
)
def test_an_assembly_that_fails_says_where_and_why(v1, command, status, done):
    plan = v1.plan(artifacts=[{"content": {"href": HREF}, command: "false"}])
    uri = v1.made("assemblies", {"plan_uri": plan["uri"]})["uri"]
    shown = v1.settle().get(uri).json
    assert shown["status"] == status
    assert done in shown["reason"]
    (component,) = shown["components"]
    assert v1.get(component["href"]).json["status"] == "ERROR"
    assert v1.delete(uri).status == 204


@EACH_DATABASE
def test_an_assembly_changes_its_name_description_and_tags(v1):
    made = v1.running()
    said = {"name": "other", "description": "words", "tags": ["t"]}
    changed = v1.put(made["uri"], said)
    assert changed.status == 200
    assert changed.json == {**made, **said, "updated_at": changed.json["updated_at"]}
    assert v1.put(made["uri"], {"description": "again"}).json["name"] == "other"
    assert v1.get("assemblies").json[0]["description"] == "again"


@pytest.mark.parametrize("name", ["id", "uuid", "project_id"])
def test_an_assembly_is_not_given_another_identity(v1, name):
    made = v1.assembly()
    faulty(v1.put(made["uri"], {name: made.get(name, "x"), "description": "words"}), 400, f"{name}: can't be changed")
    assert v1.get(made["uri"]).json == made


def test_what_the_engine_says_of_an_assembly_is_read_and_not_taken(v1):
    made = v1.running()
    own = {name: value for name, value in made.items() if name not in ("uuid", "project_id")}
    said = {**own, "status": "ERROR", "application_uri": "http://mine.example", "instances": 9, "reason": "mine"}
    changed = v1.put(made["uri"], said)
    assert changed.status == 200, changed.text
    assert changed.json == {**made, "updated_at": changed.json["updated_at"]}
    faulty(v1.put(made["uri"], {"more": 1}), 400, "more")
    faulty(v1.put(made["uri"], {"name": "with space"}), 400, "name")
    faulty(v1.put(made["uri"]), 400, "missing")


@EACH_DATABASE
def test_an_assembly_that_is_being_deleted_is_not_changed(v1):
    made = v1.running()
    v1.delete(made["uri"])
    before = v1.get(made["uri"]).json
    answer = v1.put(made["uri"], {"name": "late"})
    assert (answer.status, answer.json) == (200, before)
    faulty(v1.post(f"{made['uri']}/operations/stop"), 409, "DELETING")


@EACH_DATABASE
def test_an_assembly_is_stopped_started_restarted_and_scaled(v1):
    made = v1.running()
    assert v1.operated(made, "stop")["status"] == "STOPPED"
    assert v1.operated(made, "scale", {"instances": 2})["status"] == "STOPPED"
    assert v1.operated(made, "start")["status"] == "DEPLOYMENT_COMPLETE"
    assert v1.operated(made, "restart", {})["instances"] == 2
    assert v1.operated(made, "scale", {"instances": 3})["instances"] == 3
    sensors = {one["name"]: one for one in v1.get(f"{made['uri']}/sensors").json}
    assert sensors.keys() == {"state", "instances", "restarts", "memory", "uptime", "log"}
    assert sensors["state"]["value"] == "DEPLOYMENT_COMPLETE"
    for one in sensors.values():
        assert one["type"] == "sensor"
        assert one["target_resource"] == made["uri"]
        assert v1.get(one["uri"]).json["name"] == one["name"]
    operation = v1.get(f"{made['uri']}/operations/scale").json
    assert (operation["type"], operation["target_resource"]) == ("operation", made["uri"])


@pytest.mark.parametrize(
    ("operation", "body", "status", "words"),
    [
        ("scale", None, 400, "instances"),
        ("scale", {"instances": 0}, 400, "instances"),
        ("scale", {"instances": 101}, 400, "instances"),
        ("scale", {"instances": "2"}, 400, "instances"),
        ("stop", {"more": 1}, 400, "more"),
        ("fly", None, 400, "operation"),
    ],
)
def test_an_operation_that_can_not_be_is_not_begun(v1, operation, body, status, words):
    made = v1.running()
    faulty(v1.post(f"{made['uri']}/operations/{operation}", body), status, words)
    assert v1.get(made["uri"]).json == made


def test_an_assembly_that_was_not_deployed_is_not_operated(v1):
    made = v1.assembly()
    for operation in ("start", "stop", "restart"):
        faulty(v1.post(f"{made['uri']}/operations/{operation}"), 409, "QUEUED", operation)
    for path in ("operations/none", "sensors/none", "logs/none"):
        faulty(v1.get(f"{made['uri']}/{path}"), 404, "none")
    assert v1.get(f"{made['uri']}/logs").json == []


@EACH_DATABASE
def test_two_artifacts_and_a_database_are_three_components(v1):
    wanted = {"requirement_type": "org.sql:database"}
    artifacts = [
        {"name": name, "content": {"href": HREF}, "requirements": [wanted] * many}
        for name, many in (("a", 1), ("b", 0))
    ]
    made = v1.made("assemblies", {"plan_uri": v1.plan(artifacts=artifacts)["uri"]})
    assert [link["target_name"] for link in made["components"]] == ["a", "b", "sqlite"]
    assert {one["assembly_uuid"] for one in v1.get("components").json} == {made["uuid"]}


# --- components


@EACH_DATABASE
def test_a_component_of_an_assembly_is_described_and_stays_with_it(v1):
    made = v1.running()
    uri = made["components"][0]["href"]
    before = v1.get(uri).json
    changed = v1.put(uri, {**before, "description": "words", "component_type": "web", "abbreviated": True})
    assert changed.status == 200
    assert changed.json == {
        **before,
        "description": "words",
        "component_type": "web",
        "abbreviated": True,
        "updated_at": changed.json["updated_at"],
    }
    faulty(v1.delete(uri), 409, "assembly")
    v1.delete(made["uri"])
    faulty(v1.settle().get(uri), 404)


# --- what is only kept

RECORDS = {
    "services": {"service_type": "mail", "read_only": False},
    "operations": {"documentation": "https://d.example/", "target_resource": "https://t.example/"},
    "sensors": {"documentation": "d", "target_resource": "t", "sensor_type": "str", "value": "warm",
                "timestamp": "2014-02-02T00:00:00", "operations": [{"href": "x"}]},
    "extensions": {"version": "1.0", "documentation": "https://d.example/"},
    "infrastructure/stacks": {"image_id": "an image", "heat_stack_id": "a stack"},
    "components": {"component_type": "web", "resource_uri": "https://r.example/", "abbreviated": False,
                   "components_ids": ["a"], "heat_stack_id": "a stack", "services": [{"a": 1}], "operations": [],
                   "sensors": []},
}  # fmt: skip
EVERY_RECORD = pytest.mark.parametrize("kind", RECORDS)


@EACH_DATABASE
@EVERY_RECORD
def test_a_record_is_made_shown_changed_and_forgotten(v1, kind):
    said = {"name": "first", "description": "words", "tags": ["a"], **RECORDS[kind]}
    made = v1.made(kind, said)
    assert made.items() >= said.items()
    assert made["type"] == kind.rpartition("/")[2].removesuffix("s")
    assert made["uri"] == f"http://testserver/v1/{kind}/{made['uuid']}"
    assert (made["project_id"], made["user_id"]) == ("a1", "ada")
    assert made["created_at"] == made["updated_at"]
    assert MOMENT.fullmatch(made["created_at"])
    assert v1.get(made["uri"]).json == made
    assert made in v1.get(kind).json
    changed = v1.put(made["uri"], {"name": "second"})
    assert changed.status == 200
    assert changed.json == {**made, "name": "second", "updated_at": changed.json["updated_at"]}
    assert changed.json["updated_at"] > made["updated_at"]
    assert v1.put(made["uri"], changed.json).json["name"] == "second"
    gone = v1.delete(made["uri"])
    assert (gone.status, gone.body) == (204, b"")
    for answer in (v1.get(made["uri"]), v1.delete(made["uri"]), v1.put(made["uri"], {"name": "x"})):
        faulty(answer, 404, made["uuid"])


@EVERY_RECORD
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": None}, "name: is missing"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": "with space"}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"more": 1}, "more: is not a known member"),
        ({"description": "d" * 5000}, "description"),
        ({"tags": {}}, "tags"),
    ],
)
def test_a_record_that_is_none_is_refused(v1, kind, said, words):
    there = v1.made(kind, {"name": "there"})
    body = {name: value for name, value in {"name": "n", **said}.items() if value is not None}
    faulty(v1.post(kind, body), 400, words)
    if "name" in body:
        faulty(v1.put(there["uri"], body), 400, words)
    assert v1.get(there["uri"]).json == there


@EVERY_RECORD
def test_a_record_has_the_identity_that_it_got(v1, kind):
    said = dict.fromkeys(("uuid", "uri", "project_id", "user_id", "type", "created_at", "base_url"), "mine")
    made = v1.made(kind, {"name": "n", **said})
    assert "mine" not in made.values()
    assert v1.put(made["uri"], said).json == {**made, "updated_at": v1.get(made["uri"]).json["updated_at"]}


@EACH_DATABASE
@EVERY_RECORD
def test_the_newest_record_is_listed_first(v1, kind):
    for name in ("one", "two", "three"):
        v1.made(kind, {"name": name})
    assert [name for name in v1.names(kind) if name in ("one", "two", "three")] == ["three", "two", "one"]


@EACH_DATABASE
def test_the_newest_of_everything_else_is_listed_first(v1):
    for name in ("one", "two", "three"):
        plan = v1.plan(name=name)
        v1.app(name)
        v1.made("language_packs", {"name": name, "source_uri": PACK})
        v1.made("pipelines", {"name": name, "plan_uri": plan["uri"]})
        v1.made("assemblies", {"plan_uri": plan["uri"], "name": name})
    for kind in ("plans", "apps", "language_packs", "pipelines", "assemblies"):
        assert v1.names(kind) == ["three", "two", "one"], kind


@EACH_DATABASE
@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("int", "5", 5), ("int", 5, 5), ("float", "5.5", 5.5), ("float", 5, 5.0), ("str", 5, "5"), ("str", "x", "x"),
        ("int", None, None), (None, 5, 5), (None, "5", "5"),
    ],
)  # fmt: skip
def test_a_sensors_value_is_of_its_type(v1, kind, said, value):
    typed = {"sensor_type": kind} if kind else {}
    made = v1.made("sensors", {"name": "n", "value": said, **typed})
    assert (made["value"], type(made["value"])) == (value, type(value))
    assert v1.get(made["uri"]).json == made


@pytest.mark.parametrize(
    ("kind", "said"), [("int", "x"), ("int", "5.5"), ("float", "x"), ("float", "nan"), ("float", "1e999"), ("int", "")]
)
def test_a_value_of_another_type_is_refused(v1, kind, said):
    faulty(v1.post("sensors", {"name": "n", "value": said, "sensor_type": kind}), 400, "value", kind)
    made = v1.made("sensors", {"name": "n", "sensor_type": kind})
    faulty(v1.put(made["uri"], {"value": said}), 400, "value", kind)
    noted = v1.made("sensors", {"name": "n", "value": said})
    faulty(v1.put(noted["uri"], {"sensor_type": kind}), 400, "value", kind)
    faulty(v1.post("sensors", {"name": "n", "sensor_type": "bool"}), 400, "sensor_type")


def test_a_services_offer_is_shown_and_not_the_clients_to_change(v1):
    offered = v1.get("services").json
    assert [one["name"] for one in offered] == ["nodejs", "python", "sqlite"]
    for one in offered:
        assert one["read_only"] is True
        assert v1.get(one["uri"]).json == one
        for answer in (v1.put(one["uri"], {"name": "mine"}), v1.delete(one["uri"])):
            faulty(answer, 405, "comes with the platform")
            assert answer.headers["allow"] == "GET, HEAD"


def test_the_infrastructure_tells_where_its_stacks_are(v1):
    shown = v1.get("infrastructure").json
    assert (shown["type"], shown["uri"]) == ("infrastructure", "http://testserver/v1/infrastructure")
    assert v1.get(shown["stacks_uri"]).json == []


# --- who sees what

MAKERS = {
    "plans": lambda v1: v1.plan(),
    "assemblies": lambda v1: v1.running(),
    "apps": lambda v1: v1.app(),
    "language_packs": lambda v1: v1.made("language_packs", {"name": "pack", "source_uri": PACK}),
    "pipelines": lambda v1: v1.made("pipelines", {"name": "n", "plan_uri": v1.plan()["uri"]}),
    **{kind: lambda v1, kind=kind: v1.made(kind, {"name": "n"}) for kind in RECORDS},
}
BELOW = {
    "assemblies": ("logs", "logs/x", "sensors", "sensors/state", "operations/stop"),
    "language_packs": ("logs", "logs/x"),
    "apps": ("workflows", "workflows/1", "workflows/1/logs"),
    "pipelines": ("executions",),
}


@EACH_DATABASE
@pytest.mark.parametrize("kind", MAKERS)
def test_another_project_sees_nothing_and_the_same_one_everything(v1, kind):
    made = MAKERS[kind](v1)
    if kind == "apps":
        v1.flow(made, "build")
        made = v1.get(made["uri"]).json
    below = [f"{made['uri']}/{path}" for path in BELOW.get(kind, ())]
    eve = v1.by("eve")
    assert made["uri"] not in eve.get(kind).text
    for path in (made["uri"], *below):
        faulty(eve.get(path), 404)
    if kind == "language_packs":
        faulty(eve.get("language_packs/pack"), 404)
        faulty(eve.delete("language_packs/pack"), 404)
    writes = {
        "apps": [("PATCH", "", {"name": "hers"}), ("POST", "/workflows", {"actions": ["build"]})],
        "assemblies": [("PUT", "", {"name": "hers"}), ("POST", "/operations/stop", None)],
        "plans": [("PUT", "", PLAN)],
        "language_packs": [],
    }.get(kind, [("PUT", "", {"name": "hers"})])
    for method, path, body in (*writes, ("DELETE", "", None)):
        faulty(eve.ask(method, made["uri"] + path, body), 404)
    for name in ("ada", "bob", "admin"):
        assert v1.by(name).get(made["uri"]).json == made
        assert made in v1.by(name).get(kind).json
        for path in below:
            assert v1.by(name).get(path).status == (404 if path.endswith("/x") else 200)
    for name in ("bob", "admin"):
        for method, path, body in writes[:1]:
            changed = v1.by(name).ask(method, made["uri"] + path, body)
            assert (changed.status, changed.json["project_id"], changed.json["user_id"]) == (200, "a1", "ada")
    assert v1.by("bob").delete(made["uri"]).status in (202, 204, 409)


@pytest.mark.parametrize("kind", ["assemblies", "pipelines"])
def test_another_projects_plan_is_none(v1, kind):
    plan = v1.plan()
    own = v1.by("eve").made("pipelines", {"name": "n", "plan_uri": v1.by("eve").plan()["uri"]})
    faulty(v1.by("eve").post(kind, {"name": "n", "plan_uri": plan["uri"]}), 404, plan["uuid"])
    faulty(v1.by("eve").put(own["uri"], {"plan_uri": plan["uri"]}), 404, plan["uuid"])


@EACH_DATABASE
def test_what_another_user_of_the_project_makes_is_his(v1):
    app = v1.app()
    flow = v1.by("bob").flow(app, "deploy")
    assembly = v1.get(f"assemblies/{flow['assembly']}").json
    assert (assembly["project_id"], assembly["user_id"]) == ("a1", "bob")
    flow = v1.by("admin").flow(app, "deploy")
    assert v1.get(f"assemblies/{flow['assembly']}").json["project_id"] == "a1"


# --- faults


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("PATCH", "plans", 405, "GET, HEAD, POST"),
        ("POST", "plans/x", 405, "DELETE, GET, HEAD, PUT"),
        ("PUT", "language_packs/x", 405, "DELETE, GET, HEAD"),
        ("DELETE", "apps", 405, "GET, HEAD, POST"),
        ("POST", "infrastructure", 405, "GET, HEAD"),
        ("DELETE", "/v1", 405, "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_there_is_told_which_are(v1, method, path, status, allow):
    answer = v1.ask(method, path, {})
    faulty(answer, status, *allow.split(", "))
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize("path", ["nothing", "plans/x/y", "triggers", "apps/x/y", "assemblies/x/workflows"])
def test_a_path_that_is_not_there_is_none(v1, path):
    faulty(v1.get(path), 404, "Nothing is served")


def test_every_problem_of_a_body_is_told_at_once(v1):
    answer = v1.post("apps", {"name": "Upper", "ports": [0], "more": 1})
    faulty(answer, 400, "name: ", "ports/0: ", "more: ", "source: ")


@pytest.mark.parametrize("name", [*RECORDS, "apps", "language_packs", "pipelines", "assemblies"])
def test_a_body_is_json(v1, name):
    def sent(text, media):
        return v1.platform.request("POST", f"/v1/{name}", body=text, headers={"content-type": media})

    faulty(sent(b"{", "application/json"), 400, "body")
    faulty(sent(b"[]", "application/json"), 400, "object")
    faulty(sent(b"", "application/json"), 400, "missing")
    faulty(sent(b"name: n", "x-application/yaml"), 415, "application/json")


@EACH_DATABASE
@pytest.mark.parametrize("name", COLLECTIONS)
def test_an_id_of_any_length_or_letters_is_not_found(v1, name):
    for id in ("%00", "%F0%9F%A6%8A", "..%2F..", "x" * 255, "' or 1=1 --".replace(" ", "%20")):
        answer = v1.get(f"{name}/{id}")
        assert answer.status in (400, 404), (id, answer.text)
    faulty(v1.get(f"{name}/{'x' * 256}"), 400, "id")
