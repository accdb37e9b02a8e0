"""Solum's API v1: apps, their workflows, and what else has something built."""

from __future__ import annotations

import json
import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from apifold_services.platform.core import states
from apifold_services.platform.core.tables import records
from tests.jobs import AtOnce
from tests.services.platform.conftest import CAMP
from tests.services.platform.solum import COLLECTIONS, EACH_DATABASE, HREF, PACK, V1, emptied, faulty

GITHUB = {"url": "https://api.github.com/users/octo"}
CHANGE = {"sender": GITHUB, "action": "opened", "pull_request": {"head": {"sha": "c0ffee"}}}
COMMENT = {"sender": GITHUB, "action": "created", "comment": {"body": "solum retry tests"}}


@pytest.fixture
def v1(request):
    yield from emptied(request)


# --- language packs


@EACH_DATABASE
def test_a_language_pack_is_fetched_shown_by_name_or_id_and_forgotten(v1):
    said = {
        "name": "python-web",
        "source_uri": PACK,
        "description": "words",
        "tags": ["a"],
        "language_pack_type": "python",
        "compiler_versions": ["3.11"],
        "runtime_versions": ["3.11", "3.12"],
        "language_implementation": "CPython",
        "build_tool_chain": [{"type": "pip", "version": "24"}],
        "os_platform": {"OS": "Debian", "version": "12"},
        "attributes": {"a": "b"},
        "lp_metadata": "words",
        "lp_params": {"c": "d"},
    }
    made = v1.made("language_packs", said)
    assert made.items() >= {**said, "status": "QUEUED", "type": "language_pack", "project_id": "a1"}.items()
    assert made["uri"] == f"http://testserver/v1/language_packs/{made['uuid']}"
    for path in (made["uri"], "language_packs/python-web", "language_packs/python-web/"):
        assert v1.get(path).json == made
    assert v1.get("language_packs").json == [made]
    assert v1.get("language_packs/python-web/logs/").json == []
    v1.platform.core.build_pack(AtOnce(), made["uuid"])
    assert v1.get(made["uri"]).json["status"] == "ERROR"  # the engine that runs nothing has no files of it
    assert v1.delete("language_packs/python-web").status == 204
    for path in (made["uri"], "language_packs/python-web", "language_packs/python-web/logs"):
        faulty(v1.get(path), 404)
    faulty(v1.delete(made["uri"]), 404, made["uuid"])
    made = v1.made("language_packs", said)
    assert v1.delete(made["uri"]).status == 204


@EACH_DATABASE
def test_a_project_has_one_language_pack_of_a_name(v1):
    v1.made("language_packs", {"name": "pack", "source_uri": PACK})
    faulty(v1.post("language_packs", {"name": "pack", "source_uri": PACK}), 409, "pack")
    v1.by("eve").made("language_packs", {"name": "pack", "source_uri": PACK})
    assert len(v1.by("admin").get("language_packs").json) == 2


@EACH_DATABASE
def test_by_a_name_that_several_projects_have_an_administrator_means_his_own(v1):
    v1.made("language_packs", {"name": "pack", "source_uri": PACK})
    own = v1.by("admin").made("language_packs", {"name": "pack", "source_uri": PACK})
    assert v1.by("admin").get("language_packs/pack").json["uuid"] == own["uuid"]
    assert v1.by("admin").delete("language_packs/pack").status == 204
    assert v1.get("language_packs/pack").status == 200


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": None}, "name: is missing"),
        ({"source_uri": None}, "source_uri: is missing"),
        ({"source_uri": ""}, "source_uri"),
        ({"name": "Upper"}, "name"),
        ({"name": "1st"}, "name"),
        ({"name": "with space"}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"status": "READY"}, "status"),
        ({"compiler_versions": "3"}, "compiler_versions"),
        ({"build_tool_chain": [{"more": 1}]}, "build_tool_chain/0/more"),
    ],
)
def test_a_language_pack_that_is_none_is_refused(v1, said, words):
    body = {"name": "pack", "source_uri": PACK, **said}
    faulty(v1.post("language_packs", {k: v for k, v in body.items() if v is not None}), 400, words)
    assert v1.get("language_packs").json == []


