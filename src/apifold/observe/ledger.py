"""What processes note, each in a file of its own: read by whoever asks, and folded into one when a server starts."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

PAST = "past.json"

log = logging.getLogger("apifold.server")

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
        """Write this process's notes, whole or not at all; a full disk is told, and keeps nobody from serving."""
        if self.directory is None:
            return
        self._name = self._name or f"{os.getpid()}-{secrets.token_hex(4)}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            _put(self.directory / f"{self._name}.json", msgspec.json.encode(notes))
        except OSError as error:
            log.warning("%s can't be written: %s", self.directory, error.strerror)

    def others(self) -> list[Notes]:
        """What the other processes wrote."""
        past = self._past()
        own = f"{self._name}.json"
        files = self.directory.glob("*.json") if self.directory else ()
        named = [file for file in files if file.name not in (own, PAST, *past.folded)]
        notes = [found for file in named if (found := self._read(file)) is not None]
        return [*notes, *([] if past.notes is None else [past.notes])]

    def fold(self, together: Callable[[list[Notes]], Notes]) -> None:
        """Put what processes wrote that have ended into one file; called before processes are started.

        What was put there is known by its name, so that nothing is counted twice, or lost, whenever this ends.
        """
        if self.directory is None:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            past = self._past()
            ended = [file for file in sorted(self.directory.glob("*.json")) if not _is_in_use(file)]
            found = {file: self._read(file) for file in ended if file.name not in past.folded}
            notes = [one for one in (past.notes, *found.values()) if one is not None]
            folded = [file.name for file, one in found.items() if one is not None]
            _put(self.directory / PAST, msgspec.json.encode(_Past(folded, together(notes))))
            for file in ended:
                if file.name in (*folded, *past.folded):
                    file.unlink()

    def _past(self) -> _Past:
        """What was folded; what can't be read as that is put aside."""
        file = self.directory / PAST if self.directory else None
        if file is None or not file.is_file():
            return _Past([], None)
        try:
            past = msgspec.json.decode(file.read_bytes(), type=_Past)
            notes = None if past.notes is None else msgspec.convert(past.notes, self.kind)
            return _Past(past.folded, notes)
        except (OSError, msgspec.MsgspecError):
            log.warning("%s can't be read; it is kept as %s.unreadable", file, PAST)
            with suppress(OSError):
                file.replace(file.with_suffix(".unreadable"))
            return _Past([], None)

    def _read(self, file: Path) -> Notes | None:
        try:
            return msgspec.json.decode(file.read_bytes(), type=self.kind)
        except (OSError, msgspec.DecodeError):
            return None


class _Past(msgspec.Struct):
    """What processes noted that have ended: the files of those that were folded last, and all of their notes."""

    folded: list[str]
    notes: Any


def _put(file: Path, content: bytes) -> None:
    draft = file.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(file)


def _is_in_use(file: Path) -> bool:
    """Whether the process that writes a file still runs, here or in another server of this machine."""
    if file.name == PAST:
        return True
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
