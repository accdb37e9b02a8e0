"""Every change of a server's state that takes time: what is done, and what the server is then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, exists, update

from apifold import Database
from apifold_services.compute.core import states
from apifold_services.compute.core.drivers.driver import Driver, Machine
from apifold_services.compute.core.images import Images
from apifold_services.compute.core.moments import now
from apifold_services.compute.core.moves import Moves
from apifold_services.compute.core.scheduler import Scheduler, Wish
from apifold_services.compute.core.tables import servers, transitions

GOING = "going"
"""What a transition is while its change is its server's: nothing else was asked for since."""

Values = Mapping[str, Any]
"""Values of a server's row."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a change works with.

    Attributes:
        transition: its id.
        row: the server as it is when the change begins, or is tidied up.
        arguments: what was asked for.
        machine: makes the server as drivers see it, with other values of its row.
    """

    transition: str
    row: Row[Any]
    arguments: Mapping[str, Any]
    driver: Driver
    machine: Callable[..., Machine]
    database: Database
    scheduler: Scheduler
    images: Images
    moves: Moves

    def set(self, task: str) -> None:
        """Have clients see how far it is, unless it was overtaken."""
        is_going = exists().where(transitions.c.id == self.transition, transitions.c.state == GOING)
        there = (servers.c.id == self.row.id) & is_going
        with self.database.writing() as connection:
            connection.execute(update(servers).where(there).values(task_state=task, updated=now()))

    def place(self, wish: Wish) -> str:
        """Choose a host and take a place on it, in one step: nobody else gets the same one."""
        with self.database.writing() as connection:
            self.database.lock(connection, "placing")
            host = self.scheduler.choose(wish, connection)
            zone = self.scheduler.hosts.zones().get(host, self.row.availability_zone)
            there = servers.c.id == self.row.id
            connection.execute(update(servers).where(there).values(host=host, availability_zone=zone, updated=now()))
        return host

    def wish(self, **said: Any) -> Wish:
        """What the server needs of a host."""
        row = self.row
        usual = {"flavor": row.flavor, "zone": row.details.get("zone", ""), "group": row.group_id or ""}
        return Wish(row.id, **{**usual, **said})


@dataclass(frozen=True, slots=True)
class Change:
    """A change.

    Attributes:
        record: what instance actions call it.
        event: what their events call it.
        task: the server's task meanwhile.
        run: does it; gives values of the server's row afterwards.
        breaks: whether the server is broken where it fails; else it stays as it was.
        after: removes what is no longer needed once the server's new state is written down.
        undo: removes what is left beside the server's row where it failed, or was overtaken. Either may be done twice.
        then: what follows, of what was asked for; "" for nothing.
    """

    record: str
    event: str
    task: str
    run: Callable[[Work], Values]
    breaks: bool = False
    after: Callable[[Work], None] = lambda work: None
    undo: Callable[[Work], None] = lambda work: None
    then: Callable[[Mapping[str, Any]], str] = lambda arguments: ""

    def failed(self, message: str, moment: str) -> Values:
        """Values of the server's row where it failed."""
        fault = {"code": 500, "message": message, "created": moment}
        return {"fault": fault, "vm_state": "error"} if self.breaks else {"fault": fault}


_ACTIVE = {"vm_state": "active", "power_state": states.RUNNING}
_STOPPED = {"vm_state": "stopped", "power_state": states.SHUTDOWN}
_RUNS = {"active": _ACTIVE, "stopped": _STOPPED}
"""What a server is when it is again what it was."""


def _build(work: Work) -> Values:
    row = work.row
    host = row.host or work.place(work.wish(host=row.details.get("host", "")))
    work.set("spawning")
    work.driver.spawn(work.machine(host=host))
    return {**_ACTIVE, "launched_at": now(), "progress": 100, "fault": None}


def _delete(work: Work) -> Values:
    if work.row.host:
        work.driver.destroy(work.machine())
    work.moves.end(work.row.id)
    _forget_shelved(work)
    gone = {"vm_state": "deleted", "power_state": states.NO_STATE, "terminated_at": now()}
    return {**gone, "deleted": True, "group_id": None}


def _soft_delete(work: Work) -> Values:
    work.driver.stop(work.machine())
    return {"vm_state": "soft-delete", "power_state": states.SHUTDOWN, "terminated_at": now()}


def _restore(work: Work) -> Values:
    work.driver.start(work.machine())
    return {**_ACTIVE, "terminated_at": None}


def _start(work: Work) -> Values:
    work.driver.start(work.machine())
    return _ACTIVE


def _stop(work: Work) -> Values:
    work.driver.stop(work.machine())
    return {**_STOPPED, "fault": None}


