"""CAMP 1.1: what is deployed and registered, in every form that clients send it in; all of it, or nothing."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.platform.conftest import PLAN, numbers
from tests.services.platform.test_camp import follow, link

COLLECTIONS = ("plans_uri", "assemblies_uri")
both = pytest.mark.parametrize("collection", COLLECTIONS)

YAML = ("application/x-yaml", "application/yaml", "text/yaml", "text/x-yaml", "x-application/yaml")
ZIPS = ("application/zip", "application/x-zip", "application/x-zip-compressed")
TARS = ("application/x-tar", "application/gzip", "application/x-gzip", "application/x-tgz", "application/x-gtar")


def text(**changes):
    """A plan of another name each time."""
    return PLAN.format(name=changes.get("name") or f"plan{next(numbers)}")


def document(**members):
    artifacts = [{"artifact_type": "org.python:application", "content": {"href": "https://example.org/web.git"}}]
    return {"camp_version": "CAMP 1.1", "name": f"plan{next(numbers)}", "artifacts": artifacts, **members}


def zipped(files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tarred(files, mode="w:gz"):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def package(plan="", **files):
    """The files of a package."""
    return {"camp.yaml": (plan or text()).encode(), "web/app.py": b"print()"} | {
        name.replace("__", "/"): content for name, content in files.items()
    }


def form(*parts):
    """A form of names, file names ("" for none) and contents; and its media type."""
    body = b""
    for name, filename, content in parts:
        file = f'; filename="{filename}"' if filename else ""
        body += f'--limit\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        body += (content if isinstance(content, bytes) else content.encode()) + b"\r\n"
    return body + b"--limit--\r\n", "multipart/form-data; boundary=limit"


def all_there_is(platform):
    """What there is of everything that a deployment makes."""
    kept = platform.core.plans.folder
    packages = {one.name for one in kept.iterdir()} if kept.is_dir() else set()
    listed = [
        {one["uuid"] for one in platform.get(f"/v1/{kind}").json} for kind in ("plans", "assemblies", "components")
    ]
    return [*listed, packages]


NOTHING = [set(), set(), set(), set()]


@pytest.fixture(scope="module")
def untouched(platforms):
    """A platform on which nothing is ever made."""
    return platforms()


def taken(platform, collection, answer):
    """What was made, once it is where it is said to be."""
    assert answer.status == 201, answer.text
    uri = answer.headers["location"]
    made = platform.get(uri)
    assert (made.json, made.headers["etag"]) == (answer.json, answer.headers["etag"])
    assert (made.json["uri"], made.json["type"]) == (
        uri,
        collection.removesuffix("s_uri").replace("assemblie", "assembly"),
    )
    assert uri in [one["href"] for one in follow(platform, collection)[f"{made.json['type']}_links"]]
    return made.json


def plan_of(platform, made):
    """The plan that was made, alone or with an assembly."""
    plan = platform.get(made["plan_uri"]).json if made["type"] == "assembly" else made
    assert plan["uri"] in [one["href"] for one in follow(platform, "plans_uri")["plan_links"]]
    assert plan["uuid"] in [one["uuid"] for one in platform.get("/v1/plans").json]
    return plan


# --- by reference


FORMS = (
    "http://testserver/camp/v1_1/plans/{}",
    "http://testserver/v1/plans/{}",
    "/camp/v1_1/plans/{}",
    "/v1/plans/{}",
    "../plans/{}",
    "../../../v1/plans/{}",
    "plans/{}",
    "/camp/v1_1/plan/{}",
    "../plan/{}",
    "http://testserver/camp/v1_1/plan/{}/",
    "//testserver/camp/v1_1/plans/{}",
    "HTTP://TestServer:80/camp/v1_1/plans/{}",
    "https://testserver/camp/v1_1/plans/{}",
    " /camp/v1_1/plans/{}?x=1#y ",
)


@pytest.mark.parametrize("written", FORMS)
def test_a_plan_is_named_in_any_form(shared, written):
    plan = shared.plan()
    for uuid in (plan["uuid"], plan["uuid"].replace("-", "%2D")):
        body = {"plan_uri": written.format(uuid)}
        answer = shared.post(follow(shared, "assemblies_uri")["uri"], body)
        assert taken(shared, "assemblies_uri", answer)["plan_uri"] == plan["uri"]
        registered = shared.post(follow(shared, "plans_uri")["uri"], body)
        assert (registered.status, registered.json["uri"]) == (201, registered.headers["location"])
        assert registered.json == plan


@both
@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({}, 400, ""),
        ({"name": "x"}, 400, "camp_version"),
        ({"plan_uri": ""}, 400, "plan_uri"),
        ({"plan_uri": " "}, 400, "plan_uri"),
        ({"plan_uri": None}, 400, "plan_uri"),
        ({"plan_uri": 5}, 400, "plan_uri"),
        ({"plan_uri": ["/v1/plans/x"]}, 400, "plan_uri"),
        ({"plan_uri": "ftp://testserver/v1/plans/x"}, 400, "plan_uri"),
        ({"plan_uri": "file:///etc/passwd"}, 400, "plan_uri"),
        ({"plan_uri": "urn:x:y"}, 400, "plan_uri"),
        ({"plan_uri": "http://"}, 400, "plan_uri"),
        ({"plan_uri": "http://["}, 400, "plan_uri"),
        ({"plan_uri": "http://testserver:99999/v1/plans/x"}, 400, "plan_uri"),
        ({"plan_uri": "http://testserver:x/v1/plans/x"}, 400, "plan_uri"),
        ({"plan_uri": "http://testserver/"}, 400, "plan_uri"),
        ({"plan_uri": "/v1/assemblies/x"}, 400, "plan_uri"),
        ({"plan_uri": "/v1/plans/x/y"}, 400, "plan_uri"),
        ({"plan_uri": "/v1/plans/"}, 400, "plan_uri"),
        ({"plan_uri": "/v1/plans/none"}, 404, "none"),
        ({"plan_uri": "/v1/plans/..%2Fx"}, 404, ""),
        ({"plan_uri": "/v1/plans/%00"}, 404, ""),
        ({"pdp_uri": "/v1/plans/none"}, 400, "pdp_uri"),
        ({"plan_uri": "/v1/plans/x", "pdp_uri": "/v1/plans/x"}, 400, "pdp_uri"),
        ({"plan_uri": "/v1/plans/x", "plan_file": "x"}, 400, "plan_file"),
        ({"plan_uri": "/v1/plans/x", "other": 1}, 400, "other"),
        ({"plan_uri": "/v1/plans/x", "camp_version": "CAMP 1.1"}, 400, "camp_version"),
    ],
)
def test_what_names_no_plan_is_refused(untouched, collection, body, status, named):
    answer = untouched.request("POST", follow(untouched, collection)["uri"], body)
    assert (answer.status, named in answer.text) == (status, True), answer.text
    assert all_there_is(untouched) == NOTHING


@pytest.fixture(scope="module")
def elsewhere():
    """Another host, with plans and packages; and its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content, location = files.get(self.path, b""), hops.get(self.path)
            self.send_response(302 if location else 200 if content else 404)
            if location:
                self.send_header("location", location)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    plan = text(name="from elsewhere").encode()
    files = {
        "/plan.yaml": plan,
        "/camp/v1_1/plans/x": json.dumps(document(name="from elsewhere")).encode(),
        "/package.zip": zipped(package(plan.decode())),
        "/package.tgz": tarred(package(plan.decode())),
        "/large": b"x" * 70_000,
        "/broken": b"a: b: c",
        "/other": plan.replace(b"CAMP 1.1", b"CAMP 1.2"),
    }
    hops = {
        "/hop": "/plan.yaml",
        "/hops": "/hop",
        "/circle": "/circle",
        "/outside": "http://127.0.0.2/plan.yaml",
        "/metadata": "http://169.254.169.254/plan.yaml",
        "/file": "file:///etc/passwd",
    }
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def outgoing(platforms):
    return platforms(outgoing=("127.0.0.1",))