@EACH_DATABASE
@pytest.mark.parametrize("by", ["name", "uuid"])
def test_a_language_pack_in_use_stays(v1, by):
    pack = v1.made("language_packs", {"name": "pack", "source_uri": PACK})
    plan = v1.plan(artifacts=[{"content": {"href": HREF}, "language_pack": pack[by]}])
    faulty(v1.delete("language_packs/pack"), 409, "plans")
    v1.delete(plan["uri"])
    app = v1.app(languagepack=pack[by])
    faulty(v1.delete(pack["uri"]), 409, "Apps")
    v1.delete(app["uri"])
    v1.by("eve").plan(artifacts=[{"content": {"href": HREF}, "language_pack": pack[by]}])
    assert v1.delete(pack["uri"]).status == 204


def test_a_language_pack_that_is_not_there_is_told_by_what_is_built_by_it(v1):
    plan = v1.plan(artifacts=[{"content": {"href": HREF}, "language_pack": "none"}])
    uri = v1.made("assemblies", {"plan_uri": plan["uri"]})["uri"]
    shown = v1.settle().get(uri).json
    assert shown["status"] in states.FAILED
    assert "'none'" in shown["reason"]
    v1.by("eve").made("language_packs", {"name": "hers", "source_uri": PACK})
    for said in ("none", "hers"):
        faulty(
            v1.post("apps", {"name": "a", "source": {"repository": HREF}, "languagepack": said}), 400, "languagepack"
        )
        faulty(v1.patch(v1.app()["uri"], {"languagepack": said}), 400, "languagepack", said)


# --- apps


@EACH_DATABASE
def test_an_app_is_made_shown_changed_and_removed(v1):
    pack = v1.made("language_packs", {"name": "pack", "source_uri": PACK})
    said = {
        "name": "web-1",
        "version": 1,
        "description": "words",
        "languagepack": "pack",
        "ports": [8080],
        "source": {"repository": HREF, "revision": "main", "private": False},
        "workflow_config": {"test_cmd": "make test", "run_cmd": "make run"},
        "trigger_actions": ["unittest", "build"],
        "scale_config": {"web-1": {"target": "1"}},
        "parameters": {"user_params": {"key": "value"}},
        "raw_content": "words",
    }
    made = v1.made("apps", said)
    id = made["id"]
    assert str(uuid.UUID(id)) == id
    assert made == {
        **said,
        "uri": f"http://testserver/v1/apps/{id}",
        "id": id,
        "type": "app",
        "trigger_uuid": made["trigger_uuid"],
        "trigger_uri": f"http://testserver/v1/triggers/{made['trigger_uuid']}",
        "deleted": False,
        "project_id": "a1",
        "user_id": "ada",
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert v1.get(f"apps/{id}").json == made
    assert v1.get("apps").json == [made]
    changed = v1.patch(f"apps/{id}", {"source": {"revision": "v2"}, "workflow_config": {"run_cmd": "run"}, "ports": 80})
    assert changed.status == 200
    assert changed.json == {
        **made,
        "source": {**said["source"], "revision": "v2"},
        "workflow_config": {"test_cmd": "make test", "run_cmd": "run"},
        "ports": 80,
        "updated_at": changed.json["updated_at"],
    }
    assert v1.patch(f"apps/{id}", {"name": "web-2", "languagepack": pack["uuid"]}).json["name"] == "web-2"
    gone = v1.delete(f"apps/{id}")
    assert (gone.status, gone.body) == (202, b"")
    for answer in (
        v1.get(f"apps/{id}"),
        v1.delete(f"apps/{id}"),
        v1.patch(f"apps/{id}", {"name": "x"}),
        v1.get(f"apps/{id}/workflows"),
        v1.post(f"apps/{id}/workflows", {"actions": ["build"]}),
    ):
        faulty(answer, 404, id)
    assert v1.platform.request("PUT", f"/v1/apps/{id}", {}).headers["allow"] == "DELETE, GET, HEAD, PATCH"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": None}, "name"),
        ({"source": None}, "source"),
        ({"source": {}}, "source/repository"),
        ({"source": {"repository": HREF, "more": 1}}, "source/more"),
        ({"source": {"repository": HREF, "revision": "--upload-pack=x"}}, "source/revision"),
        ({"name": ""}, "name"),
        ({"name": "Upper"}, "name"),
        ({"name": "1st"}, "name"),
        ({"name": "_x"}, "name"),
        ({"name": "with space"}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"description": "d" * 255}, "description"),
        ({"ports": [0]}, "ports/0"),
        ({"ports": 65536}, "ports"),
        ({"ports": {"web": 0}}, "ports/web"),
        ({"ports": "80"}, "ports"),
        ({"trigger_actions": ["fly"]}, "trigger_actions/0"),
        ({"id": "x"}, "id"),
        ({"uuid": "x"}, "uuid"),
        ({"project_id": "x"}, "project_id"),
        ({"more": 1}, "more"),
    ],
)
def test_an_app_that_is_none_is_refused(v1, said, words):
    body = {"name": "web", "source": {"repository": HREF}, **said}
    answer = v1.post("apps", {k: v for k, v in body.items() if v is not None})
    faulty(answer, 400, words)
    assert "name: is not a known" not in answer.text
    assert v1.get("apps").json == []
    if None not in said.values() and said != {"source": {}}:
        made = v1.app()
        faulty(v1.patch(made["uri"], said), 400, words)
        assert v1.get(made["uri"]).json == made


