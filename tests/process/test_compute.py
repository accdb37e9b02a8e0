"""The compute service as it is used: real server processes, and OpenStack's own clients."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers import until

pytestmark = pytest.mark.process

CLIENTS = Path(__file__).parent.parent.parent / ".clients" / "bin"
NEEDS = pytest.mark.skipif(
    not (CLIENTS / "nova").exists(), reason="OpenStack's clients are missing: make .clients/.test"
)
BARE = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
BASES = ["/v2", "/v2.1"]


@pytest.fixture
def started(server):
    return server("compute", "--no-access-log", "--workers", "2", "--validation-response", "reject")


class CommandLine:
    """One of the command lines; gives what a command tells, as JSON where it can."""

    def __init__(self, *line, environment=None):
        self.line = line
        self.environment = {**BARE, **(environment or {})}

    def __call__(self, words, *, form=("-f", "json"), fails=False):
        line = [*map(str, self.line), *words.split(), *form]
        done = subprocess.run(line, capture_output=True, text=True, timeout=90, env=self.environment)
        assert (done.returncode != 0) == fails, (words, done.stdout, done.stderr)
        if fails:
            return done.stdout + done.stderr
        text = done.stdout.strip()
        return json.loads(text) if text.startswith(("[", "{")) else text

    def quiet(self, words):
        return self(words, form=())


@NEEDS
@pytest.mark.parametrize("base", BASES)
def test_the_openstack_command_line(started, base):
    openstack = CommandLine(CLIENTS / "openstack", "--os-auth-type", "none", "--os-endpoint", started.url + base)

    def status():
        return started.get(f"{base}/servers/detail").json["servers"][0]["status"]

    assert openstack("keypair create mine", form=()).startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert [one["Name"] for one in openstack("keypair list")] == ["mine"]
    flavor = openstack("flavor create --ram 64 --disk 1 --vcpus 1 --property a=b m1.tiny")
    assert (flavor["name"], flavor["ram"]) == ("m1.tiny", 64)
    larger = openstack("flavor create --ram 128 --disk 1 --vcpus 2 m1.small")
    assert {one["Name"] for one in openstack("flavor list")} == {"m1.tiny", "m1.small"}
    assert openstack("flavor show m1.tiny")["properties"] == {"a": "b"}
    made = openstack("server create --image cirros --flavor m1.tiny --key-name mine --property k=v --wait web")
    assert (made["status"], made["name"], made["key_name"]) == ("ACTIVE", "web", "mine")
    (listed,) = openstack("server list --long")
    assert (listed["Name"], listed["Status"], listed["Image Name"], listed["Flavor Name"]) == (
        "web",
        "ACTIVE",
        "cirros",
        "m1.tiny",
    )
    assert openstack("server show web")["addresses"] == {"private": ["10.0.0.2"]}
    openstack.quiet("server stop web")
    until(lambda: status() == "SHUTOFF", 30)
    openstack.quiet("server start web")
    until(lambda: status() == "ACTIVE", 30)
    openstack.quiet("server reboot --wait web")
    openstack.quiet("server pause web")
    until(lambda: status() == "PAUSED", 30)
    assert "409" in openstack("server suspend web", fails=True, form=())
    openstack.quiet("server unpause web")
    until(lambda: status() == "ACTIVE", 30)
    openstack.quiet("server lock web")
    openstack.quiet("server unlock web")
    openstack.quiet("server set --property k2=v2 web")
    assert openstack("server show web")["properties"] == {"k": "v", "k2": "v2"}
    openstack.quiet("server resize --flavor m1.small --wait web")
    assert openstack("server show web")["status"] == "VERIFY_RESIZE"
    openstack.quiet("server resize confirm web")
    until(lambda: status() == "ACTIVE", 30)
    assert larger["id"] in json.dumps(openstack("server show web"))
    images = CommandLine(*openstack.line, environment={"OS_IMAGE_ENDPOINT_OVERRIDE": f"{started.url}/image/v2"})
    assert images("server image create --wait --name copy web")["name"] == "copy"
    assert {one["Name"] for one in images("image list")} == {"cirros", "copy"}
    assert "web login" in openstack("console log show web", form=())
    events = openstack("server event list web")
    assert {"create", "stop", "start", "resize"} <= {one["Action"] for one in events}
    assert openstack("server event show web " + events[-1]["Request ID"])["action"] == "create"
    assert {one["Host"] for one in openstack("compute service list --service nova-compute")} == {
        "simulated-1",
        "simulated-2",
    }
    assert len(openstack("hypervisor list")) == 2
    assert {one["Zone Name"] for one in openstack("availability zone list --compute")} == {"nova", "internal"}
    openstack("server group create --policy affinity near")
    assert [one["Name"] for one in openstack("server group list")] == ["near"]
    openstack("aggregate create --zone north fast")
    assert openstack("aggregate show fast")["availability_zone"] == "north"
    assert {one["Name"]: one["Value"] for one in openstack("limits show --absolute")}["instances"] == 10
    openstack.quiet("server delete --wait web")
    assert openstack("server list") == []
    assert "No Server found" in openstack("server show web", fails=True, form=())
    openstack.quiet("keypair delete mine")
    openstack.quiet("flavor delete m1.tiny")


SDK = """
    import sys
    import openstack

    base = sys.argv[1]
    cloud = openstack.connection.Connection(
        auth_type="none", auth={"endpoint": base}, compute_endpoint_override=base, image_endpoint_override=sys.argv[2]
    )
    compute = cloud.compute
    key = compute.create_keypair(name="key")
    assert key.private_key.startswith("-----BEGIN")
    flavor = compute.create_flavor(name="f", ram=64, vcpus=1, disk=1)
    image = cloud.image.find_image("cirros")
    assert image.status == "active"
    server = compute.create_server(name="s", flavor_id=flavor.id, image_id=image.id, key_name="key")
    assert server.admin_password
    server = compute.wait_for_server(server, interval=0.2, wait=30)
    assert server.status == "ACTIVE"
    assert [one.name for one in compute.servers()] == ["s"]
    assert compute.find_server("s").id == server.id
    compute.set_server_metadata(server, a="b")
    assert compute.get_server(server.id).metadata == {"a": "b"}
    compute.stop_server(server)
    compute.wait_for_server(server, status="SHUTOFF", interval=0.2, wait=30)
    compute.start_server(server)
    server = compute.wait_for_server(server, interval=0.2, wait=30)
    assert [action.action for action in compute.server_actions(server)][-1] == "create"
    group = compute.create_server_group(name="g", policies=["affinity"])
    assert [one.id for one in compute.server_groups()] == [group.id]
    assert compute.get_limits().absolute.instances == 10
    assert {one.name for one in compute.availability_zones()} == {"nova"}
    if base.endswith("v2.1"):
        compute.add_tag_to_server(server, "blue")
        assert compute.get_server(server.id).tags == ["blue"]
    compute.delete_server(server)
    compute.wait_for_delete(server, interval=0.2, wait=30)
    compute.delete_keypair("key")
    compute.delete_flavor(flavor)
    assert list(compute.servers()) == list(compute.flavors()) == list(compute.keypairs()) == []
    print("done")
