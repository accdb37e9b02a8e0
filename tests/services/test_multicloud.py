"""Multicloud over HTTP, in front of the stand-in cloud: one suite over both generations and both web frameworks."""

from __future__ import annotations

import shutil
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec import structs
from openapi_spec_validator import OpenAPIV2SpecValidator

from apifold.application import check
from apifold.errors import SettingsError
from apifold.settings import Settings
from apifold.testing import client
from apifold_services.multicloud.core.capacity import Room
from apifold_services.multicloud.core.vault import Vault
from apifold_services.multicloud.options import DEFINITIONS
from apifold_services.multicloud.standin.core.accounts import PROJECTS
from tests.other_service import Told
from tests.servers import APIFOLD, Server, free_port, until

pytestmark = pytest.mark.process

TENANT = PROJECTS[0] if isinstance(PROJECTS, tuple | list) else next(iter(PROJECTS))
OWNER, REGION = "Owner", "RegionOne_a_b"
PLACES = {"v0": f"{OWNER}_{REGION}", "v1": f"{OWNER}/{REGION}"}
CLOUD = {
    "cloud-type": "openstack",
    "cloud-region-version": "pike",
    "user-name": "admin",
    "password": "admin",
    "default-tenant": "demo",
    "cloud-extra-info": {"extensions": ["dpdk"]},
}
LOGIN = {
    "auth": {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": "admin", "domain": {"name": "Default"}, "password": "admin"}},
        },
        "scope": {"project": {"id": TENANT}},
    }
}


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    """The stand-in cloud, as a server of its own."""
    import subprocess

    folder, port = tmp_path_factory.mktemp("standin"), free_port()
    target = "apifold_services.multicloud.standin.service:service"
    line = [
        APIFOLD,
        "serve",
        target,
        "--listen",
        f"127.0.0.1:{port}",
        "--workers",
        "1",
        "--no-access-log",
        "--state",
        "s",
    ]
    with (folder / "log").open("wb") as out:
        process = subprocess.Popen(line, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
    started = Server(process, port, folder / "log")
    started.wait()
    yield started
    started.stop()


@pytest.fixture
def cloud(standin):
    """It, with nothing armed, nothing counted, and nothing that a test before made."""
    standin.request("DELETE", "/faults")
    standin.request("DELETE", "/faults/requests")
    yield standin
    standin.request("DELETE", "/faults")


def asked(cloud):
    """What the cloud was asked: method and path with how often."""
    return {f"{one['method']} {one['path']}": one["count"] for one in cloud.get("/faults/requests").json["requests"]}


def served(tmp_path, cloud=None, **options):
    talker = client(
        "multicloud", state=str(tmp_path / "state"), validation_response="reject", services={"multicloud": options}
    )
    if cloud is not None:
        body = {**CLOUD, "service-url": f"{cloud.url}/identity/v3"}
        assert talker.put(f"/api/multicloud-clouds/v1/clouds/{OWNER}/{REGION}", json=body).status == 201
    return talker


@pytest.fixture(params=["v0", "v1"])
def generation(request):
    return request.param


@pytest.fixture
def broker(tmp_path, cloud):
    """The service, with the stand-in registered."""
    with served(tmp_path, cloud, web_framework="pecan") as talker:
        yield talker


@pytest.fixture(params=["broker", "plugin"])
def place(request, broker, generation):
    """A cloud's place, at the broker and at the plug-in."""
    root = {"broker": "multicloud", "plugin": "multicloud-vio"}[request.param]
    return f"/api/{root}/{generation}/{PLACES[generation]}"


def names(generation, listed=False):
    vimid = PLACES["v0"]
    told = {"vimName": vimid, "vimid" if listed else "vimId": vimid}
    return told if generation == "v0" else {**told, "cloud-owner": OWNER, "cloud-region-id": REGION}


def test_the_types_of_clouds(broker, generation):
    types = broker.get(f"/api/multicloud/{generation}/vim_types").json
    assert types[0] == {"vim_type": "openstack", "versions": ["titanium_cloud", "ocata", "pike", "starlingx"]}
    assert [one["vim_type"] for one in types] == ["openstack", "vmware", "vsphere", "azure"]


def test_a_network_is_made_once_by_its_name(broker, place, generation):
    at = f"{place}/{TENANT}/networks"
    wish = {
        "name": f"lan {place}",
        "shared": False,
        "routerExternal": False,
        "networkType": "vlan",
        "segmentationId": 7,
    }
    made = broker.post(at, json=wish)
    assert made.status == 201, made.text
    shape = {**wish, "physicalNetwork": None, "vlanTransparent": False, "status": "ACTIVE", "tenantId": TENANT}
    one = {key: value for key, value in made.json.items() if key != "id"}
    assert one == {**shape, **names(generation), "returnCode": 1}
    again = broker.post(at, json=wish)
    assert (again.status, again.json) == (200, {**made.json, "returnCode": 0})
    found = broker.get(f"{at}/{made.json['id']}")
    assert (found.status, found.json) == (200, {**made.json, "returnCode": 0})
    listed = broker.get(at, name=wish["name"])
    assert listed.json == {
        "networks": [{**shape, "id": made.json["id"]}],
        "tenantId": TENANT,
        **names(generation, listed=True),
    }
    assert (broker.delete(f"{at}/{made.json['id']}").status, broker.delete(f"{at}/{made.json['id']}").status) == (
        204,
        404,
    )


def test_what_is_wrong_with_a_wish_is_told(broker, place):
    answer = broker.post(f"{place}/{TENANT}/networks", json={"name": "x", "shared": "no", "odd": 1})
    assert answer.status == 400
    assert "routerExternal: is missing" in answer.json["error"]
    assert "odd" in answer.json["error"]
    assert (
        broker.post(f"{place}/{TENANT}/networks", body=b"{", headers={"Content-Type": "application/json"}).status == 400
    )


def test_ports_with_and_without_addresses(broker, place):
    at = f"{place}/{TENANT}"
    net = broker.post(f"{at}/networks", json={"name": f"net {place}", "shared": False, "routerExternal": False}).json[
        "id"
    ]
    bare = broker.post(f"{at}/ports", json={"name": f"bare {place}", "networkId": net})
    assert (bare.status, bare.json.get("ip")) == (201, None)
    subnet = broker.post(
        f"{at}/subnets", json={"name": f"sub {place}", "networkId": net, "cidr": "10.7.0.0/24", "ipVersion": 4}
    )
    assert (subnet.status, subnet.json["gatewayIp"]) == (201, "10.7.0.1")
    wish = {"name": f"port {place}", "networkId": net, "subnetId": subnet.json["id"], "ip": "10.7.0.9"}
    assert broker.post(f"{at}/ports", json=wish).json["ip"] == "10.7.0.9"
    listed = {one["name"]: one.get("ip") for one in broker.get(f"{at}/ports").json["ports"]}
    assert (listed[f"bare {place}"], listed[f"port {place}"]) == (None, "10.7.0.9")
    assert broker.delete(f"{at}/networks/{net}").status == 409


def test_images_need_no_envelope_and_their_files_pass_in_pieces(broker, place):
    at = f"{place}/{TENANT}/images"
    made = broker.post(at, json={"name": f"disk {place}", "imageType": "qcow2", "containerFormat": "bare"})
    assert (made.status, made.json["status"], made.json["returnCode"]) == (201, "queued", 1)
    file = f"{at}/file/{made.json['id']}"
    assert broker.put(file, body=b"x" * 100_000, headers={"Content-Type": "application/octet-stream"}).status == 204
    assert broker.get(f"{at}/{made.json['id']}").json["size"] == 100_000
    assert broker.get(file).body == b"x" * 100_000
    assert broker.get(at, limit=1).json["images"][0]["name"] == "cirros"


def test_servers_flavors_and_volumes(broker, place, generation):
    at = f"{place}/{TENANT}"
    flavor = {
        "name": f"f {place}",
        "vcpu": 1,
        "memory": 512,
        "disk": 1,
        "extraSpecs": [{"keyName": "hw:x", "value": "y"}],
    }
    made = broker.post(f"{at}/flavors", json=flavor)
    assert (made.status, made.json["extraSpecs"], made.json["returnCode"]) == (201, flavor["extraSpecs"], 1)
    assert broker.post(f"{at}/flavors", json=flavor).json["returnCode"] == 0
    assert [one["name"] for one in broker.get(f"{at}/flavors", name=flavor["name"]).json["flavors"]] == [flavor["name"]]
    volume = broker.post(f"{at}/volumes", json={"name": f"v {place}", "volumeSize": 2})
    assert (volume.status, volume.json["volumeSize"]) == (202, 2)
    assert broker.post(f"{at}/volumes", json={"name": "none", "volumeSize": 0}).status == 400
    image = broker.get(f"{at}/images", name="cirros").json["images"][0]["id"]
    wish = {
        "name": f"s {place}",
        "flavorId": made.json["id"],
        "boot": {"type": 2, "imageId": image},
        "metadata": [{"keyName": "k", "value": "v"}],
        "contextArray": [{"fileName": "/a", "fileData": "text"}],
    }
    server = broker.post(f"{at}/servers", json=wish)
    assert (server.status, server.json["returnCode"]) == (201, 1)
    one = f"{at}/servers/{server.json['id']}"
    shown = broker.get(one).json
    assert (shown["boot"], shown["flavorId"], shown["metadata"]) == (wish["boot"], wish["flavorId"], wish["metadata"])
    assert broker.post(f"{one}/action", json={"os-stop": None}).status == 202
    assert broker.get(one).json["status"] == "SHUTOFF"
    assert broker.post(f"{one}/action", json={"os-stop": None}).status == 409
    assert broker.post(f"{one}/action", json={"explode": None}).status == 400
    assert (
        broker.post(f"{at}/servers", json={**wish, "boot": {"type": 1}, "name": "x"}).json["error"]
        == "boot/volumeId: is missing"
    )
    assert (broker.delete(one).status, broker.get(one).status) == (204, 404)
    assert broker.delete(f"{at}/flavors/{made.json['id']}").status == 204


def test_a_flavor_whose_specs_fail_is_taken_back(broker, cloud, place):
    cloud.request(
        "POST",
        "/faults",
        {"service": "compute", "method": "POST", "status": 500, "path_prefix": "/compute/v2.1/flavors/"},
    )
    wish = {
        "name": f"half {place}",
        "vcpu": 1,
        "memory": 512,
        "disk": 1,
        "extraSpecs": [{"keyName": "a", "value": "b"}],
    }
    assert broker.post(f"{place}/{TENANT}/flavors", json=wish).status == 502
    assert broker.get(f"{place}/{TENANT}/flavors", name=wish["name"]).json["flavors"] == []


def test_limits_of_three_services_in_one_answer(broker, place, generation):
    limits = broker.get(f"{place}/{TENANT}/limits").json
    assert (limits["maxTotalCores"], limits["network"], limits["maxTotalVolumes"]) == (20, 100, 10)
    assert {key: limits[key] for key in names(generation)} == names(generation)


def test_tenants_and_the_project_header(broker, place):
    assert broker.get(f"{place}/tenants").json["tenants"][0] == {"id": TENANT, "name": "demo"}
    for project in ("service", "demo", "no such project"):
        answer = broker.post(f"{place}/capacity_check", json={"vCPU": 1}, headers={"Project": project})
        assert answer.json["result"] is True


@pytest.mark.parametrize(
    ("demand", "result"),
    [
        ({}, True),
        ({"vCPU": 20, "Memory": 50, "Storage": 900}, True),
        ({"vCPU": "21"}, False),
        ({"Memory": 51.0}, False),
        ({"Storage": 1001}, False),
    ],
)
def test_capacity_is_the_least_of_quota_and_machines(broker, place, generation, demand, result):
    answer = broker.post(f"{place}/capacity_check", json=demand)
    assert answer.json["result"] is result
    assert ("AZs" in answer.json) is (generation == "v1")
    if generation == "v1" and result:
        assert answer.json["AZs"][0]["availability-zone-name"] == "nova"
    assert broker.post(f"{place}/capacity_check", json={"vCPU": "many"}).status == 400


def test_a_tenant_that_may_not_see_machines_is_judged_by_its_quota(broker, cloud, place):
    cloud.request(
        "POST",
        "/faults",
        {"service": "compute", "path_prefix": "/compute/v2.1/os-hypervisors", "status": 403, "times": 2},
    )
    assert broker.post(f"{place}/capacity_check", json={"vCPU": 1}).json["result"] is True


def test_rooms_are_compared():
    assert Room(2, 2, 2).and_(Room(3, 1, 3)) == Room(2, 1, 2)
    assert Room().holds(Room(1e9, 1e9, 1e9))
    assert not Room(1).holds(Room(2, 0, 0))


def test_which_clouds_have_room(broker):
    body = {"vCPU": 1, "Memory": 1, "Storage": 1, "VIMs": [PLACES["v0"], "nobody_here", "bad"]}
    assert broker.post("/api/multicloud/v0/check_vim_capacity", json=body).json == {"VIMs": [PLACES["v0"]]}
    vims = [{"cloud-owner": OWNER, "cloud-region-id": REGION}, {"cloud-owner": "no", "cloud-region-id": "no"}]
    found = broker.post("/api/multicloud/v1/check_vim_capacity", json={**body, "VIMs": vims}).json["VIMs"]
    assert [(one["cloud-owner"], one["AZs"][0]["availability-zone-name"]) for one in found] == [(OWNER, "nova")]
    assert broker.post("/api/multicloud/v1/check_vim_capacity", json={"vCPU": 999, "VIMs": vims}).json == {"VIMs": []}
    bad = broker.post("/api/multicloud/v0/check_vim_capacity", body=b"{", headers={"Content-Type": "application/json"})
    assert (bad.status, sorted(bad.json)) == (400, ["error"])


def test_a_token_is_got_once_and_renewed_when_it_is_refused(broker, cloud, generation):
    at = f"/api/multicloud-vio/{generation}/{PLACES[generation]}/{TENANT}/networks"
    for _ in range(3):
        assert broker.get(at).status == 200
    assert asked(cloud)["POST /identity/v3/auth/tokens"] == 1
    cloud.request("POST", "/faults", {"service": "network", "status": 401})
    assert broker.get(at).status == 200
    assert asked(cloud)["POST /identity/v3/auth/tokens"] == 2
    cloud.request("POST", "/faults", {"service": "network", "status": 401, "times": 2})
    assert broker.get(at).status == 502


@pytest.mark.parametrize(("status", "ours"), [(403, 403), (409, 409), (500, 502), (503, 503), (404, 404)])
def test_faults_of_the_cloud_keep_their_meaning(broker, cloud, place, status, ours):
    cloud.request(
        "POST",
        "/faults",
        {"service": "network", "status": status, "times": 9, "body": {"NeutronError": {"message": "No."}}},
    )
    answer = broker.get(f"{place}/{TENANT}/networks")
    assert (answer.status, answer.json) == (ours, {"error": "No."})


def test_a_cloud_that_is_not_there_or_not_reached(broker, place, generation):
    gone = place.replace(PLACES[generation], "Owner_Nope" if generation == "v0" else "Owner/Nope")
    assert broker.get(f"{gone}/{TENANT}/networks").status == 404
    body = {**CLOUD, "service-url": "http://127.0.0.1:9/v3"}
    broker.put(f"/api/multicloud-clouds/v1/clouds/{OWNER}/dead", json=body)
    dead = place.replace(REGION, "dead")
    assert broker.get(f"{dead}/{TENANT}/networks").status == 502


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"service-url": "http://169.254.169.254/latest"}, 422, "may not be called"),
        ({"service-url": "http://user:secret@127.0.0.1/v3"}, 400, "service-url"),
        ({"service-url": "ftp://127.0.0.1/v3"}, 400, "service-url"),
        ({"cloud-type": "openstackk"}, 422, "supported are: openstack, vmware"),
        ({"service-url": "http://nowhere.example.org/v3"}, 201, ""),
    ],
)
def test_what_can_t_work_is_not_registered(broker, change, status, told):
    body = {**CLOUD, "service-url": "http://127.0.0.1/v3", **change}
    answer = broker.put(f"/api/multicloud-clouds/v1/clouds/{OWNER}/odd", json=body)
    assert (answer.status, told in answer.text) == (status, True)


