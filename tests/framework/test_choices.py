"""Actions, projects in paths, rules that handlers ask, and members of a body as arguments."""

from __future__ import annotations

import pytest

API = """
    openapi: 3.1.0
    info: {title: Machines, version: "2.3"}
    servers: [{url: /v1}]
    x-apifold:
      handlers: handlers
      project_in_path: true
      unknown: reject
      microversions: {min: "2.1", max: "2.3", headers: [X-Version]}
    paths:
      /machines:
        post:
          operationId: make
          x-apifold: {policy: make}
          requestBody:
            required: true
            content:
              application/json:
                schema: {type: object, required: [machine], properties: {machine: {type: object}, more-hints: {type: object}}}
          responses: {"201": {description: made}}
      /machines/{id}:
        parameters: [{name: id, in: path, required: true, schema: {type: string}}]
        get:
          operationId: show
          x-apifold: {policy: show}
          responses: {"200": {description: one}}
      /machines/{id}/action#stop:
        parameters: [{name: id, in: path, required: true, schema: {type: string}}]
        post:
          operationId: stop
          x-apifold: {policy: show}
          requestBody: {required: true, content: {application/json: {schema: {type: object, required: [stop], properties: {stop: true}}}}}
          responses: {"202": {description: is being stopped}}
      /machines/{id}/action#set-size:
        parameters: [{name: id, in: path, required: true, schema: {type: string}}]
        post:
          operationId: resize
          x-apifold: {policy: admin, since: "2.2"}
          requestBody:
            required: true
            content:
              application/json:
                schema:
                  type: object
                  required: [set-size]
                  properties: {set-size: {type: object, required: [size], properties: {size: {type: integer}}}}
          responses: {"200": {description: resized}}
"""
HANDLERS = """
    def make(machine, address, more_hints=None):
        return {"machine": machine, "hints": more_hints, "href": f"{address}/machines/1"}

    def show(id, caller, allowed):
        other = {"project_id": "other"}
        return {"id": id, "own": allowed("own"), "other": allowed("own", other), "admin": allowed("admin")}

    def stop(id, body):
        return {"id": id, "body": body}

    def resize(id, body):
        return {"id": id, "size": body["size"]}
"""
POLICY = """
    show: "@"
    make: "@"
    own: "project_id:%(project_id)s"
    admin: "role:admin"
"""
TOKENS = """
    - {token: member-token, user: ada, project: p1, roles: [member]}
    - {token: admin-token, user: root, project: p1, roles: [admin]}
"""


@pytest.fixture
def machines(write, serve):
    home = write(api_yaml=API, handlers_py=HANDLERS, policy_yaml=POLICY)
    (home / "tokens").write_text(TOKENS.replace("    ", ""))
    served = serve(home / "api.yaml", auth="tokens", tokens=str(home / "tokens"))

    def asked(method, path, token="member-token", version="2.3", headers=(), **more):
        sent = {"X-Auth-Token": token, "X-Version": version, **dict(headers)}
        return served.request(method, path, headers=sent, **more)

    return asked


def test_an_action_is_an_operation_of_its_own(machines):
    done = machines("POST", "/v1/machines/7/action", json={"stop": None})
    assert (done.status, done.json) == (202, {"id": "7", "body": None})
    assert machines("POST", "/v1/machines/7/action", json={"set-size": {"size": 2}}).status == 403
    done = machines("POST", "/v1/machines/7/action", "admin-token", json={"set-size": {"size": 2}})
    assert done.json == {"id": "7", "size": 2}
    wrong = machines("POST", "/v1/machines/7/action", "admin-token", json={"set-size": {"size": "x", "more": 1}})
    assert {one["pointer"] for one in wrong.json["errors"]} == {"/set-size/size", "/set-size/more"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"fly": null}', 400),
        (b"{}", 400),
        (b'{"stop": null, "set-size": {"size": 1}}', 400),
        (b"[]", 400),
        (b"null", 400),
        (b"", 400),
        (b"{", 400),
        (b'{"stop": "\xff"}', 400),
    ],
)
def test_a_body_must_name_one_action(machines, body, status):
    answer = machines("POST", "/v1/machines/7/action", body=body)
    assert answer.status == status


