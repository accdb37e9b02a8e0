"""Servers that are nothing but records: as slow, and as faulty, as one says.

What is so of all servers of some names is a setting:

    services:
      compute:
        simulated:
          hosts: 2
          behaviours:
            - {name: "slow", delay: {spawn: 5}}
            - {name: "broken", fail: [resize]}

and of one server, what it says in its metadata: `simulated:delay: "spawn=5 reboot=1"`, `simulated:fail: "resize"`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from apifold import SettingsError, matcher
from apifold_services.compute.core.drivers.driver import DriverFailed, Machine
from apifold_services.compute.core.hosts import Capacity
from apifold_services.compute.core.image_folder import Image

DELAY, FAIL = "simulated:delay", "simulated:fail"
MAX_DELAY = 600.0


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How servers behave whose names match.

    Attributes:
        name: a regular expression, found anywhere in the name.
        delay: seconds by method of the driver.
        fail: methods that fail.
    """

    name: str
    delay: dict[str, float] = {}
    fail: tuple[str, ...] = ()


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of this driver.

    Attributes:
        hosts: how many there are.
        vcpus, memory, disk: of each host; MiB and GiB.
        behaviours: of servers by name.
    """

    hosts: int = 2
    vcpus: int = 1000
    memory: int = 800_000
    disk: int = 600_000
    behaviours: tuple[Behaviour, ...] = ()


class Simulated:
    """`simulated`: nothing runs; delays and failures come as they are asked for."""

    def __init__(self, directory: Path, options: Mapping[str, Any]) -> None:
        try:
            self.options = msgspec.convert(options, Options, strict=False)
            self._behaviours = [(matcher(one.name), one) for one in self.options.behaviours]
        except (msgspec.ValidationError, ValueError) as error:
            raise SettingsError(f"services: compute: simulated: {error}") from None

    def capacities(self) -> dict[str, Capacity]:
        one = self.options
        capacity = Capacity(one.vcpus, one.memory, one.disk, "simulated", 1)
        return {f"simulated-{number}": capacity for number in range(1, one.hosts + 1)}

    def spawn(self, machine: Machine) -> None:
        self._act("spawn", machine)

    def destroy(self, machine: Machine) -> None:
        self._act("destroy", machine)

    def start(self, machine: Machine) -> None:
        self._act("start", machine)

    def stop(self, machine: Machine) -> None:
        self._act("stop", machine)

    def reboot(self, machine: Machine, *, hard: bool) -> None:
        self._act("reboot", machine)

    def pause(self, machine: Machine) -> None:
        self._act("pause", machine)

    def unpause(self, machine: Machine) -> None:
        self._act("unpause", machine)

    def suspend(self, machine: Machine) -> None:
        self._act("suspend", machine)

    def resume(self, machine: Machine) -> None:
        self._act("resume", machine)

    def rebuild(self, machine: Machine) -> None:
        self._act("rebuild", machine)

    def resize(self, machine: Machine) -> None:
        self._act("resize", machine)

    def rescue(self, machine: Machine, image: Image | None) -> None:
        self._act("rescue", machine)

    def unrescue(self, machine: Machine) -> None:
        self._act("unrescue", machine)

    def snapshot(self, machine: Machine, disk: Path) -> int:
        self._act("snapshot", machine)
        return machine.image.size if machine.image else 0

    def set_password(self, machine: Machine, password: str) -> None:
        self._act("set_password", machine)

    def crash_dump(self, machine: Machine) -> None:
        self._act("crash_dump", machine)

    def console_output(self, machine: Machine, lines: int | None) -> str:
        flavor, image = machine.flavor, machine.image
        said = [
            "Simulated machine, no kernel",
            f"host: {machine.host}",
            f"flavor: {flavor['name']}",
            *(f"cpu{at}: simulated" for at in range(flavor["vcpus"])),
            f"memory: {flavor['ram']} MiB",
            f"disk: {flavor['disk']} GiB",
            f"swap: {flavor['swap']} MiB",
            f"root: {image.name if image else 'a volume'}",
            *(f"eth{at}: {port['address']}" for at, port in enumerate(machine.addresses)),
            *(f"metadata: {name}" for name in machine.metadata),
            f"keys: {len(machine.keys)}",
            "",
            f"{machine.name} login: ",
        ]
        return "\n".join(said if lines is None else said[-lines:] if lines else [])

    def diagnostics(self, machine: Machine) -> dict[str, Any]:
        memory = machine.flavor["ram"] * 1024
        found = {f"cpu{at}_time": 0 for at in range(machine.flavor["vcpus"])}
        return {
            **found,
            "memory": memory,
            "vda_read": 0,
            "vda_read_req": 0,
            "vda_write": 0,
            "vda_write_req": 0,
            "vda_errors": -1,
        }

    def power_state(self, machine: Machine) -> int | None:
        return None

    def _act(self, method: str, machine: Machine) -> None:
        delay, fails = 0.0, False
        for one in self._of(machine):
            delay, fails = max(delay, one.delay.get(method, 0.0)), fails or method in one.fail
        time.sleep(min(delay, MAX_DELAY))
        if fails:
            raise DriverFailed(f"The simulated {method} of {machine.id} failed, as it was told to.")

    def _of(self, machine: Machine) -> Iterator[Behaviour]:
        yield from (one for matches, one in self._behaviours if matches(machine.name))
        said = machine.metadata
        if DELAY in said or FAIL in said:
            pairs = (pair.partition("=") for pair in said.get(DELAY, "").split())
            delay = {method: float(seconds) for method, _, seconds in pairs if _is_number(seconds)}
            yield Behaviour(name="", delay=delay, fail=tuple(said.get(FAIL, "").split()))


def _is_number(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit()