@pytest.mark.parametrize("ports", [8080, [8080, 8081], {"web": 8080}, None])
def test_an_app_has_its_ports_in_any_form(v1, ports):
    app = v1.app(**({"ports": ports} if ports else {}))
    v1.flow(app, "build")
    assert v1.get("plans").json[0]["artifacts"][0]["ports"] == (ports or [80])


@EACH_DATABASE
def test_a_project_has_no_more_apps_than_it_may(v1):
    for index in range(10):
        v1.app(f"app{index}")
    faulty(v1.post("apps", {"name": "one-more", "source": {"repository": HREF}}), 403, "10")
    faulty(v1.by("bob").post("apps", {"name": "one-more", "source": {"repository": HREF}}), 403, "10")
    v1.by("eve").app()
    v1.delete(f"apps/{v1.get('apps').json[0]['id']}")
    v1.app("one-more")


SECRETS = ("SECRET-1", "SECRET-2", "SECRET-3", "SECRET-4", "SECRET-5")


@EACH_DATABASE
def test_an_apps_secrets_are_shown_nowhere(v1):
    source = {"repository": HREF, "repo_token": SECRETS[0], "private_ssh_key": SECRETS[1], "private": False}
    app = v1.app(source=source, repo_token=SECRETS[2], trigger_actions=["build"])
    changed = v1.patch(app["uri"], {"repo_token": SECRETS[3], "source": {"private_ssh_key": SECRETS[4]}})
    flow = v1.post(f"{app['uri']}/workflows", {"actions": ["deploy"], "source": {"repo_token": SECRETS[0]}})
    v1.settle()
    v1.platform.by("").post(app["trigger_uri"], CHANGE)
    shown = [json.dumps(app), changed.text, flow.text, v1.settle().get(flow.json["uri"]).text]
    shown += [v1.get(f"{app['uri']}/workflows").text, v1.get(f"{flow.json['uri']}/logs").text]
    shown += [v1.by(name).get(kind).text for kind in COLLECTIONS for name in ("ada", "bob", "admin")]
    shown += [v1.get(f"{CAMP}/{kind}").text for kind in ("plans", "assemblies")]
    shown += [v1.get(link["href"]).text for link in v1.get(f"{CAMP}/plans").json["plan_links"]]
    shown += [v1.delete(app["uri"]).text]
    assert not [text for text in shown if "SECRET" in text or "repo_token" in text or "private_ssh_key" in text]


# --- workflows


