"""The core by calls: what is left undone is done, what ended is seen, what is told, what can be restored."""

from __future__ import annotations

import http.server
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from apifold import Caller, SettingsError
from apifold_services.compute.core import states
from apifold_services.compute.core.asking import Ask
from apifold_services.compute.core.drivers.driver import DriverFailed
from apifold_services.compute.core.image_folder import ImageFolder
from apifold_services.compute.core.moments import kept
from apifold_services.compute.core.tables import servers, transitions
from apifold_services.compute.core.telling import Telling
from apifold_services.compute.core.watch import Watch
from tests.jobs import AtOnce
from tests.services.compute.conftest import Cloud, opened


@pytest.fixture
def cloud(tmp_path_factory):
    client = opened(tmp_path_factory, "none", services={"compute": {"reclaim": 3600}})
    yield Cloud(client, "/v2.1", version="2.26")
    client.close()


@pytest.fixture
def long_ago(cloud):
    """Makes everything that was begun look forgotten."""

    def make():
        with cloud.core.database.writing() as connection:
            connection.execute(update(transitions).values(created="2020-01-01T00:00:00.000000"))

    return make


def never():
    return False


def test_states_are_told_and_asked_alike():
    """Whatever a client sees as a status finds it by that status, and by no other."""
    tasks = {task for shown in states.STATUSES.values() for task in shown} | {"anything else"}
    for vm_state in states.STATUSES:
        for task in tasks:
            status = states.status_of(vm_state, task)
            for asked in {one for shown in states.STATUSES.values() for one in shown.values()}:
                found = any(
                    vm_state == state and ((task in some) if is_one else (task not in some))
                    for state, some, is_one in states.states_of([asked])
                )
                assert found == (status == asked), (vm_state, task, asked)


def test_a_transition_without_a_job_gets_one(cloud, long_ago):
    core = cloud.core
    started, core.transitions.begin = [], core.transitions.begin
    id = cloud.post("/servers", cloud.order()).json["server"]["id"]
    jobs = core.deployment.jobs()
    with core.database.reading() as connection:
        (transition,) = connection.scalars(transitions.select().with_only_columns(transitions.c.id))
    assert jobs.get(transition).state == "queued"
    long_ago()
    core.transitions.resume(never)
    assert jobs.get(transition).state == "queued", "what has a job keeps it"
    jobs.cancel(transition)
    core.transitions.resume(never)
    seen = cloud.seen(id)
    assert (seen["status"], seen["fault"]["message"]) == ("ERROR", "It was given up.")
    assert started == []


def test_what_was_done_is_not_done_again(cloud):
    id = cloud.server()
    cloud.act(id, "os-stop")
    with cloud.core.database.reading() as connection:
        (transition,) = connection.scalars(transitions.select().with_only_columns(transitions.c.id))
    cloud.core.carry_out(AtOnce(), transition)
    first = cloud.seen(id)
    cloud.core.carry_out(AtOnce(), transition)
    assert cloud.seen(id) == first
    assert first["status"] == "SHUTOFF"


def test_a_server_that_is_deleted_while_it_is_built_is_gone(cloud):
    id = cloud.post("/servers", cloud.order()).json["server"]["id"]
    assert cloud.delete(f"/servers/{id}").status == 204
    cloud.settle()
    assert cloud.get(f"/servers/{id}").status == 404
    assert not cloud.core.quotas.used("development")["instances"]


def test_what_is_deleted_can_be_restored_for_a_while(cloud):
    id = cloud.server()
    cloud.delete(f"/servers/{id}")
    cloud.settle()
    assert cloud.seen(id)["status"] == "SOFT_DELETED"
    assert cloud.done(id, "restore")["status"] == "ACTIVE"
    cloud.delete(f"/servers/{id}")
    cloud.settle()
    cloud.core.life.expire(never)
    cloud.settle()
    assert cloud.seen(id)["status"] == "SOFT_DELETED", "its while is not over"
    with cloud.core.database.writing() as connection:
        connection.execute(update(servers).values(terminated_at="2020-01-01T00:00:00.000000"))
    cloud.core.life.expire(never)
    cloud.settle()
    assert cloud.get(f"/servers/{id}").status == 404
    other = cloud.server()
    assert cloud.act(other, "forceDelete").status == 202
    cloud.settle()
    assert cloud.get(f"/servers/{other}").status == 404


