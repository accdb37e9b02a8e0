"""The stand-in cloud, as clients of a real one know it."""

from __future__ import annotations

import time
from unittest.mock import ANY

import pytest
from openapi_spec_validator import validate

from apifold.testing import client
from apifold_services.multicloud.standin.core.accounts import PROJECTS

DEMO, SERVICE = PROJECTS
TOKENS = "/identity/v3/auth/tokens"
COMPUTE, NETWORK, IMAGE = "/compute/v2.1", "/network/v2.0", "/image/v2"
VOLUME, STACKS = f"/volume/v3/{DEMO}", f"/orchestration/v1/{DEMO}/stacks"
TEMPLATE = {"heat_template_version": "2018-08-31", "resources": {"vm": {"type": "OS::Nova::Server"}}}


@pytest.fixture
def cloud():
    """The cloud, with a token of `admin` in `demo`; every answer has to be as described."""
    with client("apifold_services.multicloud.standin.service:service", validation_response="reject") as talker:
        talker.headers["x-auth-token"] = token(talker)
        yield talker


def log_in(client, name="admin", password=None, project="demo", **more):
    user = {"name": name, "domain": {"name": "Default"}, "password": password or name}
    scope = {"scope": {"project": {"name": project, "domain": {"id": "default"}}}} if project else {}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, **scope}}
    return client.post(TOKENS, json=body, **more)


def token(client, *who, **how):
    return log_in(client, *who, **how).headers["x-subject-token"]


def as_(client, *who, **how):
    return {"X-Auth-Token": token(client, *who, **how)}


def made(answer, status=201):
    assert answer.status == status, answer.text
    return answer.json


def network(cloud, **more):
    return made(cloud.post(f"{NETWORK}/networks", json={"network": {"name": "lan", **more}}))["network"]


def subnet(cloud, network, **more):
    body = {"network_id": network["id"], "cidr": "10.9.0.0/29", "ip_version": 4, **more}
    return made(cloud.post(f"{NETWORK}/subnets", json={"subnet": body}))["subnet"]


def server(cloud, status=202, **more):
    image = cloud.get(f"{IMAGE}/images", name="cirros").json["images"][0]["id"]
    body = {"name": "one", "flavorRef": "2", "imageRef": image, **more}
    return made(cloud.post(f"{COMPUTE}/servers", json={"server": body}), status)


def test_every_description_holds(cloud):
    for entry in cloud.application.entries():
        validate(cloud.get(entry.document).json)
    assert len(cloud.application.entries()) == 7
    assert not cloud.application.errors()


def test_a_token_says_whose_it_is_and_where_the_cloud_is(cloud):
    answer = log_in(cloud, headers={"host": "cloud.example:9"})
    shown = made(answer)["token"]
    assert (shown["user"]["name"], shown["project"]["id"], shown["methods"]) == ("admin", DEMO, ["password"])
    assert {role["name"] for role in shown["roles"]} == {"admin", "member", "reader"}
    urls = {(one["type"], end["interface"]): end["url"] for one in shown["catalog"] for end in one["endpoints"]}
    assert len(urls) == 18
    assert urls["compute", "public"] == "http://cloud.example:9/compute/v2.1"
    assert urls["volumev3", "admin"] == f"http://cloud.example:9/volume/v3/{DEMO}"
    for kind in ("identity", "compute", "network", "image"):
        found = cloud.get(urls[kind, "public"].removeprefix("http://cloud.example:9")).json
        assert (found.get("versions") or [found.get("version")])[0]["links"]
    subject = {"X-Subject-Token": answer.headers["x-subject-token"]}
    again = cloud.get(TOKENS, headers=subject)
    assert again.json["token"]["expires_at"] == shown["expires_at"]
    by_token = {"auth": {"identity": {"methods": ["token"], "token": {"id": subject["X-Subject-Token"]}}}}
    other = made(
        cloud.post(TOKENS, json={**by_token, "auth": {**by_token["auth"], "scope": {"project": {"id": SERVICE}}}})
    )
    assert other["token"]["project"] == {**shown["project"], "id": SERVICE, "name": "service"}
    assert other["token"]["expires_at"] == shown["expires_at"]
    assert cloud.delete(TOKENS, headers=subject).status == 204
    assert cloud.get(TOKENS, headers=subject).status == 404
    assert cloud.post(TOKENS, json=by_token).status == 401


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ({"password": "wrong"}, 401),
        ({"name": "nobody"}, 401),
        ({"project": "nowhere"}, 401),
        ({"name": "reader", "project": "service"}, 401),
        ({"name": "reader"}, 201),
        ({"project": ""}, 201),
    ],
)
def test_who_gets_a_token(cloud, who, status):
    answer = log_in(cloud, **who)
    assert answer.status == status
    if status == 401:
        assert answer.json["error"]["title"] == "Unauthorized"
    elif not who.get("project", "demo"):
        assert "project" not in answer.json["token"]


