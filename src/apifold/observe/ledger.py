"""What processes note, each in a file of its own: read by whoever asks, and folded into one when a server starts."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

PAST = "past.json"

Notes = TypeVar("Notes")


class Ledger(Generic[Notes]):
    """The notes of all processes of a server, and of those before it.

    Args:
        directory: where every process writes; None where there is only this one.
        kind: what notes are; what can't be read as that is no note.
    """

    def __init__(self, directory: Path | None, kind: type[Notes]) -> None:
        self.directory = directory
        self.kind = kind
        self._name = ""

    def write(self, notes: Notes) -> None:
        """Write this process's notes, whole or not at all."""
        if self.directory is None:
            return
        self._name = self._name or f"{os.getpid()}-{secrets.token_hex(4)}"
        draft = self.directory / f"{self._name}.draft"
        with suppress(FileNotFoundError):  # the server ended first
            draft.write_bytes(msgspec.json.encode(notes))
            draft.replace(self.directory / f"{self._name}.json")

    def others(self) -> list[Notes]:
        """What the other processes wrote."""
        own = f"{self._name}.json"
        files = self.directory.glob("*.json") if self.directory else ()
        return [notes for file in files if file.name != own and (notes := self._read(file)) is not None]

    def fold(self, together: Callable[[list[Notes]], Notes]) -> None:
        """Put what processes wrote that have ended into one file; called before processes are started."""
        if self.directory is None:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            files = [file for file in sorted(self.directory.glob("*.json")) if not _is_in_use(file)]
            notes = [found for file in files if (found := self._read(file)) is not None]
            draft = self.directory / "past.draft"
            draft.write_bytes(msgspec.json.encode(together(notes)))
            for file in files:
                file.unlink()
            draft.replace(self.directory / PAST)

    def _read(self, file: Path) -> Notes | None:
        try:
            return msgspec.json.decode(file.read_bytes(), type=self.kind)
        except (OSError, msgspec.DecodeError):
            return None


def _is_in_use(file: Path) -> bool:
    """Whether the process that writes a file still runs, here or in another server of this machine."""
    pid = file.name.partition("-")[0]
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
