"""Everything beside servers, the same at each endpoint, whoever asks."""

from __future__ import annotations

from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1+gTlPZ8jcxzk2wSPuoGYhHvQYpOu5j2ZUkYjFzFZW me"


def unique(word="n"):
    return f"{word}-{uuid4().hex[:8]}"


def test_flavors(cloud):
    name = unique()
    said = {
        "name": name,
        "ram": "128",
        "vcpus": 2,
        "disk": 0,
        "swap": 0,
        "rxtx_factor": "2.0",
        "OS-FLV-EXT-DATA:ephemeral": 1,
    }
    made = cloud.admin.post("/flavors", {"flavor": said})
    assert made.status == 200, made.text
    flavor = made.json["flavor"]
    assert {name: flavor[name] for name in ("ram", "vcpus", "disk", "swap", "rxtx_factor", "os-flavor-access:is_public")} == {
        "ram": 128, "vcpus": 2, "disk": 0, "swap": "", "rxtx_factor": 2.0, "os-flavor-access:is_public": True,
    }  # fmt: skip
    id = flavor["id"]
    assert {**cloud.get(f"/flavors/{id}").json["flavor"], "links": flavor["links"]} == flavor
    assert cloud.admin.post("/flavors", {"flavor": said}).status == 409
    assert cloud.admin.post("/flavors", {"flavor": {**said, "name": unique(), "id": id}}).status == 409
    listed = cloud.get("/flavors", minRam=128, limit=1000).json["flavors"]
    assert {"id", "name", "links"} == set(listed[0])
    assert id in [one["id"] for one in listed]
    assert id not in [one["id"] for one in cloud.get("/flavors", minRam=129).json["flavors"]]
    sizes = [one["ram"] for one in cloud.get("/flavors/detail", sort_key="memory_mb", sort_dir="desc").json["flavors"]]
    assert sizes == sorted(sizes, reverse=True)
    first = cloud.get("/flavors", limit=1).json
    assert cloud.get("/flavors", limit=1, marker=first["flavors"][0]["id"]).json["flavors"] != first["flavors"]
    assert [link["rel"] for link in first["flavors_links"]] == ["next"]
    for asked in ({"marker": "none"}, {"limit": -1}, {"minRam": "x"}, {"sort_key": "none"}):
        assert cloud.get("/flavors", **asked).status == 400, asked
    specs = f"/flavors/{id}/os-extra_specs"
    assert cloud.admin.post(specs, {"extra_specs": {"hw:a": "1", "b": 2}}).json == {
        "extra_specs": {"hw:a": "1", "b": "2"}
    }
    assert cloud.get(f"{specs}/b").json == {"b": "2"}
    assert cloud.admin.put(f"{specs}/b", {"b": "3"}).json == {"b": "3"}
    assert cloud.admin.put(f"{specs}/b", {"c": "3"}).status == 400
    assert cloud.admin.delete(f"{specs}/b").status == 200
    assert cloud.get(specs).json == {"extra_specs": {"hw:a": "1"}}
    assert (cloud.get(f"{specs}/b").status, cloud.admin.delete(f"{specs}/b").status) == (404, 404)
    assert cloud.admin.delete(f"/flavors/{id}").status == 202
    assert (cloud.get(f"/flavors/{id}").status, cloud.admin.delete(f"/flavors/{id}").status) == (404, 404)