def test_an_action_has_versions_documents_and_a_media_type(machines):
    body = {"set-size": {"size": 2}}
    older = machines("POST", "/v1/machines/7/action", "admin-token", "2.1", json=body)
    assert (older.status, "There is no such action: set-size" in older.json["detail"]) == (400, True)
    paths = machines("GET", "/v1/openapi.json").json["paths"]
    assert {"/machines/{id}/action#stop", "/machines/{id}/action#set-size"} <= paths.keys()
    assert machines("GET", "/v1/machines/7/action").status == 405
    served = machines("POST", "/v1/machines/7/action", body=b"<stop/>")
    assert served.status == 400


@pytest.mark.parametrize(
    ("media", "status"), [("Application/JSON", 202), ("application/json; charset=utf-8", 202), ("text/plain", 415)]
)
def test_actions_are_json_however_that_is_written(machines, media, status):
    said = {"headers": {"Content-Type": media}, "body": b'{"stop": null}'}
    assert machines("POST", "/v1/machines/7/action", **said).status == status


MEMBERS = """
    openapi: 3.1.0
    info: {title: Plans, version: "1"}
    x-apifold: {handlers: handlers, policy: policy.yaml}
    paths:
      /projects/{project_id}/plans/{name}:
        parameters:
          - {name: project_id, in: path, required: true, schema: {type: string}}
          - {name: name, in: path, required: true, schema: {type: string}}
        put:
          operationId: put
          x-apifold: {policy: own}
          requestBody: {required: true, content: {application/json: {schema: {type: object, properties: {project_id: {type: string}, name: {type: string}, price: {type: number}}}}}}
          responses: {"200": {description: it}}
"""


def test_a_member_of_the_body_never_takes_the_place_of_a_variable(write, serve):
    """The rule was asked about what is in the path."""
    handler = "def put(project_id, name, price):\n    return [project_id, name, price]\n"
    home = write(api_yaml=MEMBERS, handlers_py=handler, policy_yaml="own: project_id:%(project_id)s\n")
    asked = {"project_id": "other", "name": "y", "price": 1}
    served = serve(home / "api.yaml").request("PUT", "/projects/development/plans/x", json=asked)
    assert (served.status, served.json) == (200, ["development", "x", 1])


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/machines/7", 200), ("/v1/p1/machines/7", 200), ("/v1/p2/machines/7", 400)]
)
def test_a_path_may_name_the_callers_project(machines, path, status):
    answer = machines("GET", path)
    assert answer.status == status
    if status == 200:
        assert answer.json == {"id": "7", "own": True, "other": False, "admin": False}
    else:
        assert "project p2 is not p1" in answer.json["detail"]
    assert machines("GET", path, token="wrong").status == 401


def test_what_takes_its_place_is_named_without_the_project(write, serve):
    older = """
        openapi: 3.1.0
        info: {title: Old, version: "1"}
        servers: [{url: /v1}]
        x-apifold: {handlers: handlers, project_in_path: true, deprecated: "2020-01-01", successor: new}
        paths:
          /things/{id}:
            parameters: [{name: id, in: path, required: true, schema: {type: string}}]
            get: {operationId: show, x-apifold: {successor: see}, responses: {"200": {description: it}}}
    """
    newer = """
        openapi: 3.1.0
        info: {title: New, version: "1"}
        servers: [{url: /v2}]
        x-apifold: {handlers: handlers}
        paths:
          /all/{id}:
            parameters: [{name: id, in: path, required: true, schema: {type: string}}]
            get: {operationId: see, responses: {"200": {description: it}}}
    """
    served = serve(write(old_yaml=older, new_yaml=newer, handlers_py="def show(id):\n    return id\n\nsee = show\n"))
    for path in ("/v1/things/7", "/v1/development/things/7"):
        assert '</v2/all/7>; rel="successor-version"' in served.get(path).headers["link"]


def test_actions_and_links_know_the_project(machines):
    assert machines("POST", "/v1/p1/machines/7/action", json={"stop": None}).json["id"] == "7"
    for base in ("/v1", "/v1/p1"):
        made = machines("POST", f"{base}/machines", json={"machine": {}, "more-hints": {"a": 1}})
        assert made.json == {"machine": {}, "hints": {"a": 1}, "href": f"http://testserver{base}/machines/1"}