def test_plug_ins_elsewhere(tmp_path, cloud, other):
    with served(tmp_path, cloud, web_framework="pecan", plugins={"vio": other.url}) as broker:
        for name, kind, version in (("Far", "vmware", "4.0"),):
            body = {
                **CLOUD,
                "cloud-type": kind,
                "cloud-region-version": version,
                "service-url": f"{cloud.url}/identity/v3",
            }
            assert broker.put(f"/api/multicloud-clouds/v1/clouds/{name}/r", json=body).status == 201
        other.on("POST /api/multicloud-vio/v0/Far_r/t/multicloud", Told(409, {"error": "there"}, {"X-Own": "1"}))
        sent = broker.post(
            "/api/multicloud/v0/Far_r/t/multicloud?a=multicloud",
            json={"x": 1},
            headers={"Project": "p", "X-Auth-Token": "t"},
        )
        assert (sent.status, sent.json, sent.headers["x-own"]) == (409, {"error": "there"}, "1")
        seen = other.asked[-1]
        assert (seen.path, seen.json) == ("/api/multicloud-vio/v0/Far_r/t/multicloud?a=multicloud", {"x": 1})
        assert (seen.headers["project"], seen.headers["x-auth-token"]) == ("p", "t")


def test_identity_leads_back_and_the_cloud_s_own_apis_pass(broker, generation):
    place = f"/api/multicloud-vio/{generation}/{PLACES[generation]}"
    login = broker.post(f"{place}/identity/v3/auth/tokens", json=LOGIN)
    assert login.status == 201
    catalogue = {one["type"]: one["endpoints"][0]["url"] for one in login.json["token"]["catalog"]}
    assert catalogue["compute"] == f"http://testserver{place}/compute"
    token = {"X-Auth-Token": login.headers["x-subject-token"]}
    listed = broker.get(f"{place}/compute/flavors", headers=token)
    assert listed.json["flavors"][0]["links"][0]["href"].startswith(f"http://testserver{place}/compute/flavors/")
    assert broker.get(f"{place}/glance/v2/images", headers=token).json["images"][0]["name"] == "cirros"
    assert broker.get(f"{place}/compute/flavors").status == 401
    assert broker.get(f"{place}/compute/flavors", headers={"X-Auth-Token": "no"}).status == 401
    wrong = {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": "admin", "domain": {"id": "default"}, "password": "no"}},
            }
        }
    }
    assert broker.post(f"{place}/identity/v3/auth/tokens", json=wrong).status == 401