def test_projects(cloud):
    def names(path, **more):
        return [one["name"] for one in cloud.get(f"/identity/v3/{path}", **more).json["projects"]]

    assert names("projects") == names("auth/projects") == ["demo", "service"]
    assert names("projects", name="service") == ["service"]
    reader = as_(cloud, "reader")
    assert names("auth/projects", headers=reader) == ["demo"]
    assert cloud.get("/identity/v3/projects", headers=reader).status == 403
    assert len(cloud.get("/identity/v3/auth/catalog").json["catalog"]) == 6


LISTS = {
    "compute": (f"{COMPUTE}/servers", "unauthorized"),
    "network": (f"{NETWORK}/networks", "NeutronError"),
    "image": (f"{IMAGE}/images", "message"),
    "volume": (f"{VOLUME}/volumes", "unauthorized"),
    "orchestration": (STACKS, "error"),
    "identity": ("/identity/v3/auth/projects", "error"),
}


@pytest.mark.parametrize("api", LISTS)
def test_without_a_token_that_holds_nobody_comes_in(cloud, api):
    path, member = LISTS[api]
    assert cloud.get(path).status == 200
    cloud.post("/faults", json={"token_seconds": 0})
    bad = ["", "unknown", token(cloud)]
    if api != "identity":
        cloud.delete("/faults")
        bad.append(token(cloud, project=""))
    for one in bad:
        answer = cloud.get(path, headers={"X-Auth-Token": one})
        assert answer.status == 401
        assert member in answer.json


def test_a_project_sees_its_own_only_and_a_reader_changes_nothing(cloud):
    mine, other, reader = network(cloud), as_(cloud, project="service"), as_(cloud, "reader")
    path = f"{NETWORK}/networks/{mine['id']}"
    assert cloud.get(path, headers=reader).status == 200
    assert cloud.delete(path, headers=reader).status == 403
    assert cloud.get(path, headers=other).json["NeutronError"]["type"] == "NetworkNotFound"
    assert cloud.delete(path, headers=other).status == 404
    assert cloud.get(f"{NETWORK}/networks", headers=other).json == {"networks": []}
    assert cloud.get(STACKS, headers=other).status == 404


def test_servers_live_and_what_counts_follows_them(cloud):
    lan = network(cloud)
    subnet(cloud, lan)
    own = made(cloud.post(f"{NETWORK}/ports", json={"port": {"network_id": lan["id"]}}))["port"]
    nics = [{"uuid": lan["id"]}, {"port": own["id"]}]
    one = server(cloud, networks=nics, metadata={"a": "b"}, user_data="IyE=", key_name=None)["server"]
    path = f"{COMPUTE}/servers/{one['id']}"
    shown = cloud.get(path).json["server"]
    assert (shown["status"], shown["metadata"], shown["flavor"]["id"]) == ("ACTIVE", {"a": "b"}, "2")
    assert {one["addr"] for one in shown["addresses"]["lan"]} == {"10.9.0.2", "10.9.0.3"}
    assert cloud.delete(f"{NETWORK}/networks/{lan['id']}").status == 409

    def used():
        limits = cloud.get(f"{COMPUTE}/limits").json["limits"]["absolute"]
        hosts = cloud.get(f"{COMPUTE}/os-hypervisors/detail").json["hypervisors"]
        return limits["totalInstancesUsed"], limits["totalRAMUsed"], sum(host["memory_mb_used"] for host in hosts)

    assert used() == (1, 2048, 2048)
    server(cloud, name="two", flavorRef="1")
    assert used() == (2, 2560, 2560)
    elsewhere = cloud.get(f"{COMPUTE}/limits", headers=as_(cloud, project="service")).json["limits"]["absolute"]
    assert elsewhere["totalCoresUsed"] == 0

    first = cloud.get(f"{COMPUTE}/servers/detail", limit=1).json
    assert [one["name"] for one in first["servers"]] == ["one"]
    rest = cloud.get(first["servers_links"][0]["href"].removeprefix("http://testserver")).json
    assert [one["name"] for one in rest["servers"]] == ["two"]
    assert [one["name"] for one in cloud.get(f"{COMPUTE}/servers", name="two").json["servers"]] == ["two"]

    for action, status, then in [
        ({"os-start": None}, 409, "ACTIVE"),
        ({"os-stop": None}, 202, "SHUTOFF"),
        ({"reboot": {"type": "SOFT"}}, 409, "SHUTOFF"),
        ({"os-start": None}, 202, "ACTIVE"),
        ({"reboot": {"type": "HARD"}}, 202, "ACTIVE"),
        ({"explode": None}, 400, "ACTIVE"),
    ]:
        assert cloud.post(f"{path}/action", json=action).status == status
        assert cloud.get(path).json["server"]["status"] == then
    assert cloud.delete(path).status == 204
    assert cloud.get(path).json["itemNotFound"]["code"] == 404
    assert used() == (1, 512, 512)
    assert cloud.get(f"{NETWORK}/ports").json == {"ports": [{**own, "updated_at": ANY}]}, "the other one went with it"


