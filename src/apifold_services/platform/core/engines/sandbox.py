"""What a program of a stranger sees and may take: a user of its own, a few folders, limits."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt")
CONFIGURATION = (
    "/etc/alternatives", "/etc/ca-certificates", "/etc/hosts", "/etc/ld.so.cache", "/etc/localtime",
    "/etc/mime.types", "/etc/nsswitch.conf", "/etc/pip.conf", "/etc/resolv.conf", "/etc/ssl", "/etc/npmrc",
)  # fmt: skip
"""What of the machine is seen, read only, where bubblewrap is there."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the processes of a unit may take: bytes of memory each, how many processes and open files, bytes of a file."""

    memory: int = 1_073_741_824
    processes: int = 256
    files: int = 1024
    file_size: int = 1_073_741_824

    def take(self) -> None:
        """Take these limits, in the process that is limited."""
        resource.setrlimit(resource.RLIMIT_DATA, (self.memory, self.memory))
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size, self.file_size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass(frozen=True)
class Sandbox:
    """Around programs.

    Attributes:
        readable: folders that they see, beside the system's.
    """

    readable: tuple[str, ...] = ()

    @cached_property
    def bubblewrap(self) -> str:
        """The program, where it is installed and works for a user without rights; "" elsewhere."""
        found = shutil.which("bwrap")
        if not found:
            return ""
        user = 61_000 if os.geteuid() == 0 else None
        trial = [*self._walls(found), "--", "true"]
        done = subprocess.run(  # noqa: S603  # fixed words
            trial, capture_output=True, check=False, user=user, group=user, extra_groups=None if user is None else []
        )
        return found if done.returncode == 0 else ""

    def command(self, command: Sequence[str], writable: Sequence[Path], inside: Path) -> list[str]:
        """The command line of a program with walls around it, as far as there are some.

        Args:
            writable: folders that it may change.
            inside: where it begins.
        """
        if not self.bubblewrap:
            return list(command)
        folders = [word for folder in writable for word in ("--bind", str(folder), str(folder))]
        return [*self._walls(self.bubblewrap), *folders, "--chdir", str(inside), "--", *command]

    def _walls(self, program: str) -> list[str]:
        walls = [
            program, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent",
            "--new-session", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
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


def node() -> str:
    """The version of Node.js; "" where there is none."""
    return _answer(["node", "--version"]).removeprefix("v")


def _answer(command: Sequence[str], variables: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603  # fixed
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