def test_workloads(broker):
    at = f"/api/multicloud/v1/{PLACES['v1']}/infra_workload"
    wish = {
        "template_type": "heat",
        "template_data": {
            "stack_name": "vnf",
            "template": {"heat_template_version": "2018-08-31"},
            "parameters": {"a": 1},
        },
        "user_directives": {"attributes": [{"attribute_name": "a", "attribute_value": 2}]},
        "sdnc_directives": {"attributes": [{"attribute_name": "a", "attribute_value": 3}]},
    }
    made = broker.post(at, json=wish)
    assert (made.status, made.json["workload_status"]) == (201, "CREATE_IN_PROGRESS")
    one = f"{at}/{made.json['workload_id']}"
    until(lambda: broker.get(one).json["workload_status"] == "CREATE_COMPLETE")
    assert broker.post(one, json=wish).json["workload_status"] == "UPDATE_IN_PROGRESS"
    assert [each["workload_id"] for each in broker.get(at).json["workloads"]] == [made.json["workload_id"]]
    assert broker.post(at, json={**wish, "template_type": "tosca"}).status == 400
    assert (
        broker.post(at, body=b"--x", headers={"Content-Type": "multipart/form-data; boundary=x"}).json["error"]
        == "multipart API is not supported yet"
    )
    assert (broker.delete(one).status, broker.get(one).status) == (204, 404)
    assert broker.delete(at).status == 405
    assert broker.post(f"/api/multicloud/v0/{PLACES['v0']}/infra_workload", json=wish).status == 404