@EACH_DATABASE
def test_a_workflow_is_numbered_and_shown_by_its_number_or_id(v1):
    app = v1.app(workflow_config={"test_cmd": "true", "run_cmd": "run"})
    other = v1.app("other")
    for number, actions in enumerate((["unittest"], ["unittest", "build"], ["unittest", "build", "deploy"]), 1):
        made = v1.post(f"{app['uri']}/workflows", {"actions": actions})
        assert made.status == 200
        flow = made.json
        assert (
            flow.items()
            >= {
                "wf_id": number,
                "app_id": app["id"],
                "type": "workflow",
                "status": "QUEUED",
                "actions": actions,
                "source": {"repository": HREF},
                "config": {"test_cmd": "true", "run_cmd": "run"},
                "result": None,
                "scale_target": 1,
            }.items()
        )
        v1.settle()
        shown = v1.get(flow["uri"]).json
        assert shown["status"] == ("UNIT_TESTING_PASSED", "BUILT", "DEPLOYMENT_COMPLETE")[number - 1]
        for path in (f"workflows/{number}", f"workflows/{flow['id']}/"):
            assert v1.get(f"{app['uri']}/{path}").json == shown
        assert v1.get(f"{app['uri']}/workflows/{number}/logs").json == []
    assert [one["wf_id"] for one in v1.get(f"{app['uri']}/workflows").json] == [1, 2, 3]
    assert v1.flow(other, "build")["wf_id"] == 1
    for path in ("workflows/9", "workflows/none", "workflows/9/logs"):
        faulty(v1.get(f"{other['uri']}/{path}"), 404, path.split("/")[1])
    there = v1.get(app["uri"]).json
    assert (there["status"], there["stack_id"]) == ("DEPLOYMENT_COMPLETE", shown["assembly"])
    assert there["app_url"] == v1.get(f"assemblies/{shown['assembly']}").json["application_uri"]


@pytest.mark.parametrize(
    ("actions", "workflow", "status"),
    [
        (["unittest"], ["unittest"], "UNIT_TESTING_PASSED"),
        (["build"], ["unittest", "build"], "BUILT"),
        (["deploy", "unittest"], ["unittest", "build", "deploy"], "DEPLOYMENT_COMPLETE"),
    ],
)
def test_a_workflow_does_what_its_last_action_needs(v1, actions, workflow, status):
    flow = v1.flow(v1.app(), *actions)
    assert flow["status"] == status
    assembly = v1.get(f"assemblies/{flow['assembly']}").json
    assert (assembly["workflow"], assembly["status"]) == (workflow, status)
    assert (assembly["application_uri"] is None) == (status != "DEPLOYMENT_COMPLETE")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "actions"),
        ({"actions": []}, 400, "actions"),
        ({"actions": "build"}, 400, "actions"),
        ({"actions": ["fly"]}, 400, "'fly'"),
        ({"actions": ["build", "scale"], "scale_target": 2}, 400, "scale"),
        ({"actions": ["scale"]}, 400, "scale_target"),
        ({"actions": ["scale"], "scale_target": 0}, 400, "scale_target"),
        ({"actions": ["scale"], "scale_target": 101}, 400, "scale_target"),
        ({"actions": ["scale"], "scale_target": "x"}, 400, "scale_target"),
        ({"actions": ["scale"], "scale_target": 2}, 409, "deploy it first"),
        ({"actions": ["build"], "wf_id": 7}, 400, "wf_id"),
        ({"actions": ["build"], "source": {"revision": "--x"}}, 400, "source/revision"),
    ],
)
def test_a_workflow_that_can_not_be_is_not_begun(v1, body, status, words):
    app = v1.app()
    faulty(v1.post(f"{app['uri']}/workflows", body), status, words)
    assert v1.get(f"{app['uri']}/workflows").json == v1.get("assemblies").json == []


@EACH_DATABASE
@pytest.mark.parametrize("target", [1, 2, 100, "3"])
def test_an_app_is_scaled(v1, target):
    app = v1.app()
    deployed = v1.flow(app, "deploy")
    scaled = v1.flow(app, "scale", scale_target=target)
    assert (scaled["wf_id"], scaled["assembly"], scaled["scale_target"]) == (2, deployed["assembly"], int(target))
    assert v1.get(f"assemblies/{scaled['assembly']}").json["instances"] == int(target)
    assert v1.get(app["uri"]).json["status"] == "DEPLOYMENT_COMPLETE"


