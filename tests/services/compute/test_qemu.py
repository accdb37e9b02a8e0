"""Machines that really run: a small Linux in QEMU, told by the driver, and by the service."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from apifold import SettingsError, ToBeDone
from apifold_services.compute.core import states
from apifold_services.compute.core.drivers.driver import DriverFailed, Machine
from apifold_services.compute.core.drivers.qemu import CONSOLE_KEPT, CONSOLE_SHOWN, Qemu
from apifold_services.compute.core.image_folder import Image
from tests.servers import until
from tests.services.compute.conftest import Cloud, opened

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
KERNEL = next(CACHE.glob("apifold/guest-kernel/boot/vmlinuz-*"), None)
NEEDED = ("qemu-system-x86_64", "qemu-img", "busybox", "cpio")
MISSING = [*(name for name in NEEDED if not shutil.which(name)), *(() if KERNEL else ("a kernel for guests",))]

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        bool(MISSING), reason=f"the driver qemu is NOT tested: {', '.join(MISSING)} missing: run tools/system_packages"
    ),
]

BOOT_SECONDS = 60
QUICK = "quiet mitigations=off nokaslr"
"""So a guest is up half a second earlier."""

STEADY = 4
"""So many lines of a guest's count, and it does nothing else any more."""

MODULES = """
virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover net_failover virtio_net
button evdev
"""

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for module in MODULES; do insmod /modules/$module.ko; done

echo "guest: memory $(grep MemTotal /proc/meminfo | tr -dc 0-9), processors $(grep -c ^processor /proc/cpuinfo)"
for disk in /dev/vd?; do
    echo "guest: ${disk#/dev/} has $(cat /sys/block/${disk#/dev/}/size) sectors, says <$(head -c 8 $disk | tr -dc a-z)>"
done
! grep -q writes /proc/cmdline || { printf written | dd of=/dev/vda conv=fsync,notrunc 2>/dev/null; echo "guest: wrote"; }
[ ! -e /sys/class/net/eth0 ] || echo "guest: port $(cat /sys/class/net/eth0/address)"
for word in $(cat /proc/cmdline); do
    case $word in call=*)
        ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up
        echo "guest: heard <$(nc -w 3 10.0.2.2 ${word#call=} </dev/null)>";;
    esac
done

exec 3</dev/input/event0 4</dev/input/event1
grep -q deaf /proc/cmdline || for button in 3 4; do
    ( head -c 24 <&$button >/dev/null; echo "guest: shuts down"; poweroff -f ) &