def test_clouds_are_registered_and_never_tell_their_passwords(broker, tmp_path):
    at = f"/api/multicloud-clouds/v1/clouds/{OWNER}/{REGION}"
    changed = {key: value for key, value in broker.get(at).json.items() if not key.startswith("cloud-owner")}
    assert "password" not in changed
    assert broker.put(at, json={**changed, "default-tenant": "service"}).status == 200
    assert broker.get(at).json["default-tenant"] == "service"
    assert broker.get(f"/api/multicloud/v0/{PLACES['v0']}/tenants").status == 200
    assert broker.put(f"/api/multicloud-clouds/v1/clouds/{OWNER}/new", json=changed).status == 409
    assert broker.put("/api/multicloud-clouds/v1/clouds/under_score/r", json=changed).status == 400
    stored = b"".join(file.read_bytes() for file in (tmp_path / "state").glob("apifold.db*"))
    assert b'"password":' in stored
    assert b'"admin"' not in stored.replace(b'"user":"admin"', b"").replace(b'"user": "admin"', b"")
    assert stat.S_IMODE((tmp_path / "state" / "multicloud.key").stat().st_mode) == 0o600


def test_nothing_is_remembered_of_a_cloud_that_is_gone(broker, cloud, generation):
    place = f"/api/multicloud/{generation}/{PLACES[generation]}"
    assert broker.get(f"{place}/{TENANT}/networks").status == 200
    assert broker.delete(place).status == 204
    assert broker.get(f"{place}/{TENANT}/networks").status == 404
    assert broker.delete(place).status == 404
    body = {**CLOUD, "password": "wrong", "service-url": f"{cloud.url}/identity/v3"}
    broker.put(f"/api/multicloud-clouds/v1/clouds/{OWNER}/{REGION}", json=body)
    assert broker.get(f"{place}/{TENANT}/networks").status == 502


