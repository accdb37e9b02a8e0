"""The last good files of each API on disk, so that a worker that starts later can serve them too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec


class KeptFiles:
    """Files of descriptions as they were when they last had no error.

    Args:
        directory: where they are kept; None keeps nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory

    def keep(self, path: Path, raw: Mapping[str, bytes]) -> None:
        """Keep the files that an API was read from, by the path of its description."""
        if self.directory is None:
            return
        place = self._place(path)
        content = msgspec.msgpack.encode(dict(raw))
        try:
            if place.is_file() and place.read_bytes() == content:
                return
            self.directory.mkdir(parents=True, exist_ok=True)
            draft = place.with_suffix(f".{os.getpid()}")
            draft.write_bytes(content)
            draft.replace(place)
        except OSError:
            return  # A full or read-only disk must not keep a good description from being served.

    def get(self, path: Path) -> dict[str, bytes]:
        """The files that were kept for a description; empty where there are none."""
        if self.directory is None:
            return {}
        try:
            return msgspec.msgpack.decode(self._place(path).read_bytes(), type=dict[str, bytes])
        except (OSError, msgspec.DecodeError):
            return {}

    def forget(self, path: Path) -> None:
        """Forget a description that was removed."""
        if self.directory is not None:
            self._place(path).unlink(missing_ok=True)

    def _place(self, path: Path) -> Path:
        assert self.directory is not None
        return self.directory / hashlib.sha256(str(path).encode()).hexdigest()[:32]
