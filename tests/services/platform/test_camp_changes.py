"""CAMP 1.1: what may be changed, by whom, and that nothing else is; and that the native API sees the same things."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from apifold import NotFound, PreconditionFailed
from apifold_services.platform.core.scope import Scope
from tests.services.platform.conftest import CAMP, PLAN, numbers
from tests.services.platform.test_camp import follow, link, noted

KINDS = ("plan", "assembly", "component", "service")


@pytest.fixture
def thing(request):
    """One of the things that clients may change, on the platform that the test is about."""
    name = "platform" if "platform" in request.fixturenames else "shared"
    return made(request.getfixturevalue(name), request.param)


def made(platform, kind):
    if kind == "plan":
        return platform.plan()
    if kind == "service":
        uuid = noted(platform, "services", description="a service", tags=["one", "two"])["uuid"]
        listed = follow(platform, "services_uri")["service_links"]
        return platform.get(next(one["href"] for one in listed if one["href"].endswith(uuid))).json
    assembly = platform.assembly()
    uri = assembly["uri"] if kind == "assembly" else link(assembly, "web")
    changed = platform.put(f"{uri}?select_attr=description,tags", {"description": "a thing", "tags": ["one", "two"]})
    assert changed.status == 200
    return changed.json


every_kind = pytest.mark.parametrize("thing", KINDS, indirect=True)
MUTABLE = ("name", "description", "tags", "artifacts", "services")
MOVING = {"updated_at"}
"""What changes with every change."""


def but(thing, *left_out, **changes):
    kept = {name: value for name, value in thing.items() if name not in (*left_out, *MOVING)}
    return kept | changes


# --- PUT


@every_kind
def test_what_was_read_can_be_written_back(platform, thing):
    answer = platform.put(thing["uri"], thing)
    assert (answer.status, but(answer.json)) == (200, but(thing))
    assert answer.headers["etag"] == platform.get(thing["uri"]).headers["etag"]


@every_kind
def test_a_thing_is_written_anew(platform, thing):
    own = {"name": "näme ✓ 𝄞 \"'<&>", "description": "line\nline\t✓", "tags": ["ä", "", "a,b", "two"]}
    answer = platform.put(thing["uri"], thing | own)
    assert (answer.status, but(answer.json)) == (200, but(thing, **own))
    assert platform.get(thing["uri"]).json == answer.json
    kept = {name: value for name, value in answer.json.items() if name in ("artifacts", "services")}
    least = platform.put(thing["uri"], {"name": "least", **kept})
    assert (least.status, but(least.json)) == (200, but(thing, "description", "tags", name="least"))


@every_kind
def test_what_a_client_may_not_change_stays(shared, thing):
    uri, before = thing["uri"], shared.get(thing["uri"])
    fixed = {"representation_skew": "CREATING"} | {name: one for name, one in thing.items() if name not in MUTABLE}
    assert {"uri", "type"} <= set(fixed)
    for name, value in fixed.items():
        other = f"{value}x" if isinstance(value, str) else []
        for answer in (
            shared.put(uri, {**thing, "description": "other", name: other}),
            shared.put(f"{uri}?select_attr={name}", {name: other}),
            shared.patch(
                uri, [{"op": "add", "path": "/tags", "value": []}, {"op": "add", "path": f"/{name}", "value": other}]
            ),
        ):
            assert (answer.status, name in answer.text) == (403, True), (name, answer.text)
    for name in set(fixed) & set(thing):
        assert shared.patch(uri, [{"op": "remove", "path": f"/{name}"}]).status == 403
    after = shared.get(uri)
    assert (after.json, after.headers["etag"]) == (before.json, before.headers["etag"])


@every_kind
def test_what_is_no_such_thing_is_refused(shared, thing):
    uri, before = thing["uri"], shared.get(thing["uri"])
    for body, named in (
        ({**thing, "unknown": 1}, "unknown"),
        ({**thing, "x-own": {}}, "x-own"),
        ({"description": "nameless"}, "name"),
        ({**thing, "name": ""}, "name"),
        ({**thing, "name": None}, "name"),
        ({**thing, "name": 5}, "name"),
        ({**thing, "name": "n" * 256}, "name"),
        ({**thing, "description": ["d"]}, "description"),
        ({**thing, "description": "d" * 4097}, "description"),
        ({**thing, "tags": "one"}, "tags"),
        ({**thing, "tags": [1]}, "tags"),
        ({**thing, "tags": ["t"] * 101}, "tags"),
        ({**thing, "tags": ["t" * 256]}, "tags"),
        ([thing], ""),
        ("text", ""),
        (None, ""),
    ):
        answer = shared.put(uri, body)
        assert (answer.status, named in answer.text) == (400, True), (body, answer.text)
    for headers, body, status in (
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/json"}, b"", 400),
        ({"content-type": "text/plain"}, b"text", 415),
        ({"content-type": "application/json-patch+json"}, b"[]", 415),
    ):
        assert shared.request("PUT", uri, body=body, headers=headers).status == status
    after = shared.get(uri)
    assert (after.json, after.headers["etag"]) == (before.json, before.headers["etag"])


@every_kind
def test_only_what_is_selected_is_replaced(shared, thing):
    uri = thing["uri"]
    for query, body, expected in (
        ("description", {"description": "new"}, but(thing, description="new")),
        ("description", {}, but(thing, "description")),
        ("description,tags", {"tags": ["x"]}, but(thing, "description", tags=["x"])),
        ("tags", {"tags": []}, but(thing, "tags")),
        ("name,type,uri", {"name": "new", "type": thing["type"], "uri": uri}, but(thing, name="new")),
        ("name&select_attr=tags", {"name": "new", "tags": ["y"]}, but(thing, name="new", tags=["y"])),
    ):
        answer = shared.put(f"{uri}?select_attr={query}", body)
        assert (answer.status, but(answer.json)) == (200, expected), query
        assert answer.headers["etag"] == shared.get(uri).headers["etag"]
        assert shared.put(uri, answer.json | {name: thing[name] for name in MUTABLE if name in thing}).status == 200


@every_kind
def test_what_is_selected_wrongly_is_not_replaced(shared, thing):
    uri, before = thing["uri"], shared.get(thing["uri"])
    for query, body in (
        ("description", {"description": "new", "name": "new"}),
        ("description", {"name": "new"}),
        ("name", {}),
        ("name", {"name": None}),
        ("unknown", {"unknown": 1}),
        ("", {"name": "new"}),
        ("name,name", {"name": "new"}),
        ("name", []),
    ):
        assert shared.put(f"{uri}?select_attr={query}", body).status == 400, query
    for name in ("uri", "type"):
        assert shared.put(f"{uri}?select_attr={name}", {}).status == 403
    after = shared.get(uri)
    assert (after.json, after.headers["etag"]) == (before.json, before.headers["etag"])


# --- PATCH


def op(op, path, value=None, **more):
    return {"op": op, "path": path, **({} if value is None else {"value": value}), **more}


PATCHES = [
    # operations, and what is changed by them: None is gone, ... is what the description was
    ([op("replace", "/name", "new")], {"name": "new"}),
    ([op("add", "/name", "new")], {"name": "new"}),
    ([op("add", "/description", "new")], {"description": "new"}),
    ([op("remove", "/description")], {"description": None}),
    ([op("remove", "/tags")], {"tags": None}),
    ([op("add", "/tags/-", "three")], {"tags": ["one", "two", "three"]}),
    ([op("add", "/tags/0", "zero"), op("remove", "/tags/2")], {"tags": ["zero", "one"]}),
    ([op("replace", "/tags/1", "2"), op("test", "/tags", ["one", "2"])], {"tags": ["one", "2"]}),
    ([op("copy", "/name", **{"from": "/description"})], {"name": ...}),
    ([op("copy", "/tags/-", **{"from": "/tags/0"})], {"tags": ["one", "two", "one"]}),
    ([op("move", "/tags/0", **{"from": "/tags/1"})], {"tags": ["two", "one"]}),
    ([op("move", "/name", **{"from": "/description"})], {"name": ..., "description": None}),
    ([op("test", "/tags/0", "one"), op("replace", "/description", "new")], {"description": "new"}),
    ([op("remove", "/tags"), op("add", "/tags", ["again"])], {"tags": ["again"]}),
    ([], {}),
]


@every_kind
def test_a_thing_is_patched(platform, thing):
    uri = thing["uri"]
    for operations, changes in PATCHES:
        answer = platform.patch(uri, operations)
        gone = [name for name, value in changes.items() if value is None]
        new = {
            name: thing["description"] if value is ... else value for name, value in changes.items() if name not in gone
        }
        assert (answer.status, but(answer.json)) == (200, but(thing, *gone, **new)), operations
        read = platform.get(uri)
        assert (read.json, read.headers["etag"]) == (answer.json, answer.headers["etag"])
        assert platform.put(uri, answer.json | {name: thing[name] for name in MUTABLE if name in thing}).status == 200


BAD_PATCHES = [
    (409, [op("test", "/name", "other")]),
    (409, [op("replace", "/description", "new"), op("test", "/name", "other")]),
    (409, [op("test", "/tags", ["two", "one"])]),
    (409, [op("test", "/missing", "x")]),
    (422, [op("replace", "/missing", "x")]),
    (422, [op("remove", "/missing")]),
    (422, [op("remove", "/tags/2")]),
    (422, [op("add", "/tags/3", "x")]),
    (422, [op("add", "/tags/01", "x")]),
    (422, [op("add", "/missing/deeper", "x")]),
    (422, [op("copy", "/name", **{"from": "/missing"})]),
    (422, [op("move", "/tags/0", **{"from": "/tags"})]),
    (422, [op("replace", "/description", "new"), op("remove", "/missing")]),
    (400, [op("add", "/unknown", "x")]),
    (400, [op("replace", "/name", 5)]),
    (400, [op("replace", "/name", "")]),
    (400, [op("remove", "/name")]),
    (400, [op("add", "/tags/-", 5)]),
    (400, [op("add", "/tags", ["t"] * 101)]),
    (400, [op("replace", "", "text")]),
    (400, [op("replace", "", [1])]),
    (400, [{"op": "replace", "path": "/name"}]),
    (400, [{"op": "replace", "value": "x"}]),
    (400, [{"path": "/name", "value": "x"}]),
    (400, [{"op": "copy", "path": "/name"}]),
    (400, [{"op": "move", "path": "/name", "value": "x"}]),
    (400, [op("other", "/name", "x")]),
    (400, [op("replace", "name", "x")]),
    (400, [op("replace", "/na~me", "x")]),
    (400, ["replace"]),
    (400, {"op": "replace", "path": "/name", "value": "x"}),
    (400, {"name": "x"}),
    (400, "text"),
    (400, [op("test", "/name", "x")] * 201),
    (403, [op("replace", "", {"name": "x"})]),
]


@every_kind
def test_a_patch_that_can_not_be_carried_out_changes_nothing(shared, thing):
    before = shared.get(thing["uri"])
    for status, operations in BAD_PATCHES:
        answer = shared.patch(thing["uri"], operations)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), operations
    after = shared.get(thing["uri"])
    assert (after.json, after.headers["etag"]) == (before.json, before.headers["etag"])


@every_kind
def test_what_is_missing_is_told_before_the_body_is_looked_at(shared, thing):
    kept, gone = thing["uri"], f"{thing['uri']}-gone"
    for body, kind, status in (
        (b"x", "text/plain", 415),
        (b"[]", "application/json", 415),
        (b"{}", "application/merge-patch+json", 415),
        (b"[", "application/json-patch+json", 400),
        (b"", "application/json-patch+json", 400),
        (b"{}", "application/json-patch+json", 400),
    ):
        headers = {"content-type": kind}
        answer = shared.request("PATCH", kept, body=body, headers=headers)
        assert answer.status == status
        assert status != 415 or answer.headers["accept-patch"] == "application/json-patch+json"
        assert shared.request("PATCH", gone, body=body, headers=headers).status == 404
        assert shared.by("eve").request("PATCH", kept, body=body, headers=headers).status == 404
        assert shared.by("").request("PATCH", kept, body=body, headers=headers).status == 401
    for body in (b"{", b"", b"{}"):
        assert shared.request("PUT", gone, body=body, headers={"content-type": "application/json"}).status == 404


# --- ETags


@every_kind
def test_what_changed_meanwhile_is_not_overwritten(platform, thing):
    uri = thing["uri"]
    stale = platform.get(uri).headers["etag"]
    fresh = platform.patch(uri, [op("replace", "/description", "by another")]).headers["etag"]
    assert fresh != stale
    before = platform.get(uri)
    for tag in (stale, '"other"', f"W/{fresh}"):
        given = {"if-match": tag}
        assert platform.put(uri, thing, headers=given).status == 412
        assert platform.put(f"{uri}?select_attr=name", {"name": "x"}, headers=given).status == 412
        patch = {"content-type": "application/json-patch+json", **given}
        assert platform.request("PATCH", uri, [op("replace", "/name", "x")], headers=patch).status == 412
        if thing["type"] in ("plan", "assembly"):
            assert platform.delete(uri, headers=given).status == 412
    assert platform.put(uri, thing, headers={"if-none-match": "*"}).status == 412
    after = platform.get(uri)
    assert (after.json, after.headers["etag"]) == (before.json, before.headers["etag"])
    for given in ({"if-match": fresh}, {"if-match": "*"}, {"if-none-match": '"other"'}):
        assert platform.put(uri, platform.get(uri).json, headers=given).status == 200
    listed = {"if-match": f'"other", {platform.get(uri).headers["etag"]}'}
    assert platform.put(uri, platform.get(uri).json, headers=listed).status == 200
    if thing["type"] in ("plan", "assembly"):
        assert platform.delete(uri, headers={"if-match": platform.get(uri).headers["etag"]}).status == 204


@every_kind
def test_a_part_has_the_etag_of_the_whole(shared, thing):
    uri = thing["uri"]
    part = shared.get(uri, select_attr="description")
    changed = shared.put(
        f"{uri}?select_attr=description", {"description": "new"}, headers={"if-match": part.headers["etag"]}
    )
    assert changed.status == 200
    assert shared.put(uri, thing, headers={"if-match": part.headers["etag"]}).status == 412


def test_a_component_is_another_once_what_it_shows_is(platform):
    assembly = platform.post(follow(platform, "assemblies_uri")["uri"], {"plan_uri": platform.plan()["uri"]}).json
    web, python = link(assembly, "web"), link(assembly, "python")
    shown = [platform.get(web)]
    assert shown[0].json["representation_skew"] == "CREATING"
    platform.settle()
    shown.append(platform.get(web))
    assert platform.patch(assembly["uri"], [op("replace", "/name", "renamed")]).status == 200
    shown.append(platform.get(web))
    assert platform.patch(python, [op("replace", "/name", "renamed")]).status == 200
    shown.append(platform.get(web))
    assert platform.delete(assembly["uri"]).status == 204
    shown.append(platform.get(web))
    platform.settle()
    assert len({one.headers["etag"] for one in shown}) == len({one.text for one in shown}) == len(shown)


def test_of_two_that_change_the_same_state_one_is_heard(platform):
    assembly = platform.assembly()
    core, ada = platform.core, Scope("a1", "ada")
    changed = {
        assembly["plan_uri"]: lambda id, members, tag: core.plans.replace(ada, id, members, frozenset(members), tag),
        link(assembly, "web"): lambda id, members, tag: core.components.change(ada, id, members, tag),
        assembly["uri"]: lambda id, members, tag: core.assemblies.change(ada, id, members, tag),
    }

    def is_heard(change, uri, number, tag):
        try:
            change(uri.rpartition("/")[2], {"description": str(number)}, tag)
        except PreconditionFailed:
            return False
        return True

    for uri, change in changed.items():
        tag = platform.get(uri).headers["etag"]
        with ThreadPoolExecutor(8) as threads:
            heard = list(threads.map(lambda number: is_heard(change, uri, number, tag), range(8)))  # noqa: B023
        assert sum(heard) == 1
        assert platform.get(uri).json["description"] == str(heard.index(True))


# --- plans that are used


@pytest.mark.parametrize("members", [{"artifacts": []}, {"services": [{"id": "more"}]}, {"artifacts": None}])
def test_what_an_assembly_is_made_of_does_not_change(platform, members):
    assembly = platform.assembly()
    uri = assembly["plan_uri"]
    plan = platform.get(uri).json
    whole = {name: value for name, value in {**plan, **members}.items() if value is not None}
    for answer in (
        platform.put(uri, whole),
        platform.patch(uri, [op("remove", "/artifacts/0/x-artifact")]),
        platform.put(f"{uri}?select_attr=artifacts", {}),
    ):
        assert (answer.status, "Assemblies are made of it" in answer.text) == (409, True)
    assert platform.get(uri).json == plan
    told = {"name": "new", "description": "new", "tags": ["new"]}
    assert platform.put(uri, {**plan, **told}).json == {**plan, **told}
    assert platform.delete(uri).status == platform.delete(f"/v1/plans/{plan['uuid']}").status == 409
    assert platform.get(uri).status == 200
    assert platform.delete(assembly["uri"]).status == 204
    platform.settle()
    assert platform.put(uri, whole).status == 200
    assert platform.delete(uri).status == 204


@pytest.mark.parametrize(
    ("members", "at"),
    [
        ({"services": [{"id": "db"}]}, "/services"),
        ({"artifacts": [{"content": {"href": "a", "data": "b"}}]}, "/artifacts/0/content"),
        ({"artifacts": [{"requirements": [{"requirement_type": "a:b", "fulfillment": "id:none"}]}]}, "/artifacts/0"),
        ({"artifacts": [{"requirements": [{"requirement_type": "a:b", "fulfillment": "id:"}]}]}, "/artifacts/0"),
        ({"artifacts": [{"requirements": [{}]}]}, "/artifacts/0/requirements/0"),
        ({"artifacts": [{"content": 5}]}, "/artifacts/0/content"),
        ({"artifacts": ["text"]}, "/artifacts/0"),
        ({"artifacts": {}}, "/artifacts"),
        ({"artifacts": [{"ports": 70000}]}, "/artifacts/0/ports"),
        ({"artifacts": [{}] * 101}, "/artifacts"),
        ({"services": [{"characteristics": [{}]}]}, "/services/0/characteristics/0/characteristic_type"),
        ({"services": [{"id": None}]}, "/services/0/id"),
        ({"services": [{}] * 101}, "/services"),
        ({"artifacts": [{"x": "a\0b"}]}, "/artifacts/0/x"),
    ],
)
def test_a_plan_stays_one_that_holds_together(shared, members, at):
    plan = shared.plan()
    answer = shared.put(plan["uri"], {**plan, **members})
    assert (answer.status, at in answer.text) == (400, True), answer.text
    patch = [op("add", f"/{name}", value) for name, value in members.items()]
    assert shared.patch(plan["uri"], patch).status == 400
    assert shared.get(plan["uri"]).json == plan


def test_a_plan_does_not_outgrow_its_limit(platforms):
    platform = platforms(max_plan_size=2000)
    plan = platform.plan()
    for answer in (
        platform.put(plan["uri"], {**plan, "artifacts": [{**plan["artifacts"][0], "x": "x" * 9000}]}),
        platform.patch(plan["uri"], [op("add", "/artifacts/0/x", ["x" * 100] * 90)]),
    ):
        assert answer.status == 413
    assert platform.get(plan["uri"]).json == plan


# --- both APIs over one core


def native(platform, plan):
    return platform.get(f"/v1/plans/{plan['uuid']}").json


def test_a_plan_keeps_what_the_other_api_does_not_know(platform):
    plan = platform.plan()
    before = native(platform, plan)
    assert (before["x-own"], before["tags"], before["origin"]) == ({"kept": True}, ["one", "two"], plan["origin"])
    assert before["artifacts"] == plan["artifacts"]
    name = f"plan{next(numbers)}"
    by_v1 = {"version": 1, "name": name, "description": "by v1", "artifacts": before["artifacts"], "x-own": 5}
    by_v1["artifacts"][0] |= {"run_cmd": "run", "ports": [80], "language_pack": "auto"}
    assert platform.put(f"/v1/plans/{plan['uuid']}", by_v1).status == 200
    shown = platform.get(plan["uri"]).json
    assert shown == plan | {"name": name, "description": "by v1", "artifacts": by_v1["artifacts"]}
    kept = native(platform, plan)
    changed = platform.put(plan["uri"], {**shown, "description": "by CAMP", "tags": ["three"]})
    assert changed.json == {**shown, "description": "by CAMP", "tags": ["three"]}
    assert native(platform, plan) == {**kept, "description": "by CAMP", "tags": ["three"]}
    assert (kept["version"], kept["x-own"]) == (1, 5)


def test_a_plan_of_the_native_api_is_one_of_this(platform):
    parameters = {"own": {"A": "1"}}
    document = {"version": 1, "name": f"plan{next(numbers)}", "parameters": parameters, "camp_version": "CAMP 9"}
    made = platform.post("/v1/plans", {**document, "artifacts": [{"name": "a", "run_cmd": "b", "ports": 80}]}).json
    (uri,) = [one["href"] for one in follow(platform, "plans_uri")["plan_links"] if one["target_name"] == made["name"]]
    plan = platform.get(uri).json
    assert plan == {
        "uri": uri,
        "type": "plan",
        "camp_version": "CAMP 1.1",
        "uuid": made["uuid"],
        "name": made["name"],
        "artifacts": made["artifacts"],
    }
    assert platform.patch(uri, [op("add", "/tags", ["new"])]).json == {**plan, "tags": ["new"]}
    assert native(platform, plan) == {**made, "tags": ["new"]}


def test_what_one_api_makes_the_other_shows_at_once(platform):
    assembly = platform.assembly()
    uuid, plan = assembly["uuid"], platform.get(assembly["plan_uri"]).json
    assert uuid in [one["uuid"] for one in platform.get("/v1/assemblies").json]
    assert plan["uuid"] in [one["uuid"] for one in platform.get("/v1/plans").json]
    assert len([one for one in platform.get("/v1/components").json if one["assembly_uuid"] == uuid]) == 3
    assert platform.put(f"/v1/assemblies/{uuid}", {"name": "by-v1", "tags": ["v1"]}).status == 200
    shown = platform.get(assembly["uri"]).json
    assert (shown["name"], shown["tags"]) == ("by-v1", ["v1"])
    web = link(assembly, "web")
    assert platform.patch(web, [op("replace", "/name", "by CAMP")]).status == 200
    assert "by CAMP" in [one["name"] for one in platform.get("/v1/components").json]
    made = platform.post("/v1/assemblies", {"plan_uri": f"/v1/plans/{plan['uuid']}", "name": "native"}).json
    (uri,) = [
        one["href"] for one in follow(platform, "assemblies_uri")["assembly_links"] if made["uuid"] in one["href"]
    ]
    shown = platform.get(uri).json
    assert (shown["name"], shown["plan_uri"], len(shown["components"])) == ("native", plan["uri"], 3)
    assert platform.get(link(shown, "web")).json["assemblies"][0]["href"] == uri
    assert platform.delete(uri).status == 204
    platform.settle()
    assert platform.get(f"/v1/assemblies/{made['uuid']}").status == 404


def test_an_app_of_the_native_api_is_seen_as_what_it_is_made_of(platform):
    source = {"repository": "https://example.org/app.git", "revision": "main"}
    app = platform.post("/v1/apps", {"name": f"app{next(numbers)}", "languagepack": False, "source": source}).json
    made = platform.post(f"/v1/apps/{app['id']}/workflows", {"actions": ["unittest", "build", "deploy"]})
    assert made.status == 200, made.text
    platform.settle()
    (uri,) = [
        one["href"] for one in follow(platform, "assemblies_uri")["assembly_links"] if app["name"] in one["target_name"]
    ]
    assembly = platform.get(uri).json
    assert assembly["status"] == "DEPLOYMENT_COMPLETE"
    (part,) = [platform.get(one["href"]).json for one in assembly["components"]]
    assert (part["status"], part["artifact"]) == ("RUNNING", "https://example.org/app.git#main")
    assert platform.get(assembly["plan_uri"]).json["type"] == "plan"


def test_what_is_deleted_at_once_by_many_is_deleted_once(platforms):
    platform = platforms()
    assembly, plan = platform.assembly(), platform.plan()
    core = platform.core

    def tried(do, uuid):
        try:
            do(Scope("a1", "ada"), uuid)
        except NotFound:
            return "gone"
        return "deleted"

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: tried(core.assemblies.delete, assembly["uuid"]), range(8))) == ["deleted"] * 8
        told = list(threads.map(lambda _: tried(core.plans.delete, plan["uuid"]), range(8)))
    assert sorted(told) == ["deleted"] + ["gone"] * 7
    platform.settle()
    assert platform.get(assembly["uri"]).status == platform.get(plan["uri"]).status == 404


# --- with CAMP and without


@pytest.mark.parametrize("option", ["camp_enabled", "camp-support-enabled"])
def test_the_api_can_be_left_out(platforms, option):
    without = platforms(**{option: False})
    for path in ("/camp/platform_endpoints", "/camp/camp_v1_1_endpoint", f"{CAMP}/platform", f"{CAMP}/plans", "/camp"):
        for method in ("GET", "POST", "OPTIONS"):
            assert without.request(method, path, body=b"").status == 404
    assert platforms(**{option: True}).get("/camp/platform_endpoints").status == 200


def test_users_of_the_native_api_notice_nothing(platforms):
    with_it, without = told(platforms()), told(platforms(camp_enabled=False))
    assert len(with_it) == len(without) > 40
    assert with_it == without


def told(platform):
    """Everything that the native API answers to one user's day, without what differs by the moment."""
    answers, ids = [], {}

    def ask(method, path, json=None, **more):
        answer = platform.request(method, path, json, **more)
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "MOMENT", answer.text)
        text = re.sub(
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda at: ids.setdefault(at[0], f"id{len(ids)}"), text
        )
        headers = {name: value for name, value in answer.headers.items() if name not in ("etag", "location")}
        answers.append((method, answer.status, headers, text))
        return answer.json if answer.body and "json" in answer.headers.get("content-type", "") else answer.text

    for method in ("GET", "POST", "PUT", "DELETE"):
        ask(method, "/")
    ask("GET", "/v1")
    document = PLAN.replace("camp_version: CAMP 1.1", "version: 1").format(name="native")
    yaml = {"content-type": "x-application/yaml", "accept": "x-application/yaml"}
    ask("POST", "/v1/plans", body=document.encode(), headers=yaml)
    plan = ask("POST", "/v1/plans", {"version": 1, "name": "second", "artifacts": [{"content": {"href": "a"}}]})
    ask("POST", "/v1/plans", {"version": 2})
    ask("GET", f"/v1/plans/{plan['uuid']}")
    ask("GET", f"/v1/plans/{plan['uuid']}", headers={"accept": "x-application/yaml"})
    ask("PUT", f"/v1/plans/{plan['uuid']}", {"version": 1, "name": "second", "artifacts": plan["artifacts"]})
    assembly = ask("POST", "/v1/assemblies", {"plan_uri": plan["uri"], "name": "made"})
    ask("POST", "/v1/assemblies", {"plan_uri": "/camp/v1_1/plans/none"})
    platform.settle()
    ask("PUT", f"/v1/assemblies/{assembly['uuid']}", {"description": "new"})
    ask("GET", f"/v1/assemblies/{assembly['uuid']}")
    ask("GET", f"/v1/assemblies/{assembly['uuid']}/logs")
    ask("DELETE", f"/v1/plans/{plan['uuid']}")
    for kind in ("services", "operations", "sensors", "extensions", "components"):
        one = ask("POST", f"/v1/{kind}", {"name": "noted"})
        ask("PUT", f"/v1/{kind}/{one['uuid']}", {"description": "new"})
        ask("GET", f"/v1/{kind}/{one['uuid']}")
        ask("DELETE", f"/v1/{kind}/{one['uuid']}")
        ask("DELETE", f"/v1/{kind}/{one['uuid']}")
    app = ask("POST", "/v1/apps", {"name": "app", "source": {"repository": "https://example.org/a.git"}})
    ask("PATCH", f"/v1/apps/{app['id']}", {"description": "new"})
    ask("POST", f"/v1/apps/{app['id']}/workflows", {"actions": ["build"]})
    platform.settle()
    ask("DELETE", f"/v1/apps/{app['id']}")
    ask("DELETE", f"/v1/assemblies/{assembly['uuid']}")
    platform.settle()
    ask("DELETE", f"/v1/plans/{plan['uuid']}")
    for path in (
        "plans",
        "assemblies",
        "components",
        "services",
        "apps",
        "language_packs",
        "pipelines",
        "infrastructure",
    ):
        ask("GET", f"/v1/{path}")
    return answers