def test_flavors_of_some_projects_only(asked):
    cloud = asked
    id = cloud.flavor(**{"os-flavor-access:is_public": False})
    assert cloud.get(f"/flavors/{id}").status == 404, "making one does not let its maker's project use it"
    assert cloud.post("/servers", cloud.order(flavor=id)).status == 400
    admin, at = cloud.admin, f"/flavors/{id}/action"
    assert admin.get(f"/flavors/{id}/os-flavor-access").json == {"flavor_access": []}
    given = admin.post(at, {"addTenantAccess": {"tenant": "a1"}})
    assert (given.status, given.json) == (200, {"flavor_access": [{"flavor_id": id, "tenant_id": "a1"}]})
    assert admin.post(at, {"addTenantAccess": {"tenant": "a1"}}).status == 409
    assert cloud.get(f"/flavors/{id}").status == 200
    assert cloud.by("eve").get(f"/flavors/{id}").status == 404
    assert id in [one["id"] for one in cloud.get("/flavors").json["flavors"]]
    assert id in [one["id"] for one in admin.get("/flavors", is_public="none").json["flavors"]]
    assert id not in [one["id"] for one in admin.get("/flavors").json["flavors"]]
    assert admin.post(at, {"removeTenantAccess": {"tenant": "a1"}}).json == {"flavor_access": []}
    assert admin.post(at, {"removeTenantAccess": {"tenant": "a1"}}).status == 404
    assert cloud.get(f"/flavors/{id}").status == 404
    public = cloud.flavor()
    assert admin.get(f"/flavors/{public}/os-flavor-access").status == 404
    assert cloud.post(f"/flavors/{public}/action", {"addTenantAccess": {"tenant": "a1"}}).status == 403