def test_the_vault_needs_its_key(tmp_path):
    vault = Vault(tmp_path / "keys" / "one")
    closed = vault.closed("hush")
    assert "hush" not in closed
    assert Vault(tmp_path / "keys" / "one").opened(closed) == "hush"
    with pytest.raises(Exception, match="another key"):
        Vault(tmp_path / "keys" / "two").opened(closed)
    (tmp_path / "bad").write_text("short")
    with pytest.raises(SettingsError, match="holds no key"):
        Vault(tmp_path / "bad").closed("x")


def test_clouds_may_come_from_an_aai(tmp_path, cloud, other):
    record = {
        "cloud-owner": OWNER,
        "cloud-type": "openstack",
        "cloud-region-version": "pike",
        "cloud-extra-info": '{"extensions": ["x"]}',
        "esr-system-info-list": {
            "esr-system-info": [
                {
                    "user-name": "admin",
                    "password": "admin",
                    "default-tenant": "demo",
                    "service-url": f"{cloud.url}/identity",
                    "cloud-domain": "Default",
                }
            ]
        },
    }
    (tmp_path / "password").write_text("AAI\n")
    at = f"/aai/v13/cloud-infrastructure/cloud-regions/cloud-region/{OWNER}/{REGION}"
    other.on(f"GET {at}", record)
    options = {"aai": f"{other.url}/aai/v13", "aai_user": "AAI", "aai_password": str(tmp_path / "password")}
    with served(tmp_path, web_framework="pecan", **options) as broker:
        for _ in range(2):
            assert broker.get(f"/api/multicloud/v1/{PLACES['v1']}/extensions").json["extensions"] == ["x"]
        assert broker.get(f"/api/multicloud/v0/{PLACES['v0']}/{TENANT}/networks").status == 200
        assert len(other.asked) == 1
        assert other.asked[0].headers["authorization"] == "Basic QUFJOkFBSQ=="
        assert broker.get("/api/multicloud/v0/No_where/extensions").status == 404
        assert broker.get("/api/multicloud-clouds/v1/clouds").status == 404


# The two web frameworks


@pytest.fixture(params=["django", "pecan"])
def framework(request, tmp_path, cloud):
    with served(tmp_path, cloud, web_framework=request.param) as talker:
        yield talker


def test_both_frameworks_answer_the_same(framework, generation):
    place = f"/api/multicloud-vio/{generation}/{PLACES[generation]}"
    hosts = framework.get(f"{place}/{TENANT}/hosts").json
    assert [one["name"] for one in hosts["hosts"]] == ["standin-1", "standin-2"]
    assert {key: hosts[key] for key in names(generation, listed=True)} == names(generation, listed=True)
    one = framework.get(f"{place}/{TENANT}/hosts/{hosts['hosts'][0]['id']}").json
    assert one == {**hosts["hosts"][0], **names(generation), "tenantId": TENANT, "returnCode": 0}
    assert framework.get(f"{place}/{TENANT}/hosts/nope").status == 404
    extensions = framework.get(f"{place}/extensions").json
    assert extensions == {
        "cloud-owner": OWNER,
        "cloud-region-id": REGION,
        "vimid": PLACES["v0"],
        "extensions": ["dpdk"],
    }
    assert (
        framework.get(f"{place}/identity/v3").json["version"]["links"][0]["href"]
        == f"http://testserver{place}/identity/v3/"
    )
    assert framework.post(f"{place}/identity/v3/auth/tokens", json=LOGIN).status == 201
    assert framework.post(f"{place}/identity/v3/auth/tokens", json={}).status == 400