@both
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("plan_uri", "/plan.yaml"),
        ("plan_uri", "/camp/v1_1/plans/x"),
        ("plan_uri", "/hop"),
        ("plan_uri", "/hops"),
        ("pdp_uri", "/package.zip"),
        ("pdp_uri", "/package.tgz"),
    ],
)
def test_a_plan_is_fetched_from_where_an_operator_allows(outgoing, elsewhere, collection, name, path):
    answer = outgoing.post(follow(outgoing, collection)["uri"], {name: f"{elsewhere}{path}", "tags": ["far"]})
    made = taken(outgoing, collection, answer)
    assert made["tags"] == ["far"]
    plan = plan_of(outgoing, made)
    assert plan["name"] == "from elsewhere"
    packages = {one.name for one in outgoing.core.plans.folder.iterdir()} if name == "pdp_uri" else set()
    assert (plan["uuid"] in packages) == (name == "pdp_uri")


@both
@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("plan_uri", "/outside", 403),
        ("plan_uri", "/metadata", 403),
        ("pdp_uri", "/file", 403),
        ("plan_uri", "/circle", 502),
        ("plan_uri", "/missing", 502),
        ("plan_uri", "/large", 413),
        ("plan_uri", "/broken", 400),
        ("plan_uri", "/other", 400),
        ("plan_uri", "/package.zip", 400),
        ("pdp_uri", "/plan.yaml", 400),
    ],
)
def test_what_can_not_be_fetched_makes_nothing(outgoing, elsewhere, collection, name, path, status):
    before = all_there_is(outgoing)
    answer = outgoing.post(follow(outgoing, collection)["uri"], {name: f"{elsewhere}{path}"})
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert all_there_is(outgoing) == before