@EACH_DATABASE
def test_a_newer_deployment_takes_the_place_of_those_before_it(v1):
    app = v1.app()
    built = v1.flow(app, "build")
    first = v1.flow(app, "deploy")
    failed = v1.flow(app, "deploy", source={"revision": "v2"})
    assert failed["status"] == "DEPLOYMENT_COMPLETE"
    assert v1.get(f"assemblies/{first['assembly']}").status == 404
    assert [one["uuid"] for one in v1.get("assemblies").json] == [failed["assembly"], built["assembly"]]
    assert len(v1.get("plans").json) == 2
    assert v1.get(first["uri"]).json["status"] == "DEPLOYMENT_COMPLETE"
    assert v1.get(f"{first['uri']}/logs").json == []
    assert v1.get("plans").json[0]["artifacts"][0]["content"]["href"] == f"{HREF}#v2"


@EACH_DATABASE
@pytest.mark.parametrize(
    ("config", "actions", "status"),
    [
        ({"test_cmd": "false"}, ["deploy"], "UNIT_TESTING_FAILED"),
        ({"run_cmd": "false"}, ["deploy"], "ERROR_CODE_DEPLOYMENT"),
        ({}, ["build"], "BUILT"),
    ],
)
def test_a_deployment_stays_until_a_newer_one_completes(v1, config, actions, status):
    app = v1.app()
    first = v1.flow(app, "deploy")
    v1.patch(app["uri"], {"workflow_config": config})
    second = v1.flow(app, *actions)
    assert second["status"] == status
    assert (second["result"] is None) == (status == "BUILT")
    assert v1.get(f"assemblies/{first['assembly']}").json["status"] == "DEPLOYMENT_COMPLETE"
    shown = v1.get(app["uri"]).json
    assert (shown["status"], shown["stack_id"]) == (status, second["assembly"])


def test_a_workflow_builds_what_the_app_says_then(v1):
    app = v1.app(parameters={"user_params": {"key": "value"}}, description="words")
    v1.patch(app["uri"], {"source": {"revision": "v1"}, "workflow_config": {"test_cmd": "t", "run_cmd": "r"}})
    v1.flow(app, "build")
    (plan,) = v1.get("plans").json
    (artifact,) = plan["artifacts"]
    assert (plan["name"], plan["description"], plan["parameters"]) == (
        "web",
        "words",
        {"user_params": {"key": "value"}},
    )
    assert artifact["content"]["href"] == f"{HREF}#v1"
    assert (artifact["unittest_cmd"], artifact["run_cmd"], artifact["language_pack"]) == ("t", "r", "auto")


@EACH_DATABASE
def test_an_app_takes_its_assemblies_along(v1):
    app = v1.app()
    v1.flow(app, "build")
    v1.flow(app, "deploy")
    kept = v1.running()
    v1.delete(app["uri"])
    assert [one["uuid"] for one in v1.settle().get("assemblies").json] == [kept["uuid"]]


def test_an_app_takes_its_plans_along(v1):
    pack = v1.made("language_packs", {"name": "pack", "source_uri": PACK})
    app = v1.app(languagepack="pack")
    v1.post(f"{app['uri']}/workflows", {"actions": ["deploy"]})
    v1.settle().delete(app["uri"])
    assert v1.settle().get("plans").json == []
    assert v1.delete(pack["uri"]).status == 204


# --- triggers


def built(v1, kind):
    """Something with a trigger, and what tells which assemblies were made by it."""
    if kind == "app":
        made = v1.app(trigger_actions=["unittest", "build", "deploy"])
    elif kind == "plan":
        made = v1.plan()
    else:
        made = v1.made("pipelines", {"name": "line", "plan_uri": v1.plan()["uri"]})
    return made["trigger_uri"]


EVERY_TRIGGER = pytest.mark.parametrize("kind", ["app", "plan", "pipeline"])