@pytest.mark.parametrize("wrong", [{"flavorRef": "9"}, {"imageRef": "9"}, {"networks": [{"uuid": "9"}]}, {"name": ""}])
def test_a_server_of_what_is_not_there(cloud, wrong):
    assert "badRequest" in server(cloud, status=400, **wrong)
    assert cloud.get(f"{COMPUTE}/servers").json == {"servers": []}


def test_flavors(cloud):
    assert [one["name"] for one in cloud.get(f"{COMPUTE}/flavors").json["flavors"]] == ["m1.tiny", "m1.small"]
    wish = {"flavor": {"name": "big", "vcpus": 4, "ram": 8192, "disk": 40, "id": None, "OS-FLV-EXT-DATA:ephemeral": 5}}
    flavor = made(cloud.post(f"{COMPUTE}/flavors", json=wish), 200)["flavor"]
    path = f"{COMPUTE}/flavors/{flavor['id']}"
    assert cloud.get(path).json["flavor"] == flavor == cloud.get(f"{COMPUTE}/flavors/detail").json["flavors"][2]
    assert cloud.post(f"{COMPUTE}/flavors", json=wish).status == 409
    specs = {"extra_specs": {"hw:cpu_policy": "dedicated"}}
    assert cloud.post(f"{path}/os-extra_specs", json=specs).json == cloud.get(f"{path}/os-extra_specs").json == specs
    assert (cloud.delete(path).status, cloud.get(path).status) == (202, 404)
    assert cloud.delete(f"{COMPUTE}/flavors/1").status == 202
    assert len(cloud.get(f"{COMPUTE}/flavors").json["flavors"]) == 1


def test_where_servers_run(cloud):
    brief = cloud.get(f"{COMPUTE}/os-hypervisors").json["hypervisors"]
    one = cloud.get(f"{COMPUTE}/os-hypervisors/{brief[0]['id']}").json["hypervisor"]
    assert one["free_ram_mb"] == one["memory_mb"]
    assert cloud.get(f"{COMPUTE}/os-hypervisors/9").status == 404
    zones = cloud.get(f"{COMPUTE}/os-availability-zone/detail").json["availabilityZoneInfo"]
    assert {zone["zoneName"] for zone in zones} == {"nova", "internal"}
    assert cloud.get(f"{COMPUTE}/os-availability-zone").json["availabilityZoneInfo"][0]["hosts"] is None
    hosts = {(host["host_name"], host["service"]) for host in cloud.get(f"{COMPUTE}/os-hosts").json["hosts"]}
    services = cloud.get(f"{COMPUTE}/os-services").json["services"]
    assert hosts == {(one["host"], one["binary"].removeprefix("nova-")) for one in services}