def _reboot(work: Work) -> Values:
    work.driver.reboot(work.machine(), hard=bool(work.arguments["hard"]))
    return {**_ACTIVE, "fault": None}


def _pause(work: Work) -> Values:
    work.driver.pause(work.machine())
    return {"vm_state": "paused", "power_state": states.PAUSED}


def _unpause(work: Work) -> Values:
    work.driver.unpause(work.machine())
    return _ACTIVE


def _suspend(work: Work) -> Values:
    work.driver.suspend(work.machine())
    return {"vm_state": "suspended", "power_state": states.SUSPENDED}


def _resume(work: Work) -> Values:
    work.driver.resume(work.machine())
    return _ACTIVE


def _rebuild(work: Work) -> Values:
    return {**_anew(work, work.machine()), "progress": 100, "fault": None}


def _anew(work: Work, machine: Machine) -> Values:
    """Make a machine anew; one that was stopped is stopped again."""
    work.driver.rebuild(machine)
    if work.row.vm_state != "stopped":
        return _ACTIVE
    work.driver.stop(machine)
    return _STOPPED


def _rescue(work: Work) -> Values:
    image = work.arguments.get("image")
    work.driver.rescue(work.machine(), work.images.get(image) if image else None)
    return {"vm_state": "rescued", "power_state": states.RUNNING}


def _unrescue(work: Work) -> Values:
    work.driver.unrescue(work.machine())
    return _ACTIVE


def _resize(work: Work) -> Values:
    """To another flavor, or, where none is said, to another host."""
    row, flavor = work.row, work.arguments.get("flavor") or work.row.flavor
    cold = work.arguments.get("flavor") is None
    hosts = work.scheduler.hosts.capacities
    without = row.host if cold or len(hosts) > 1 else ""
    host = work.scheduler.choose(work.wish(flavor=flavor, host=work.arguments.get("host") or "", without=without))
    move = work.moves.begin(row, "migration" if cold else "resize", host, flavor)
    work.set("resize_migrating")
    work.driver.resize(work.machine(host=host, flavor=flavor))
    work.moves.set(move, "finished")
    details = {"old_host": row.host, "old_vm_state": row.vm_state}
    resized = {"host": host, "old_flavor": row.flavor, **sizes(flavor), "details": details, "progress": 100}
    power = states.RUNNING if row.vm_state == "active" else states.SHUTDOWN
    return {**resized, "vm_state": "resized", "power_state": power}


def _confirm(work: Work) -> Values:
    work.moves.finish(work.row.id, "confirmed")
    return {"old_flavor": None, **_RUNS[work.row.details.get("old_vm_state", "active")]}


def _revert(work: Work) -> Values:
    row = work.row
    flavor, host = row.old_flavor, row.details.get("old_host", row.host)
    work.driver.resize(work.machine(host=host, flavor=flavor))
    work.moves.finish(row.id, "reverted")
    was = row.details.get("old_vm_state", "active")
    return {"host": host, "old_flavor": None, **sizes(flavor), **_RUNS[was]}


def _live_migrate(work: Work) -> Values:
    row = work.row
    host = work.scheduler.choose(work.wish(host=work.arguments.get("host") or "", without=row.host))
    move = work.moves.begin(row, "live-migration", host, row.flavor)
    work.moves.set(move, "running")
    work.driver.resize(work.machine(host=host))
    work.moves.set(move, "completed")
    return {"host": host}


def _evacuate(work: Work) -> Values:
    row = work.row
    host = work.scheduler.choose(work.wish(host=work.arguments.get("host") or "", without=row.host))
    move = work.moves.begin(row, "evacuation", host, row.flavor)
    runs = _anew(work, work.machine(host=host))
    work.moves.set(move, "done")
    return {"host": host, **runs, "fault": None}


def _snapshot(work: Work) -> Values:
    image = work.arguments["image"]
    size = work.driver.snapshot(work.machine(), work.images.disk_of(image))
    work.images.finish(image, size)
    return {}


def _backup(work: Work) -> Values:
    values = _snapshot(work)
    kind, rotation = work.arguments["type"], work.arguments["rotation"]
    for old in work.images.backups(work.row.id, kind)[rotation:]:
        work.images.discard(old)
    return values


def _shelve(work: Work) -> Values:
    work.driver.stop(work.machine())
    kept = {"shelved_image": work.arguments["image"]}
    return {**_snapshot(work), "vm_state": "shelved", "power_state": states.SHUTDOWN, "details": kept}


def _offload(work: Work) -> Values:
    work.driver.destroy(work.machine())
    return {"vm_state": "shelved_offloaded", "power_state": states.NO_STATE, "host": None}