@EVERY_TRIGGER
@pytest.mark.parametrize(
    "message",
    [
        *({**CHANGE, "action": action} for action in ("opened", "edited", "reopened", "synchronize", "closed")),
        COMMENT,
        {**COMMENT, "comment": {"body": " Solum retry tests.\n", "commit_id": "beef"}},
    ],
)
def test_github_has_it_built_again_without_a_token(v1, kind, message):
    heard = v1.platform.by("").post(built(v1, kind), message)
    assert (heard.status, heard.body) == (202, b"")
    (assembly,) = v1.settle().get("assemblies").json
    assert (assembly["status"], assembly["project_id"], assembly["user_id"]) == ("DEPLOYMENT_COMPLETE", "a1", "ada")


@pytest.mark.parametrize("action", ["labeled", "deleted", "", None, ["opened"], {"opened": 1}])
def test_what_asks_for_nothing_is_heard_and_nothing_is_done(v1, action):
    message = {name: value for name, value in {**CHANGE, "action": action}.items() if value is not None}
    assert v1.platform.by("").post(built(v1, "app"), message).status == 202
    assert v1.get("assemblies").json == []


@pytest.mark.parametrize(
    ("message", "status", "words"),
    [
        ({}, 400, "sender"),
        ([], 400, "object"),
        ({"sender": GITHUB}, 400, "comment"),
        ({"sender": GITHUB, "action": "opened"}, 400, "pull_request"),
        ({**CHANGE, "pull_request": None}, 400, "pull_request"),
        ({**CHANGE, "pull_request": {}}, 400, "pull_request"),
        ({**CHANGE, "pull_request": {"head": []}}, 400, "pull_request"),
        ({**CHANGE, "pull_request": {"head": {"sha": {"a": 1}}}}, 400, "pull_request/head/sha"),
        ({**CHANGE, "pull_request": {"head": {"sha": "--upload-pack=x"}}}, 400, "pull_request/head/sha"),
        ({**COMMENT, "comment": None}, 400, "comment"),
        ({**COMMENT, "comment": {}}, 400, "comment"),
        ({**COMMENT, "comment": "solum retry tests"}, 400, "comment"),
        ({**COMMENT, "comment": {"body": "solum retry tests", "commit_id": "a b"}}, 400, "comment/commit_id"),
        ({**COMMENT, "comment": {"body": "please solum retry tests"}}, 403, "solum retry tests"),
        ({**COMMENT, "comment": {"body": None}}, 403, "solum retry tests"),
        ({**CHANGE, "sender": {}}, 501, "GitHub"),
        ({**CHANGE, "sender": "https://api.github.com/"}, 501, "GitHub"),
        ({**CHANGE, "sender": None}, 501, "GitHub"),
        ({**CHANGE, "sender": {"url": "https://gitlab.example/octo"}}, 501, "GitHub"),
        ({**CHANGE, "sender": {"url": "https://gitlab.example/?https://api.github.com/"}}, 501, "GitHub"),
    ],
)
def test_what_is_no_message_of_githubs_is_refused(v1, message, status, words):
    faulty(v1.platform.by("").post(built(v1, "app"), message), status, words)
    assert v1.get("assemblies").json == []


def test_a_trigger_hears_only_what_it_can_read(v1):
    trigger = built(v1, "app")
    nobody = v1.platform.by("")
    faulty(nobody.request("POST", trigger, headers={"content-type": "application/json"}), 400, "missing")
    faulty(nobody.request("POST", trigger, body=b"{", headers={"content-type": "application/json"}), 400, "body")
    faulty(nobody.post("/v1/triggers/none", CHANGE), 404, "trigger")
    faulty(nobody.get(trigger), 405, "POST")


@pytest.mark.parametrize(
    ("workflow", "actions"),
    [
        ("unittest", ["unittest"]),
        ("unittest+build", ["unittest", "build"]),
        ("unittest%20build", ["unittest", "build"]),
        ("unittest%2Bbuild", ["unittest", "build"]),
        ("unittest+build+deploy", ["unittest", "build", "deploy"]),
        ("build+fly", ["unittest", "build"]),
        ("fly", ["unittest", "build", "deploy"]),
        ("scale", ["unittest", "build", "deploy"]),
        ("", ["unittest", "build", "deploy"]),
    ],
)
@EVERY_TRIGGER
def test_a_triggers_address_says_what_is_done(v1, kind, workflow, actions):
    trigger = built(v1, kind)
    assert v1.platform.by("").post(f"{trigger}?workflow={workflow}", CHANGE).status == 202
    (assembly,) = v1.settle().get("assemblies").json
    assert assembly["workflow"] == actions


