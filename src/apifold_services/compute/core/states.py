"""The states of a server: what clients see of them, and which action is possible in which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from apifold import Conflict

NO_STATE, RUNNING, PAUSED, SHUTDOWN, CRASHED, SUSPENDED = 0, 1, 3, 4, 6, 7
"""Power states, as clients know them by number."""

STATUSES: Mapping[str, Mapping[str | None, str]] = {
    "active": {
        None: "ACTIVE",
        "rebooting": "REBOOT",
        "reboot_pending": "REBOOT",
        "reboot_started": "REBOOT",
        "rebooting_hard": "HARD_REBOOT",
        "updating_password": "PASSWORD",
        "rebuilding": "REBUILD",
        "migrating": "MIGRATING",
        "resize_prep": "RESIZE",
        "resize_migrating": "RESIZE",
        "resize_finish": "RESIZE",
    },
    "building": {None: "BUILD"},
    "stopped": {
        None: "SHUTOFF",
        "rebuilding": "REBUILD",
        "resize_prep": "RESIZE",
        "resize_migrating": "RESIZE",
        "resize_finish": "RESIZE",
    },
    "resized": {None: "VERIFY_RESIZE", "resize_reverting": "REVERT_RESIZE"},
    "paused": {None: "PAUSED", "migrating": "MIGRATING"},
    "suspended": {None: "SUSPENDED"},
    "rescued": {None: "RESCUE"},
    "error": {None: "ERROR", "rebuilding": "REBUILD"},
    "deleted": {None: "DELETED"},
    "soft-delete": {None: "SOFT_DELETED"},
    "shelved": {None: "SHELVED"},
    "shelved_offloaded": {None: "SHELVED_OFFLOADED"},
}
"""What clients see, by state and by what is being done; None for anything else that is being done."""

SHOWS_PROGRESS = frozenset(("ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"))
SHOWS_FAULT = frozenset(("ERROR", "DELETED"))


def status_of(vm_state: str, task_state: str | None) -> str:
    """What clients see of a state."""
    known = STATUSES.get(vm_state)
    if known is None:
        return "UNKNOWN"
    return known.get(task_state) or known[None]


def states_of(statuses: Iterable[str]) -> tuple[tuple[str, tuple[str, ...], bool], ...]:
    """The states that clients see as one of some statuses.

    Returns:
        state; what is being done; whether it is one of that, or, where False, anything else. Empty where no status is
        known.
    """
    wanted = {status.upper() for status in statuses}
    found = []
    for vm_state, shown in STATUSES.items():
        others = tuple(task for task, status in shown.items() if task and status not in wanted)
        some = tuple(task for task, status in shown.items() if task and status in wanted)
        if shown[None] in wanted:
            found.append((vm_state, others, False))
        elif some:
            found.append((vm_state, some, True))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Guard:
    """When an action is possible.

    Attributes:
        states: of the server; any where there are none.
        busy: whether it may be doing something meanwhile.
        launched: whether it must have run once.
        locked: whether a lock keeps everybody but administrators from it.
    """

    states: tuple[str, ...] = ()
    busy: bool = False
    launched: bool = True
    locked: bool = True


HARD_REBOOT_OVER = ("rebooting", "rebooting_hard", "resuming", "unpausing", "pausing", "suspending")
"""What may be going on where a server is started anew without asking it."""

GUARDS: Mapping[str, Guard] = {
    "delete": Guard(busy=True, launched=False),
    "forceDelete": Guard(busy=True, launched=False),
    "restore": Guard(("soft-delete",)),
    "start": Guard(("stopped",)),
    "stop": Guard(("active", "error")),
    "reboot": Guard(("active",)),
    "reboot_hard": Guard(("active", "stopped", "paused", "suspended", "error"), busy=True),
    "rebuild": Guard(("active", "stopped", "error")),
    "resize": Guard(("active", "stopped")),
    "migrate": Guard(("active", "stopped")),
    "confirmResize": Guard(("resized",)),
    "revertResize": Guard(("resized",)),
    "live-migration": Guard(("active", "paused")),
    "evacuate": Guard(("active", "stopped", "error"), busy=True, locked=False),
    "pause": Guard(("active",)),
    "unpause": Guard(("paused",)),
    "suspend": Guard(("active",)),
    "resume": Guard(("suspended",)),
    "rescue": Guard(("active", "stopped", "error")),
    "unrescue": Guard(("rescued",)),
    "shelve": Guard(("active", "stopped", "paused", "suspended")),
    "shelveOffload": Guard(("shelved",)),
    "unshelve": Guard(("shelved", "shelved_offloaded")),
    "createImage": Guard(("active", "stopped", "paused", "suspended"), locked=False),
    "createBackup": Guard(("active", "stopped", "paused", "suspended"), locked=False),
    "changePassword": Guard(("active",)),
    "trigger_crash_dump": Guard(("active", "paused", "rescued", "resized", "error")),
    "update_metadata": Guard(("active", "paused", "suspended", "stopped"), busy=True),
    "delete_metadata": Guard(("active", "paused", "suspended", "stopped"), busy=True),
    "update_tags": Guard(("active", "paused", "suspended", "stopped"), busy=True, locked=False),
    "attach_volume": Guard(("active", "paused", "stopped", "resized", "soft-delete", "shelved", "shelved_offloaded")),
    "detach_volume": Guard(("active", "paused", "stopped", "resized", "soft-delete", "shelved", "shelved_offloaded")),
    "swap_volume": Guard(("active", "paused", "resized")),
    "attach_interface": Guard(("active", "paused", "stopped")),
    "detach_interface": Guard(("active", "paused", "stopped")),
    "change_fixed_ip": Guard(busy=True),
    "get_diagnostics": Guard(("active", "paused", "suspended", "stopped", "rescued", "resized"), locked=False),
    "get_console_output": Guard(busy=True, locked=False),
    "get_console": Guard(
        ("active", "paused", "suspended", "stopped", "rescued", "resized", "error"), busy=True, locked=False
    ),
    "lock": Guard(busy=True, launched=False, locked=False),
    "unlock": Guard(busy=True, launched=False, locked=False),
    "resetState": Guard(busy=True, launched=False, locked=False),
    "update": Guard(busy=True, launched=False, locked=False),
    "addSecurityGroup": Guard(("active", "paused", "stopped", "suspended"), busy=True, locked=False),
}
"""By action. Upstream's own checks (`nova.compute.api`) are the source."""


def admit(action: str, server: Any, *, is_admin: bool) -> None:
    """Nothing, where an action is possible on a server as it is.

    Args:
        server: its row.

    Raises:
        Conflict: it is not.
    """
    guard, id = GUARDS[action], server.id
    if guard.locked and server.locked and not is_admin:
        raise Conflict(f"Instance {id} is locked")
    if guard.states and server.vm_state not in guard.states:
        refuse(action, server)
    if not guard.busy and server.task_state is not None:
        raise Conflict(f"Cannot '{action}' instance {id} while it is in task_state {server.task_state}")
    if guard.launched and server.launched_at is None:
        raise Conflict(f"Cannot '{action}' instance {id} while it is in launched_at None")


def refuse(action: str, server: Any) -> NoReturn:
    """Say that an action is not possible on a server in its state. Raises Conflict."""
    raise Conflict(f"Cannot '{action}' instance {server.id} while it is in vm_state {server.vm_state}")