done
echo "guest: up"
count=0
while :; do echo "count $count"; count=$((count + 1)); sleep 0.2; done
"""


@pytest.fixture(scope="module")
def initrd(tmp_path_factory):
    """The files of a guest, of busybox and a few modules of its kernel."""
    root = tmp_path_factory.mktemp("guest") / "root"
    for name in ("bin", "proc", "sys", "dev", "modules"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin" / "busybox")
    for name in MODULES.split():
        shutil.copy(next(KERNEL.parent.parent.rglob(f"{name}.ko")), root / "modules")
    (root / "init").write_text(INIT.replace("MODULES", " ".join(MODULES.split())))
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    packed = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), capture_output=True, check=True
    )
    made = root.parent / "initrd"
    made.write_bytes(gzip.compress(packed.stdout, 1))
    return made


class Room:
    """A driver, and machines that are gone afterwards."""

    def __init__(self, directory, initrd, **options):
        self.directory = directory
        self.initrd = initrd
        self.options = {"stop_seconds": 30, **options}
        self.driver = self.another()
        self.machines = []

    def another(self, **options):
        """A driver of the same machines, as another process has it."""
        return Qemu(self.directory, {**self.options, **options})

    def image(self, words="", **said):
        boot = {"kernel": str(KERNEL), "initrd": str(self.initrd), "append": f"{QUICK} {words}"}
        return Image(
            **{"id": "1", "name": "small", "status": "active", "created": "", "updated": "", "boot": boot} | said
        )

    def machine(self, words="", ram=96, disk=0, vcpus=1, id=None, **said):
        flavor = {"ram": ram, "disk": disk, "vcpus": vcpus}
        usual = {"name": "m, id=x", "host": "here", "flavor": flavor, "image": self.image(words)}
        made = Machine(**{"id": id or str(uuid4()), **usual, **said})
        self.machines.append(made)
        return made

    def up(self, *arguments, **said):
        """A machine whose guest is up."""
        machine = self.machine(*arguments, **said)
        self.driver.spawn(machine)
        self.says(machine, "guest: up")
        return machine

    def said(self, machine):
        return self.driver.console_output(machine, None)

    def says(self, machine, text, times=1):
        """What it has said when it has said something so many times."""
        until(lambda: self.said(machine).count(text) >= times, BOOT_SECONDS, f"{text!r} was not said {times} times")
        return self.said(machine)

    def counts(self, machine):
        """The counts of a guest, without the last, which it may not have written out."""
        return [int(number) for number in re.findall(r"^count (\d+)$", self.said(machine), re.M)][:-1]

    def counts_on(self, machine):
        seen = len(self.counts(machine))
        until(lambda: len(self.counts(machine)) >= seen + STEADY, 20, "it does not count")

    def counts_no_more(self, machine):
        time.sleep(0.3)
        seen = self.counts(machine)
        time.sleep(1)
        return self.counts(machine) == seen

    def folder(self, machine):
        return self.directory / "machines" / machine.id

    def processes(self, machine):
        """The numbers of all processes that were started for it, however they are found."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                said = path.read_bytes()
            except OSError:
                continue
            if machine.id.encode() in said and b"qemu-system" in said.split(b"\0")[0]:
                found.append(int(path.parent.name))
        return found

    def power(self, machine):
        return self.driver.power_state(machine)

    def close(self):
        for machine in self.machines:
            self.another(copy_seconds=5).destroy(machine)


@pytest.fixture
def room(tmp_path, initrd):
    made = Room(tmp_path / "no: socket, could have a path that is so long".ljust(120, "."), initrd)
    yield made
    made.close()


def test_it_shuts_down_when_it_is_asked_and_starts_again(room):
    machine = room.up()
    began = time.monotonic()
    room.driver.stop(machine)
    assert time.monotonic() - began < 15
    assert "guest: shuts down" in room.said(machine)
    assert (room.power(machine), room.processes(machine)) == (states.SHUTDOWN, [])
    room.driver.stop(machine)
    assert room.driver.diagnostics(machine) == {"state": "shutdown", "cpus": 1, "memory": 96 * 1024}
    for ask in (
        room.driver.pause,
        room.driver.unpause,
        room.driver.suspend,
        room.driver.resume,
        room.driver.crash_dump,
    ):
        with pytest.raises(DriverFailed, match="does not run"):
            ask(machine)

    room.driver.start(machine)
    room.says(machine, "guest: up", 2)
    assert room.power(machine) == states.RUNNING

    room.driver.pause(machine)  # asked all the same: it goes on for that
    room.driver.reboot(machine, hard=False)
    assert room.said(machine).count("guest: shuts down") == 2
    room.says(machine, "guest: up", 3)

    room.driver.destroy(machine)
    assert room.processes(machine) == []
    assert list((room.directory / "machines").iterdir()) == []
    room.driver.destroy(machine)
    assert list((room.directory / "machines").iterdir()) == []
    assert room.said(machine) == ""


def test_one_that_does_not_listen_is_ended(room):
    room.driver = room.another(stop_seconds=0.5)
    machine = room.machine("deaf")
    room.driver.spawn(machine)
    began = time.monotonic()
    room.driver.stop(machine)
    assert 0.5 <= time.monotonic() - began < 5
    assert (room.power(machine), room.processes(machine)) == (states.SHUTDOWN, [])


def test_one_whose_process_was_killed_is_shut_down_and_starts(room):
    machine = room.machine()
    room.driver.spawn(machine)
    (number,) = room.processes(machine)
    os.kill(number, signal.SIGKILL)
    until(lambda: room.power(machine) == states.SHUTDOWN)
    # Another process has its number now: nobody may take that for the machine, or end it.
    (room.folder(machine) / "qemu.pid").write_text(f"{os.getpid()}\n")
    assert room.power(machine) == states.SHUTDOWN
    room.driver.stop(machine)
    room.driver.reboot(machine, hard=True)
    assert room.power(machine) == states.RUNNING