def test_the_comparison_of_both_shows_no_undeclared_difference(tmp_path, cloud):
    from apifold.settings import ApiSettings, ShadowSettings, StatusRule

    shadow = ApiSettings(shadow=ShadowSettings(to="pecan", noise=("times", "ids")))
    apis = {f"multicloud-vio-{name}": shadow for name in ("v0", "v1")}
    apis["multicloud-vio-v1"] = structs.replace(shadow, status="EXPERIMENTAL", status_after=StatusRule(same=6))
    options = {"multicloud": {"web_framework": "django"}}
    with client("multicloud", state=str(tmp_path / "state"), services=options, apis=apis) as talker:
        body = {**CLOUD, "service-url": f"{cloud.url}/identity/v3"}
        talker.put(f"/api/multicloud-clouds/v1/clouds/{OWNER}/{REGION}", json=body)
        for generation, place in PLACES.items():
            for rest in (f"{TENANT}/hosts", f"{TENANT}/hosts/nope", "nobody/hosts", "extensions", "identity/v3"):
                talker.get(f"/api/multicloud-vio/{generation}/{place}/{rest}")
            talker.get(f"/api/multicloud-vio/{generation}/{place.replace(REGION, 'nope')}/extensions")

        def compared():
            talker.get("/-/live")  # lets the loop run
            shown = talker.get("/-/shadow").json["apis"]
            return shown if sum(one["alike"] for one in shown.values()) == 12 else None

        shown = until(compared)
        status = {one["name"]: one["status"] for one in talker.get("/-/apis").json["apis"]}["multicloud-vio-v1"]
        assert status == "EXPERIMENTAL"
        assert {
            place for one in shown.values() for each in one["operations"].values() for place in each["places"]
        } == set()


def test_another_web_framework_is_refused_with_those_that_are_there(tmp_path):
    with pytest.raises(SettingsError, match=r"web_framework.*its settings are: web_framework, definitions"):
        served(tmp_path, web_framework="flask")
    with pytest.raises(SettingsError, match="there is no folder /nope"):
        served(tmp_path, definitions="/nope")
    with pytest.raises(SettingsError, match="there is no service 'multiclod'"):
        client("multicloud", services={"multiclod": {}})


# Definition files


@pytest.fixture
def defined(tmp_path, cloud):
    """The service with a folder of definitions of its own, and that folder."""
    folder = tmp_path / "definitions"
    shutil.copytree(DEFINITIONS, folder)
    with served(tmp_path, cloud, web_framework="pecan", definitions=str(folder)) as talker:
        yield talker, folder


def rebuild(talker):
    running = talker.application.running
    running.generation = running.builder.build(running.generation)
    return running.generation


ROUTERS = """
info: {version: "1.0", title: Zones}
schemes: [http]
paths:
  /{vimid}/{tenantid}/keys/{keyid}:
    parameters:
      - {name: vimid, type: string, in: path, required: true}
      - {name: tenantid, type: string, format: uuid, in: path, required: true}
      - {name: keyid, type: string, in: path, required: true}
    get: {produces: [application/json], responses: {"200": {schema: {$ref: "#/definitions/service"}}}}
    get_all: {responses: {"200": {schema: {type: array, items: {$ref: "#/definitions/service"}}}}}
    vim_path: /compute/os-services
definitions:
  service:
    vim_resource: service
    plural_vim_resource: services
    plural: keys
    properties:
      name: {type: string, required: true, source: service.binary}
      zone: {type: string, source: service.zone, action: copy}
      none: {type: boolean, source: service.none, default: "true"}
"""


def test_a_definition_comes_and_goes_with_its_part_of_the_document(defined, generation):
    talker, folder = defined
    at = f"/api/multicloud/{generation}/{PLACES[generation]}/{TENANT}/keys"
    document = f"/api/multicloud-vio/{generation}/swagger.json"
    assert talker.get(at).status == 404
    (folder / "keys.yaml").write_text(ROUTERS)
    assert rebuild(talker).all_errors == ()
    assert talker.get(at.replace(TENANT, "demo")).status == 400  # the definition wants a UUID
    assert talker.get(at).json["keys"][0] == {"name": "nova-conductor", "zone": "internal", "none": True}
    described = talker.get(document).json
    assert described["swagger"] == "2.0"
    assert "service" in described["definitions"]
    OpenAPIV2SpecValidator(described).validate()
    (folder / "keys.yaml").unlink()
    rebuild(talker)
    assert talker.get(at).status == 404
    assert not [path for path in talker.get(document).json["paths"] if path.endswith("/keys")]


