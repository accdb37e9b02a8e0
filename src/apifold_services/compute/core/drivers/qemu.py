"""Servers that are real machines: each a QEMU process of its own, with a folder of its own.

A machine outlives the process that started it, and is found again by the number in its folder. Its processors are
emulated (TCG), so it runs wherever QEMU does; its network reaches nothing.

    services:
      compute:
        driver: qemu
        images: /srv/images
        qemu: {memory: 16384, stop_seconds: 90}
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from apifold import Limits, SettingsError, ToBeDone, run_confined
from apifold_services.compute.core import states
from apifold_services.compute.core.drivers.driver import DriverFailed, Machine
from apifold_services.compute.core.drivers.guest import NUMBER, SOCKET, Guest, Patience, plain
from apifold_services.compute.core.hosts import Capacity
from apifold_services.compute.core.image_folder import Image

DISK, RESCUE, CONSOLE, RAN = "disk.qcow2", "rescue.qcow2", "console.log", "ran"
"""What lies in a machine's folder beside what `guest` says; the last is there while one is resized that ran before."""

CONSOLE_SHOWN, CONSOLE_KEPT = 100 * 1024, 16 * 2**20
"""Bytes of a console's end that are shown; and how many there may be before what is not shown is dropped."""

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

Amount = Annotated[int, msgspec.Meta(gt=0)]


