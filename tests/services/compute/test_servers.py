"""Servers, the same at each endpoint, whoever asks."""

from __future__ import annotations

import base64
import re
from uuid import uuid4

import pytest

from tests.services.compute.conftest import moment

MEMBERS = {
    "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated", "addresses",
    "accessIPv4", "accessIPv6", "links", "key_name", "config_drive", "progress", "OS-DCF:diskConfig", "OS-EXT-AZ:availability_zone",
    "OS-EXT-STS:power_state", "OS-EXT-STS:task_state", "OS-EXT-STS:vm_state", "OS-SRV-USG:launched_at", "OS-SRV-USG:terminated_at",
    "os-extended-volumes:volumes_attached", "security_groups",
}  # fmt: skip
LATER = {"locked", "description", "tags"}


def test_a_server_from_its_order_to_its_end(cloud):
    order = cloud.order(name="web", metadata={"a": "b"})
    made = cloud.post("/servers", order)
    assert made.status == 202, made.text
    created = made.json["server"]
    assert set(created) == {"id", "links", "adminPass", "OS-DCF:diskConfig", "security_groups"}
    id = created["id"]
    assert made.headers["location"] == created["links"][0]["href"] == f"http://testserver{cloud.base}/servers/{id}"

    seen = cloud.seen(id)
    assert (seen["status"], seen["OS-EXT-STS:vm_state"], seen["OS-EXT-STS:task_state"]) == (
        "BUILD",
        "building",
        "scheduling",
    )
    cloud.settle()
    seen = cloud.seen(id)
    own = {name for name in seen if not name.startswith("OS-EXT-SRV-ATTR") and name != "host_status"}
    assert own == MEMBERS | (LATER if cloud.version else set())
    assert (seen["status"], seen["OS-EXT-STS:power_state"], seen["metadata"]) == ("ACTIVE", 1, {"a": "b"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", seen["created"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", seen["OS-SRV-USG:launched_at"])
    (address,) = seen["addresses"]["private"]
    assert set(address) == {"version", "addr", "OS-EXT-IPS:type", "OS-EXT-IPS-MAC:mac_addr"}
    assert [link["rel"] for link in seen["links"]] == ["self", "bookmark"]
    bookmark = seen["links"][1]["href"]
    assert bookmark == f"http://testserver{'/a1' if 'a1' in cloud.base else ''}/servers/{id}"

    assert id in [one["id"] for one in cloud.get("/servers").json["servers"]]
    (brief,) = cloud.get("/servers", name="^web$", limit=1).json["servers"]
    assert set(brief) == {"id", "name", "links"}
    (listed,) = [one for one in cloud.get("/servers/detail").json["servers"] if one["id"] == id]
    assert listed == seen

    changed = cloud.put(f"/servers/{id}", {"server": {"name": "renamed", "accessIPv4": "192.0.2.1"}})
    assert changed.status == 200, changed.text
    assert (changed.json["server"]["name"], changed.json["server"]["accessIPv4"]) == ("renamed", "192.0.2.1")
    assert "OS-EXT-STS:vm_state" not in changed.json["server"]

    assert cloud.delete(f"/servers/{id}").status == 204
    assert cloud.seen(id)["OS-EXT-STS:task_state"] == "deleting"
    assert cloud.delete(f"/servers/{id}").status == 204
    cloud.settle()
    assert cloud.get(f"/servers/{id}").status == 404
    assert cloud.delete(f"/servers/{id}").status == 404


WALK = [
    ("os-stop", None, "SHUTOFF", 4),
    ("os-start", None, "ACTIVE", 1),
    ("reboot", {"type": "SOFT"}, "ACTIVE", 1),
    ("reboot", {"type": "hard"}, "ACTIVE", 1),
    ("pause", None, "PAUSED", 3),
    ("unpause", None, "ACTIVE", 1),
    ("suspend", None, "SUSPENDED", 7),
    ("resume", None, "ACTIVE", 1),
    ("rescue", {"adminPass": "secret"}, "RESCUE", 1),
    ("unrescue", None, "ACTIVE", 1),
    ("changePassword", {"adminPass": "other"}, "ACTIVE", 1),
    ("shelve", None, "SHELVED_OFFLOADED", 0),
    ("unshelve", None, "ACTIVE", 1),
]
STATUS = {"rescue": 200}


def test_every_step_of_its_life(cloud):
    id = cloud.server()
    for name, said, status, power in WALK:
        answer = cloud.act(id, name, said)
        assert answer.status == STATUS.get(name, 202), (name, answer.text)
        assert cloud.seen(id)["OS-EXT-STS:task_state"] is not None, name
        cloud.settle()
        seen = cloud.seen(id)
        assert (seen["status"], seen["OS-EXT-STS:power_state"], seen["OS-EXT-STS:task_state"]) == (
            status,
            power,
            None,
        ), name
    asked = [one["action"] for one in cloud.get(f"/servers/{id}/os-instance-actions").json["instanceActions"]]
    assert asked[::-1] == ["create", "stop", "start", "reboot", "reboot", "pause", "unpause", "suspend", "resume", "rescue",
                           "unrescue", "changePassword", "shelve", "unshelve"]  # fmt: skip


def test_a_resize_is_kept_or_taken_back(cloud):
    small, large = cloud.flavor(), cloud.flavor(vcpus=2, ram=128)
    id = cloud.server(flavor=small)
    assert cloud.act(id, "resize", {"flavorRef": small}).status == 400
    assert cloud.act(id, "resize", {"flavorRef": "none"}).status == 400
    assert cloud.act(id, "confirmResize").status == 409
    for ending, status, flavor in (("revertResize", 202, small), ("confirmResize", 204, large)):
        host = cloud.seen(id)["hostId"]
        assert cloud.done(id, "resize", {"flavorRef": large})["status"] == "VERIFY_RESIZE"
        assert cloud.seen(id)["flavor"]["id"] == large
        assert cloud.seen(id)["hostId"] != host
        assert cloud.act(id, ending).status == status
        cloud.settle()
        seen = cloud.seen(id)
        assert (seen["status"], seen["flavor"]["id"]) == ("ACTIVE", flavor)


def test_images_and_backups_are_made_of_servers(cloud):
    id = cloud.server()
    made = cloud.act(id, "createImage", {"name": "mine", "metadata": {"k": "v"}})
    assert (made.status, made.headers["location"].startswith(f"http://testserver{cloud.base}/images/")) == (202, True)
    image = made.headers["location"].rpartition("/")[2]
    assert cloud.seen(id)["OS-EXT-STS:task_state"] == "image_snapshot"
    assert cloud.get(f"/images/{image}").json["image"]["status"] == "SAVING"
    cloud.settle()
    shown = cloud.get(f"/images/{image}").json["image"]
    assert (shown["status"], shown["name"], shown["server"]["id"], shown["metadata"]["k"]) == (
        "ACTIVE",
        "mine",
        id,
        "v",
    )
    assert cloud.server(imageRef=image)
    kept = []
    for number in range(3):
        said = {"name": f"b{number}", "backup_type": "daily", "rotation": 2}
        kept.append(cloud.act(id, "createBackup", said).headers["location"].rpartition("/")[2])
        cloud.settle()
    assert [cloud.get(f"/images/{one}").status for one in kept] == [404, 200, 200]
    rebuilt = cloud.act(id, "rebuild", {"imageRef": image, "name": "anew", "metadata": {"x": "y"}})
    assert (rebuilt.status, rebuilt.json["server"]["name"], "adminPass" in rebuilt.json["server"]) == (
        202,
        "anew",
        True,
    )
    assert cloud.seen(id)["status"] == "REBUILD"
    cloud.settle()
    assert (cloud.seen(id)["status"], cloud.seen(id)["image"]["id"], cloud.seen(id)["metadata"]) == (
        "ACTIVE",
        image,
        {"x": "y"},
    )
    assert cloud.delete(f"/images/{image}").status == 204
    assert cloud.delete(f"/images/{cloud.image}").status == 403


NOT_WHILE_IT_RUNS = [
    "os-start",
    "unpause",
    "resume",
    "unrescue",
    "unshelve",
    "confirmResize",
    "revertResize",
    "restore",
]
NOT_WHILE_IT_IS_PAUSED = ["os-start", "os-stop", "pause", "suspend", "rescue"]


def test_what_its_state_forbids_is_a_conflict(cloud):
    id = cloud.server()
    for name in NOT_WHILE_IT_RUNS:
        answer = cloud.act(id, name)
        assert answer.status == 409, name
        said = answer.json["conflictingRequest"]
        assert said["code"] == 409
        assert f"instance {id} while it is in vm_state active" in said["message"]
    cloud.done(id, "pause")
    for name in NOT_WHILE_IT_IS_PAUSED:
        assert cloud.act(id, name).status == 409, name
    cloud.done(id, "unpause")
    assert cloud.act(id, "os-stop").status == 202
    busy = cloud.act(id, "pause")
    assert "while it is in task_state powering-off" in busy.json["conflictingRequest"]["message"]


def test_a_lock_keeps_everybody_but_administrators_out(asked):
    cloud = asked
    id = cloud.server()
    assert cloud.act(id, "lock").status == 202
    assert [cloud.act(id, name).status for name in ("os-stop", "pause", "shelve")] == [409, 409, 409]
    assert cloud.delete(f"/servers/{id}").status == 409
    assert cloud.put(f"/servers/{id}", {"server": {"name": "still"}}).status == 200
    assert cloud.admin.act(id, "os-stop").status == 202
    cloud.settle()
    assert cloud.act(id, "unlock").status == 202
    assert cloud.admin.act(id, "lock").status == 202
    assert cloud.act(id, "unlock").status == 403
    assert cloud.admin.act(id, "unlock").status == 202
    assert cloud.act(id, "os-start").status == 202
    cloud.settle()


def test_another_project_sees_nothing(asked):
    cloud = asked
    id, eve = cloud.server(), cloud.by("eve")
    assert id not in [one["id"] for one in eve.get("/servers").json["servers"]]
    assert eve.get(f"/servers/{id}").status == 404
    assert eve.delete(f"/servers/{id}").status == 404
    assert eve.act(id, "os-stop").status == 404
    assert eve.get("/servers", all_tenants=1).status == 403
    assert id in [one["id"] for one in cloud.admin.get("/servers", all_tenants=1).json["servers"]]
    assert id not in [one["id"] for one in cloud.admin.get("/servers").json["servers"]]
    watcher = cloud.by("watcher")
    assert watcher.get(f"/servers/{id}").status == 200
    assert watcher.act(id, "os-stop").status == 403
    assert "OS-EXT-SRV-ATTR:host" not in cloud.seen(id)
    assert cloud.admin.get(f"/servers/{id}").json["server"]["OS-EXT-SRV-ATTR:host"].startswith("simulated-")


def test_lists_are_filtered_sorted_and_cut(cloud):
    since = moment()
    flavor = cloud.flavor()
    ids = {name: cloud.server(name=f"list-{name}", flavor=flavor) for name in "abc"}
    cloud.done(ids["b"], "os-stop")

    def named(**asked):
        found = cloud.get("/servers", name="^list-", flavor=flavor, **asked)
        assert found.status == 200, found.text
        return [one["name"][-1] for one in found.json["servers"]]

    assert named() == ["c", "b", "a"]
    assert named(sort_key="display_name", sort_dir="asc") == ["a", "b", "c"]
    assert named(sort_key=["vm_state", "display_name"], sort_dir=["desc", "asc"]) == ["b", "a", "c"]
    assert named(status="SHUTOFF") == ["b"]
    assert named(status=["shutoff", "ACTIVE"]) == ["c", "b", "a"]
    assert named(status="UNHEARD_OF") == []
    assert named(limit=2) == ["c", "b"]
    assert named(marker=ids["b"]) == ["a"]
    assert named(limit=0) == []
    assert cloud.get("/servers", image=cloud.image, name="^list-a").json["servers"][0]["id"] == ids["a"]
    address = cloud.seen(ids["a"])["addresses"]["private"][0]["addr"].replace(".", r"\.")
    assert [one["id"] for one in cloud.get("/servers", ip=f"^{address}$").json["servers"]] == [ids["a"]]
    page = cloud.get("/servers", name="^list-", flavor=flavor, limit=2).json
    (link,) = page["servers_links"]
    assert link["rel"] == "next"
    rest = cloud.client.get(
        link["href"].removeprefix("http://testserver"), headers={"x-auth-token": cloud.token} if cloud.token else {}
    )
    assert [one["id"] for one in rest.json["servers"]] == [ids["a"]]
    cloud.delete(f"/servers/{ids['c']}")
    cloud.settle()
    assert set(named(**{"changes-since": since})) == {"a", "b", "c"}
    for asked in ({"marker": "zz"}, {"changes-since": "yesterday"}, {"limit": -1}, {"limit": "x"}, {"sort_key": "secret"},
                  {"sort_dir": "up"}, {"_x": 1}, {"name": "("}, {"all_tenants": "perhaps"}):  # fmt: skip
        answer = cloud.get("/servers", **asked)
        assert (answer.status, answer.json["badRequest"]["code"]) == (400, 400), asked


def test_metadata_is_kept_changed_and_limited(cloud):
    id = cloud.server(metadata={"a": "1"})
    at = f"/servers/{id}/metadata"
    assert cloud.get(at).json == {"metadata": {"a": "1"}}
    assert cloud.post(at, {"metadata": {"b": "2"}}).json == {"metadata": {"a": "1", "b": "2"}}
    assert cloud.put(f"{at}/a", {"meta": {"a": "9"}}).json == {"meta": {"a": "9"}}
    assert cloud.put(f"{at}/a", {"meta": {"c": "9"}}).status == 400
    assert cloud.put(f"{at}/a", {"meta": {"a": "1", "b": "2"}}).status == 400
    assert cloud.get(f"{at}/a").json == {"meta": {"a": "9"}}
    assert cloud.put(at, {"metadata": {"c": "3"}}).json == {"metadata": {"c": "3"}}
    assert cloud.delete(f"{at}/c").status == 204
    assert (cloud.delete(f"{at}/c").status, cloud.get(f"{at}/c").status) == (404, 404)
    assert cloud.post(at, {"metadata": {str(n): "x" for n in range(129)}}).status == 403
    assert cloud.post(at, {"metadata": {"x" * 256: "x"}}).status == 400
    assert cloud.post(at, {"metadata": {"x": 5}}).status == 400


BAD = [
    {"name": ""},
    {"name": "x" * 256},
    {"flavorRef": "none"},
    {"imageRef": "none"},
    {"imageRef": "70000000-0000-4000-8000-000000000000"},
    {"imageRef": ""},
    {"key_name": "none"},
    {"metadata": {"": "x"}},
    {"networks": [{"uuid": "none"}]},
    {"networks": [{}]},
    {"availability_zone": "nowhere"},
    {"min_count": 3, "max_count": 2},
    {"min_count": 0},
    {"user_data": "not base64!"},
    {"user_data": "x" * 65536},
    {"accessIPv4": "1.2.3"},
    {"OS-DCF:diskConfig": "auto"},
    {"personality": [{"path": "/a"}]},
    {"security_groups": [{"name": ""}]},
    {"config_drive": "perhaps"},
]


@pytest.mark.parametrize("said", BAD, ids=str)
def test_an_order_that_makes_no_sense_is_refused(newest, oldest, said):
    before = len(newest.get("/servers").json["servers"])
    for cloud in (newest, oldest):
        answer = cloud.post("/servers", cloud.order(**said))
        assert (answer.status, answer.json["badRequest"]["code"]) == (400, 400), answer.text
    assert len(newest.get("/servers").json["servers"]) == before


def test_many_at_once_share_a_reservation(cloud):
    order = cloud.order(name="many", min_count=2, max_count="3", return_reservation_id=True)
    made = cloud.post("/servers", order)
    assert (made.status, set(made.json)) == (202, {"reservation_id"})
    cloud.settle()
    listed = cloud.get("/servers/detail", reservation_id=made.json["reservation_id"]).json["servers"]
    assert {one["name"] for one in listed} == {"many-1", "many-2", "many-3"}
    assert len({one["addresses"]["private"][0]["addr"] for one in listed}) == 3


def test_what_an_order_may_say(cloud):
    key = f"k-{uuid4().hex[:8]}"
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1+gTlPZ8jcxzk2wSPuoGYhHvQYpOu5j2ZUkYjFzFZW me"
    assert cloud.post("/os-keypairs", {"keypair": {"name": key, "public_key": public}}).status in (200, 201)
    network = next(iter(cloud.core.networks.all))
    files = [{"path": "/etc/motd", "contents": base64.b64encode(b"hello").decode()}]
    volume = str(uuid4())
    order = cloud.order(
        key_name=key, config_drive="yes", user_data=base64.b64encode(b"#!/bin/sh").decode(), personality=files,
        networks=[{"uuid": network}], security_groups=[{"name": "web"}], adminPass="chosen", min_count="1",
        block_device_mapping_v2=[{"source_type": "volume", "uuid": volume, "destination_type": "volume", "boot_index": None}],
    )  # fmt: skip
    order["os:scheduler_hints"] = {"query": "x", "anything": 1}
    made = cloud.post("/servers", order)
    assert (made.status, made.json["server"]["adminPass"]) == (202, "chosen"), made.text
    cloud.settle()
    seen = cloud.seen(made.json["server"]["id"])
    assert (seen["key_name"], seen["config_drive"], seen["security_groups"]) == (key, "True", [{"name": "web"}])
    (attached,) = seen["os-extended-volumes:volumes_attached"]
    assert attached["id"] == volume
    assert set(attached) == ({"id", "delete_on_termination"} if cloud.version else {"id"})


def test_what_fails_is_told(cloud):
    wrong = {"simulated:fail": "spawn"}
    made = cloud.post("/servers", cloud.order(metadata=wrong))
    id = made.json["server"]["id"]
    cloud.settle()
    seen = cloud.seen(id)
    assert (seen["status"], seen["fault"]["code"], "failed, as it was told to" in seen["fault"]["message"]) == (
        "ERROR",
        500,
        True,
    )
    too_large = cloud.post("/servers", cloud.order(flavor=cloud.flavor(ram=2**31 - 1)))
    cloud.settle()
    fault = cloud.seen(too_large.json["server"]["id"])["fault"]
    assert fault["message"].startswith("No valid host was found.")
    runs = cloud.server(metadata={"simulated:fail": "pause reboot"})
    assert cloud.done(runs, "pause")["status"] == "ACTIVE"
    (action, *_) = cloud.get(f"/servers/{runs}/os-instance-actions").json["instanceActions"]
    assert (action["action"], action["message"]) == ("pause", "Error")
    shown = cloud.admin.get(f"/servers/{runs}/os-instance-actions/{action['request_id']}").json["instanceAction"]
    assert shown["events"][0]["result"] == "Error" or len(shown["events"]) > 1
    assert cloud.done(runs, "reboot", {"type": "HARD"})["status"] == "ERROR"
    assert cloud.admin.act(runs, "os-resetState", {"state": "active"}).status == 202
    assert cloud.seen(runs)["status"] == "ACTIVE"
