"""What a program of a stranger sees and may take: a user of its own, a few folders, limits."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

UNIT, INSTANCE, SUPERVISED = "APIFOLD_UNIT", "APIFOLD_INSTANCE", "APIFOLD_SUPERVISED"
"""Variables that processes are found by: of which unit they are, of which of its instances, and which unit is theirs to
supervise."""

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt")
CONFIGURATION = (
    "/etc/alternatives", "/etc/ca-certificates", "/etc/hosts", "/etc/ld.so.cache", "/etc/localtime",
    "/etc/mime.types", "/etc/nsswitch.conf", "/etc/pip.conf", "/etc/resolv.conf", "/etc/ssl", "/etc/npmrc",
)  # fmt: skip
"""What of the machine is seen, read only, where bubblewrap is there."""

TEMPORARY_BYTES = 1_073_741_824
"""Of /tmp, and of /dev/shm: both lie in memory."""

READ_ONLY = ("--remount-ro", "/dev", "--remount-ro", "/")
"""What else of it lies in memory."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the processes of a unit may take: bytes of memory each, how many processes and open files, bytes of a file.

    Processes are counted for their user; 0 is no limit.
    """

    memory: int = 1_073_741_824
    processes: int = 0
    files: int = 1024
    file_size: int = 1_073_741_824

    def take(self) -> None:
        """Take these limits, in the process that is limited."""
        resource.setrlimit(resource.RLIMIT_DATA, (self.memory, self.memory))
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size, self.file_size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self.processes:
            resource.setrlimit(resource.RLIMIT_NPROC, (self.processes, self.processes))


@dataclass(frozen=True, slots=True)
class Walled:
    """A program with walls around it: its command line, its environment, and open files that it is to get."""

    command: list[str]
    variables: dict[str, str]
    descriptors: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sandbox:
    """Around programs.

    Attributes:
        readable: folders that they see, beside the system's.
    """

    readable: tuple[str, ...] = ()

    @cached_property
    def walls(self) -> tuple[str, ...]:
        """The beginning of a command line, where bubblewrap is installed and works for a user without rights."""
        found = shutil.which("bwrap")
        if not found:
            return ()
        walls = (*self._walls(found), *READ_ONLY)
        user = 61_000 if os.geteuid() == 0 else None
        done = subprocess.run(  # noqa: S603  # fixed words
            [*walls, "--", "/bin/true"], capture_output=True, check=False, user=user, group=user, env={},
            extra_groups=None if user is None else [],
        )  # fmt: skip
        return walls[: -len(READ_ONLY)] if done.returncode == 0 else ()

    @contextmanager
    def around(
        self, command: Sequence[str], variables: Mapping[str, str], writable: Sequence[Path], inside: Path
    ) -> Iterator[Walled]:
        """A program with walls around it, as far as there are some.

        Args:
            variables: its environment. What builds the walls hears nothing of it but what processes are found by.
            writable: folders that it may change.
            inside: where it begins.
        """
        if not self.walls:
            yield Walled(list(command), dict(variables))
            return
        folders = [word for folder in writable for word in ("--bind", str(folder), str(folder))]
        # By a file that has no name: anybody may read a command line.
        told = [word for name, value in variables.items() for word in ("--setenv", name, value)]
        with open(os.memfd_create("variables"), "w+b", buffering=0) as file:
            file.write(b"".join(os.fsencode(word) + b"\0" for word in told))
            file.seek(0)
            number = file.fileno()
            line = [*self.walls, *folders, *READ_ONLY, "--args", str(number), "--chdir", str(inside), "--", *command]
            yield Walled(line, {name: variables[name] for name in (UNIT, INSTANCE) if name in variables}, (number,))

    def _walls(self, program: str) -> list[str]:
        size = ("--size", str(TEMPORARY_BYTES)) if "--size" in _answer([program, "--help"]) else ()
        walls = [
            program, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent",
            "--new-session", "--proc", "/proc", "--dev", "/dev", *size, "--tmpfs", "/dev/shm",  # noqa: S108  # its own
            *size, "--tmpfs", "/tmp",  # noqa: S108  # its own
        ]  # fmt: skip
        for folder in (*SYSTEM, *CONFIGURATION, *self.readable):
            if Path(folder).is_symlink() and folder in SYSTEM:
                walls += ("--symlink", os.readlink(folder), folder)
            else:
                walls += ("--ro-bind-try", folder, folder)
        return walls


def interpreter() -> tuple[str, str]:
    """The Python that applications get, and its version: the system's, else our own without its packages."""
    for path in (f"/usr/bin/python3.{sys.version_info.minor}", "/usr/bin/python3", "/usr/local/bin/python3"):
        version = _answer([path, "-c", "import ensurepip, venv, platform; print(platform.python_version())"])
        if version:
            return path, version
    own = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    return own, ".".join(map(str, sys.version_info[:3]))


def has_user(number: int) -> bool:
    """Whether there may be a user of a number: some containers have few."""
    try:
        lines = Path("/proc/self/uid_map").read_text().splitlines()
    except OSError:
        return True
    known = [(int(first), int(count)) for first, _, count in map(str.split, lines)]
    return any(first <= number < first + count for first, count in known)


def node() -> str:
    """The version of Node.js; "" where there is none."""
    return _answer(["node", "--version"]).removeprefix("v")


def _answer(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603  # fixed
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
