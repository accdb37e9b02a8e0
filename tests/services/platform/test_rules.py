"""The rules that operations ask: each its own, and both APIs the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from apifold.marked import read_file
from apifold.testing import client
from apifold_services.platform import service
from tests.services.platform.conftest import CAMP
from tests.services.platform.solum import faulty

PUBLIC = {
    ("GET", "/"), ("POST", "/"), ("PUT", "/"), ("DELETE", "/"), ("POST", "/v1/triggers/{trigger}"),
    ("GET", "/camp/platform_endpoints"), ("GET", "/camp/camp_v1_1_endpoint"),
}  # fmt: skip
THINGS = {
    "plans": "plan", "assemblies": "assembly", "components": "component", "services": "service",
    "operations": "operation", "sensors": "sensor", "extensions": "extension", "pipelines": "pipeline",
    "language_packs": "languagepack", "apps": "app", "stacks": "infrastructure_stack",
}  # fmt: skip
UNASKED = {"update_languagepack"}
"""Upstream has this rule, and nothing that asks it either."""

VERBS = {"GET": "show", "PUT": "update", "PATCH": "update", "POST": "update", "DELETE": "delete"}


def rule_of(method, path):
    """The rule that has to be asked, by what is done to what; of both APIs alike."""
    parts = path.removeprefix("/camp/v1_1").removeprefix("/v1").strip("/").split("/")
    kind, *rest = parts[1:] if parts[0] == "infrastructure" and len(parts) > 1 else parts
    if kind not in THINGS:
        return "platform:get"
    if rest[1:] == ["executions"]:
        return "get_pipeline_executions"
    thing = THINGS[kind]
    if rest:
        return f"{VERBS[method]}_{thing}"
    plural = "assemblies" if thing == "assembly" else f"{thing}s"
    return f"get_{plural}" if method == "GET" else f"create_{thing}"


@pytest.fixture(scope="module")
def roles():
    """The role that each rule asks for in these tests."""
    rules = read_file(Path(service.__file__).with_name("policy.yaml"))
    return {rule: rule.replace(":", "-") for rule in rules if rule not in ("context_is_admin", "reads")}


@pytest.fixture(scope="module")
def ruled(roles, tmp_path_factory):
    """A platform where each rule asks for a role of its own; for each of them, one has it alone, and one all others."""
    home = tmp_path_factory.mktemp("rules")
    (home / "policy.yaml").write_text("".join(f'"{rule}": "role:{role}"\n' for rule, role in roles.items()))
    people = []
    for role in roles.values():
        common = {"user": "ada", "project": "a1"}
        people.append({"token": f"only-{role}", **common, "roles": [role]})
        people.append({"token": f"but-{role}", **common, "roles": [other for other in roles.values() if other != role]})
    (home / "tokens.yaml").write_text(yaml.safe_dump(people))
    (home / "tokens.yaml").chmod(0o600)
    files = {"policy": str(home / "policy.yaml"), "tokens": str(home / "tokens.yaml")}
    services = {"platform": {"engine": "simulated"}}
    with client("platform", state=str(home / "state"), auth="tokens", services=services, **files) as made:
        made.get("/")
        yield made


def walked(ruled):
    """The operations of all that clients of either API ask."""
    for api in ruled.application.running.generation.site.apis:
        for endpoint in api.endpoints:
            if endpoint.api in ("platform-root", "platform-v1", "platform-camp"):
                yield endpoint


def test_every_operation_asks_its_rule(ruled, roles):
    """Whoever lacks its role is refused, though he has all others; whoever has it alone is not; nobody else gets in."""
    public, asked = set(), set()
    for endpoint in walked(ruled):
        method, path = endpoint.method, endpoint.path
        if endpoint.gate.public:
            public.add((method, path))
            continue
        rule = rule_of(method, path)
        asked.add(rule)
        assert endpoint.gate.rule_name == rule, endpoint.title
        address = path.replace("{", "").replace("}", "")
        for token, refused in ((f"but-{roles[rule]}", 403), ("unknown", 401), ("", 401)):
            answer = ruled.request(method, address, headers={"x-auth-token": token} if token else {})
            assert answer.status == refused, (endpoint.title, token, answer.text)
            if path.startswith("/v1"):
                faulty(answer, refused)
        allowed = ruled.request(method, address, headers={"x-auth-token": f"only-{roles[rule]}"})
        assert allowed.status not in (401, 403, 500), (endpoint.title, allowed.text)
    assert public == PUBLIC
    assert asked == roles.keys() - UNASKED


def test_an_alias_asks_the_same_rule(ruled, roles):
    for name, rule in (("plan", "show_plan"), ("assembly", "show_assembly"), ("component", "show_component")):
        for token, status in ((f"but-{roles[rule]}", 403), (f"only-{roles[rule]}", 404), ("", 401)):
            headers = {"x-auth-token": token} if token else {}
            assert ruled.get(f"/camp/v1_1/{name}/x", headers=headers).status == status


def test_both_apis_ask_the_same_rules_of_the_same_things(ruled):
    asked = {"/v1": {}, "/camp": {}}
    for endpoint in walked(ruled):
        if not endpoint.gate.public:
            base = "/camp" if endpoint.path.startswith("/camp") else "/v1"
            path = endpoint.path.removeprefix("/camp/v1_1").removeprefix("/v1")
            asked[base][endpoint.method, path] = endpoint.gate.rule_name
    same = asked["/v1"].keys() & asked["/camp"].keys()
    assert len(same) >= 20
    for operation in same:
        assert asked["/v1"][operation] == asked["/camp"][operation], operation
    assert set(asked["/camp"].values()) < set(asked["/v1"].values())


def test_who_has_no_project_has_things_of_his_own(shared):
    solo = shared.by("solo")
    plan = solo.plan()
    assert plan["uri"] in [one["href"] for one in solo.get(f"{CAMP}/plans").json["plan_links"]]
    assert shared.get(plan["uri"]).status == shared.by("eve").get(plan["uri"]).status == 404