"""


@NEEDS
@pytest.mark.parametrize("base", BASES)
def test_the_sdk(started, base):
    line = [
        CLIENTS / "python",
        "-W",
        "ignore",
        "-c",
        textwrap.dedent(SDK),
        started.url + base,
        f"{started.url}/image/v2",
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, env=BARE)
    assert done.stdout == "done\n", done.stdout + done.stderr


NOVA = """
    import sys, time
    from keystoneauth1 import noauth, session
    from novaclient import client, exceptions

    base, version, image = sys.argv[1:]
    used = session.Session(auth=noauth.NoAuth(endpoint=base))
    nova = client.Client(version, session=used, endpoint_override=base)

    def until(condition):
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.1)

    flavor = nova.flavors.create("m1", 64, 1, 1)
    nova.keypairs.create("key")
    server = nova.servers.create("web", image, flavor, key_name="key", nics=None if version == "2" else [])
    until(lambda: nova.servers.get(server).status == "ACTIVE")
    nova.servers.stop(server)
    until(lambda: nova.servers.get(server).status == "SHUTOFF")
    nova.servers.start(server)
    until(lambda: nova.servers.get(server).status == "ACTIVE")
    nova.servers.set_meta(server, {"a": "b"})
    nova.servers.update(server, name="site")
    (listed,) = nova.servers.list()
    assert (listed.name, listed.metadata) == ("site", {"a": "b"})
    assert [one.action for one in nova.instance_action.list(server)][-1] == "create"
    assert {one.binary for one in nova.services.list()} >= {"nova-compute"}
    assert nova.quotas.get("development").instances == 10
    assert [one.hypervisor_hostname for one in nova.hypervisors.list()] == ["simulated-1", "simulated-2"]
    assert "web login" in nova.servers.get_console_output(server) or "site login" in nova.servers.get_console_output(server)
    try:
        nova.servers.unpause(server)
        raise AssertionError("it is not paused")
    except exceptions.Conflict as error:
        assert "vm_state active" in str(error)
    nova.servers.delete(server)
    until(lambda: not nova.servers.list())
    nova.keypairs.delete("key")
    nova.flavors.delete(flavor)
    print("done")