def test_what_is_served_is_what_is_described(broker, generation):
    for api in ("multicloud", "multicloud-vio"):
        base = f"/api/{api}/{generation}"
        described = broker.get(f"{base}/swagger.json").json
        routes = {
            (endpoint.title.partition(" ")[0].lower(), endpoint.title.partition(" ")[2].removeprefix(base))
            for served_api in broker.application.running.generation.site.apis
            for endpoint in served_api.endpoints
            if served_api.base == base and endpoint.api.startswith(f"{api}-{generation}")
        }
        told = {
            (method, path) for path, item in described["paths"].items() for method in item if method != "parameters"
        }
        assert routes == told
        assert described["basePath"] == base


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("vim_path: /compute/os-services", "vim_pth: /x", "`vim_pth` is not a key of a path"),
        ("    vim_path: /compute/os-services\n", "", "has neither `vim_path` nor `handler`"),
        ("/compute/os-services", "compute", "'compute' is no vim_path"),
        ("service.binary", "server.binary", "does not begin with 'service'"),
        ("#/definitions/service", "#/definitions/nope", "there is no definition 'nope'"),
        (
            "      name: {type: string, required: true, source: service.binary}",
            "      name: {type: text, source: service.binary}",
            "text",
        ),
        ("zone: {", "name: {", "stands twice"),
        ("/{vimid}/{tenantid}/keys/{keyid}:", "/keys/{keyid}:", "is not below a cloud"),
        ("/{tenantid}/keys/", "/{tenantid}/networks/", "is also in"),
        ("    get: {", "    fetch: {", "`fetch` is not a key of a path"),
        (ROUTERS, "", "this adds no operation: it holds nothing"),
        ("    parameters:\n", "    parameters: [1]\n    x-parameters:\n", "this can't be understood"),
    ],
)
def test_a_definition_with_a_mistake_leaves_the_others_alone(defined, before, after, message):
    talker, folder = defined
    (folder / "keys.yaml").write_text(ROUTERS.replace(before, after))
    errors = rebuild(talker).all_errors
    told = [error for error in errors if error.file.endswith("keys.yaml")]
    assert any(message in str(error) for error in told), errors
    assert talker.get(f"/api/multicloud/v0/{PLACES['v0']}/{TENANT}/networks").status == 200


def test_an_edited_definition_that_collides_goes_on_as_it_was(defined):
    talker, folder = defined
    at = f"/api/multicloud/v0/{PLACES['v0']}/{TENANT}"
    (folder / "keys.yaml").write_text(ROUTERS)
    rebuild(talker)
    for broken in (ROUTERS.replace("/keys/{keyid}", "/networks/{networkid}"), "paths: ["):
        (folder / "keys.yaml").write_text(broken)
        assert rebuild(talker).all_errors
        assert [talker.get(f"{at}/{name}").status for name in ("networks", "keys")] == [200, 200]


def test_a_definition_in_the_style_of_old(defined, cloud):
    talker, folder = defined
    (folder / "ports.yaml").write_text(
        """
info: {version: 1.0.0, title: MultiVIM, description: ports, termsOfService: x}
schemes: [http, https]
produces: [application/json]
paths:
  /{vimid}/{tenantid}/ports/{portid}:
    parameters:
      - {type: string, name: vimid, in: path}
      - {type: string, format: uuid, name: tenantid, in: path}
      - {type: string, format: uuid, name: portid, in: path, required: true}
    get:
      produces: [application/json]
      responses: {"200": {schema: {$ref: '#/definitions/port'}}}
    get_all:
      produces: [application/json]
      responses: {"200": {schema: {type: array, items: {$ref: '#/definitions/port'}}}}
    post:
      produces: [application/json]
      responses: {"200": {schema: {$ref: '#/definitions/port'}}}
    delete:
      responses: "204"
    vim_path: "/network/v2.0/ports"
definitions:
  port:
    plural_vim_resource: ports
    vim_resource: port
    plural: port
    properties:
      name: {type: string, required: true, source: port.name}
      id: {type: string, minimal: 1, source: port.id}
      networkId: {type: string, source: port.network_id, required: true}
      vnicType: {source: port.binding:vnic_type, action: copy}
      subnetId: {type: string, required: true, source: "port.fixed_ips[0].subnet_id"}
      ip: {type: string, source: "port.fixed_ips[0].ip_address", default: "None"}
"""
    )
    assert rebuild(talker).all_errors == ()
    at = f"/api/multicloud-vio/v1/{PLACES['v1']}/{TENANT}"
    net = talker.post(f"{at}/networks", json={"name": "old", "shared": False, "routerExternal": False}).json["id"]
    assert talker.post(f"{at}/ports", json={"name": "old", "networkId": net}).status == 400
    token = talker.post(f"/api/multicloud-vio/v1/{PLACES['v1']}/identity/v3/auth/tokens", json=LOGIN).headers[
        "x-subject-token"
    ]
    bare = cloud.request(
        "POST", "/network/v2.0/ports", {"port": {"name": "bare", "network_id": net}}, {"X-Auth-Token": token}
    ).json["port"]
    listed = {one["name"]: one for one in talker.get(f"{at}/ports").json["port"]}
    assert "subnetId" not in listed["bare"]
    assert listed["bare"]["ip"] is None
    assert talker.get(f"{at}/ports/{bare['id']}").status == 200
    assert talker.delete(f"{at}/ports/{bare['id']}").status == 204