def test_networks_subnets_and_ports(cloud):
    lan = network(cloud, **{"provider:network_type": "vlan", "provider:segmentation_id": None, "id": "mine"})
    assert lan["id"] != "mine"
    assert lan["provider:network_type"] == "vlan"
    assert "provider:segmentation_id" not in lan
    ports, path = f"{NETWORK}/ports", f"{NETWORK}/networks/{lan['id']}"
    bare = made(cloud.post(ports, json={"port": {"network_id": lan["id"], "binding:vnic_type": "direct"}}))["port"]
    assert (bare["fixed_ips"], bare["binding:vnic_type"]) == ([], "direct")

    block = subnet(cloud, lan)
    assert (block["gateway_ip"], block["allocation_pools"]) == ("10.9.0.1", [{"start": "10.9.0.2", "end": "10.9.0.6"}])
    assert cloud.get(path).json["network"]["subnets"] == [block["id"]]
    wishes = [{}, {"fixed_ips": [{"ip_address": "10.9.0.5"}]}, {"fixed_ips": [{"subnet_id": block["id"]}]}, {}, {}, {}]
    answers = [cloud.post(ports, json={"port": {"network_id": lan["id"], **wish}}) for wish in wishes]
    assert [answer.status for answer in answers] == [201] * 5 + [409]
    got = [answer.json["port"]["fixed_ips"][0]["ip_address"] for answer in answers[:5]]
    assert got == [f"10.9.0.{last}" for last in (2, 5, 3, 4, 6)]
    both = [{"ip_address": "10.9.0.4"}, {"ip_address": "10.9.1.1", "subnet_id": block["id"]}]
    cloud.delete(f"{ports}/{answers[3].json['port']['id']}")
    assert cloud.post(ports, json={"port": {"network_id": lan["id"], "fixed_ips": both}}).status == 400
    again = made(cloud.post(ports, json={"port": {"network_id": lan["id"], "fixed_ips": both[:1]}}))["port"]
    assert again["fixed_ips"] == [{"subnet_id": block["id"], "ip_address": "10.9.0.4"}]
    server(cloud, status=409, networks=[{"uuid": lan["id"]}])
    assert cloud.get(f"{COMPUTE}/servers").json == {"servers": []}
    first = answers[0].json["port"]
    assert cloud.put(f"{ports}/{first['id']}", json={"port": {"name": "eth0"}}).json["port"]["name"] == "eth0"
    assert cloud.put(f"{ports}/{first['id']}", json={"port": {"fixed_ips": []}}).status == 400
    assert len(cloud.get(ports, network_id=lan["id"]).json["ports"]) == 6
    assert cloud.get(ports, name="eth0").json["ports"][0]["id"] == first["id"]

    details = cloud.get(f"{NETWORK}/quotas/{DEMO}/details.json").json["quota"]
    assert (details["port"]["used"], details["subnet"]["used"], details["router"]["used"]) == (6, 1, 0)
    assert cloud.get(f"{NETWORK}/quotas/{DEMO}").json["quota"]["port"] == details["port"]["limit"]
    assert cloud.get(f"{NETWORK}/quotas/{SERVICE}").status == 404

    changes = {"name": "wan", "project_id": SERVICE, "provider:network_type": None}
    changed = cloud.put(path, json={"network": changes}).json["network"]
    assert "provider:network_type" not in changed
    assert (changed["name"], changed["tenant_id"]) == ("wan", DEMO)
    assert cloud.delete(path).json["NeutronError"]["type"] == "NetworkInUse"
    assert cloud.delete(f"{NETWORK}/subnets/{block['id']}").status == 409
    for one in cloud.get(ports).json["ports"]:
        assert cloud.delete(f"{ports}/{one['id']}").status == 204
    assert cloud.delete(f"{NETWORK}/subnets/{block['id']}").status == 204
    assert cloud.delete(path).status == 204
    assert cloud.get(f"{NETWORK}/subnets").json == {"subnets": []}


@pytest.mark.parametrize(
    ("wish", "gateway", "pools"),
    [
        ({"gateway_ip": None}, None, [("10.9.0.1", "10.9.0.6")]),
        ({"gateway_ip": "10.9.0.3"}, "10.9.0.3", [("10.9.0.1", "10.9.0.2"), ("10.9.0.4", "10.9.0.6")]),
        ({"cidr": "fd00::/64", "ip_version": 6}, "fd00::1", [("fd00::2", "fd00::ffff:ffff:ffff:fffe")]),
    ],
)
def test_pools_leave_the_gateway_out(cloud, wish, gateway, pools):
    made = subnet(cloud, network(cloud), **wish)
    assert made["gateway_ip"] == gateway
    assert [(pool["start"], pool["end"]) for pool in made["allocation_pools"]] == pools


def test_images(cloud):
    images = f"{IMAGE}/images"
    wish = {"name": "mine", "disk_format": "raw", "container_format": "bare", "os_type": "linux", "status": "active"}
    image = made(cloud.post(images, json=wish))
    assert (image["status"], image["os_type"], image["size"]) == ("queued", "linux", None)
    path = f"{images}/{image['id']}"
    assert cloud.get(f"{path}/file").status == 204
    content, octets = b"\x00disk" * 300_000, {"Content-Type": "application/octet-stream"}
    assert cloud.put(f"{path}/file", body=content, headers=octets).status == 204
    assert cloud.put(f"{path}/file", body=content, headers=octets).status == 409
    assert cloud.get(f"{path}/file").body == content
    filled = cloud.get(path).json
    assert (filled["status"], filled["size"], len(filled["checksum"])) == ("active", len(content), 32)
    first = cloud.get(images, limit=2).json
    assert [one["name"] for one in first["images"]] == ["cirros", "ubuntu"]
    rest = cloud.get(f"/image{first['next']}").json
    assert ([one["name"] for one in rest["images"]], "next" in rest) == (["mine"], False)
    other = as_(cloud, project="service")
    assert [one["name"] for one in cloud.get(images, headers=other).json["images"]] == ["cirros", "ubuntu"]
    assert (cloud.delete(path).status, cloud.get(path).status) == (204, 404)