"""


@NEEDS
@pytest.mark.parametrize(("base", "version"), [("/v2", "2"), ("/v2.1", "2.1"), ("/v2.1", "2.26")])
def test_novaclient(started, base, version):
    image = started.get("/image/v2/images").json["images"][0]["id"]
    line = [CLIENTS / "python", "-W", "ignore", "-c", textwrap.dedent(NOVA), started.url + base, version, image]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, env=BARE)
    assert done.stdout == "done\n", done.stdout + done.stderr


def test_what_a_killed_process_left_is_done(server):
    """The process that does long work is killed in the middle of a build; the build is finished."""
    slow = json.dumps({"behaviours": [{"name": "slow", "delay": {"spawn": 1.5}}]})
    started = server("compute", "--no-access-log", "--workers", "1", environment={"APIFOLD_COMPUTE_SIMULATED": slow})
    flavor = started.request("POST", "/v2.1/flavors", {"flavor": {"name": "f", "ram": 64, "vcpus": 1, "disk": 1}}).json[
        "flavor"
    ]
    image = started.get("/image/v2/images").json["images"][0]["id"]
    order = {"server": {"name": "slow", "flavorRef": flavor["id"], "imageRef": image}}
    id = started.request("POST", "/v2.1/servers", order).json["server"]["id"]

    def seen():
        return started.get(f"/v2.1/servers/{id}").json["server"]

    until(lambda: seen()["OS-EXT-STS:task_state"] == "spawning", 20)
    (killed,) = started.get("/-/apis").json["jobs"]
    os.kill(killed["pid"], signal.SIGKILL)
    until(lambda: seen()["status"] == "ACTIVE", 40)
    (action,) = started.get(f"/v2.1/servers/{id}/os-instance-actions").json["instanceActions"]
    assert (action["action"], action["message"]) == ("create", None)
    assert len(seen()["addresses"]["private"]) == 1


def test_usage_is_rated(server):
    """Servers cost what the rating service's rules say."""
    periods = {"APIFOLD_RATING_PERIOD": "2", "APIFOLD_RATING_WAIT_PERIODS": "3", "APIFOLD_RATING_INTERVAL": "0.2"}
    rating = server("rating", "--no-access-log", "--workers", "1", environment=periods)
    assert rating.request("PUT", "/v1/rating/modules", {"module_id": "hashmap", "enabled": True}).status in (
        200,
        202,
        302,
    )
    made = rating.request("POST", "/v1/rating/module_config/hashmap/services", {"name": "instance"}).json
    rule = {"service_id": made["service_id"], "type": "flat", "cost": "0.5"}
    assert rating.request("POST", "/v1/rating/module_config/hashmap/mappings", rule).status == 201
    begin = datetime.now(UTC).replace(microsecond=0).isoformat()
    scope = {"scope_id": "development", "last_processed_timestamp": begin}
    assert rating.request("POST", "/v2/scope", scope).status in (200, 201)
    told = {"APIFOLD_COMPUTE_USAGE": f"{rating.url}/v2/usage", "APIFOLD_COMPUTE_USAGE_PERIOD": "2"}
    compute = server("compute", "--no-access-log", "--workers", "1", environment=told)
    flavor = compute.request("POST", "/v2.1/flavors", {"flavor": {"name": "f", "ram": 64, "vcpus": 1, "disk": 1}}).json[
        "flavor"
    ]
    image = compute.get("/image/v2/images").json["images"][0]["id"]
    order = {"server": {"name": "web", "flavorRef": flavor["id"], "imageRef": image}}
    id = compute.request("POST", "/v2.1/servers", order).json["server"]["id"]

    def rated():
        points = rating.get("/v2/dataframes?limit=1000").json.get("dataframes", [])
        return [one for frame in points for one in frame["usage"].get("instance", []) if one["groupby"]["id"] == id]

    until(lambda: len(rated()) >= 2, 40)
    (one, *_) = rated()
    assert (one["rating"]["price"], one["groupby"]["project_id"], one["metadata"]["flavor_name"]) == (
        0.5,
        "development",
        "f",
    )
