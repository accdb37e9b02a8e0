"""Compute behind a real Keystone: tokens, the catalogue, projects, and the newest command line."""

from __future__ import annotations

import pytest

from tests.keystone import THERE
from tests.servers import until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not THERE, reason="Keystone is missing: make .keystone/.test"),
]


@pytest.fixture
def cloud(server, keystone):
    started = server("compute", "--no-access-log", "--workers", "2", "--auth", "keystone", *keystone.options)
    with (
        keystone.offering("compute", "nova", f"{started.url}/v2.1"),
        keystone.offering("image", "glance", f"{started.url}/image/v2"),
    ):
        yield started


def test_a_member_and_an_administrator(cloud, keystone):
    def admin(words):
        return keystone.openstack(f"{words} -f json")

    def ada(words, form=" -f json"):
        return keystone.openstack(words + form, "ada", "demo")

    assert cloud.get("/v2.1/servers").status == 401
    assert cloud.get("/v2.1/servers").headers["www-authenticate"] == f'Keystone uri="{keystone.url}"'
    assert cloud.get("/v2.1/servers", headers={"X-Auth-Token": "forged"}).status == 401
    admin("flavor create --ram 64 --disk 1 --vcpus 1 small")
    hidden = admin("flavor create --private --ram 64 --disk 1 --vcpus 1 --project demo hidden")
    assert {one["Name"] for one in ada("flavor list --all")} >= {"small"}
    assert hidden["id"] in {one["ID"] for one in ada("flavor list --private")}
    ada("keypair create key", "")
    made = ada("server create --image cirros --flavor small --key-name key --wait web")
    assert made["status"] == "ACTIVE"
    demo = keystone.openstack("project show demo -f json")["id"]
    assert made["project_id"] == demo
    assert ada("quota show --compute")[0]["Resource"]
    admin("server list")
    assert [one["Name"] for one in admin("server list --all-projects")] == ["web"]
    assert [one["Name"] for one in admin("server list")] == []
    assert {one["Name"]: one["Value"] for one in ada("limits show --absolute")}["instances_used"] == 1
    token = keystone.openstack("token issue -f value -c id", "ada", "demo")
    own = {"X-Auth-Token": token}
    for base in (f"/v2/{demo}", f"/v2.1/{demo}", "/v2", "/v2.1"):
        (listed,) = cloud.get(f"{base}/servers", headers=own).json["servers"]
        assert listed["links"][0]["href"] == f"{cloud.url}{base}/servers/{made['id']}"
    assert cloud.get("/v2.1/0123456789abcdef/servers", headers=own).status == 400
    assert (
        cloud.request("POST", "/v2.1/flavors", {"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1}}, own).status
        == 403
    )
    usage = cloud.get(f"/v2.1/os-simple-tenant-usage/{demo}", headers=own).json["tenant_usage"]
    assert usage["server_usages"][0]["name"] == "web"
    ada("server delete web", "")
    until(lambda: not cloud.get("/v2.1/servers", headers=own).json["servers"], 30)