class Ended:
    """A driver whose machines have all ended."""

    def power_state(self, machine):
        return states.SHUTDOWN


def test_a_machine_that_ended_by_itself_is_stopped(cloud):
    id, busy = cloud.server(), cloud.server()
    cloud.act(busy, "reboot", {"type": "SOFT"})
    core = cloud.core
    Watch(core.database, core.servers, core.driver, core.machine).look(never)
    assert cloud.seen(id)["status"] == "ACTIVE", "this driver knows no more than the records"
    Watch(core.database, core.servers, Ended(), core.machine).look(never)
    assert (cloud.seen(id)["status"], cloud.seen(id)["OS-EXT-STS:power_state"]) == ("SHUTOFF", 4)
    assert cloud.seen(busy)["status"] == "REBOOT"


@pytest.fixture
def rating():
    """Takes usage, or refuses it."""
    heard = []

    class Handler(http.server.BaseHTTPRequestHandler):
        status = 202

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if Handler.status < 300:
                heard.append((self.headers["x-auth-token"], body["usage"]))
            self.send_response(Handler.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v2/usage", heard, Handler
    server.shutdown()
    server.server_close()


def test_usage_is_told_once_and_told_again_where_it_was_not_taken(cloud, rating, tmp_path, caplog):
    address, heard, handler = rating
    (tmp_path / "token").write_text("secret\n")
    id, core = cloud.server(), cloud.core
    ago = kept(datetime.now(UTC) - timedelta(hours=2, minutes=30))
    with core.database.writing() as connection:
        connection.execute(update(servers).values(launched_at=ago))
    telling = Telling(core.database, core.usages, address, str(tmp_path / "token"), timedelta(hours=1))
    handler.status = 503
    telling.tell(never)
    assert heard == []
    assert "it is told again" in caplog.text
    assert "secret" not in caplog.text
    handler.status = 202
    telling.tell(never)
    telling.tell(never)
    ((token, (used,)),) = heard
    assert token == "secret"
    assert (used["metric"], used["scope_id"], used["value"], used["labels"]["id"]) == ("cpu", "development", 1, id)
    assert datetime.fromisoformat(used["moment"]).minute == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"driver": "none"}, "no drivers entry named .none."),
        ({"simulated": {"hosts": "x"}}, "simulated"),
        ({"simulated": {"behaviours": [{"name": "("}]}}, "simulated"),
        ({"networks": {"a": "nowhere"}}, "networks: a"),
        ({"quotas": {"unheard": 1}}, "quotas: unheard"),
        ({"usage": "ftp://x"}, "no http address"),
        ({"more": 1}, "its settings are"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_told(tmp_path_factory, said, told):
    with pytest.raises(SettingsError, match=told):
        opened(tmp_path_factory, "none", services={"compute": said})


class Slow:
    """A driver of which a machine is made while its server is deleted."""

    def __init__(self, cloud):
        self.cloud, self.made = cloud, []

    def spawn(self, machine):
        self.cloud.core.life.delete(ASK, machine.id, force=True)
        with self.cloud.core.database.reading() as connection:
            wanted = transitions.select().where(transitions.c.action == "delete")
            (ending,) = connection.execute(wanted).all()
        self.cloud.core.carry_out(AtOnce(), ending.id)
        self.made.append(machine.id)

    def destroy(self, machine):
        if machine.id in self.made:
            self.made.remove(machine.id)


ASK = Ask(Caller("developer", "development", frozenset(("admin",))), "req-x", is_admin=True)


def test_what_is_made_after_its_server_was_deleted_is_removed(cloud):
    assert cloud.core.hosts.capacities
    driver = cloud.core.driver = Slow(cloud)
    id = cloud.post("/servers", cloud.order()).json["server"]["id"]
    cloud.settle()
    assert cloud.get(f"/servers/{id}").status == 404
    assert driver.made == []


class Interrupted(Slow):
    """A driver of which a machine is rebuilt while its server is deleted, so that it can be restored."""

    def rebuild(self, machine):
        self.cloud.core.life.delete(ASK, machine.id)

    def stop(self, machine):
        pass


def test_what_is_deleted_meanwhile_stays_deleted(cloud):
    id = cloud.server()
    cloud.core.driver = Interrupted(cloud)
    assert cloud.act(id, "rebuild", {"imageRef": cloud.image}).status == 202
    cloud.settle()
    assert cloud.seen(id)["status"] == "SOFT_DELETED"


def test_a_lock_keeps_nobody_from_removing_the_rest(cloud):
    ids = [cloud.server(), cloud.server()]
    for id in ids:
        cloud.delete(f"/servers/{id}")
    cloud.settle()
    assert cloud.act(ids[0], "lock").status == 202
    with cloud.core.database.writing() as connection:
        connection.execute(update(servers).values(terminated_at="2020-01-01T00:00:00.000000"))
    cloud.core.life.expire(never)
    cloud.settle()
    assert [cloud.get(f"/servers/{id}").status for id in ids] == [404, 404]


def test_a_group_that_is_gone_binds_nobody(cloud):
    group = cloud.post("/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}}).json[
        "server_group"
    ]
    order = cloud.order()
    order["os:scheduler_hints"] = {"group": group["id"]}
    id = cloud.post("/servers", order).json["server"]["id"]
    assert cloud.delete(f"/os-server-groups/{group['id']}").status == 204
    cloud.settle()
    assert cloud.seen(id)["status"] == "ACTIVE"
    assert cloud.done(id, "resize", {"flavorRef": cloud.flavor(ram=128)})["status"] == "VERIFY_RESIZE"


def test_what_failed_leaves_no_image_and_no_move(cloud):
    id = cloud.server(metadata={"simulated:fail": "snapshot resize"})
    image = cloud.act(id, "createImage", {"name": "x"}).headers["location"].rpartition("/")[2]
    cloud.settle()
    assert (cloud.get(f"/images/{image}", version="2.1").status, cloud.seen(id)["status"]) == (404, "ACTIVE")
    assert cloud.act(id, "shelve").status == 202
    cloud.settle()
    assert cloud.seen(id)["status"] == "ACTIVE"
    assert len(cloud.get("/images", version="2.1").json["images"]) == 1
    cloud.act(id, "migrate")
    cloud.settle()
    assert {one["status"] for one in cloud.get("/os-migrations", instance_uuid=id).json["migrations"]} == {"error"}


def test_what_was_put_away_leaves_no_image_when_it_is_back(cloud):
    id = cloud.server()
    assert cloud.done(id, "shelve")["status"] == "SHELVED_OFFLOADED"
    assert len(cloud.get("/images", version="2.1").json["images"]) == 2
    assert cloud.done(id, "unshelve")["status"] == "ACTIVE"
    assert len(cloud.get("/images", version="2.1").json["images"]) == 1


def test_a_stopped_server_that_is_evacuated_stays_stopped(cloud):
    id = cloud.server()
    cloud.done(id, "os-stop")
    host = cloud.seen(id)["OS-EXT-SRV-ATTR:host"]
    cloud.put("/os-services/force-down", {"host": host, "binary": "nova-compute", "forced_down": True})
    assert cloud.done(id, "evacuate", {})["status"] == "SHUTOFF"


def test_a_group_has_no_more_members_than_it_may(cloud):
    cloud.put("/os-quota-sets/development", {"quota_set": {"server_group_members": 2}})
    group = cloud.post("/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}}).json[
        "server_group"
    ]
    order = cloud.order(min_count=3)
    order["os:scheduler_hints"] = {"group": group["id"]}
    assert cloud.post("/servers", order).status == 403
    order["server"]["min_count"] = 2
    assert cloud.post("/servers", order).status == 202


class Watched:
    """A driver that remembers what it was asked for, and may do something of its own before that."""

    def __init__(self, before=None):
        self.asked, self.before = [], before or {}

    def __getattr__(self, name):
        def asked(machine, *_, **__):
            self.asked.append(name)
            if name in self.before:
                self.before.pop(name)()
            return 0

        return asked


def the_transition(cloud, action):
    with cloud.core.database.reading() as connection:
        (row,) = connection.execute(transitions.select().where(transitions.c.action == action)).all()
    return row


def test_what_can_be_restored_keeps_its_machine_whatever_was_going_on(cloud):
    id = cloud.server()
    cloud.act(id, "reboot", {"type": "SOFT"})
    driver = cloud.core.driver = Watched()
    cloud.delete(f"/servers/{id}")
    cloud.settle()
    assert cloud.seen(id)["status"] == "SOFT_DELETED"
    assert "destroy" not in driver.asked
    assert driver.asked[-1] == "stop"
    assert cloud.done(id, "restore")["status"] == "ACTIVE"


def test_the_later_of_two_reboots_says_what_the_server_is(cloud):
    id = cloud.server()
    cloud.act(id, "reboot", {"type": "SOFT"})
    assert cloud.act(id, "reboot", {"type": "HARD"}).status == 202
    soft, hard = (the_transition(cloud, action).id for action in ("reboot", "reboot_hard"))
    cloud.core.carry_out(AtOnce(), soft)
    assert cloud.seen(id)["OS-EXT-STS:task_state"] == "rebooting_hard"
    assert cloud.act(id, "os-stop").status == 409
    cloud.core.carry_out(AtOnce(), hard)
    assert (cloud.seen(id)["status"], cloud.seen(id)["OS-EXT-STS:task_state"]) == ("ACTIVE", None)


def test_whoever_resets_a_state_has_the_last_word(cloud):
    id = cloud.server()
    cloud.act(id, "os-stop")
    assert cloud.act(id, "os-resetState", {"state": "error"}).status == 202
    cloud.settle()
    assert cloud.seen(id)["status"] == "ERROR"


def test_a_shelved_server_outlives_whoever_put_it_away(cloud):
    """Killed once its image is made, and once it is back: nothing is lost, and what is asked again is done."""
    id = cloud.server()
    cloud.act(id, "shelve")
    shelve = the_transition(cloud, "shelve")
    cloud.core.transitions._do(shelve)  # and dies before that is written down
    cloud.settle()
    assert cloud.seen(id)["status"] == "SHELVED_OFFLOADED"
    cloud.act(id, "unshelve")
    unshelve = the_transition(cloud, "unshelve")
    cloud.core.transitions._do(unshelve)
    cloud.settle()
    assert cloud.seen(id)["status"] == "ACTIVE"
    assert len(cloud.get("/images", version="2.1").json["images"]) == 1


def test_what_ended_well_is_not_given_up(cloud, long_ago):
    """The duty that looks for what was forgotten saw it before its end, and its job after that."""
    id = cloud.server()
    image = cloud.act(id, "createImage", {"name": "x"}).headers["location"].rpartition("/")[2]
    seen = the_transition(cloud, "snapshot")
    cloud.settle()
    cloud.core.transitions._give_up(seen)
    assert cloud.get(f"/images/{image}", version="2.1").json["image"]["status"] == "ACTIVE"
    assert cloud.seen(id)["status"] == "ACTIVE"


def test_what_can_not_be_tidied_up_is_tried_again(cloud, long_ago, caplog):
    id = cloud.post("/servers", cloud.order()).json["server"]["id"]
    building = the_transition(cloud, "build")
    cloud.core.life.delete(ASK, id, force=True)
    cloud.core.carry_out(AtOnce(), the_transition(cloud, "delete").id)
    jobs = cloud.core.deployment.jobs()
    jobs.cancel(building.id)

    def fails():
        raise DriverFailed("busy")

    driver = cloud.core.driver = Watched({"destroy": fails})
    long_ago()
    cloud.core.transitions.resume(never)
    assert "can't be tidied up: busy" in caplog.text
    cloud.core.transitions.resume(never)
    assert driver.asked == ["destroy", "destroy"]
    with cloud.core.database.reading() as connection:
        assert connection.execute(transitions.select()).all() == []


def test_what_was_restored_is_not_removed(cloud):
    id = cloud.server()
    cloud.delete(f"/servers/{id}")
    cloud.settle()
    with cloud.core.database.writing() as connection:
        connection.execute(update(servers).values(terminated_at="2020-01-01T00:00:00.000000"))
    servers_before = cloud.core.life.servers.all

    def restored_meanwhile(where):
        rows = servers_before(where)
        cloud.done(id, "restore")
        return rows

    cloud.core.life.servers.all = restored_meanwhile
    cloud.core.life.expire(never)
    cloud.core.life.servers.all = servers_before
    cloud.settle()
    assert cloud.seen(id)["status"] == "ACTIVE"


def test_a_server_that_can_not_come_back_is_nowhere(cloud):
    id = cloud.server()
    cloud.done(id, "shelve")
    with cloud.core.database.writing() as connection:
        connection.execute(update(servers).where(servers.c.id == id).values(metadata={"simulated:fail": "spawn"}))
    seen = cloud.done(id, "unshelve")
    assert (seen["status"], seen["OS-EXT-SRV-ATTR:host"]) == ("SHELVED_OFFLOADED", None)


def test_a_resize_that_can_be_taken_back_counts_with_both_sizes(cloud):
    large, small = cloud.flavor(vcpus=4), cloud.flavor(vcpus=1)
    cloud.put("/os-quota-sets/development", {"quota_set": {"cores": 4}})
    id = cloud.server(flavor=large)
    cloud.done(id, "resize", {"flavorRef": small})
    assert cloud.post("/servers", cloud.order(flavor=small)).status == 403
    cloud.done(id, "confirmResize")
    other = cloud.server(flavor=small)
    middle = cloud.flavor(vcpus=2)
    assert [cloud.act(one, "resize", {"flavorRef": middle}).status for one in (id, other)] == [202, 202]
    cloud.put("/os-quota-sets/development", {"quota_set": {"cores": 5}})
    assert cloud.post("/servers", cloud.order(flavor=middle)).status == 403, "both will grow"


def test_what_is_told_again_is_the_same(cloud, rating):
    address, heard, handler = rating
    id, core = cloud.server(), cloud.core
    ago = kept(datetime.now(UTC) - timedelta(hours=2, minutes=30))
    with core.database.writing() as connection:
        connection.execute(update(servers).values(launched_at=ago))
    telling = Telling(core.database, core.usages, address, "", timedelta(hours=1))
    handler.status = 503
    telling.tell(never)
    cloud.put(f"/servers/{id}", {"server": {"name": "renamed"}})
    handler.status = 202
    telling.tell(never)
    ((_, (used,)),) = heard
    assert used["labels"]["name"] != "renamed"


def test_images_that_can_not_be_read_are_left_out(tmp_path, caplog):
    folder = ImageFolder(tmp_path)
    (tmp_path / "good.raw").write_bytes(b"12")
    (tmp_path / "bad.yaml").write_text("min_disk: some\n")
    (tmp_path / "worse.yaml").write_text("{")
    for _ in range(2):
        assert [image.name for image in folder.images()] == ["good"]
    assert len(caplog.records) == 2
    (tmp_path / "bad.yaml").write_text("{name: mended, min_disk: 2}")
    assert [(image.name, image.min_disk) for image in folder.images()] == [("mended", 2), ("good", 0)]


@pytest.mark.parametrize("store", ["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.postgres)])
def test_of_what_is_changed_at_once_nothing_is_lost(tmp_path_factory, request, store):
    database = request.getfixturevalue("postgresql_database") if store == "PostgreSQL" else ""
    client = opened(tmp_path_factory, "none", database=database)
    cloud = Cloud(client, "/v2.1", version="2.26")
    core, id, flavor = cloud.core, cloud.server(), cloud.flavor()

    def attach(number):
        with core.servers.admitted(ASK, id, "attach_volume") as (connection, _):
            core.volumes.attach(connection, id, f"v{number}")

    def tag(number):
        core.servers.change(ASK, id, "update_tags", lambda row: {"tags": [*row.tags, f"t{number}"]})

    with ThreadPoolExecutor(12) as pool:
        for change in (
            lambda number: core.flavors.set_extra_specs(flavor, {f"k{number}": "v"}),
            lambda number: core.quotas.set("p", "", {"cores": number}, force=True),
            lambda number: core.quotas.set_class("default", {"cores": number + 10}),
            lambda _: core.hosts.report(),
            attach,
            tag,
        ):
            list(pool.map(change, range(20)))
    assert len(core.flavors.get(flavor).extra_specs) == 20
    assert len({row.device for row in core.volumes.page(id)}) == 20
    assert len(core.servers.get(id).row.tags) == 20
    client.close()