@both
@pytest.mark.parametrize("name", ["plan_uri", "pdp_uri"])
def test_nobody_else_is_asked(shared, elsewhere, collection, name):
    for address in (elsewhere, "http://localhost:1", "http://[::1]:1", "http://2130706433", "http://user@testserver"):
        answer = shared.post(follow(shared, collection)["uri"], {name: f"{address}/plan.yaml"})
        assert (answer.status, answer.json["title"]) == (403, "Address not allowed"), address


# --- by value


@both
@pytest.mark.parametrize(
    "media", [*YAML, "application/x-yaml; charset=utf-8", "APPLICATION/X-YAML", "application/json"]
)
def test_a_plan_is_taken_by_value(shared, collection, media):
    plan = document(name="by value", tags=["a"], description="d")
    made = taken(shared, collection, shared.send(follow(shared, collection)["uri"], json.dumps(plan), media))
    told = plan_of(shared, made)
    assert {name: told[name] for name in plan} == plan
    assert made["name"] == ("by value" if collection == "plans_uri" else "by value_application")
    assert made["description"] == "d"


@both
@pytest.mark.parametrize("media", [*ZIPS, *TARS])
def test_a_package_is_taken_by_value(shared, collection, media):
    content = zipped(package()) if media in ZIPS else tarred(package(), "w" if media == "application/x-tar" else "w:gz")
    made = taken(shared, collection, shared.send(follow(shared, collection)["uri"], content, media))
    kept = shared.core.plans.folder / plan_of(shared, made)["uuid"]
    assert (kept / "web/app.py").read_bytes() == b"print()"
    assert made["type"] == "plan" or link(made, "web")


@both
@pytest.mark.parametrize(
    ("content", "media"),
    [
        (zipped(package()), "application/x-tar"),
        (tarred(package(), "w"), "application/zip"),
        (tarred(package(), "w:bz2"), "application/x-tar"),
        (tarred(package(), "w:xz"), "application/x-gtar"),
    ],
)
def test_a_package_is_what_its_bytes_say(shared, collection, content, media):
    taken(shared, collection, shared.send(follow(shared, collection)["uri"], content, media))