def _unshelve(work: Work) -> Values:
    row = work.row
    back = {**_ACTIVE, "details": {"shelved_image": None}}
    if row.vm_state == "shelved":
        work.driver.start(work.machine())
        return back
    host = row.host or work.place(work.wish())
    work.driver.spawn(work.machine(host=host, image_id=work.arguments["image"]))
    return {**back, "host": host}


def _leave_host(work: Work) -> None:
    """Have a server on no host where it could not come back to one."""
    if work.row.vm_state == "shelved_offloaded":
        work.driver.destroy(work.machine())
        with work.database.writing() as connection:
            connection.execute(update(servers).where(servers.c.id == work.row.id).values(host=None))


def _forget_shelved(work: Work) -> None:
    """Remove the image that a server was put away as."""
    image = work.row.details.get("shelved_image")
    if image:
        work.images.discard(image)


def _forget_image(work: Work) -> None:
    """Remove the image that was to be made, or that nobody needs any more."""
    work.images.discard(work.arguments["image"])


def _forget_undone(work: Work) -> None:
    """Remove the image that was to be made; one that was made is its owner's."""
    work.images.abandon(work.arguments["image"])


def _forget_move(work: Work) -> None:
    work.moves.fail(work.row.id)


def _password(work: Work) -> Values:
    work.driver.set_password(work.machine(), work.arguments["password"])
    return {}


def _crash_dump(work: Work) -> Values:
    work.driver.crash_dump(work.machine())
    return {}


CHANGES: Mapping[str, Change] = {
    "build": Change("create", "compute__do_build_and_run_instance", "scheduling", _build, breaks=True),
    "delete": Change("delete", "compute_terminate_instance", "deleting", _delete, breaks=True),
    "soft_delete": Change("delete", "compute_soft_delete_instance", "soft-deleting", _soft_delete),
    "restore": Change("restore", "compute_restore_instance", "restoring", _restore),
    "start": Change("start", "compute_start_instance", "powering-on", _start),
    "stop": Change("stop", "compute_stop_instance", "powering-off", _stop),
    "reboot": Change("reboot", "compute_reboot_instance", "rebooting", _reboot),
    "reboot_hard": Change("reboot", "compute_reboot_instance", "rebooting_hard", _reboot, breaks=True),
    "pause": Change("pause", "compute_pause_instance", "pausing", _pause),
    "unpause": Change("unpause", "compute_unpause_instance", "unpausing", _unpause),
    "suspend": Change("suspend", "compute_suspend_instance", "suspending", _suspend),
    "resume": Change("resume", "compute_resume_instance", "resuming", _resume, breaks=True),
    "rebuild": Change("rebuild", "compute_rebuild_instance", "rebuilding", _rebuild, breaks=True),
    "rescue": Change("rescue", "compute_rescue_instance", "rescuing", _rescue),
    "unrescue": Change("unrescue", "compute_unrescue_instance", "unrescuing", _unrescue),
    "resize": Change("resize", "compute_resize_instance", "resize_prep", _resize, breaks=True, undo=_forget_move),
    "migrate": Change("migrate", "cold_migrate", "resize_prep", _resize, undo=_forget_move),
    "confirm": Change("confirmResize", "compute_confirm_resize", "resize_finish", _confirm),
    "revert": Change("revertResize", "compute_revert_resize", "resize_reverting", _revert, breaks=True),
    "live_migrate": Change("live-migration", "compute_live_migration", "migrating", _live_migrate, undo=_forget_move),
    "evacuate": Change("evacuate", "compute_rebuild_instance", "rebuilding", _evacuate, breaks=True, undo=_forget_move),
    "snapshot": Change("createImage", "compute_snapshot_instance", "image_snapshot", _snapshot, undo=_forget_undone),
    "backup": Change("createBackup", "compute_backup_instance", "image_backup", _backup, undo=_forget_undone),
    "shelve": Change(
        "shelve",
        "compute_shelve_instance",
        "shelving",
        _shelve,
        undo=_forget_image,
        then=lambda arguments: "offload" if arguments["offload"] else "",
    ),
    "offload": Change("shelveOffload", "compute_shelve_offload_instance", "shelving_offloading", _offload),
    "unshelve": Change(
        "unshelve", "compute_unshelve_instance", "unshelving", _unshelve, after=_forget_image, undo=_leave_host
    ),
    "password": Change("changePassword", "compute_set_admin_password", "updating_password", _password),
    "crash_dump": Change("trigger_crash_dump", "compute_trigger_crash_dump", "crash_dumping", _crash_dump),
}


def sizes(flavor: Mapping[str, Any]) -> Values:
    """Values of a server's row that follow from its flavor."""
    return {"flavor": flavor, "flavor_id": flavor["id"], "vcpus": flavor["vcpus"], "ram": flavor["ram"]}