def test_one_that_does_not_answer_is_told_of_and_ended_all_the_same(room):
    room.driver = room.another(answer_seconds=0.5)
    machine = room.machine()
    room.driver.spawn(machine)
    (number,) = room.processes(machine)
    os.kill(number, signal.SIGSTOP)
    with pytest.raises(DriverFailed, match="did not answer within"):
        room.power(machine)
    with pytest.raises(DriverFailed, match="did not answer within"):
        room.driver.pause(machine)
    room.driver.destroy(machine)
    assert room.processes(machine) == []


def test_those_who_spawn_it_at_once_spawn_one(room):
    machine, failed = room.machine(disk=1), []

    def spawn():
        try:
            room.another().spawn(machine)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=spawn) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    assert len(room.processes(machine)) == 1


def in_a_process(room, machine, code, **options):
    """A process with a driver of this room and one of its machines."""
    given = json.dumps([str(room.directory), {**room.options, **options}, machine.id, machine.image.boot])
    begin = f"""
import json
from pathlib import Path
from apifold_services.compute.core.drivers.driver import Machine
from apifold_services.compute.core.drivers.qemu import Qemu
from apifold_services.compute.core.image_folder import Image
directory, options, id, boot = json.loads({given!r})
image = Image("1", "small", "active", "", "", boot=boot)
machine = Machine(id, "m", "here", {{"ram": 96, "disk": 1, "vcpus": 1}}, image)
driver = Qemu(Path(directory), options)
"""
    return subprocess.Popen([sys.executable, "-c", begin + code])


def test_it_outlives_who_started_it(room):
    machine = room.machine()
    assert in_a_process(room, machine, "driver.spawn(machine)").wait(60) == 0
    assert room.power(machine) == states.RUNNING
    room.driver.pause(machine)
    assert room.power(machine) == states.PAUSED


def test_one_that_was_halted_by_somebody_who_died_goes_on(room, tmp_path):
    machine, slow, disk = room.machine(disk=1), tmp_path / "slow", tmp_path / "snapshots" / "made.qcow2"
    room.driver.spawn(machine)
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    maker = in_a_process(room, machine, f"driver.snapshot(machine, Path({str(disk)!r}))", image_tool=str(slow))
    until(lambda: room.power(machine) == states.PAUSED, 20)
    maker.kill()
    maker.wait()
    assert not disk.exists()
    assert room.driver.snapshot(machine, disk) == disk.stat().st_size > 0
    assert room.power(machine) == states.RUNNING


def test_a_folder_that_was_half_made_is_made_whole(room):
    machine = room.machine(disk=1)
    folder = room.folder(machine)
    folder.mkdir(parents=True, mode=0o700)
    (folder / "disk.part").write_bytes(b"half of a disk")
    (folder / "qemu.pid").write_text("")
    room.driver.spawn(machine)
    assert room.power(machine) == states.RUNNING
    assert not (folder / "disk.part").exists()


def test_an_image_of_it_is_what_its_disk_was(room, tmp_path):
    first = room.up("writes", disk=1)
    made = tmp_path / "snapshots" / "made.qcow2"
    size = room.driver.snapshot(first, made)
    assert size == made.stat().st_size > 0
    assert room.driver.snapshot(first, made) == size
    assert room.power(first) == states.RUNNING
    assert [path.name for path in made.parent.iterdir()] == ["made.qcow2"]
    room.counts_on(first)
    room.driver.pause(first)

    second = room.machine(disk=2, image=room.image(file=made, format="qcow2"))
    room.driver.spawn(second)
    made.unlink()  # images come and go; machines that were made of them stay
    said = room.says(second, "guest: up")
    assert "guest: vda has 4194304 sectors, says <written>" in said

    room.driver.pause(second)
    room.driver.rebuild(first)
    assert "guest: vda has 2097152 sectors, says <>" in room.says(first, "guest: up", 2)