def test_volumes(cloud):
    volume = made(cloud.post(f"{VOLUME}/volumes", json={"volume": {"size": 3, "name": "data"}}), 202)["volume"]
    path = f"{VOLUME}/volumes/{volume['id']}"
    assert (volume["status"], volume["bootable"]) == ("available", "false")
    assert cloud.get(path).json["volume"] == volume == cloud.get(f"{VOLUME}/volumes/detail").json["volumes"][0]
    assert list(cloud.get(f"{VOLUME}/volumes").json["volumes"][0]) == ["id", "name", "links"]
    assert cloud.get(f"{VOLUME}/limits").json["limits"]["absolute"]["totalGigabytesUsed"] == 3
    assert (cloud.delete(path).status, cloud.get(path).status) == (202, 404)
    assert cloud.get(f"{VOLUME}/limits").json["limits"]["absolute"]["totalVolumesUsed"] == 0


def test_stacks(cloud, monkeypatch):
    wish = {"stack_name": "web", "template": TEMPLATE, "parameters": {"size": 2}}
    stack = made(cloud.post(STACKS, json=wish))["stack"]
    path = f"{STACKS}/web/{stack['id']}"
    assert stack["links"][0]["href"].endswith(path)
    assert cloud.post(STACKS, json=wish).status == 409

    def status():
        return cloud.get(f"{STACKS}/web").json["stack"]["stack_status"]

    assert status() == "CREATE_IN_PROGRESS"
    later = time.time() + 2
    monkeypatch.setattr("apifold_services.multicloud.standin.core.stacks.time.time", lambda: later)
    assert status() == "CREATE_COMPLETE"
    assert cloud.put(path, json={"template": "resources: {a: {type: X}, b: {type: Y}}"}).status == 202
    assert status() == "UPDATE_IN_PROGRESS"
    assert [one["resource_type"] for one in cloud.get(f"{path}/resources").json["resources"]] == ["X", "Y"]
    assert cloud.get(path).json["stack"]["parameters"]["size"] == 2
    assert cloud.put(path, json={"template": "resources: ["}).status == 400
    assert cloud.get(f"{STACKS}/other/{stack['id']}").json["error"]["type"] == "EntityNotFound"
    assert [one["id"] for one in cloud.get(STACKS).json["stacks"]] == [stack["id"]]
    assert (cloud.delete(path).status, cloud.get(path).status) == (204, 404)


@pytest.mark.parametrize("api", LISTS)
def test_an_armed_fault_is_met_as_often_as_was_said(cloud, api):
    path = LISTS[api][0]
    fault = {"service": api, "method": "GET", "path_prefix": path, "status": 503, "body": ["busy"], "times": 2}
    assert made(cloud.post("/faults", json=fault))["faults"][0]["times"] == 2
    assert [(answer.status, answer.json) for answer in (cloud.get(path), cloud.get(path))] == [(503, ["busy"])] * 2
    assert cloud.get(path).status == 200
    assert cloud.get("/faults").json == {"faults": [], "token_seconds": 3600}


def test_faults_can_be_late_only_and_cleared_and_wait_for_what_matches(cloud):
    cloud.post("/faults", json={"service": "compute", "delay": 0.3})
    began = time.monotonic()
    assert cloud.get(f"{COMPUTE}/limits").status == 200
    assert time.monotonic() - began > 0.3
    cloud.post("/faults", json={"service": "compute", "method": "POST", "status": 500})
    assert cloud.get(f"{COMPUTE}/limits").status == 200
    assert cloud.delete("/faults").status == 204
    assert server(cloud)["server"]
    cloud.post("/faults", json={"service": "identity", "path_prefix": TOKENS, "status": 502})
    assert (log_in(cloud).status, log_in(cloud).status) == (502, 201)
    assert cloud.post("/faults", json={"status": 500}).status == 400


def test_requests_are_counted(cloud):
    assert cloud.delete("/faults/requests").status == 204
    for _ in range(3):
        cloud.get(f"{COMPUTE}/limits")
    cloud.get(f"{COMPUTE}/limits", headers={"X-Auth-Token": ""})
    counted = {"service": "compute", "method": "GET", "path": f"{COMPUTE}/limits", "count": 4}
    assert cloud.get("/faults/requests").json == {"requests": [counted]}
