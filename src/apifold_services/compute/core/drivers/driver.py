"""What a driver is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from apifold import Conflict
from apifold_services.compute.core.hosts import Capacity
from apifold_services.compute.core.image_folder import Image


class DriverFailed(Conflict):  # type: ignore[misc]  # public names are looked up late, so their types are not known
    """What was asked for could not be done; the text is shown to clients, of a change as the server's fault."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A server as drivers see it.

    Attributes:
        flavor: `vcpus`, `ram` in MiB, `disk` in GiB and so on.
        image: what its disk is made of; None where it boots from a volume.
        keys: public keys that let somebody in.
        addresses: its ports: `mac` and `address` each.
    """

    id: str
    name: str
    host: str
    flavor: Mapping[str, Any]
    image: Image | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    addresses: tuple[Mapping[str, str], ...] = ()
    user_data: str = ""


class Driver(Protocol):
    """Makes servers, found by name among the entry points of `apifold_compute.drivers`.

    Each method is called in the process that does long work and may take its time. Each may be called again after that
    process died, with nothing done, some, or all of it: then it does what is left. Any raises DriverFailed, or ToBeDone
    where it can't be had here.
    """

    def __init__(self, directory: Path, options: Mapping[str, Any]) -> None:
        """Made in each process; nothing is started yet.

        Args:
            directory: where it may keep files.
            options: its own settings.

        Raises:
            SettingsError: one is missing, or can't be used.
        """

    def capacities(self) -> dict[str, Capacity]:
        """The hosts that it has, and what each of them has."""

    def spawn(self, machine: Machine) -> None:
        """Make a machine and run it; one that is there already is left as it is."""

    def destroy(self, machine: Machine) -> None:
        """End a machine, and remove what there is of it."""

    def start(self, machine: Machine) -> None:
        """Run a machine that was stopped."""

    def stop(self, machine: Machine) -> None:
        """Shut a machine down."""

    def reboot(self, machine: Machine, *, hard: bool) -> None:
        """Start a machine anew; if hard, without asking it."""

    def pause(self, machine: Machine) -> None:
        """Halt its processors, its memory stays."""

    def unpause(self, machine: Machine) -> None:
        """Let them go on."""

    def suspend(self, machine: Machine) -> None:
        """Put its memory away, and end it."""

    def resume(self, machine: Machine) -> None:
        """Go on from there."""

    def rebuild(self, machine: Machine) -> None:
        """Make its disk anew of its image, and run it."""

    def resize(self, machine: Machine) -> None:
        """Have it on its host, with its flavor; on whichever host and with whichever flavor it was. It runs after that
        if it ran before."""

    def rescue(self, machine: Machine, image: Image | None) -> None:
        """Run it from a rescue image, with its own disk beside."""

    def unrescue(self, machine: Machine) -> None:
        """Run it from its own disk again."""

    def snapshot(self, machine: Machine, disk: Path) -> int:
        """Make an image of it, where that can be had; how many bytes it has."""

    def set_password(self, machine: Machine, password: str) -> None:
        """Have another administrator's password in it. Raises ToBeDone: it can't."""

    def crash_dump(self, machine: Machine) -> None:
        """Have its system dump its memory. Raises ToBeDone: it can't."""

    def console_output(self, machine: Machine, lines: int | None) -> str:
        """The last lines of what it wrote to its console; all of them where no number is said."""

    def diagnostics(self, machine: Machine) -> dict[str, Any]:
        """What is known of how it does."""

    def power_state(self, machine: Machine) -> int | None:
        """Its power state, a number of `states`; None where only the service's own records know."""