def test_keypairs(cloud):
    name, created, gone = unique(), 201 if cloud.version else 200, 204 if cloud.version else 202
    made = cloud.post("/os-keypairs", {"keypair": {"name": name}})
    assert made.status == created, made.text
    pair = made.json["keypair"]
    known = {"name", "public_key", "fingerprint", "user_id", "private_key"} | ({"type"} if cloud.version else set())
    assert set(pair) == known
    assert pair["private_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert cloud.post("/os-keypairs", {"keypair": {"name": name}}).status == 409
    given = cloud.post("/os-keypairs", {"keypair": {"name": f"{name} x", "public_key": PUBLIC}})
    assert given.json["keypair"]["fingerprint"] == "c0:38:e8:ee:54:32:70:fa:2d:5c:e7:5a:f1:db:49:26"
    assert "private_key" not in given.json["keypair"]
    shown = cloud.get(f"/os-keypairs/{name}").json["keypair"]
    assert {"created_at", "deleted", "deleted_at", "updated_at", "id"} <= set(shown)
    assert name in [one["keypair"]["name"] for one in cloud.get("/os-keypairs").json["keypairs"]]
    for bad in (
        "no key",
        "ssh-rsa AAAA",
        "ssh-dss AAAAC3NzaC1lZDI1NTE5AAAAIJ1+gTlPZ8jcxzk2wSPuoGYhHvQYpOu5j2ZUkYjFzFZW",
    ):
        assert cloud.post("/os-keypairs", {"keypair": {"name": unique(), "public_key": bad}}).status == 400
    assert cloud.delete(f"/os-keypairs/{name}").status == gone
    assert (cloud.delete(f"/os-keypairs/{name}").status, cloud.get(f"/os-keypairs/{name}").status) == (404, 404)


def test_a_certificate_is_made_of_a_key(newest):
    pair = newest.post("/os-keypairs", {"keypair": {"name": unique(), "type": "x509"}}).json["keypair"]
    certificate = x509.load_pem_x509_certificate(pair["public_key"].encode())
    private = load_pem_private_key(pair["private_key"].encode(), None)
    assert private.public_key() == certificate.public_key()
    assert certificate.subject.rfc4514_string() == "CN=ada"
    assert certificate.fingerprint(hashes.SHA1()).hex(":") == pair["fingerprint"]
    certificate.verify_directly_issued_by(certificate)
    again = {"name": unique(), "type": "x509", "public_key": pair["public_key"]}
    assert newest.post("/os-keypairs", {"keypair": again}).json["keypair"]["fingerprint"] == pair["fingerprint"]
    assert newest.post("/os-keypairs", {"keypair": {**again, "public_key": PUBLIC}}).status == 400


def test_quotas_and_limits(asked):
    cloud = asked
    admin, project = cloud.admin, f"p{uuid4().hex}"
    at = f"/os-quota-sets/{project}"
    usual = admin.get(f"{at}/defaults").json["quota_set"]
    assert (usual["id"], usual["metadata_items"], usual["injected_files"]) == (project, 128, 5)
    changed = admin.put(at, {"quota_set": {"instances": "3", "cores": 7, "force": "true"}})
    assert (changed.status, "id" in changed.json["quota_set"], changed.json["quota_set"]["instances"]) == (
        200,
        False,
        3,
    )
    assert admin.get(at).json["quota_set"]["cores"] == 7
    assert admin.put(at, {"quota_set": {"instances": 9}}, user_id="u").status == 400
    assert admin.put(at, {"quota_set": {"instances": 2}}, user_id="u").json["quota_set"]["instances"] == 2
    assert admin.get(at, user_id="u").json["quota_set"]["instances"] == 2
    assert admin.get(f"{at}/detail").json["quota_set"]["instances"] == {"limit": 3, "in_use": 0, "reserved": 0}
    for bad in (
        {"instances": -2},
        {"instances": "x"},
        {"unheard_of": 1} if cloud.base.startswith("/v2.1") else {"ram": None},
    ):
        assert admin.put(at, {"quota_set": bad}).status == 400, bad
    assert admin.delete(at).status == 202
    assert admin.get(at).json["quota_set"]["instances"] == usual["instances"]
    assert (cloud.get("/os-quota-sets/a1").status, cloud.get(at).status, cloud.put(at, {"quota_set": {}}).status) == (
        200,
        403,
        403,
    )
    shown = cloud.get("/limits").json["limits"]
    assert (shown["rate"], shown["absolute"]["maxServerMeta"]) == ([], 128)
    assert cloud.get("/limits", tenant_id=project).status == 403
    assert admin.get("/limits", tenant_id=project).status == 200
    assert admin.get("/os-quota-class-sets/other").json["quota_class_set"]["id"] == "other"
    assert (
        admin.put("/os-quota-class-sets/other", {"quota_class_set": {"cores": 1}}).json["quota_class_set"]["cores"] == 1
    )


def test_nobody_gets_more_than_his_quota(asked):
    cloud = asked
    eve, admin = cloud.by("eve"), cloud.admin
    flavor = cloud.flavor(ram=100, vcpus=2)
    held = len(eve.get("/servers").json["servers"])
    at = "/os-quota-sets/e1"
    assert admin.put(at, {"quota_set": {"instances": held + 2, "cores": -1, "ram": -1}}).status == 200
    one = eve.post("/servers", eve.order(flavor=flavor))
    assert one.status == 202
    assert [len(eve.post("/servers", {**eve.order(flavor=flavor, min_count=1, max_count=5)}).json)] == [1]
    refused = eve.post("/servers", eve.order(flavor=flavor))
    said = refused.json["forbidden"]["message"]
    assert (refused.status, "Quota exceeded for instances: Requested 1, but already used" in said) == (403, True)
    assert admin.put(at, {"quota_set": {"instances": 1}}).status == 400
    eve.settle()
    large = cloud.flavor(ram=300, vcpus=2)
    used = eve.core.quotas.used("e1")["ram"]
    admin.put(at, {"quota_set": {"ram": used + 100}})
    assert eve.act(one.json["server"]["id"], "resize", {"flavorRef": large}).status == 403
    assert eve.post(f"/servers/{one.json['server']['id']}/metadata", {"metadata": {}}).status == 200
    assert admin.delete(at).status == 202


def test_groups_keep_servers_together_or_apart(cloud):
    def group(policy):
        made = cloud.post("/os-server-groups", {"server_group": {"name": unique(), "policies": [policy]}})
        assert made.status == 200, made.text
        return made.json["server_group"]["id"]

    def member(id):
        order = cloud.order()
        order["os:scheduler_hints"] = {"group": id}
        made = cloud.post("/servers", order).json["server"]["id"]
        cloud.settle()
        return cloud.seen(made)

    together, apart = group("affinity"), group("anti-affinity")
    assert member(together)["hostId"] == member(together)["hostId"]
    assert member(apart)["hostId"] != member(apart)["hostId"]
    assert member(apart)["status"] == "ERROR", "there are two hosts"
    shown = cloud.get(f"/os-server-groups/{together}").json["server_group"]
    assert len(shown["members"]) == 2
    assert set(shown) == {"id", "name", "policies", "members", "metadata"} | (
        {"project_id", "user_id"} if cloud.version else set()
    )
    assert together in [one["id"] for one in cloud.get("/os-server-groups").json["server_groups"]]
    assert cloud.delete(f"/os-server-groups/{together}").status == 204
    assert cloud.get(f"/os-server-groups/{together}").status == 404
    for policies in ([], ["affinity", "anti-affinity"], ["none"], ["affinity"] * 2):
        body = {"server_group": {"name": unique(), "policies": policies}}
        assert cloud.post("/os-server-groups", body).status == 400, policies
    soft = cloud.post("/os-server-groups", {"server_group": {"name": "s", "policies": ["soft-anti-affinity"]}})
    assert soft.status == (200 if cloud.version else 400)


def test_hosts_services_and_hypervisors(cloud):
    admin = cloud.admin
    id = cloud.server()
    services = admin.get("/os-services", binary="nova-compute").json["services"]
    assert [(one["host"], one["status"], one["state"], one["zone"]) for one in services] == [
        (f"simulated-{n}", "enabled", "up", "nova") for n in (1, 2)
    ]
    assert ("forced_down" in services[0]) == bool(cloud.version)
    host = admin.seen(id)["OS-EXT-SRV-ATTR:host"]
    (zone,) = cloud.get("/os-availability-zone").json["availabilityZoneInfo"]
    assert zone == {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}
    names = {one["zoneName"] for one in admin.get("/os-availability-zone/detail").json["availabilityZoneInfo"]}
    assert names == {"nova", "internal"}
    listed = admin.get("/os-hypervisors").json["hypervisors"]
    detailed = admin.get("/os-hypervisors/detail").json["hypervisors"]
    assert [one["hypervisor_hostname"] for one in listed] == ["simulated-1", "simulated-2"]
    assert admin.get("/os-hypervisors/1").json["hypervisor"]["hypervisor_hostname"] == "simulated-1"
    statistics = admin.get("/os-hypervisors/statistics").json["hypervisor_statistics"]
    assert statistics["running_vms"] == sum(one["running_vms"] for one in detailed)
    assert statistics["count"] == 2
    there = admin.get(f"/os-hypervisors/{host}/servers").json["hypervisors"][0]["servers"]
    assert id in [one["uuid"] for one in there]
    assert admin.get("/os-hypervisors/simulated/search").json["hypervisors"] == listed
    assert admin.get("/os-hypervisors/none/search").status == 404
    assert (admin.get("/os-hypervisors/9").status, admin.get("/os-hypervisors/9/uptime").status) == (404, 404)
    assert admin.get("/os-hypervisors/1/uptime").json["hypervisor"]["uptime"].startswith("up ")
    shares = admin.get(f"/os-hosts/{host}").json["host"]
    assert shares[0]["resource"]["project"] == "(total)"
    assert {one["service"] for one in admin.get("/os-hosts").json["hosts"]} == {"compute", "conductor", "scheduler"}
    assert admin.get(f"/os-hosts/{host}/reboot").status == 501
    body = {"host": host, "binary": "nova-compute"}
    try:
        off = admin.put("/os-services/disable-log-reason", {**body, "disabled_reason": "mending"})
        assert off.json["service"] == {**body, "status": "disabled", "disabled_reason": "mending"}
        assert admin.seen(cloud.server())["OS-EXT-SRV-ATTR:host"] != host
        assert admin.put("/os-services/disable", {"host": "none", "binary": "nova-compute"}).status == 404
    finally:
        assert admin.put("/os-services/enable", body).json["service"]["status"] == "enabled"
    if cloud.token:
        assert [cloud.get(at).status for at in ("/os-services", "/os-hypervisors", "/os-hosts", "/os-aggregates")] == [
            403
        ] * 4


def test_servers_move_between_hosts(cloud):
    admin = cloud.admin
    id = cloud.server()

    def host():
        return admin.seen(id)["OS-EXT-SRV-ATTR:host"]

    first = host()
    other = "simulated-2" if first == "simulated-1" else "simulated-1"
    assert admin.act(id, "migrate").status == 202
    cloud.settle()
    assert (cloud.seen(id)["status"], host()) == ("VERIFY_RESIZE", other)
    assert cloud.act(id, "confirmResize").status == 204
    cloud.settle()
    said = {"host": first, "block_migration": "auto" if cloud.version else False}
    said |= {} if cloud.version else {"disk_over_commit": False}
    assert admin.act(id, "os-migrateLive", said).status == 202
    cloud.settle()
    assert (cloud.seen(id)["status"], host()) == ("ACTIVE", first)
    assert admin.act(id, "os-migrateLive", {**said, "host": "none"}).status == 400
    evacuate = {"host": other} if cloud.version else {"host": other, "onSharedStorage": False}
    assert admin.act(id, "evacuate", evacuate).status == 400, "its host is up"
    moves = admin.get("/os-migrations", instance_uuid=id).json["migrations"]
    assert [(one["status"], one["source_compute"], one["dest_compute"]) for one in moves] == [
        ("completed", other, first),
        ("confirmed", first, other),
    ]
    assert ("migration_type" in moves[0]) == bool(cloud.version)
    body = {"host": first, "binary": "nova-compute"}
    newest = type(cloud)(cloud.client, "/v2.1", admin.token, "2.26", cloud.people)
    try:
        assert (
            newest.put("/os-services/force-down", {**body, "forced_down": True}).json["service"]["forced_down"] is True
        )
        gone = admin.act(id, "evacuate", evacuate)
        assert (gone.status, gone.json if gone.body else {}) == (
            200,
            {} if cloud.version else {"adminPass": gone.json["adminPass"]},
        )
        cloud.settle()
        assert host() == other
    finally:
        newest.put("/os-services/force-down", {**body, "forced_down": False})


def test_aggregates(cloud):
    admin, name = cloud.admin, unique("agg")
    for one in admin.get("/servers", all_tenants=1).json["servers"]:
        admin.delete(f"/servers/{one['id']}")
    cloud.settle()
    made = admin.post("/os-aggregates", {"aggregate": {"name": name, "availability_zone": "north"}})
    assert made.status == 200, made.text
    id = made.json["aggregate"]["id"]
    at = f"/os-aggregates/{id}"
    try:
        assert admin.post("/os-aggregates", {"aggregate": {"name": name}}).status == 409
        assert admin.post(f"{at}/action", {"add_host": {"host": "simulated-1"}}).json["aggregate"]["hosts"] == [
            "simulated-1"
        ]
        assert admin.post(f"{at}/action", {"add_host": {"host": "simulated-1"}}).status == 409
        assert admin.post(f"{at}/action", {"add_host": {"host": "none"}}).status == 404
        zones = {one["zoneName"] for one in cloud.get("/os-availability-zone").json["availabilityZoneInfo"]}
        assert zones == {"north", "nova"}
        seen = admin.seen(cloud.server(availability_zone="north"))
        assert (seen["OS-EXT-SRV-ATTR:host"], seen["OS-EXT-AZ:availability_zone"]) == ("simulated-1", "north")
        changed = admin.post(f"{at}/action", {"set_metadata": {"metadata": {"ssd": "true"}}}).json["aggregate"]
        assert changed["metadata"] == {"availability_zone": "north", "ssd": "true"}
        changed = admin.post(f"{at}/action", {"set_metadata": {"metadata": {"ssd": None}}}).json["aggregate"]
        assert changed["metadata"] == {"availability_zone": "north"}
        assert admin.put(at, {"aggregate": {"name": f"{name}2"}}).json["aggregate"]["name"] == f"{name}2"
        assert admin.put(at, {"aggregate": {}}).status == 400
        assert admin.delete(at).status == 400
        other = {"availability_zone": "south"}
        assert admin.put(at, {"aggregate": other}).status == 400, "a server is there"
        assert admin.put(at, {"aggregate": {"availability_zone": None}}).status == 400
    finally:
        assert admin.post(f"{at}/action", {"remove_host": {"host": "simulated-1"}}).status == 200
        assert admin.delete(at).status == 200
    assert (admin.get(at).status, admin.get("/os-aggregates/x").status) == (404, 400)
    assert admin.post(f"{at}/action", {"fly": {}}).status == 400


def test_volumes_and_interfaces(cloud):
    id, volume, other = cloud.server(), str(uuid4()), str(uuid4())
    at = f"/servers/{id}/os-volume_attachments"
    made = cloud.post(at, {"volumeAttachment": {"volumeId": volume}})
    assert made.json == {"volumeAttachment": {"id": volume, "volumeId": volume, "serverId": id, "device": "/dev/vdb"}}
    assert cloud.post(at, {"volumeAttachment": {"volumeId": volume}}).status == 400
    assert cloud.post(at, {"volumeAttachment": {"volumeId": other, "device": "/dev/vdb"}}).status == 409
    assert cloud.get(f"{at}/{volume}").json["volumeAttachment"] == made.json["volumeAttachment"]
    assert cloud.admin.put(f"{at}/{volume}", {"volumeAttachment": {"volumeId": other}}).status == 202
    assert [one["id"] for one in cloud.get(at).json["volumeAttachments"]] == [other]
    assert cloud.delete(f"{at}/{other}").status == 202
    assert (cloud.delete(f"{at}/{other}").status, cloud.get(f"{at}/{other}").status) == (404, 404)
    at = f"/servers/{id}/os-interface"
    (first,) = cloud.get(at).json["interfaceAttachments"]
    made = cloud.post(
        at,
        {
            "interfaceAttachment": {
                "net_id": first["net_id"],
                "fixed_ips": [{"ip_address": f"10.0.{hash(volume) % 200 + 40}.{hash(id) % 200 + 9}"}],
            }
        },
    )
    assert made.status == 200, made.text
    port = made.json["interfaceAttachment"]
    assert cloud.get(f"{at}/{port['port_id']}").json["interfaceAttachment"] == port
    assert len(cloud.seen(id)["addresses"]["private"]) == 2
    assert cloud.get(f"/servers/{id}/ips").json["addresses"]["private"][1] == {
        "version": 4,
        "addr": port["fixed_ips"][0]["ip_address"],
    }
    assert cloud.get(f"/servers/{id}/ips/private").status == 200
    assert cloud.get(f"/servers/{id}/ips/none").status == 404
    same = {"interfaceAttachment": {"net_id": first["net_id"], "fixed_ips": port["fixed_ips"][:1]}}
    del same["interfaceAttachment"]["fixed_ips"][0]["subnet_id"]
    assert cloud.post(at, same).status == 409
    assert cloud.post(at, {"interfaceAttachment": {"net_id": str(uuid4())}}).status == 404
    assert cloud.delete(f"{at}/{port['port_id']}").status == 202
    assert cloud.delete(f"{at}/{port['port_id']}").status == 404
    assert cloud.act(id, "addFixedIp", {"networkId": first["net_id"]}).status == 202
    address = cloud.seen(id)["addresses"]["private"][1]["addr"]
    assert cloud.act(id, "removeFixedIp", {"address": address}).status == 202
    assert cloud.act(id, "removeFixedIp", {"address": address}).status == 400


def test_what_else_a_server_has(cloud):
    id = cloud.server(name="talker")
    output = cloud.act(id, "os-getConsoleOutput", {}).json["output"]
    assert output.endswith("talker login: ")
    assert cloud.act(id, "os-getConsoleOutput", {"length": "1"}).json["output"] == "talker login: "
    screen = cloud.post(f"/servers/{id}/remote-consoles", {"remote_console": {"protocol": "vnc", "type": "novnc"}})
    assert screen.status == (400 if cloud.version else 404)
    older = cloud.act(id, "os-getVNCConsole", {"type": "novnc"})
    assert older.status == 400
    assert ("There is no such action" in older.text) == bool(cloud.version)
    assert cloud.admin.get(f"/servers/{id}/diagnostics").json["memory"] == 64 * 1024
    assert cloud.get(f"/servers/{id}/os-server-password").json == {"password": ""}
    assert cloud.delete(f"/servers/{id}/os-server-password").status == 204
    assert [one["name"] for one in cloud.get(f"/servers/{id}/os-security-groups").json["security_groups"]] == [
        "default"
    ]
    assert cloud.act(id, "addSecurityGroup", {"name": "web"}).status == 202
    assert cloud.act(id, "addSecurityGroup", {"name": "web"}).status == 400
    assert cloud.seen(id)["security_groups"] == [{"name": "default"}, {"name": "web"}]
    assert cloud.act(id, "removeSecurityGroup", {"name": "web"}).status == 202
    assert cloud.act(id, "removeSecurityGroup", {"name": "web"}).status == 404
    events = {"events": [{"name": "network-changed", "server_uuid": one} for one in (id, str(uuid4()))]}
    told = cloud.admin.post("/os-server-external-events", events)
    assert (told.status, [one["code"] for one in told.json["events"]]) == (207, [200, 404])
    events["events"].pop()
    assert cloud.admin.post("/os-server-external-events", events).status == 200


def test_usage_is_told_by_project_and_server(cloud):
    id = cloud.server()
    project = cloud.seen(id)["tenant_id"]
    shown = cloud.get(f"/os-simple-tenant-usage/{project}").json["tenant_usage"]
    own = next(one for one in shown["server_usages"] if one["instance_id"] == id)
    assert (own["vcpus"], own["memory_mb"], own["state"], own["ended_at"]) == (1, 64, "active", None)
    assert shown["total_hours"] >= own["hours"] >= 0
    listed = cloud.admin.get("/os-simple-tenant-usage", detailed=1).json["tenant_usages"]
    assert project in [one["tenant_id"] for one in listed]
    assert "server_usages" not in cloud.admin.get("/os-simple-tenant-usage").json["tenant_usages"][0]
    cloud.delete(f"/servers/{id}")
    cloud.settle()
    own = next(
        one
        for one in cloud.get(f"/os-simple-tenant-usage/{project}").json["tenant_usage"]["server_usages"]
        if one["instance_id"] == id
    )
    assert (own["state"], own["ended_at"] is not None) == ("terminated", True)
    assert cloud.get(f"/os-simple-tenant-usage/{project}", start="2030-01-01", end="2029-01-01").status == 400
    assert cloud.get(f"/os-simple-tenant-usage/{project}", start="never").status == 400
    assert cloud.get(
        f"/os-simple-tenant-usage/{project}", start="2020-01-01T00:00:00", end="2020-01-02T00:00:00"
    ).json == {"tenant_usage": {}}
    if cloud.token:
        assert cloud.get("/os-simple-tenant-usage/e1").status == 403


def test_extensions_are_listed(cloud):
    listed = {one["alias"]: one for one in cloud.get("/extensions").json["extensions"]}
    assert {"servers", "flavors", "os-keypairs", "os-quota-sets"} <= listed.keys()
    assert cloud.get("/extensions/os-keypairs").json["extension"] == listed["os-keypairs"]
    assert set(listed["os-keypairs"]) == {"alias", "name", "namespace", "description", "updated", "links"}
    assert cloud.get("/extensions/none").status == 404


GONE = [
    "/os-agents",
    "/os-cells/detail",
    "/os-certificates/root",
    "/os-cloudpipe",
    "/os-fixed-ips/1",
    "/os-fping",
    "/os-floating-ips-bulk",
]


@pytest.mark.parametrize("path", GONE)
def test_what_is_gone_is_gone(cloud, path):
    answer = cloud.get(path)
    assert (answer.status, answer.json["computeFault"]["code"]) == (410, 410)


@pytest.mark.parametrize(
    "path", ["/os-networks", "/os-volumes", "/os-floating-ips", "/os-snapshots", "/keypairs", "/os-security-groups"]
)
def test_what_belongs_to_others_is_not_there(cloud, path):
    answer = cloud.get(path)
    assert (answer.status, answer.json["itemNotFound"]["code"]) == (404, 404)


def test_tags_come_with_their_version(newest, base21):
    id = newest.server()
    at = f"/servers/{id}/tags"
    assert base21.get(at).status == 404
    added = newest.put(f"{at}/blue", None)
    assert (added.status, added.headers["location"]) == (201, f"http://testserver/v2.1/servers/{id}/tags/blue")
    assert newest.put(f"{at}/blue", None).status == 204
    assert newest.get(f"{at}/blue").status == 204
    assert newest.get(f"{at}/red").status == 404
    assert newest.put(at, {"tags": ["a", "b", "a"]}).json == {"tags": ["a", "b"]}
    assert newest.seen(id)["tags"] == ["a", "b"]

    def found(**asked):
        return id in [one["id"] for one in newest.get("/servers", **asked).json["servers"]]

    assert found(tags="a,b")
    assert not found(tags="a,c")
    assert found(**{"tags-any": "a,c"})
    assert not found(**{"not-tags": "a,b"})
    assert found(**{"not-tags": "a,c"})
    assert not found(**{"not-tags-any": "a,c"})
    assert newest.put(f"{at}/{'x' * 61}", None).status == 400
    assert newest.put(at, {"tags": [str(n) for n in range(51)]}).status == 400
    assert newest.put(at, {"tags": [str(n) for n in range(50)]}).status == 200
    assert newest.put(f"{at}/more", None).status == 400
    assert newest.delete(f"{at}/7").status == 204
    assert newest.delete(at).status == 204
    assert newest.get(at).json == {"tags": []}


ODD = [
    "/servers/%00",
    "/servers?marker=%00",
    "/servers?image=%00",
    "/flavors/%00",
    "/os-keypairs/%00",
    "/os-server-groups/%00",
    "/os-simple-tenant-usage?end=0001-01-02T00:00:00",
    "/os-simple-tenant-usage?start=9999-12-31T23:59:59-14:00",
    "/os-quota-sets/" + "x" * 300,
    "/os-quota-class-sets/" + "x" * 300,
    "/os-aggregates/99999999999999999999",
    "/servers?name=%00&limit=99999999999999999999",
    "/servers/a%2Fb",
    "/images?minRam=99999999999999999999",
]


@pytest.mark.parametrize("path", ODD)
def test_what_is_odd_is_refused_or_not_there(cloud, path):
    answer = cloud.admin.get(path)
    assert answer.status < 500, answer.text


def test_odd_bodies_are_refused(cloud):
    id = cloud.server()
    for answer in (
        cloud.put(f"/servers/{id}/metadata/a", {"meta": {"a": "\u0000"}}),
        cloud.act(id, "changePassword", {"adminPass": "hunter2\u0000"}),
        cloud.post("/servers", cloud.order(name="x" * 255, min_count=2)),
        cloud.post("/servers", cloud.order(user_data="a")),
        cloud.admin.delete("/os-services/%C2%B2"),
        cloud.admin.delete("/os-services/" + "9" * 30),
        cloud.admin.post("/flavors", {"flavor": {"name": "\u3000", "ram": 1, "vcpus": 1, "disk": 1}}),
        cloud.admin.post("/flavors", {"flavor": {"name": "n", "ram": 1, "vcpus": 1, "disk": 1, "id": 10**300}}),
    ):
        assert answer.status < 500, answer.text
    cloud.settle()


@pytest.mark.parametrize(
    "asked", ["/servers?sort_key=config_drive&sort_key=uuid", "/flavors?sort_key=is_public&sort_key=name"]
)
def test_lists_go_on_where_values_are_the_same(cloud, asked):
    ids = [cloud.server() for _ in range(3)] if "servers" in asked else [cloud.flavor() for _ in range(3)]
    name, found, marker = ("servers" if "servers" in asked else "flavors"), [], ""
    while True:
        page = cloud.admin.get(f"{asked}&limit=2{marker}&all_tenants=1").json[name]
        found += [one["id"] for one in page]
        if not page:
            break
        marker = f"&marker={page[-1]['id']}"
    assert len(found) == len(set(found))
    assert set(ids) <= set(found)