@EACH_DATABASE
def test_a_triggered_app_is_built_at_the_commit_by_its_own_actions(v1):
    app = v1.app(trigger_actions=["unittest"])
    v1.platform.by("").post(app["trigger_uri"], CHANGE)
    v1.platform.by("").post(
        app["trigger_uri"], {**COMMENT, "comment": {"body": "solum retry tests", "commit_id": "beef"}}
    )
    v1.platform.by("").post(app["trigger_uri"], COMMENT)
    flows = v1.settle().get(f"{app['uri']}/workflows").json
    assert [flow["source"].get("revision") for flow in flows] == ["c0ffee", "beef", None]
    assert {tuple(flow["actions"]) for flow in flows} == {("unittest",)}
    assert {flow["status"] for flow in flows} == {"UNIT_TESTING_PASSED"}
    hrefs = [plan["artifacts"][0]["content"]["href"] for plan in v1.get("plans").json]
    assert hrefs == [HREF, f"{HREF}#beef", f"{HREF}#c0ffee"]


# --- pipelines


@EACH_DATABASE
def test_a_pipeline_is_made_executed_changed_and_forgotten(v1):
    plan, other = v1.plan(), v1.plan(name="other")
    made = v1.made("pipelines", {"name": "line", "plan_uri": f"../plans/{plan['uuid']}", "workbook_name": "build"})
    assert made.items() >= {"type": "pipeline", "plan_uri": plan["uri"], "workbook_name": "build"}.items()
    assert v1.get(made["uri"]).json == made
    assert v1.get("pipelines").json == [made]
    assert v1.get(f"{made['uri']}/executions/").json == []
    v1.platform.by("").post(made["trigger_uri"], CHANGE)
    v1.settle()
    assert v1.put(made["uri"], {"name": "renamed", "plan_uri": other["uri"]}).json["plan_uri"] == other["uri"]
    v1.platform.by("").post(made["trigger_uri"], COMMENT)
    newest, oldest = v1.settle().get(f"{made['uri']}/executions").json
    assert (oldest["target_name"], newest["target_name"]) == ("line", "renamed")
    assert v1.get(oldest["href"]).json["plan_uri"] == plan["uri"]
    assert v1.get(newest["href"]).json["plan_uri"] == other["uri"]
    shown = v1.get(made["uri"]).json
    assert newest["href"].endswith(shown["last_execution"])
    again = v1.put(made["uri"], {**shown, "last_execution": "mine", "trigger_uri": "mine", "uuid": "mine"}).json
    assert again == {**shown, "updated_at": again["updated_at"]}
    v1.delete(oldest["href"])
    assert v1.settle().get(f"{made['uri']}/executions").json == [newest]
    assert v1.delete(made["uri"]).status == 204
    for answer in (
        v1.get(made["uri"]),
        v1.get(f"{made['uri']}/executions"),
        v1.put(made["uri"], {"name": "x"}),
        v1.delete(made["uri"]),
        v1.platform.by("").post(made["trigger_uri"], CHANGE),
    ):
        faulty(answer, 404)


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"name": None}, 400, "name"),
        ({"plan_uri": None}, 400, "plan_uri"),
        ({"plan_uri": "words"}, 400, "plan_uri"),
        ({"plan_uri": "/v1/plans/none"}, 404, "none"),
        ({"name": "with space"}, 400, "name"),
        ({"executions": []}, 400, "executions"),
        ({"plan_id": "x"}, 400, "plan_id"),
    ],
)
def test_a_pipeline_that_can_not_be_is_refused(v1, said, status, words):
    plan = v1.plan()
    body = {"name": "line", "plan_uri": plan["uri"], **said}
    faulty(v1.post("pipelines", {k: v for k, v in body.items() if v is not None}), status, words)
    made = v1.made("pipelines", {"name": "line", "plan_uri": plan["uri"]})
    if None not in said.values():
        faulty(v1.put(made["uri"], said), status, words)
    assert v1.get("pipelines").json == [made]


