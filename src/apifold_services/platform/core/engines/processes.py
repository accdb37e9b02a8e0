"""Processes of this machine, as the kernel tells of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def marked(mark: str) -> list[int]:
    """Those that began with a variable, such as `NAME=value`, in their environment."""
    return [pid for pid in _all() if has_mark(pid, mark)]


def of_user(user: int) -> list[int]:
    """Those of a user."""
    return [pid for pid in _all() if _user(pid) == user]


def has_mark(pid: int, mark: str) -> bool:
    """Whether one began with a variable in its environment."""
    try:
        return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Those that one has started, or was left with."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """Its children, and theirs."""
    found = children(pid)
    for one in found:
        found += children(one)
    return found


def is_zombie(pid: int) -> bool:
    """Whether one has ended, and nobody asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def only_waits(pid: int) -> bool:
    """Whether one is there for others only: it is a shell that has begun a command, or walls around one."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return True
    return name == "bwrap" or (name in ("sh", "dash", "bash") and bool(children(pid)))


def memory(pid: int) -> int:
    """Bytes that one has in memory."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def send(number: int, *pids: int) -> None:
    """Send a signal to some, as far as they are there."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def send_group(number: int, pid: int) -> None:
    """Send a signal to one and to all of its group; nobody where it is 0."""
    if pid:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def kill_all_of(user: int) -> None:
    """Kill whatever a user runs. In one step first: what is killed one by one may start others meanwhile."""
    # Without our environment: whoever is of this user could read it.
    subprocess.run(["/bin/sh", "-c", "kill -s KILL -- -1"], user=user, group=user, extra_groups=[], env={}, check=False)
    kill_until_none(lambda: of_user(user))


def kill_until_none(find: Callable[[], list[int]]) -> None:
    """Kill those that are found, until there are none but zombies; for two seconds at the most."""
    for _ in range(100):
        left = [pid for pid in find() if not is_zombie(pid)]
        if not left:
            return
        send(signal.SIGKILL, *left)
        time.sleep(0.02)


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _user(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/status").read_text().partition("\nUid:")[2].split()[0])
    except (OSError, IndexError):
        return -1
