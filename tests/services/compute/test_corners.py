"""Corners of the contract that clients and upstream's own tests rely on, each at the endpoints that have it."""

from __future__ import annotations

from uuid import uuid4

import pytest

RULE = "Policy doesn't allow os_compute_api:os-flavor-manage:create to be performed."


def test_who_may_what_by_role(newest):
    told = newest.post("/flavors", {"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1}})
    assert (told.status, told.json["forbidden"]["message"]) == (403, RULE)
    event = {"name": "network-changed", "server_uuid": newest.server()}
    events = {"events": [event, {**event, "server_uuid": str(uuid4())}]}
    assert newest.post("/os-server-external-events", events).status == 403
    told = newest.by("service").post("/os-server-external-events", events)
    assert told.status == 207
    assert [(one["status"], one["code"]) for one in told.json["events"]] == [("completed", 200), ("failed", 404)]
    manager, id = newest.by("manager"), newest.server()
    there = {"host": "simulated-1", "block_migration": "auto"}
    assert manager.act(id, "os-migrateLive", there).status == 403, "where to is not his to say"
    assert manager.act(id, "migrate").status == 202
    newest.settle()
    assert newest.seen(id)["status"] == "VERIFY_RESIZE"


def test_an_administrators_lock_is_not_its_owners(asked):
    id = asked.server()
    assert asked.admin.act(id, "lock").status == 202
    assert asked.act(id, "lock").status == 202
    assert (asked.act(id, "unlock").status, asked.act(id, "os-stop").status) == (403, 409)
    for snapshot in (
        {"createImage": {"name": "x"}},
        {"createBackup": {"name": "y", "backup_type": "d", "rotation": 1}},
    ):
        assert asked.post(f"/servers/{id}/action", snapshot).status == 202, "a lock does not matter to images"
        asked.settle()
    assert asked.admin.act(id, "unlock").status == 202


def test_a_server_on_a_volume_has_no_image(asked):
    volume = {"source_type": "volume", "destination_type": "volume", "uuid": str(uuid4()), "boot_index": 0}
    id = asked.server(imageRef="", block_device_mapping_v2=[volume])
    assert asked.seen(id)["image"] == ""
    for refused in (
        {"rebuild": {"imageRef": asked.image}},
        {"rescue": None},
        {"createBackup": {"name": "y", "backup_type": "d", "rotation": 1}},
    ):
        assert asked.post(f"/servers/{id}/action", refused).status == 400, refused
    assert asked.delete(f"/servers/{id}/os-volume_attachments/{volume['uuid']}").status == 400
    made = {**volume, "source_type": "image", "uuid": asked.image}
    told = asked.post("/servers", asked.order(imageRef="", block_device_mapping_v2=[made]))
    assert (told.status, "no volumes are made here" in told.text) == (400, True)


def test_actions_with_things_that_are_not_there(asked):
    id, nowhere = asked.server(), str(uuid4())
    assert asked.act(id, "rescue", {"rescue_image_ref": nowhere}).status == 400
    shared = {} if asked.version else {"onSharedStorage": False}
    assert asked.admin.act(id, "evacuate", {"host": "none", **shared}).status == 404
    assert asked.act(id, "addFloatingIp", {"address": "10.1.1.1"}).status == 404
    assert asked.post(f"/servers/{id}/os-interface", {"interfaceAttachment": {"port_id": nowhere}}).status == 404
    assert (
        asked.act(id, "rebuild", {"imageRef": asked.image, "personality": [{"path": "/x", "contents": "YWJ"}]}).status
        == 400
    )
    for path in ("/os-aggregates/-1", "/os-services/-1", "/servers/", "/os-simple-tenant-usage/"):
        assert asked.admin.delete(path).status == 404, path


@pytest.mark.parametrize(
    ("limit", "status"), [("2147483647", 200), ("0000000005", 200), ("2147483648", 400), ("-1", 200), ("-2", 400)]
)
def test_numbers_may_be_text(asked, limit, status):
    at = f"/os-quota-sets/p{uuid4().hex}"
    assert asked.admin.put(at, {"quota_set": {"ram": limit}}).status == status
    assert asked.admin.put(at, {"quota_set": {"ram": int(limit)}}).status == status


def test_a_user_may_be_given_more_by_force(asked):
    at = f"/os-quota-sets/p{uuid4().hex}"
    asked.admin.put(at, {"quota_set": {"instances": 3}})
    for force, status in ((False, 400), (True, 200)):
        told = asked.admin.put(at, {"quota_set": {"instances": 9, "force": force}}, user_id="u")
        assert told.status == status


def test_how_servers_are_asked_for(asked):
    many = asked.post("/servers", asked.order(min_count=1001, max_count=1001))
    assert (many.status, "at most 1000 at once" in many.text) == (403, True)
    address = f"10.0.{int(uuid4().hex[:2], 16) % 200 + 20}.{int(uuid4().hex[:2], 16) % 200 + 20}"
    network = asked.get(f"/servers/{asked.server()}/os-interface").json["interfaceAttachments"][0]["net_id"]
    fixed = [{"uuid": network, "fixed_ip": address}]
    assert asked.post("/servers", asked.order(networks=fixed, max_count=2)).status == 400
    made = asked.post("/servers", asked.order(networks=fixed, accessIPv6="0:0::babe:220.12.22.2"))
    id = made.json["server"]["id"]
    assert (asked.seen(id)["status"], asked.seen(id)["addresses"]) == ("BUILD", {})
    asked.settle()
    seen = asked.seen(id, version=asked.version and "2.19")
    assert (seen["addresses"]["private"][0]["addr"], seen["accessIPv6"]) == (address, "::babe:dc0c:1602")
    assert asked.post("/servers", asked.order(networks=fixed)).status == 400, "that address is taken"
    for reserved in ("10.0.0.0", "10.0.0.1", "10.0.255.255"):
        refused = asked.post("/servers", asked.order(networks=[{"uuid": network, "fixed_ip": reserved}]))
        assert refused.status == 400, reserved
    if asked.version:
        assert seen["description"] is None
    grown = {"flavorRef": asked.flavor(ram=128), "OS-DCF:diskConfig": "AUTO"}
    assert asked.done(id, "resize", grown)["OS-DCF:diskConfig"] == "AUTO"


def test_what_the_older_ones_take_and_tell(oldest, base21, newest):
    assert oldest.post("/servers", oldest.order(user_data=None)).status == 202
    assert base21.post("/servers", base21.order(user_data=None)).status == 400
    oldest.settle()
    id = base21.server(name="named")
    assert newest.seen(id)["description"] == "named"
    classes = base21.admin.get("/os-quota-class-sets/default").json["quota_class_set"]
    assert not [name for name in classes if name.startswith("server_group")]


def test_who_filters_and_sorts_by_what(asked):
    key = f"k{uuid4().hex}"
    asked.post("/os-keypairs", {"keypair": {"name": key}})
    id = asked.server(key_name=key)
    admin = asked.admin

    def found(cloud, **said):
        return [one["id"] for one in cloud.get("/servers", **said).json["servers"]]

    assert found(admin, all_tenants=1, key_name=key[:9]) == [id]
    assert len(found(asked, key_name=key)) >= 1, "dropped for others"
    assert found(admin, all_tenants=1, key_name=key, power_state=1, config_drive="^$|False") == [id]
    assert found(admin, all_tenants=1, key_name=key, power_state=4) == []
    assert admin.get("/servers", metadata="{}").status == 400
    for name in ("vcpus", "locked", "kernel_id"):
        assert asked.get("/servers", sort_key=name).status == 200
    assert [cloud.get("/servers", sort_key="host").status for cloud in (asked, admin)] == [403, 200]


def test_which_flavors_an_administrator_sees(asked):
    admin = asked.admin
    own, others = (asked.flavor(**{"os-flavor-access:is_public": False}) for _ in range(2))
    assert admin.post(f"/flavors/{own}/action", {"addTenantAccess": {"tenant": "c0"}}).status == 200

    def seen(**said):
        return {one["id"] for one in admin.get("/flavors", **said).json["flavors"]}

    assert (own in seen(), others in seen()) == (True, False)
    assert {own, others} <= seen(is_public="none") & seen(is_public="false")
    assert admin.get("/flavors", is_public="abc").status == 400


def test_services_that_can_not_be_switched(newest):
    admin, one = newest.admin, {"host": "simulated-1", "binary": "nova-conductor"}
    assert admin.put("/os-services/disable", one).status == 400
    assert admin.put("/os-services/force-down", {**one, "binary": "nova-compute"}).status == 400
    reasoned = {"host": "simulated-1", "binary": "nova-compute", "disabled_reason": "x"}
    assert admin.put("/os-services/enable", reasoned).status == 200


def test_a_token_for_no_project_sees_nobodys_things(base21):
    hidden = base21.flavor(**{"os-flavor-access:is_public": False})
    for path in ("/servers", f"/servers/{base21.server()}", f"/flavors/{hidden}", "/images"):
        assert base21.get(path, token="unscoped-token").status == 403, path