def test_another_flavor_and_back(room):
    machine = room.up(disk=1)
    larger = room.machine(id=machine.id, ram=160, disk=2, vcpus=2)
    room.driver.resize(larger)
    said = room.says(machine, "guest: up", 2)
    assert "guest: shuts down" in said
    memories = [int(number) for number in re.findall(r"memory (\d+)", said)]
    assert memories[1] > memories[0] + 50_000
    assert "processors 2" in said
    assert "vda has 4194304 sectors" in said
    room.driver.stop(machine)
    room.driver.resize(machine)
    assert (room.power(machine), room.processes(machine)) == (states.SHUTDOWN, [])


@pytest.fixture
def elsewhere():
    """A small disk on a file system of its own."""
    disk = Path("/dev/shm") / f"apifold-{uuid4()}.raw"
    disk.write_bytes(b"rescuer".ljust(2**20, b"\0"))
    yield disk
    disk.unlink(missing_ok=True)


def test_a_disk_with_a_loader_of_its_own_is_started(room, tmp_path):
    # ds = 0; si = text; dx = COM1; until 0: out dx, [si++]; then halt
    loader = bytes.fromhex("31c08ed8 be157c baf803 ac 84c0 7403 ee ebf8 f4 ebfd") + b"a loader of its own\r\n\0"
    disk = tmp_path / "odd: a,b=c.raw"
    disk.write_bytes(loader.ljust(510, b"\0") + b"\x55\xaa" + bytes(2**20 - 512))
    machine = room.machine(image=room.image(file=disk, boot={}))
    room.driver.spawn(machine)
    assert room.says(machine, "a loader of its own") == "a loader of its own"
    with pytest.raises(DriverFailed, match=r"its kernel vmlinuz is missing\.$"):
        room.driver.rescue(machine, room.image(boot={"kernel": "/nowhere/vmlinuz"}))
    assert room.power(machine) == states.RUNNING


def test_rescue_and_unrescue(room, elsewhere):
    machine = room.up("writes", disk=1)
    for _ in range(2):
        room.driver.rescue(machine, room.image(file=elsewhere))
    if elsewhere.stat().st_dev != room.folder(machine).stat().st_dev:
        assert not (room.folder(machine) / "rescue.base").exists()  # which can't be there: it was copied
    elsewhere.unlink()
    said = room.says(machine, "guest: up", 2)
    assert "vda has 2048 sectors, says <rescuer>" in said
    assert "vdb has 2097152 sectors, says <written>" in said
    assert len(room.processes(machine)) == 1
    for _ in range(2):
        room.driver.unrescue(machine)
    said = room.says(machine, "guest: up", 3)
    assert said.count("vda has 2097152 sectors, says <written>") == 1
    assert [path.name for path in room.folder(machine).glob("rescue*")] == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"image": None}, "neither"),
        ({"image": {"boot": {}}}, "an image with a disk or a kernel"),
        ({"image": {"boot": {"kernel": "/nowhere/vmlinuz"}}}, r"its kernel vmlinuz is missing\.$"),
        ({"image": {"boot": {"kernel": str(KERNEL), "initrd": "/nowhere/initrd"}}}, r"its initrd initrd is missing\.$"),
        ({"image": {"file": Path("/nowhere/disk.raw")}}, "A disk could not be made"),
        ({"vcpus": 100_000}, "SMP"),
        ({"id": "../../../etc"}, "no id"),
        ({"id": "-version"}, "no id"),
    ],
)
def test_what_cant_be_made_says_why(room, said, why):
    image = said.get("image")
    machine = room.machine(**{**said, "image": room.image(**image) if image else image} if "image" in said else said)
    with pytest.raises(DriverFailed, match=why) as failed:
        room.driver.spawn(machine)
    assert "/nowhere" not in str(failed.value)
    assert room.processes(machine) == []
    if "id" in said:
        room.machines.clear()


