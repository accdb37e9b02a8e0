"""What the contract says of all operations alike: versions, names, faults, rules, settings."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from apifold.marked import read_file
from apifold.settings import ApiSettings, OperationSettings, ValidationModes
from apifold_services.compute import service
from tests.services.compute.conftest import Cloud, opened


def test_the_root_lists_both_versions(clouds):
    client = clouds("tokens")
    listed = client.get("/", headers={"accept": "application/json"}).json["versions"]
    told = {one["id"]: (one["status"], one["version"], one["min_version"], one["links"][0]["href"]) for one in listed}
    assert told == {
        "v2.0": ("SUPPORTED", "", "", "http://testserver/v2/"),
        "v2.1": ("CURRENT", "2.26", "2.1", "http://testserver/v2.1/"),
    }
    for path in ("/v2.1", "/v2.1/", "/v2", "/v2/"):
        version = client.get(path).json["version"]
        assert version["id"] == {"/v2.1": "v2.1", "/v2": "v2.0"}[path.rstrip("/")]
        assert [link["rel"] for link in version["links"]] == ["self", "describedby"]
        assert version["media-types"][0]["base"] == "application/json"


VERSION_HEADERS = ("openstack-api-version", "x-openstack-nova-api-version")


def test_answers_tell_their_version_and_request(base21, oldest):
    told = base21.get("/flavors").headers
    assert (told["openstack-api-version"], told["x-openstack-nova-api-version"]) == ("compute 2.1", "2.1")
    assert told["vary"] == "OpenStack-API-Version, X-OpenStack-Nova-API-Version"
    assert told["x-openstack-request-id"] == told["x-compute-request-id"]
    assert told["x-compute-request-id"].startswith("req-")
    assert base21.get("/flavors/none").headers["openstack-api-version"] == "compute 2.1"
    older = oldest.get("/flavors", version="2.26").headers
    assert not set(VERSION_HEADERS) & set(older)
    assert "x-openstack-request-id" in older


@pytest.mark.parametrize(
    ("headers", "status", "version"),
    [
        ({"OpenStack-API-Version": "compute 2.20"}, 200, "2.20"),
        ({"OpenStack-API-Version": "volume 3.1, compute 2.20"}, 200, "2.20"),
        ({"X-OpenStack-Nova-API-Version": "2.7"}, 200, "2.7"),
        ({"OpenStack-API-Version": "compute latest"}, 200, "2.26"),
        ({"OpenStack-API-Version": "compute 2.999"}, 406, "2.999"),
        ({"OpenStack-API-Version": "compute 2.0"}, 406, "2.0"),
        ({"OpenStack-API-Version": "compute 2.x"}, 400, None),
    ],
)
def test_either_header_chooses_the_version(base21, headers, status, version):
    answer = base21.get("/flavors", headers=headers)
    assert answer.status == status
    assert answer.headers.get("x-openstack-nova-api-version") == version
    if status == 406:
        assert answer.json == {
            "computeFault": {
                "code": 406,
                "message": f"Version {version} is not supported by the API. Minimum is 2.1 and maximum is 2.26.",
            }
        }


MICROVERSIONS = [
    # version, and what is there from it on: method, path, body, whether it is taken then and before
    ("2.2", "POST", "/os-keypairs", {"keypair": {"name": "n", "type": "ssh", "public_key": "x"}}),
    ("2.6", "POST", "/servers/{id}/remote-consoles", {"remote_console": {"protocol": "vnc", "type": "novnc"}}),
    ("2.8", "POST", "/servers/{id}/remote-consoles", {"remote_console": {"protocol": "mks", "type": "webmks"}}),
    ("2.10", "POST", "/os-keypairs", {"keypair": {"name": "n", "user_id": "ada", "public_key": "x"}}),
    ("2.17", "POST", "/servers/{id}/action", {"trigger_crash_dump": None}),
    ("2.19", "PUT", "/servers/{id}", {"server": {"description": "words"}}),
    ("2.26", "GET", "/servers/{id}/tags", None),
]


def _before(version):
    return f"2.{int(version.partition('.')[2]) - 1}"


@pytest.mark.parametrize(
    ("version", "method", "path", "body"), MICROVERSIONS, ids=[f"{one[0]} {one[2]}" for one in MICROVERSIONS]
)
def test_what_came_with_a_version_is_not_there_before(base21, version, method, path, body):
    path = path.format(id=base21.server())

    def said(at):
        answer = base21.request(method, path, body, version=at)
        unknown = answer.status == 404 or (
            answer.status == 400
            and any(word in answer.text for word in ("not a known", "no such action", "must be one of"))
        )
        return "unknown" if unknown else "known"

    assert said(version) == said("2.26") == "known"
    if version != "2.8":
        assert said(_before(version)) == said("2.1") == "unknown"
    else:
        assert said("2.7") == "unknown"


UNTIL = [
    ("2.5", "os-getVNCConsole", {"type": "novnc"}, "no such action"),
    ("2.24", "os-migrateLive", {"host": None, "block_migration": False, "disk_over_commit": False}, "not a known"),
]


@pytest.mark.parametrize(("version", "action", "said", "refused"), UNTIL)
def test_what_went_with_a_version_is_not_there_after(base21, version, action, said, refused):
    admin, id = base21.admin, base21.server()
    assert refused not in admin.act(id, action, said, version=version).text
    base21.settle()
    after = f"2.{int(version.partition('.')[2]) + 1}"
    assert refused in admin.act(id, action, said, version=after).text


MEMBERS = {
    "2.3": "OS-EXT-SRV-ATTR:hostname",
    "2.9": "locked",
    "2.16": "host_status",
    "2.19": "description",
    "2.26": "tags",
}


def test_members_of_a_server_come_with_their_version(base21):
    admin, id = base21.admin, base21.server()
    for version, member in MEMBERS.items():
        assert member in admin.seen(id, version=version), version
        assert member not in admin.seen(id, version=_before(version)), version


NEWER_NAMES = [
    ("GET", "/keypairs", None),
    ("GET", "/v3/servers", None),
    ("POST", "/servers/{id}/action", {"create_image": {"name": "x"}}),
    ("POST", "/servers/{id}/action", {"confirm_resize": None}),
    ("POST", "/servers/{id}/action", {"migrate_live": {}}),
    ("POST", "/servers/{id}/action", {"stop": None}),
]


@pytest.mark.parametrize(("method", "path", "body"), NEWER_NAMES, ids=str)
def test_names_that_v3_had_are_not_known(newest, oldest, method, path, body):
    id = newest.server()
    for cloud in (newest, oldest):
        assert cloud.request(method, path.format(id=id), body).status in (400, 404)


V3_MEMBERS = {"image_ref": "x", "flavor_ref": "1", "admin_password": "x", "host_id": "x"}


def test_members_that_v3_had_are_refused_by_one_and_dropped_by_the_other(newest, base21, oldest):
    for name, value in V3_MEMBERS.items():
        for cloud in (newest, base21):
            refused = cloud.post("/servers", cloud.order(**{name: value}))
            assert (refused.status, name in refused.json["badRequest"]["message"]) == (400, True)
        assert oldest.post("/servers", oldest.order(**{name: value})).status == 202
    oldest.settle()


def test_the_older_one_takes_looser_names(newest, base21, oldest):
    for cloud in (newest, base21):
        assert cloud.post("/servers", cloud.order(name=" spaces ")).status == 400
    made = oldest.post("/servers", oldest.order(name=" spaces "))
    assert made.status == 202
    assert oldest.settle().seen(made.json["server"]["id"])["name"] == "spaces"
    assert oldest.post("/servers", oldest.order(name="   ")).status == 400
    key = {"keypair": {"name": "ä:ö", "public_key": "x"}}
    assert "name" in base21.post("/os-keypairs", key).json["badRequest"]["message"]
    assert "fingerprint" in oldest.post("/os-keypairs", key).json["badRequest"]["message"]


@pytest.mark.parametrize("base", ["/v2", "/v2.1"])
def test_a_project_in_the_path_must_be_ones_own(clouds, base):
    other = Cloud(clouds("tokens"), f"{base}/e1", "ada-token")
    answer = other.get("/servers")
    assert answer.status == 400
    assert answer.json["badRequest"]["message"].startswith("Malformed request URL")
    assert other.get("/servers", token="").status == 401


FAULTS = [
    ("GET", "/servers/none", None, {}, 404, "itemNotFound"),
    ("GET", "/nothing", None, {}, 404, "itemNotFound"),
    ("PATCH", "/servers", None, {}, 405, "badMethod"),
    ("POST", "/servers", None, {"content-type": "application/json"}, 400, "badRequest"),
    ("POST", "/servers", b"{", {"content-type": "application/json"}, 400, "badRequest"),
    ("POST", "/servers", b"<server/>", {"content-type": "application/xml"}, 415, "badMediaType"),
    ("POST", "/flavors", b'{"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1}}', {}, 403, "forbidden"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "name"), FAULTS, ids=str)
def test_faults_are_as_clients_know_them(asked, method, path, body, headers, status, name):
    more = {"body": body} if body else {}
    answer = asked.request(method, path, headers=headers or {"content-type": "application/json"}, **more)
    assert (answer.status, list(answer.json)) == (status, [name])
    assert answer.json[name]["code"] == status
    assert answer.headers["content-type"] == "application/json"


def test_who_is_not_known_is_told_so_in_keystones_words(base21):
    for token in ("", "forged"):
        answer = base21.get("/servers", token=token)
        assert (answer.status, answer.json["error"]["code"], answer.json["error"]["title"]) == (
            401,
            401,
            "Unauthorized",
        )
        assert "www-authenticate" in answer.headers


def test_xml_is_never_given(base21):
    for taken in ("application/xml", ""):
        answer = base21.get("/flavors", headers={"accept": taken})
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


def test_messages_name_what_is_wrong(base21):
    said = base21.post("/servers", {"server": {"name": 5, "more": 1}}).json["badRequest"]["message"]
    assert "'flavorRef' is a required property" in said
    assert "field/attribute name" in said
    assert "field/attribute more" in said
    assert (
        base21.get("/servers", limit="x")
        .json["badRequest"]["message"]
        .startswith("Invalid input for query parameters limit")
    )


def test_links_are_in_the_form_that_was_asked(clouds):
    client = clouds("tokens")
    id = Cloud(client, "/v2.1", "ada-token").server()
    for base in ("/v2", "/v2.1", "/v2/a1", "/v2.1/a1"):
        link = Cloud(client, base, "ada-token").seen(id)["links"][0]["href"]
        assert link == f"http://testserver{base}/servers/{id}"
    aliased = Cloud(client, "/v2.1", "ada-token").get(f"/os-volumes_boot/{id}")
    assert aliased.json["server"]["id"] == id


def _walk(site):
    """Every operation of every version: the version, and the endpoint."""
    seen = set()
    for api in site.apis:
        versions = api.versions
        states = zip(("2.1", *map(str, versions.edges)), versions.states, strict=True) if versions else [("", api)]
        for version, state in states:
            for endpoint in state.endpoints:
                if endpoint.api.startswith("compute-") and id(endpoint) not in seen:
                    seen.add(id(endpoint))
                    yield version, endpoint


def test_every_operation_asks_its_rule(tmp_path_factory):
    """With every rule refusing, nobody gets further than it, whatever the operation and the version."""
    home = tmp_path_factory.mktemp("rules")
    rules = read_file(Path(service.__file__).with_name("policy.yaml"))
    (home / "never.yaml").write_text("".join(f'"{name}": "!"\n' for name in rules))
    client = opened(tmp_path_factory, "tokens", policy=str(home / "never.yaml"))
    client.get("/v2.1")
    walked = list(_walk(client.application.running.generation.site))
    assert len(walked) >= 450
    for version, endpoint in walked:
        if endpoint.gate.public:
            assert endpoint.path.rpartition("/")[2] in (
                "openapi.json",
                "openapi.yaml",
                "swagger.json",
                "ui",
                "redoc",
                "v2.1",
                "v2",
            )
            continue
        assert endpoint.gate.rule_name.startswith("os_compute_api:") or endpoint.api == "compute-image-v2", endpoint
        path, _, action = endpoint.path.replace("{aggregate_id}", "1").replace("{", "").replace("}", "").partition("#")
        body, at = {action: None} if action else None, {"x-openstack-nova-api-version": version} if version else {}
        answer = client.request(endpoint.method, path, json=body, headers={"x-auth-token": "admin-token", **at})
        assert answer.status == 403, (endpoint.title, version, answer.text)
        assert client.request(endpoint.method, path, json=body, headers=at).status == 401, endpoint.title
    client.close()


def test_a_rule_is_replaced_by_a_file(tmp_path_factory):
    home = tmp_path_factory.mktemp("rules")
    (home / "mine.yaml").write_text('"os_compute_api:os-flavor-manage:create": role:member\n')
    client = opened(tmp_path_factory, "tokens", policy=str(home / "mine.yaml"))
    ada = Cloud(client, "/v2.1", "ada-token")
    assert ada.post("/flavors", {"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1}}).status == 200
    client.close()


def test_the_newer_one_is_exported_in_the_olders_place_by_settings(tmp_path_factory):
    apis = {
        "compute-v2.0": ApiSettings(enabled=False),
        "compute-v2.1": ApiSettings(base_path="/v2", status="SUPPORTED"),
    }
    client = opened(tmp_path_factory, "tokens", apis=apis)
    ada = Cloud(client, "/v2/a1", "ada-token")
    id = ada.server()
    assert ada.seen(id)["links"][0]["href"] == f"http://testserver/v2/a1/servers/{id}"
    assert ada.seen(id, version="2.26")["tags"] == []
    assert ada.post("/servers", ada.order(more=1)).status == 400
    assert client.get("/v2.1").status == 404
    (one,) = client.get("/", headers={"accept": "application/json"}).json["versions"]
    assert (one["id"], one["version"], one["links"][0]["href"]) == ("v2.1", "2.26", "http://testserver/v2/")
    client.close()


def test_the_older_one_is_deprecated_by_settings(tmp_path_factory):
    client = opened(tmp_path_factory, "tokens", apis={"compute-v2.0": ApiSettings(status="DEPRECATED")})
    told = {
        one["id"]: one["status"] for one in client.get("/", headers={"accept": "application/json"}).json["versions"]
    }
    assert told == {"v2.0": "DEPRECATED", "v2.1": "CURRENT"}
    assert Cloud(client, "/v2", "ada-token").get("/flavors").status == 200
    client.close()


LOGGED = {
    "whole API": ApiSettings(validation=ValidationModes(request="log", response="reject")),
    "one operation": ApiSettings(
        operations={"create_server": OperationSettings(validation=ValidationModes(request="log"))}
    ),
}


@pytest.mark.parametrize("how", LOGGED)
def test_in_log_mode_the_newer_one_goes_on_as_the_older_would(tmp_path_factory, caplog, how):
    client = opened(tmp_path_factory, "tokens", apis={"compute-v2.1": LOGGED[how]})
    ada = Cloud(client, "/v2.1", "ada-token", "2.26")
    with caplog.at_level(logging.WARNING, "apifold"):
        made = ada.post("/servers", ada.order(name=" x ", more=1), headers={"user-agent": "old-tool/1.0"})
    assert made.status == 202, made.text
    assert ada.settle().seen(made.json["server"]["id"])["name"] == "x"
    assert "body/server/more: is not a known member" in caplog.text
    assert ada.post("/servers", ada.order(name="")).status == 400
    assert ada.post("/servers", ada.order(flavorRef=None)).status == 400
    rows = client.get("/-/refusals", headers={"x-auth-token": "admin-token"}).json["refusals"]
    row = next(one for one in rows if one["field"] == "body/server/more")
    told = {name: row[name] for name in ("api", "operation", "reason", "version", "user", "project", "client", "count")}
    assert told == {
        "api": "compute-v2.1/servers",
        "operation": "create_server",
        "reason": "is not a known member",
        "version": "2.26",
        "user": "ada",
        "project": "a1",
        "client": "old-tool/1.0",
        "count": 1,
    }
    assert (
        'field="body/server/more",operation="create_server"'
        in client.get("/-/metrics", headers={"x-auth-token": "admin-token"}).text
    )
    assert client.get("/-/refusals", headers={"x-auth-token": "ada-token"}).status == 403
    other = ada.put(f"/servers/{made.json['server']['id']}", {"server": {"name": " y "}})
    assert other.status == (200 if how == "whole API" else 400)
    client.close()


def test_the_image_catalogue_is_read(clouds):
    client = clouds("tokens")
    images = Cloud(client, "/image/v2", "ada-token")
    (one,) = images.get("/images", name="cirros").json["images"]
    assert (one["status"], one["visibility"], one["os_type"], one["self"]) == (
        "active",
        "public",
        "linux",
        f"/v2/images/{one['id']}",
    )
    assert images.get(f"/images/{one['id']}").json == one
    assert images.get("/images", name="none").json["images"] == []
    assert (images.get("/images/none").status, images.get("/images", marker="none").status) == (404, 400)
    servers = Cloud(client, "/v2.1", "ada-token")
    id = servers.server()
    made = servers.act(id, "createImage", {"name": "mine"}).headers["location"].rpartition("/")[2]
    servers.settle()
    assert images.get(f"/images/{made}").json["visibility"] == "private"
    assert images.by("eve").get(f"/images/{made}").status == 404
    page = images.get("/images", limit=1).json
    assert page["next"].startswith("/v2/images?limit=1&marker=")
    assert images.by("eve").delete(f"/images/{made}").status == 404
    assert images.by("watcher").delete(f"/images/{made}").status == 403
    assert images.delete(f"/images/{one['id']}").status == 403, "it is the deployment's"
    assert (images.delete(f"/images/{made}").status, images.get(f"/images/{made}").status) == (204, 404)


NO_BODY = {202, 204}


def test_every_answer_has_a_schema_or_no_body(clouds):
    """At every version; so that nothing is told that was not described."""
    client = clouds("tokens")
    client.get("/v2.1")
    for version, endpoint in _walk(client.application.running.generation.site):
        if not endpoint.api.startswith("compute-v"):
            continue
        writer = endpoint.writer
        assert writer.ranges[0] is not None, "faults"
        for status, checker in writer.checkers.items():
            is_empty = status in NO_BODY or status == 201 or endpoint.title.rpartition("/")[2] in EMPTY
            assert checker is not None or is_empty, (version, endpoint.title, status)


EMPTY = {"{flavor_id}", "{key}", "{aggregate_id}"}
"""What answers 200 without a body once it is deleted."""


def test_the_policy_says_who_is_an_administrator(tmp_path_factory):
    home = tmp_path_factory.mktemp("rules")
    (home / "mine.yaml").write_text("context_is_admin: role:cloud_admin\n")
    client = opened(tmp_path_factory, "tokens", policy=str(home / "mine.yaml"))
    ada = Cloud(client, "/v2.1", "ada-token")
    sizes = {"ram": 64, "vcpus": 1, "disk": 1, "swap": 0, "ephemeral": 0, "rxtx_factor": 1.0, "is_public": True}
    id = ada.server(flavor=ada.core.flavors.create(name="f", **sizes).id)
    assert ada.admin.get(f"/servers/{id}").status == 404
    assert ada.admin.delete(f"/servers/{id}").status == 404
    assert ada.admin.post("/flavors", {"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1}}).status == 403
    client.close()


def test_settings_of_operations_that_are_not_there_are_told(tmp_path_factory, caplog):
    said = {"create_servr": OperationSettings(), "create_server": OperationSettings()}
    client = opened(tmp_path_factory, "none", apis={"compute-v2.1": ApiSettings(operations=said)})
    with caplog.at_level(logging.WARNING, "apifold"):
        client.get("/v2.1")
    assert "there is no operation 'create_servr'" in caplog.text
    assert "'create_server'" not in caplog.text
    client.close()


def test_what_was_asked_of_deleted_servers_is_told_from_one_version_on(base21):
    id = base21.server()
    base21.delete(f"/servers/{id}")
    base21.settle()
    at = f"/servers/{id}/os-instance-actions"
    assert base21.get(at, version="2.20").status == 404
    told = base21.get(at, version="2.21").json["instanceActions"]
    assert [one["action"] for one in told] == ["delete", "create"]
    assert base21.get(f"{at}/{told[0]['request_id']}", version="2.21").status == 200
    assert base21.by("eve").get(at, version="2.21").status == 404
