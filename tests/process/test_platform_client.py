"""The platform as Solum's own client uses it, against real server processes: with CAMP beside it, and without."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

CLIENTS = Path(__file__).parent.parent.parent / ".clients"
NEEDS = pytest.mark.skipif(
    not list(CLIENTS.glob("lib/*/site-packages/solumclient")), reason="Solum's client is missing: make .clients/.test"
)

SCRIPT = r"""
    import json, sys, time
    from solumclient import client
    from solumclient.common.apiclient import base, exceptions

    url = sys.argv[1]
    solum = client.Client("1", url, token="ada-token", endpoint=url)
    said = {}

    def plain(value):
        if isinstance(value, list):
            return [plain(one) for one in value]
        if isinstance(value, base.Resource):
            return plain(value._info)
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return getattr(value, "status_code", value)

    def say(name, ask, /, *words, **more):
        try:
            found = ask(*words, **more)
        except exceptions.ClientException as error:
            found = None
            said[name] = [type(error).__name__, error.http_status]
        else:
            said[name] = plain(found)
        return found

    def began(name, ask, /, **more):
        # How far it is by now differs from one time to the next.
        found = say(name, ask, **more)
        for moving in ("status", "reason", "result", "address"):
            said[name].pop(moving, None)
        return found

    def until(ask, *states):
        end = time.monotonic() + 60
        while ask().status not in states:
            assert time.monotonic() < end, ask().status
            time.sleep(0.1)

    PLAN = '''
    version: 1
    name: web
    description: words
    artifacts:
    - name: web
      content: {href: "https://github.com/octo/web.git"}
      language_pack: auto
      ports: [8080]
    '''

    say("platform", solum.platform.get)

    plan = say("plan made", solum.plans.create, PLAN)
    say("plan by name", solum.plans.find, name_or_id="web")
    say("plan by id", solum.plans.find, name_or_id=plan.uuid)
    say("plan", solum.plans.get, plan_id=plan.uuid)
    say("plans", solum.plans.list)
    say("plan of no version", solum.plans.create, "name: web")
    # The manager's `update` hands the id of the plan to `requests`, which knows no such argument.
    yaml = {"Content-Type": "x-application/yaml"}
    changed = solum.plans.client.put(f"/v1/plans/{plan.uuid}", data=PLAN.replace("words", "others"), headers=yaml)
    said["plan changed"] = changed.status_code
    say("plan then", solum.plans.get, plan_id=plan.uuid)

    pack = began("pack made", solum.languagepacks.create, name="pack", source_uri="https://github.com/octo/pack.git",
               lp_metadata="{}", lp_params={"a": "b"})
    until(lambda: solum.languagepacks.find(name_or_id="pack"), "READY", "ERROR")
    say("pack by name", solum.languagepacks.find, name_or_id="pack")
    say("packs", solum.languagepacks.list)
    say("pack again", solum.languagepacks.create, name="pack", source_uri="https://github.com/octo/pack.git")

    source = {"repository": "https://github.com/octo/web.git", "revision": "master", "private": False, "private_ssh_key": ""}
    app = say("app made", solum.apps.create, version=1, name="app", description="words", languagepack="False", source=source,
              workflow_config={"test_cmd": "true", "run_cmd": "run"}, trigger_actions=["unittest", "build", "deploy"],
              ports=[80], parameters={})
    say("app of a missing pack", solum.apps.create, name="other", languagepack="none", source=source)
    say("app patched", solum.apps.patch, app_id=app.id, description="others", repo_token="secret", source={"revision": "v1"})
    say("app by name", solum.apps.find, name_or_id="app")
    say("app by id", solum.apps.find, app_id=app.id)
    say("apps", solum.apps.list)

    flow = began("workflow made", solum.workflows.create, app_id=app.id, actions=["unittest", "build", "deploy"])
    until(lambda: solum.workflows.find(app_id=app.id, workflow_id=flow.id), "DEPLOYMENT_COMPLETE", "ERROR")
    say("workflow by id", solum.workflows.find, app_id=app.id, revision_or_id=flow.id)
    say("workflow by number", solum.workflows.find, app_id=app.id, revision_or_id=1)
    say("workflows", solum.workflows.list, app_id=app.id)
    say("workflow's logs", solum.workflows.logs, app_id=app.id, revision_or_id=flow.id)
    began("scaled", solum.workflows.create, app_id=app.id, actions=["scale"], scale_target=2)
    until(lambda: solum.apps.find(app_id=app.id), "DEPLOYMENT_COMPLETE", "ERROR")
    say("app that runs", solum.apps.get, app_id=app.id)

    (component,) = say("components", solum.components.list)
    say("component by name", solum.components.find, name_or_id="app")
    say("component by id", solum.components.find, name_or_id=component.uuid)
    say("component made", solum.components.create, name="noted", description="words")

    line = say("pipeline made", solum.pipelines.create, name="line", plan_uri=plan.uri, workbook_name="build")
    say("pipeline by name", solum.pipelines.find, name_or_id="line")
    say("pipelines", solum.pipelines.list)
    say("pipeline deleted", solum.pipelines.delete, pipeline_id=line.uuid)

    say("app deleted", solum.apps.delete, app_id=app.id)
    say("app that is gone", solum.apps.find, app_id=app.id)
    say("apps that are left", solum.apps.list)
    say("pack deleted", solum.languagepacks.delete, lp_id="pack")
    say("packs that are left", solum.languagepacks.list)
    say("plan deleted", solum.plans.delete, plan_id=plan.uuid)
    say("plan that is gone", solum.plans.get, plan_id=plan.uuid)
    print(json.dumps(said))