@both
@pytest.mark.parametrize(
    "part", [("plan_file", "plan.yaml", text()), ("plan_file", "", text()), ("pdp_file", "p.zip", zipped(package()))]
)
def test_a_form_brings_a_file(shared, collection, part):
    body, media = form(part, ("name", "", "náme"), ("tags", "", "a"), ("tags", "", "b"), ("description", "", "d"))
    made = taken(shared, collection, shared.send(follow(shared, collection)["uri"], body, media))
    assert (made["name"], made["description"], made["tags"]) == ("náme", "d", ["a", "b"])
    assert plan_of(shared, made)["artifacts"][0]["name"] == "web"


@both
def test_json_brings_a_file_as_text(shared, collection):
    answer = shared.post(follow(shared, collection)["uri"], {"plan_file": text(), "name": "named"})
    assert taken(shared, collection, answer)["name"] == "named"


def test_an_assembly_is_called_as_asked_or_as_its_plan(shared):
    uri, plan = follow(shared, "assemblies_uri")["uri"], shared.plan()
    plain = shared.post(uri, {"plan_uri": plan["uri"]}).json
    assert (plain["name"], plain["description"], "tags" in plain) == (f"{plan['name']}_application", "a plan", False)
    own = {"name": "My app ✓", "description": "mine", "tags": ["x"]}
    made = shared.post(uri, {"plan_uri": plan["uri"], **own}).json
    assert {name: made[name] for name in own} == own
    assert shared.get(plan["uri"]).json == plan
    assert shared.post(uri, {"plan_uri": plan["uri"], "tags": "a, b"}).json["tags"] == ["a", "b"]
    nameless = document()
    del nameless["name"]
    made = shared.post(uri, nameless).json
    assert made["name"] == f"{plan_of(shared, made)['name']}_application"


def test_a_plan_that_is_registered_is_not_renamed_by_the_way(shared):
    plan = shared.plan()
    answer = shared.post(follow(shared, "plans_uri")["uri"], {"plan_uri": plan["uri"], "name": "other"})
    assert (answer.status, "name" in answer.text) == (400, True)
    assert shared.get(plan["uri"]).json == plan


@both
@pytest.mark.parametrize(
    "told",
    [
        {"name": 5},
        {"name": "n" * 256},
        {"name": "a\0b"},
        {"description": "d" * 4097},
        {"description": ["d"]},
        {"tags": 5},
        {"tags": [5]},
        {"tags": ["t" * 256]},
        {"tags": ["t"] * 101},
        {"tags": ["a\0b"]},
    ],
)
def test_what_can_not_be_called_so_is_not_made(untouched, collection, told):
    uri = follow(untouched, collection)["uri"]
    for body in ({"plan_file": text()}, {"plan_uri": "/v1/plans/none"}):
        answer = untouched.post(uri, {**body, **told})
        assert (answer.status, next(iter(told)) in answer.text) == (400, True)
    assert all_there_is(untouched) == NOTHING


BAD_FORMS = {
    "nothing": [],
    "no plan": [("name", "", "x")],
    "an unknown name": [("plan_file", "p", text()), ("other", "", "x")],
    "two plans": [("plan_file", "p", text()), ("plan_file", "q", text())],
    "a plan and a package": [("plan_file", "p", text()), ("pdp_file", "q", zipped(package()))],
    "a package as a plan": [("plan_file", "p", zipped(package()))],
    "a plan as a package": [("pdp_file", "p", text())],
    "a name that is a file": [("plan_file", "p", text()), ("name", "n", "x")],
    "an empty plan": [("plan_file", "p", "")],
}


