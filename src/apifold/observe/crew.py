"""The worker processes of one server, and what they tell each other: a directory that all of them can write to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec


@dataclass(slots=True)
class Crew:
    """The processes of one server; without a directory, a process on its own."""

    directory: Path | None = None

    def gather(self) -> None:
        """Make the directory, before processes are forked."""
        self.directory = Path(tempfile.mkdtemp(prefix="apifold-"))

    def dismiss(self) -> None:
        """Remove it, after all of them have ended."""
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def first_to_say(self, word: str) -> bool:
        """Whether no other process has said a word yet; now one has."""
        if self.directory is None:
            return True
        try:
            (self.directory / word).touch(exist_ok=False)
        except (FileExistsError, FileNotFoundError):
            return False  # said already, or all is over
        return True

    def has_said(self, word: str) -> bool:
        """Whether a process has said a word."""
        return self.directory is not None and (self.directory / word).exists()

    def counts_file(self) -> Path | None:
        """Where this process writes what it counts."""
        return self.directory / f"{os.getpid()}.counts" if self.directory else None

    def tell(self, generation: str, since: float) -> None:
        """Tell the others which generation this process serves, and since when (seconds since the epoch)."""
        if self.directory is None:
            return
        draft = self.directory / f"{os.getpid()}.draft"
        with suppress(FileNotFoundError):  # the server ended first
            draft.write_bytes(msgspec.json.encode({"pid": os.getpid(), "generation": generation, "since": since}))
            draft.replace(self.directory / f"{os.getpid()}.state")

    def tell_jobs(self, kinds: Iterable[str]) -> None:
        """Tell the others that this process does long work of these kinds."""
        if self.directory:
            with suppress(FileNotFoundError):  # the server ended first
                (self.directory / f"{os.getpid()}.jobs").write_text("\n".join(kinds), "utf-8")

    def job_processes(self) -> list[dict[str, Any]]:
        """The processes that do long work: `pid` and `kinds`."""
        found = []
        for file in sorted(self.directory.glob("*.jobs")) if self.directory else ():
            if _is_alive(int(file.stem)):
                found.append({"pid": int(file.stem), "kinds": file.read_text("utf-8").split()})
        return found

    def members(self) -> list[dict[str, Any]]:
        """What each process that is alive told last: `pid`, `generation`, `since`."""
        found = []
        for file in sorted(self.directory.glob("*.state")) if self.directory else ():
            try:
                member = msgspec.json.decode(file.read_bytes())
            except (OSError, msgspec.DecodeError):
                continue
            if _is_alive(member["pid"]):
                found.append(member)
        return found

    def is_speaker(self) -> bool:
        """Whether this process is the one that speaks for all."""
        return os.getpid() == min((member["pid"] for member in self.members()), default=0)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