"""

IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENTS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def said(server, folder, *, camp):
    """What the client got to hear from a server of its own: ids in their order, no moments, no address."""
    (folder / "tokens.yaml").write_text("- {token: ada-token, user: ada, project: a1, roles: [member]}\n")
    (folder / "tokens.yaml").chmod(0o600)
    config = folder / "apifold.yaml"
    config.write_text(f"services: {{platform: {{engine: simulated, camp_enabled: {str(camp).lower()}}}}}\n")
    tokens = ("--auth", "tokens", "--tokens", folder / "tokens.yaml")
    started = server("platform", "--config", config, *tokens, "--no-access-log", "--workers", "1")
    assert started.get("/camp/platform_endpoints").status == (200 if camp else 404)
    line = [CLIENTS / "bin" / "python", "-W", "ignore", "-c", textwrap.dedent(SCRIPT), started.url]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    text = MOMENTS.sub("MOMENT", done.stdout.replace(started.url, "URL"))
    order = {id: f"ID-{number}" for number, id in enumerate(dict.fromkeys(IDS.findall(text)))}
    return json.loads(IDS.sub(lambda found: order[found[0]], text))


@NEEDS
def test_solums_client_is_told_the_same_with_camp_and_without(server, tmp_path):
    heard = said(server, tmp_path, camp=True)
    assert heard["platform"]["name"] == "solum"
    plan = heard["plan made"]
    assert (plan["name"], plan["version"], plan["artifacts"][0]["ports"]) == ("web", 1, [8080])
    assert plan == heard["plan by name"] == heard["plan by id"] == heard["plan"]
    assert heard["plans"] == [plan]
    assert heard["plan of no version"] == ["BadRequest", 400]
    assert (heard["plan changed"], heard["plan then"]) == (200, {**plan, "description": "others"})
    assert (heard["plan deleted"], heard["plan that is gone"]) == (202, ["NotFound", 404])
    pack = heard["pack by name"]
    assert (heard["pack made"]["uuid"], heard["packs"]) == (pack["uuid"], [pack])
    assert (heard["pack again"], heard["pack deleted"], heard["packs that are left"]) == (["Conflict", 409], 204, [])
    app = heard["app patched"]
    assert app["source"] == {"repository": "https://github.com/octo/web.git", "revision": "v1", "private": False}
    assert app == heard["app by name"] == heard["app by id"]
    assert heard["apps"] == [app]
    assert heard["app of a missing pack"] == ["BadRequest", 400]
    flow = heard["workflow by id"]
    assert (flow["wf_id"], flow["status"], flow["actions"]) == (
        1,
        "DEPLOYMENT_COMPLETE",
        ["unittest", "build", "deploy"],
    )
    assert flow == heard["workflow by number"]
    assert heard["workflows"] == [flow]
    assert heard["workflow's logs"] == []
    assert (heard["scaled"]["wf_id"], heard["scaled"]["scale_target"]) == (2, 2)
    assert (heard["app that runs"]["status"], heard["app that runs"]["stack_id"]) == (
        "DEPLOYMENT_COMPLETE",
        flow["assembly"],
    )
    (component,) = heard["components"]
    assert (component["name"], component["status"], component["assembly_uuid"]) == ("app", "RUNNING", flow["assembly"])
    assert component == heard["component by name"] == heard["component by id"]
    assert heard["component made"]["name"] == "noted"
    line = heard["pipeline made"]
    assert (line["name"], line["plan_uri"], line["workbook_name"]) == ("line", plan["uri"], "build")
    assert line == heard["pipeline by name"]
    assert (heard["pipelines"], heard["pipeline deleted"]) == ([line], 204)
    assert (heard["app deleted"], heard["app that is gone"], heard["apps that are left"]) == (
        202,
        ["NotFound", 404],
        [],
    )
    assert "secret" not in json.dumps(heard)
    assert "camp" not in json.dumps(heard).lower()
    assert said(server, tmp_path, camp=False) == heard