@both
@pytest.mark.parametrize("parts", BAD_FORMS.values(), ids=BAD_FORMS)
def test_a_form_that_brings_no_plan_is_refused(untouched, collection, parts):
    answer = untouched.send(follow(untouched, collection)["uri"], *form(*parts))
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json"), answer.text
    assert all_there_is(untouched) == NOTHING


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)
OTHER = {
    "nothing": ("application/x-yaml", "", 400),
    "no type": ("", "a: b", 415),
    "another type": ("text/plain", PLAN, 415),
    "bytes": ("application/octet-stream", zipped(package()), 415),
    "a query": ("application/x-www-form-urlencoded", "plan_uri=x", 415),
    "a number": ("application/x-yaml", "5", 400),
    "null": ("application/x-yaml", "null", 400),
    "a text": ("application/x-yaml", "some text", 400),
    "a list": ("application/x-yaml", "- a\n- b", 400),
    "an empty mapping": ("application/x-yaml", "{}", 400),
    "bad YAML": ("application/x-yaml", "a: b: c", 400),
    "two documents": ("application/x-yaml", f"{text()}\n---\n{text()}", 400),
    "duplicate keys": ("application/x-yaml", f"{text()}\nname: again", 400),
    "a tag": ("application/x-yaml", f"{text()}\nx: !!python/name:os.system ''", 400),
    "an alias of itself": ("application/x-yaml", f"{text()}\nx: &x [*x]", 400),
    "no UTF-8": ("application/x-yaml", b"name: \xff", 400),
    "bad JSON": ("application/json", "{", 400),
    "a package that is none": ("application/zip", text(), 400),
    "a package as YAML": ("application/x-yaml", zipped(package()), 400),
    "a form without a boundary": ("multipart/form-data", form(("plan_file", "p", text()))[0], 400),
    "half a form": ("multipart/form-data; boundary=limit", form(("plan_file", "p", text()))[0][:-20], 400),
    "aliases that come to far more": ("application/x-yaml", f"{text()}\n{''.join(BOMB.splitlines(True)[:5])}", 400),
    "a plan that is too large": ("application/x-yaml", f"{text()}\nx: {'x' * 66_000}", 413),
    "JSON that is too large": ("application/json", json.dumps(document(x="x" * 66_000)), 413),
    "a large plan in a package": ("application/zip", zipped(package(f"{text()}\nx: {'x' * 66_000}")), 413),
    "much in little": ("application/zip", zipped(package(x=b"0" * 100)).replace(b"PK\x03\x04", b"PK\x03\x05", 1), 400),
}


@both
@pytest.mark.parametrize(("media", "body", "status"), OTHER.values(), ids=OTHER)
def test_what_brings_no_plan_is_refused(untouched, collection, media, body, status):
    uri = follow(untouched, collection)["uri"]
    content = body.encode() if isinstance(body, str) else body
    answer = untouched.request("POST", uri, body=content, headers={"content-type": media} if media else {})
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert all_there_is(untouched) == NOTHING


@both
def test_who_takes_no_json_gets_nothing_made(untouched, collection):
    uri = follow(untouched, collection)["uri"]
    assert untouched.request("POST", uri, document(), headers={"accept": "image/png"}).status == 406
    assert untouched.request("POST", uri, document(), {"accept": "application/json"}, name="x").status == 400
    assert all_there_is(untouched) == NOTHING


def test_aliases_come_to_an_end(untouched):
    answer = untouched.send(follow(untouched, "plans_uri")["uri"], f"{text()}\n{BOMB}")
    assert (answer.status, "aliases" in answer.text) == (400, True)


def test_a_nul_is_refused_by_every_database(platform):
    before = all_there_is(platform)
    for collection in COLLECTIONS:
        uri = follow(platform, collection)["uri"]
        for body in (document(name="a\0b"), document(x=["\0"]), {"plan_file": text(), "tags": ["\0"]}):
            assert platform.post(uri, body).status == 400
        content = form(("pdp_file", "p", zipped(package())), ("name", "", "a\0b"))
        assert platform.send(uri, *content).status == 400
    assert all_there_is(platform) == before