@EACH_DATABASE
def test_a_trigger_finds_its_pipeline_among_records_of_any_kind(v1):
    made = v1.made("pipelines", {"name": "line", "plan_uri": v1.plan()["uri"]})
    v1.made("sensors", {"name": "n", "value": made["trigger_uri"].rpartition("/")[2]})
    with v1.platform.core.database.reading() as connection:
        kinds = set(connection.scalars(records.select().with_only_columns(records.c.kind)))
    assert kinds == {"pipeline", "sensor"}
    assert v1.platform.by("").post(made["trigger_uri"], CHANGE).status == 202


def test_a_plan_of_a_pipeline_stays(v1):
    plan = v1.plan()
    v1.made("pipelines", {"name": "line", "plan_uri": plan["uri"]})
    faulty(v1.delete(plan["uri"]), 409, "Pipelines")


def test_an_app_brings_the_key_of_its_private_source(v1):
    key = ed25519.Ed25519PrivateKey.generate()
    form = (Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    source = {
        "repository": "git@github.com:octo/web.git",
        "private": True,
        "private_ssh_key": key.private_bytes(*form).decode(),
    }
    app = v1.made("apps", {"name": "private", "source": source})
    v1.post(f"{app['uri']}/workflows", {"actions": ["build"]})
    plan = next(one for one in v1.get("plans").json if one["name"] == "private")
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert plan["artifacts"][0]["content"]["public_key"] == public
    assert list(v1.platform.core.plans.private_keys(plan["uuid"])) == [public]
    assert "PRIVATE" not in str(v1.get("plans").json)
    broken = v1.made("apps", {"name": "broken", "source": {**source, "private_ssh_key": "none"}})
    faulty(v1.post(f"{broken['uri']}/workflows", {"actions": ["build"]}), 400, "private key")


# --- logs


def test_what_builds_wrote_is_read_by_the_addresses_that_logs_have(platforms, units, tmp_path):
    pack = tmp_path / "pack"
    pack.mkdir()
    v1 = V1(platforms(engine="process", folders=[str(pack)], process={"folder": str(units)}))
    plan = v1.plan(artifacts=[{"content": {"data": "aGVsbG8="}, "unittest_cmd": "echo tested; false"}])
    assembly = v1.made("assemblies", {"plan_uri": plan["uri"]})
    app = v1.app(source={"repository": f"file://{pack}"}, workflow_config={"test_cmd": "echo tested; false"})
    flow = v1.flow(app, "build")
    assert flow["status"] == "UNIT_TESTING_FAILED"
    assert "the tests failed" in flow["result"]
    made = v1.made("language_packs", {"name": "pack", "source_uri": f"file://{pack}"})
    v1.platform.core.build_pack(AtOnce(), made["uuid"])
    assert "bin/detect" in v1.get(made["uri"]).json["reason"]
    for kind, id, listed in (
        ("assembly", assembly["uuid"], f"{assembly['uri']}/logs"),
        ("workflow", flow["id"], f"{flow['uri']}/logs/"),
        ("language_pack", made["uuid"], "language_packs/pack/logs"),
    ):
        (log,) = v1.get(listed).json
        assert (log["resource_type"], log["resource_uuid"], log["name"]) == (kind, id, "build")
        assert (log["strategy"], json.loads(log["strategy_info"])) == ("local", {})
        read = v1.get(log["location"])
        assert read.headers["content-type"] == "text/plain; charset=utf-8"
        assert ("fetching" if kind == "language_pack" else "\ntested\n") in read.text
        faulty(v1.by("eve").get(log["location"]), 404)
        faulty(v1.get(f"{log['location']}x"), 404, "log")
        faulty(v1.by("eve").get(listed), 404)
    for repository in ("file:///etc", "words", "ftp://f.example/x.git", "https://user:secret@h.example/x.git"):
        faulty(v1.post("apps", {"name": "b", "source": {"repository": repository}}), 400, "source/repository")
        faulty(v1.patch(app["uri"], {"source": {"repository": repository}}), 400, "source/repository")
        faulty(v1.post("language_packs", {"name": "b", "source_uri": repository}), 400, "source_uri")
