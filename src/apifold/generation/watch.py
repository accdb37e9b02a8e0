"""Whether served files changed: file events are a hint, content is the truth.

Events are missed on network mounts, and a ConfigMap is swapped by a symbolic link far from the file; so the files are
looked at every now and then, whatever events say. A look compares size, change time (which no program can set back),
inode and resolved path; what differs is read and judged by its content.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from watchfiles import awatch

from apifold.generation.targets import POLICY_FILE, SETTINGS_FILE, Target, candidates

Signature = dict[str, tuple[int, int, int, str]]


class Watch:
    """Watches the files of some targets.

    Args:
        targets: what is served.
        others: gives further files to look at: those that are referred to.
        poll: seconds between two looks.
    """

    def __init__(self, targets: Iterable[Target], others: Callable[[], set[Path]], poll: float) -> None:
        self.targets = tuple(targets)
        self.others = others
        self.poll = poll
        self.seen = self._look()

    async def changes(self) -> AsyncIterator[None]:
        """Something, whenever the files are not as they were when last looked at."""
        hint = asyncio.Event()
        listener = asyncio.create_task(self._listen(hint))
        try:
            while True:
                now = await asyncio.to_thread(self._look)
                if now != self.seen:
                    self.seen = now
                    yield
                    continue
                try:
                    # `wait_for` of Python 3.11 loses a cancellation that comes together with the event.
                    async with asyncio.timeout(self.poll):
                        await hint.wait()
                    hint.clear()
                except TimeoutError:
                    continue
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _listen(self, hint: asyncio.Event) -> None:
        """Turn file events into hints; without them (no inotify left, say) the looks remain."""
        try:
            async for _ in awatch(*self._folders(), debounce=50, step=10, rust_timeout=500):
                hint.set()
        except (OSError, RuntimeError):
            return

    def _folders(self) -> set[Path]:
        return {target.directory for target in self.targets if target.directory.is_dir()}

    def _look(self) -> Signature:
        found: Signature = {}
        for path in self._files():
            try:
                stat = os.stat(path)
                found[str(path)] = (stat.st_size, stat.st_ctime_ns, stat.st_ino, os.path.realpath(path))
            except OSError:
                continue
        return found

    def _files(self) -> set[Path]:
        files = set(self.others())
        for target in self.targets:
            if target.file:
                files |= {target.file, *target.file.parent.glob("*.overlay.*")}
                continue
            files.update(candidates(target.directory))
            files.update(target.directory.glob("*.py"))
            files |= {target.directory / POLICY_FILE, target.directory / SETTINGS_FILE}
            if target.policy:
                files.add(target.policy)
        return files