def test_what_was_never_made_is_not_started(room):
    with pytest.raises(DriverFailed, match="never made"):
        room.driver.start(room.machine())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"binary": "qemu-none"}, "qemu-none not found; apt-get install qemu-system-x86 qemu-utils"),
        ({"image_tool": "/nowhere/qemu-img"}, "/nowhere/qemu-img not found; apt-get install"),
        ({"network": "bridge"}, "network"),
        ({"stop_seconds": 0}, "stop_seconds"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_options_that_cant_be_used(tmp_path, options, why):
    with pytest.raises(SettingsError, match=why):
        Qemu(tmp_path / "state", options)
    assert not (tmp_path / "state").exists()


def test_its_host_has_what_is_said_or_what_this_machine_has(tmp_path):
    ((name, capacity),) = Qemu(tmp_path / "state", {}).capacities().items()
    assert name == socket.gethostname()
    assert (capacity.vcpus, capacity.kind) == (os.cpu_count(), "QEMU")
    assert capacity.memory > 100
    assert capacity.disk > 0
    assert capacity.version > 2_000_000
    ((name, capacity),) = Qemu(tmp_path, {"host": "one", "vcpus": 3, "memory": 5, "disk": 7}).capacities().items()
    assert (name, capacity.vcpus, capacity.memory, capacity.disk) == ("one", 3, 5, 7)
    assert not (tmp_path / "state").exists()


def test_a_server_of_the_service_is_a_machine(tmp_path_factory, initrd):
    images = tmp_path_factory.mktemp("images")
    said = {"name": "small", "kernel": str(KERNEL), "initrd": str(initrd), "append": QUICK}
    (images / "small.yaml").write_text(json.dumps(said))
    settings = {"driver": "qemu", "images": str(images), "qemu": {"host": "here", "stop_seconds": 20}}
    client = opened(tmp_path_factory, "tokens", services={"compute": settings})
    try:
        cloud = Cloud(client, "/v2.1", "ada-token", "2.26")
        id = cloud.server(flavor=cloud.flavor(ram=96))
        try:
            seen = cloud.seen(id)
            assert (seen["status"], seen["OS-EXT-STS:power_state"]) == ("ACTIVE", states.RUNNING)
            (address,) = seen["addresses"]["private"]

            def output(length=None):
                answer = cloud.act(id, "os-getConsoleOutput", {"length": length} if length else {})
                assert answer.status == 200, answer.text
                return answer.json["output"]

            until(lambda: "guest: up" in output(), BOOT_SECONDS)
            assert f"guest: port {address['OS-EXT-IPS-MAC:mac_addr']}" in output()
            assert len(output(2).split("\n")) == 2
            (host,) = cloud.admin.get("/os-hypervisors/detail").json["hypervisors"]
            assert (host["hypervisor_hostname"], host["hypervisor_type"]) == ("here", "QEMU")
            diagnostics = cloud.admin.get(f"/servers/{id}/diagnostics")
            assert (diagnostics.status, diagnostics.json["state"]) == (200, "running")
            assert cloud.done(id, "os-stop")["status"] == "SHUTOFF"
            assert "guest: shuts down" in output()
            assert cloud.done(id, "os-start")["status"] == "ACTIVE"
        finally:
            assert cloud.delete(f"/servers/{id}").status == 204
            cloud.settle()
        assert cloud.get(f"/servers/{id}").status == 404
        machines = cloud.core.driver.folder
        assert list(machines.iterdir()) == []
    finally:
        client.close()


def _greet(host):
    with closing(host.accept()[0]) as caller:
        caller.sendall(b"hello")


@pytest.fixture(scope="module")
def shared(tmp_path_factory, initrd):
    """A machine for tests that leave it as it was, and who calls it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as host:
        threading.Thread(target=_greet, args=(host,), daemon=True).start()
        made = Room(tmp_path_factory.mktemp("shared"), initrd)
        words = f"call={host.getsockname()[1]}"
        made.one = made.up(words, disk=1, addresses=({"mac": "fa:16:3e:00:00:07", "address": "10.0.0.7"},))
        yield made
        made.close()


def test_it_has_what_its_flavor_says_and_reaches_nothing(shared):
    said = shared.said(shared.one)
    memory = int(re.search(r"memory (\d+)", said)[1])
    assert 40_000 < memory < 96 * 1024
    assert "processors 1" in said
    assert "guest: vda has 2097152 sectors, says <>" in said
    assert "guest: port fa:16:3e:00:00:07" in said
    assert "guest: heard <>" in said
    assert "no such" not in said.lower()


def test_it_is_spawned_once(shared):
    (number,) = shared.processes(shared.one)
    shared.driver.spawn(shared.one)
    shared.driver.start(shared.one)
    assert shared.processes(shared.one) == [number]
    assert os.getsid(number) == number
    assert shared.folder(shared.one).stat().st_mode & 0o777 == 0o700


def test_another_driver_finds_it(shared):
    found = shared.another()
    assert found.power_state(shared.one) == states.RUNNING
    assert "guest: up" in found.console_output(shared.one, None)


def test_pause_and_unpause(shared):
    for _ in range(2):
        shared.driver.pause(shared.one)
        assert shared.power(shared.one) == states.PAUSED
    assert shared.counts_no_more(shared.one)
    for _ in range(2):
        shared.driver.unpause(shared.one)
        assert shared.power(shared.one) == states.RUNNING
    shared.counts_on(shared.one)


def test_suspend_and_resume(shared):
    for _ in range(2):  # twice, as one that went on is another process, which is saved like the first
        shared.driver.suspend(shared.one)
        shared.driver.suspend(shared.one)
        assert shared.power(shared.one) == states.SUSPENDED
        assert shared.processes(shared.one) == []
        before = shared.counts(shared.one)
        shared.driver.resume(shared.one)
        shared.driver.resume(shared.one)
        assert shared.power(shared.one) == states.RUNNING
        shared.counts_on(shared.one)
        after = shared.counts(shared.one)
        assert after == list(range(len(after)))
        assert len(after) > len(before)
    assert not (shared.folder(shared.one) / "memory").exists()


def test_a_save_that_its_process_did_not_live_to_end_is_made_again(shared):
    shared.driver.pause(shared.one)
    guest = shared.driver._guest(shared.one)
    with open(os.devnull, "wb") as nowhere, guest.monitor() as monitor:
        monitor.execute("getfd", {"fdname": "memory"}, (nowhere.fileno(),))
        monitor.execute("migrate", {"uri": "fd:memory"})
        until(lambda: monitor.execute("query-status")["status"] == "postmigrate")
    shared.driver.suspend(shared.one)
    assert shared.power(shared.one) == states.SUSPENDED
    shared.driver.resume(shared.one)
    shared.counts_on(shared.one)
    assert shared.counts(shared.one)[0] == 0


def test_all_who_ask_at_once_are_answered(shared):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(shared.another().power_state(shared.one))) for _ in range(20)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [states.RUNNING] * 20


def test_diagnostics_tell_what_it_did(shared):
    first = shared.driver.diagnostics(shared.one)
    assert first["state"] == "running"
    assert first["cpus"] == 1
    assert first["memory"] == 96 * 1024
    assert first["cpu0_time"] > 0
    assert {"vda_read", "vda_read_req", "vda_write", "vda_write_req", "vda_errors"} <= first.keys()
    until(lambda: shared.driver.diagnostics(shared.one)["cpu0_time"] > first["cpu0_time"])


def test_the_end_of_the_console(shared):
    lines = shared.said(shared.one).split("\n")
    assert shared.driver.console_output(shared.one, 0) == ""
    last = shared.driver.console_output(shared.one, 3).split("\n")
    assert len(last) == 3
    assert re.match(r"count \d+", last[-2])
    assert lines == [line for line in lines if "\r" not in line]


def test_a_console_that_is_flooded_takes_no_more_than_its_share(shared):
    path = shared.folder(shared.one) / "console.log"
    with open(path, "ab") as file:
        file.write(b"\xff\xfe not text\n" * (CONSOLE_KEPT // 12))
    assert shared.power(shared.one) == states.RUNNING
    assert path.stat().st_size < CONSOLE_KEPT
    said = shared.said(shared.one)
    assert CONSOLE_SHOWN - 20 <= len(said.encode("utf-8", "replace")) <= 3 * CONSOLE_SHOWN
    assert "\ufffd\ufffd not text" in said
    shared.counts_on(shared.one)
    assert b"\0" not in path.read_bytes()


def test_a_crash_dump_reaches_its_system(shared):
    shared.driver.crash_dump(shared.one)
    assert shared.power(shared.one) == states.RUNNING


def test_a_password_is_not_for_it(shared):
    with pytest.raises(ToBeDone):
        shared.driver.set_password(shared.one, "secret")