SEVERAL = """
info: {version: "1.0", title: Two}
paths:
  /{vimid}/{tenantid}/first:
    get: {responses: {"200": {schema: {$ref: "#/definitions/first"}}}}
    vim_path: /compute/limits
    envelope: none
  /{vimid}/{tenantid}/second/{id}:
    get_all: {responses: {"200": {schema: {type: array, items: {$ref: "#/definitions/second"}}}}}
    handler: two_handlers:second
definitions:
  first: {properties: {cores: {type: integer, source: "limits.absolute.maxTotalCores"}}}
  second: {properties: {name: {type: string}}, plural: second}
"""


def test_a_file_may_have_several_paths_and_code(defined):
    talker, folder = defined
    (folder / "two.yaml").write_text(SEVERAL)
    (folder / "two_handlers.py").write_text(
        "async def second(place):\n    return {'second': [{'name': place.tenant}]}\n"
    )
    assert rebuild(talker).all_errors == ()
    at = f"/api/multicloud-vio/v1/{PLACES['v1']}/{TENANT}"
    assert talker.get(f"{at}/first").json["cores"] == 20
    assert talker.get(f"{at}/second").json == {"second": [{"name": TENANT}]}


def test_the_shipped_definitions_have_no_error_in_either_framework():
    for framework in ("django", "pecan"):
        assert check(("multicloud",), Settings(services={"multicloud": {"web_framework": framework}})) == ()


# Access


def test_rules_hold_at_the_broker_and_at_the_plug_in(tmp_path, cloud):
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(
        "".join(f"- {{token: {role}, user: {role}, roles: [{role}]}}\n" for role in ("reader", "member", "admin"))
    )
    tokens.chmod(0o600)
    options = {"multicloud": {"web_framework": "pecan"}}
    with client(
        "multicloud", state=str(tmp_path / "state"), services=options, auth="tokens", tokens=str(tokens)
    ) as talker:

        def answer(method, path, role, **more):
            headers = {"Authorization": f"Bearer {role}"} if role else {}
            return talker.request(method, path, headers=headers, **more).status

        body = {**CLOUD, "service-url": f"{cloud.url}/identity/v3"}
        registered = f"/api/multicloud-clouds/v1/clouds/{OWNER}/{REGION}"
        assert [answer("PUT", registered, role, json=body) for role in ("", "member", "admin")] == [401, 403, 201]
        for api in ("multicloud", "multicloud-vio"):
            at = f"/api/{api}/v0/{PLACES['v0']}"
            wish = {"name": f"x {api}", "shared": False, "routerExternal": False}
            assert [answer("GET", f"{at}/{TENANT}/networks", role) for role in ("", "reader")] == [401, 200]
            assert [answer("POST", f"{at}/{TENANT}/networks", role, json=wish) for role in ("reader", "member")] == [
                403,
                201,
            ]
            assert [answer("DELETE", at, role) for role in ("", "member")] == [401, 403]
            assert answer("POST", f"{at}/identity/v3/auth/tokens", "", json=LOGIN) == 201
            assert answer("POST", f"{at}/capacity_check", "reader", json={}) == 200
            token = talker.post(f"{at}/identity/v3/auth/tokens", json=LOGIN).headers["x-subject-token"]
            assert talker.get(f"{at}/compute/flavors", headers={"X-Auth-Token": token}).status == 200
            assert talker.get(f"{at}/compute/flavors", headers={"X-Auth-Token": "no"}).status == 401


def test_every_operation_has_a_rule_or_says_that_it_is_public(broker):
    public = {
        endpoint.title
        for api in broker.application.running.generation.site.apis
        for endpoint in api.endpoints
        if endpoint.gate.public and endpoint.api.startswith("multicloud")
    }
    assert all("/identity/v3" in title or "/{rest}" in title or title.endswith("/samples") for title in public)


def test_registration_discovers_what_a_cloud_has(tmp_path, cloud, server):
    started = server(
        "multicloud", "--workers", "1", "--no-access-log", environment={"APIFOLD_MULTICLOUD_WEB_FRAMEWORK": "pecan"}
    )
    body = {**CLOUD, "service-url": f"{cloud.url}/identity/v3"}
    assert started.request("PUT", f"/api/multicloud-clouds/v1/clouds/{OWNER}/{REGION}", body).status == 201
    at = f"/api/multicloud/v0/{PLACES['v0']}"
    assert started.get(f"{at}/registry").status == 404
    assert started.request("POST", f"{at}/registry", {"defaultTenant": "service"}).status == 202
    until(lambda: started.get(f"{at}/registry").json["status"] == [0, "done"], 30)
    found = started.get(f"{at}/discovered").json
    assert [one["name"] for one in found["images"]][:2] == ["cirros", "ubuntu"]
    assert sorted(found) == ["availability-zones", "flavors", "hypervisors", "images", "tenants"]
    with suppress(OSError):
        assert started.request("DELETE", at).status == 204
    assert started.get(f"{at}/discovered").status == 404
    assert Path(started.log).read_text().count("admin") == 0