class Options(Patience, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of this driver, beside how long it waits.

    Attributes:
        binary, image_tool: QEMU's programs.
        host: what this machine is called.
        vcpus, memory, disk: what it has for machines, in MiB and GiB; all that it has otherwise.
        network: `user`, where a guest finds a DHCP server and nothing else; or `none`.
    """

    binary: str = "qemu-system-x86_64"
    image_tool: str = "qemu-img"
    host: str = msgspec.field(default_factory=socket.gethostname)
    vcpus: Amount | None = None
    memory: Amount | None = None
    disk: Amount | None = None
    network: Literal["user", "none"] = "user"


class Qemu:
    """`qemu`: machines on this host."""

    def __init__(self, directory: Path, options: Mapping[str, Any]) -> None:
        try:
            self.options = msgspec.convert(options, Options, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"services: compute: qemu: {error}") from None
        missing = [name for name in (self.options.binary, self.options.image_tool) if not shutil.which(name)]
        if missing:
            remedy = "apt-get install qemu-system-x86 qemu-utils"
            raise SettingsError(f"services: compute: driver: qemu: {' and '.join(missing)} not found; {remedy}")
        self.folder = directory.absolute() / "machines"

    def capacities(self) -> dict[str, Capacity]:
        one = self.options
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        capacity = Capacity(
            vcpus=one.vcpus or os.cpu_count() or 1,
            memory=one.memory or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
            disk=one.disk or max(shutil.disk_usage(there).total >> 30, 1),
            kind="QEMU",
            version=self._version(),
            cpu={"arch": "x86_64", "model": "max", "vendor": "QEMU"},
        )
        return {one.host: capacity}

    def spawn(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            if guest.power == states.SHUTDOWN:
                self._make(guest, machine)
                guest.run(self._command(guest, machine))

    def destroy(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            guest.destroy()

    def start(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            if guest.command and not guest.is_saved:
                guest.tell("cont")
            else:
                guest.end()
                guest.run(self._command(guest, machine))

    def stop(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            if guest.is_saved:
                guest.go_on()
            guest.shut_down()

    def reboot(self, machine: Machine, *, hard: bool) -> None:
        with self._alone(machine) as guest:
            command = self._command(guest, machine)
            if hard:
                guest.end()
            else:
                guest.shut_down()
            guest.run(command)

    def pause(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            guest.tell("stop")

    def unpause(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            guest.tell("cont")

    def suspend(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            guest.save()

    def resume(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            if guest.is_saved:
                guest.go_on()
            else:
                guest.tell("cont")

    def rebuild(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            guest.end()
            (guest.folder / DISK).unlink(missing_ok=True)
            self._make(guest, machine)
            guest.run(self._command(guest, machine))

    def resize(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            disk, ran = guest.folder / DISK, guest.folder / RAN
            if guest.power == states.RUNNING:
                ran.touch()
            try:
                guest.shut_down()
                if disk.exists():
                    self._grow(disk, machine.flavor["disk"])
                if ran.exists():
                    guest.run(self._command(guest, machine))
            finally:
                ran.unlink(missing_ok=True)

    def rescue(self, machine: Machine, image: Image | None) -> None:
        with self._alone(machine) as guest:
            if _rescued(guest) not in guest.command:
                _remove_rescue(guest)
                self._make_disk(guest.folder / RESCUE, image or machine.image)
                command = self._command(guest, machine, image or machine.image)
                guest.shut_down()
                guest.run(command)

    def unrescue(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            if not guest.command or _rescued(guest) in guest.command:
                command = self._command(guest, machine)
                guest.shut_down()
                guest.run(command)
            _remove_rescue(guest)

    def snapshot(self, machine: Machine, disk: Path) -> int:
        with self._alone(machine) as guest:
            if not (guest.folder / DISK).exists() and not disk.exists():
                raise DriverFailed(f"Machine {machine.id} has no disk that an image could be made of.")
            with guest.halted():
                if not disk.exists():
                    self._copy(guest.folder / DISK, "qcow2", disk)
        return disk.stat().st_size

    def set_password(self, machine: Machine, password: str) -> None:
        raise ToBeDone("Passwords can't be set: nothing in these machines takes them.")

    def crash_dump(self, machine: Machine) -> None:
        with self._alone(machine) as guest:
            guest.tell("inject-nmi")

    def console_output(self, machine: Machine, lines: int | None) -> str:
        path = self._guest(machine).folder / CONSOLE
        _shorten(path)
        said = _end_of(path).decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")
        return "\n".join(said if lines is None else said[-lines:] if lines > 0 else [])

    def diagnostics(self, machine: Machine) -> dict[str, Any]:
        guest, flavor = self._guest(machine), machine.flavor
        found: dict[str, Any] = {"state": "shutdown", "cpus": flavor["vcpus"], "memory": flavor["ram"] * 1024}
        return found | guest.statistics() if guest.command else found

    def power_state(self, machine: Machine) -> int | None:
        guest = self._guest(machine)
        _shorten(guest.folder / CONSOLE)  # here, as this is what is asked again and again
        return guest.power

    def _version(self) -> int:
        """Such as 7002022, for 7.2.22."""
        said = run_confined((self.options.binary, "--version"), Limits(seconds=self.options.start_seconds)).output
        found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
        return sum(int(part) * 1000**at for at, part in enumerate(reversed(found.groups()))) if found else 0

    def _guest(self, machine: Machine) -> Guest:
        """A machine's id is part of a path and of a command line: it has to be an id."""
        try:
            return Guest(self.folder / str(uuid.UUID(machine.id)), self.options)
        except ValueError:
            raise DriverFailed(f"{machine.id!r} is no id of a machine.") from None

    def _alone(self, machine: Machine) -> AbstractContextManager[Guest]:
        return self._guest(machine).alone()

    def _make(self, guest: Guest, machine: Machine) -> None:
        guest.folder.mkdir(mode=0o700, exist_ok=True)
        self._make_disk(guest.folder / DISK, machine.image, machine.flavor["disk"])

    def _make_disk(self, disk: Path, image: Image | None, size: int = 0) -> None:
        """Make a disk of an image, if it is not there: as large as that, or as is said in GiB."""
        if disk.exists():
            return
        if image is None or not (image.file or image.boot.get("kernel")):
            raise DriverFailed("A machine needs an image with a disk or a kernel; this one has neither.")
        part = disk.with_suffix(".part")
        if image.file:
            self._derive(image.file, image.format, part)
        elif size:
            self._use_image_tool("create", "-q", "-f", "qcow2", str(part), f"{size}G")
        else:
            return
        self._grow(part, size)
        part.rename(disk)

    def _derive(self, base: Path, format: str, disk: Path) -> None:
        """Make a disk that holds only what is other than in another one.

        That one gets a second name, as its first may be removed any time; where it can't have one, it is copied.
        """
        kept = disk.with_suffix(".base")
        kept.unlink(missing_ok=True)
        try:
            os.link(base.resolve(), kept)
            self._use_image_tool("create", "-q", "-f", "qcow2", "-b", kept.name, "-F", format, str(disk))
        except (OSError, DriverFailed):
            kept.unlink(missing_ok=True)
            self._copy(base, format, disk)

    def _copy(self, source: Path, format: str, disk: Path) -> None:
        part = disk.with_name(f"{disk.name}.part")
        part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._use_image_tool("convert", "-q", "-U", "-f", format, "-O", "qcow2", str(source), str(part))
        part.rename(disk)

    def _grow(self, disk: Path, size: int) -> None:
        known = json.loads(self._use_image_tool("info", "-f", "qcow2", "--output=json", str(disk)))
        if known["virtual-size"] < size << 30:
            self._use_image_tool("resize", "-q", "-f", "qcow2", str(disk), f"{size}G")

    def _use_image_tool(self, *arguments: str) -> str:
        done = run_confined((self.options.image_tool, *arguments), Limits(seconds=self.options.copy_seconds))
        if not done.ok:
            raise DriverFailed(f"A disk could not be made: {plain(done.errors) or done.cut}")
        output: str = done.output
        return output

    def _command(self, guest: Guest, machine: Machine, rescue: Image | None = None) -> list[str]:
        """What starts it, from another image than its own where that is said. Raises DriverFailed: nothing does."""
        if not guest.folder.is_dir():
            raise DriverFailed(f"Machine {machine.id} was never made.")
        image, names = rescue or machine.image, (RESCUE, DISK) if rescue else (DISK,)
        disks = [disk for name in names if (disk := guest.folder / name).exists()]
        loader = _loader(image) if image else []
        if not disks and not loader:
            raise DriverFailed(f"Machine {machine.id} has nothing to start from: neither a disk nor a kernel.")
        _shorten(guest.folder / CONSOLE)
        name = _rescued(guest) if rescue else guest.folder.name
        board = self._board(guest, machine.flavor)
        return [*board, "-name", name, *_drives(disks), *self._ports(machine), *loader]

    def _board(self, guest: Guest, flavor: Mapping[str, Any]) -> list[str]:
        return [
            *(self.options.binary, "-nodefaults", "-no-user-config", "-display", "none", "-sandbox", SANDBOX),
            *("-machine", "q35,accel=tcg", "-cpu", "max", "-m", str(flavor["ram"]), "-smp", str(flavor["vcpus"])),
            *("-uuid", guest.folder.name, "-global", "ICH9-LPC.disable_s3=1", "-global", "ICH9-LPC.disable_s4=1"),
            *("-pidfile", str(guest.folder / NUMBER), "-qmp", f"unix:{SOCKET},server=on,wait=off"),
            *("-chardev", f"file,id=console,path={CONSOLE},append=on", "-serial", "chardev:console"),
            *("-device", "virtio-rng-pci"),
        ]

    def _ports(self, machine: Machine) -> Iterator[str]:
        for at, port in enumerate(machine.addresses if self.options.network == "user" else ()):
            yield from ("-netdev", _text(type="user", id=f"port{at}", restrict=True))
            yield from ("-device", _text(driver="virtio-net-pci", netdev=f"port{at}", mac=port["mac"], romfile=""))


def _drives(disks: Sequence[Path]) -> Iterator[str]:
    for at, disk in enumerate(disks):
        file = {"driver": "file", "filename": str(disk), "discard": "unmap"}
        qcow2 = {"driver": "qcow2", "node-name": f"disk{at}", "discard": "unmap", "file": file}
        yield from ("-blockdev", _text(**qcow2))
        yield from ("-device", _text(driver="virtio-blk-pci", drive=f"disk{at}", bootindex=at + 1))  # a kernel has 0


def _loader(image: Image) -> list[str]:
    """What boots an image that has a kernel. Raises DriverFailed: that is missing."""
    boot = image.boot
    if not boot.get("kernel"):
        return []
    files = {key: Path(boot[key]).absolute() for key in ("kernel", "initrd") if boot.get(key)}
    for key, file in files.items():
        if not file.is_file():
            raise DriverFailed(f"Image {image.name} can't be booted: its {key} {file.name} is missing.")
    given = [text for key, file in files.items() for text in (f"-{key}", str(file))]
    return [*given, "-append", f"{boot.get('append', '')} console=ttyS0".strip()]


def _rescued(guest: Guest) -> str:
    """What a machine is called while it is rescued."""
    return f"{guest.folder.name}-rescued"


def _remove_rescue(guest: Guest) -> None:
    for path in guest.folder.glob("rescue.*"):
        path.unlink()


def _text(**said: Any) -> str:
    """QEMU reads this without giving commas, and other characters of paths, a meaning."""
    return json.dumps(said)


def _end_of(console: Path) -> bytes:
    try:
        with open(console, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - CONSOLE_SHOWN, 0))
            return file.read(CONSOLE_SHOWN)
    except FileNotFoundError:
        return b""


def _shorten(console: Path) -> None:
    """Drop what is not shown anyway, where a guest wrote much; QEMU goes on at the new end."""
    with suppress(FileNotFoundError):
        if console.stat().st_size > CONSOLE_KEPT:
            end = _end_of(console)
            os.truncate(console, 0)
            with open(console, "ab") as file:
                file.write(end)