WRONG_PLANS = {
    "camp_version": {"camp_version": None},
    "/camp_version": {"camp_version": "CAMP 1.0"},
    "CAMP 1.1": {"camp_version": "camp 1.1"},
    "/name": {"name": 5},
    "/name ": {"name": "n" * 256},
    "/name  ": {"name": "a\0b"},
    "/description": {"description": None},
    "/origin": {"origin": None},
    "/tags": {"tags": ["t"] * 101},
    "/tags/0": {"tags": [None]},
    "/artifacts": {"artifacts": [{"artifact_type": "a", "content": {"href": "a"}}] * 101},
    "/artifacts/0/artifact_type": {"artifacts": [{"content": {"href": "a"}}]},
    "/artifacts/0/content": {"artifacts": [{"artifact_type": "a"}]},
    "/artifacts/0/content/href": {"artifacts": [{"artifact_type": "a", "content": {"href": 5}}]},
    "/services": {"services": [{"id": "a"}, {"id": "a"}]},
    "/services/0/id": {"services": [{"id": None}]},
    "/services/0/href": {"services": [{"href": None}]},
    "/x": {"x": {"a": {"b": ["\0"]}}},
    "/x ": {"x": {"\0": 1}},
    "deeper": {"x": json.loads("[" * 150 + "]" * 150)},
}


@both
@pytest.mark.parametrize(("named", "members"), WRONG_PLANS.items(), ids=map(str, range(len(WRONG_PLANS))))
def test_a_plan_that_does_not_hold_together_makes_nothing(untouched, collection, named, members):
    plan = {
        name: value for name, value in document(**members).items() if not (value is None and name == "camp_version")
    }
    uri = follow(untouched, collection)["uri"]
    for answer in (
        untouched.request("POST", uri, plan),
        untouched.post(uri, {"plan_file": json.dumps(plan)}),
        untouched.send(uri, zipped(package(json.dumps(plan))), "application/zip"),
    ):
        assert (answer.status, named.strip() in answer.text) == (400, True), answer.text
    assert all_there_is(untouched) == NOTHING


@both
@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_without_end_is_none(untouched, collection, number):
    assert untouched.send(follow(untouched, collection)["uri"], f"{text()}\nx: {number}").status == 400


UNDEPLOYABLE = {
    "/artifacts/0/requirements/0": {"requirements": [{"requirement_type": "org.example:none"}]},
    "org.example:none": {
        "requirements": [
            {
                "requirement_type": "a:b",
                "fulfillment": {"characteristics": [{"characteristic_type": "org.example:none"}]},
            }
        ]
    },
    "/services/none": {"requirements": [{"requirement_type": "a:b", "fulfillment": {"href": "/services/none"}}]},
    "org.python:python": {
        "requirements": [
            {
                "requirement_type": "a:b",
                "fulfillment": {"characteristics": [{"characteristic_type": "org.python:python", "version": "2.7"}]},
            }
        ]
    },
    "/artifacts/0/content": {"content": {}},
}


@pytest.mark.parametrize(("named", "members"), UNDEPLOYABLE.items(), ids=map(str, range(len(UNDEPLOYABLE))))
def test_a_plan_that_can_not_be_deployed_leaves_nothing(platform, named, members):
    plan = document()
    plan["artifacts"][0] |= members
    uri, before = follow(platform, "assemblies_uri")["uri"], all_there_is(platform)
    for content, media in (
        (json.dumps(plan), "application/json"),
        (json.dumps(plan), "application/x-yaml"),
        (zipped(package(json.dumps(plan))), "application/zip"),
        form(("pdp_file", "p", tarred(package(json.dumps(plan))))),
    ):
        answer = platform.send(uri, content, media)
        assert (answer.status, named in answer.text) == (400, True), answer.text
    assert all_there_is(platform) == before
    registered = platform.send(follow(platform, "plans_uri")["uri"], json.dumps(plan), "application/json")
    assert registered.status == 201
    assert platform.post(uri, {"plan_uri": registered.json["uri"]}).status == 400
    assert platform.delete(registered.json["uri"]).status == 204
    assert all_there_is(platform) == before


def test_a_plan_without_artifacts_is_registered_and_not_deployed(platform):
    plan = document()
    del plan["artifacts"]
    made = taken(platform, "plans_uri", platform.post(follow(platform, "plans_uri")["uri"], plan))
    assert "artifacts" not in made
    answer = platform.post(follow(platform, "assemblies_uri")["uri"], {"plan_uri": made["uri"]})
    assert (answer.status, "/artifacts" in answer.text) == (400, True)


def test_what_fulfils_a_requirement_can_be_named(shared):
    sqlite = link(follow(shared, "services_uri"), "sqlite")
    plan = document()
    plan["artifacts"][0]["requirements"] = [{"requirement_type": "own:any", "fulfillment": {"href": sqlite}}]
    made = shared.post(follow(shared, "assemblies_uri")["uri"], plan).json
    assert shared.get(link(made, "sqlite")).json["service"] == sqlite


def test_content_may_stand_in_the_plan(shared):
    plan = document()
    plan["artifacts"][0]["content"] = {"data": "cHJpbnQoKQ=="}
    made = taken(shared, "assemblies_uri", shared.post(follow(shared, "assemblies_uri")["uri"], plan))
    part = shared.get(made["components"][0]["href"]).json
    assert part["artifact"].startswith("urn:uuid:")
    assert plan_of(shared, made)["artifacts"] == plan["artifacts"]


# --- packages


def manifest(files, **changes):
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} | changes
    lines = [f"SHA256({name.replace('__', '/')})= {digest}" for name, digest in digests.items() if digest]
    return {**files, "camp.mf": "\n".join(lines).encode()}


MANIFESTS = {
    "right": (manifest(package()), 201),
    "right, in capitals": ({**package(), "camp.mf": manifest(package(a=b""))["camp.mf"].upper()}, 400),
    "a wrong digest": (manifest(package(), web__app_py="0" * 64), 400),
    "another digest": (manifest({**package(), "web/app.py": b"other"}) | package(), 400),
    "a file without one": (manifest(package()) | {"more": b""}, 400),
    "a file that is not there": (manifest(package(), more="0" * 64), 400),
    "a file outside": (manifest(package(), **{"../../etc/passwd": "0" * 64}), 400),
    "an absolute file": (manifest(package(), **{"/etc/passwd": "0" * 64}), 400),
    "a NUL": (manifest(package(), **{"a\0b": "0" * 64}), 400),
    "a long name": (manifest(package(), **{"n" * 5000: "0" * 64}), 400),
    "no manifest": ({**package(), "camp.mf": b"some text"}, 400),
    "an older digest": ({**package(), "camp.mf": b"SHA1(camp.yaml)= da39a3ee5e6b4b0d3255bfef95601890afd80709"}, 400),
    "an empty one": ({**package(), "camp.mf": b""}, 400),
    "a certificate beside it": (manifest(package()) | {"camp.cert": b"x"}, 201),
    "odd names": (manifest(package() | {"a (1) ✓.txt": b"x", "b)= c": b""}), 201),
}


@both
@pytest.mark.parametrize(("files", "status"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_package_is_what_its_manifest_says(shared, untouched, collection, files, status):
    platform = shared if status == 201 else untouched
    uri = follow(platform, collection)["uri"]
    for content, media in ((zipped(files), "application/zip"), (tarred(files), "application/gzip")):
        answer = platform.send(uri, content, media)
        assert answer.status == status, answer.text
        assert status == 201 or "camp.mf" in answer.text
    assert all_there_is(untouched) == NOTHING


def test_the_files_of_a_package_go_with_its_plan(platform):
    made = platform.send(follow(platform, "plans_uri")["uri"], zipped(package()), "application/zip").json
    kept = platform.core.plans.folder / made["uuid"]
    assert (kept / "camp.yaml").is_file()
    assert platform.delete(made["uri"]).status == 204
    assert not kept.exists()


def test_a_package_has_a_plan_at_its_root(shared):
    uri = follow(shared, "plans_uri")["uri"]
    for files in ({"web/camp.yaml": text().encode()}, {"camp.yaml/x": b""}, {"Camp.yaml": text().encode()}, {}):
        answer = shared.send(uri, zipped(files), "application/zip")
        assert (answer.status, "no camp.yaml" in answer.text) == (400, True)
    for plan in (b"a: b: c", b"\xff", b"", b"5", b"a: 1\na: 2"):
        assert shared.send(uri, zipped({"camp.yaml": plan}), "application/zip").status == 400


def test_a_package_has_a_size(platforms):
    platform = platforms(max_archive_size=10_000)
    uri, before = follow(platform, "assemblies_uri")["uri"], all_there_is(platform)
    for files in ({"x": bytes(20_000)}, {"x": bytes(range(256)) * 80}):
        assert platform.send(uri, zipped(package() | files), "application/zip").status == 413
    assert platform.send(uri, tarred(package() | {"x": bytes(300_000)}), "application/gzip").status == 413
    assert platform.send(uri, *form(("pdp_file", "p", zipped(package() | {"x": bytes(20_000)})))).status == 413
    assert all_there_is(platform) == before
    assert platform.send(uri, tarred(package() | {"x": bytes(150_000)}), "application/gzip").status == 201


# --- what was sent is kept


ODD_PLAN = """
camp_version: CAMP 1.1
name: "näme ✓ 𝄞 '\\"<&> \\u2028"
description: |
  lines
  and "more"
tags: [ü, "", "a,b", "no", "2001-01-01"]
origin: a place
own: {deep: [1, 1.5, true, null, {a: [[]]}], no: no, on: 2001-01-01, "": empty, "a/b~c": 1}
version: 1
big: 123456789012345678901234567890
artifacts:
  - artifact_type: com.example:Odd_Type-1
    content: {href: "a b?c#d", private: false, own: {x: 1}}
    language_pack: auto
    own: [x]
    requirements:
      - requirement_type: org.python:python
        own: {x: 1}
        fulfillment: {id: p, own: 1, characteristics: [{characteristic_type: org.python:python, own: {deep: [1]}}]}
      - {requirement_type: "org.python:python", fulfillment: "id:p"}
services:
  - {id: s, name: ß, own: 1, characteristics: [{characteristic_type: org.sqlite:sqlite, version: "3"}]}
"""


@both
def test_a_plan_is_kept_as_it_was_sent(platform, collection):
    from apifold import read_yaml

    sent = read_yaml(ODD_PLAN.encode())
    made = taken(platform, collection, platform.send(follow(platform, collection)["uri"], ODD_PLAN))
    plan = plan_of(platform, made)
    known = ("name", "description", "tags", "origin", "artifacts", "services", "camp_version")
    assert {name: plan[name] for name in known} == {name: sent[name] for name in known}
    native = platform.get(f"/v1/plans/{plan['uuid']}").json
    assert {name: native[name] for name in sent if name != "camp_version"} == {
        name: value for name, value in sent.items() if name != "camp_version"
    }
    assert platform.put(plan["uri"], plan).json == plan
    assert platform.get(f"/v1/plans/{plan['uuid']}").json == native


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
nodes = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=texts.filter(bool), own=nodes, tags=st.lists(texts, max_size=3))
def test_whatever_a_plan_holds_is_kept(shared, name, own, tags):
    sent = document(name=name, tags=tags, x=own)
    sent["artifacts"][0]["x"] = own
    made = shared.post(follow(shared, "plans_uri")["uri"], sent).json
    assert (made["name"], made.get("tags", []), made["artifacts"]) == (name, tags, sent["artifacts"])
    assert shared.get(f"/v1/plans/{made['uuid']}").json["x"] == own
    assert shared.delete(made["uri"]).status == 204
