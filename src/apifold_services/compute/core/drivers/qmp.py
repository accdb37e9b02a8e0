"""QMP: a conversation with a QEMU that runs."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import msgspec

from apifold_services.compute.core.drivers.driver import DriverFailed

MAX_ANSWER = 4_000_000
"""Bytes of one message; whoever sends more is no QEMU."""

POLL_SECONDS = 0.05
"""Between two looks at what is waited for."""


class Monitor:
    """A conversation with a QEMU, which has one at a time: others wait. A context manager.

    Args:
        path: of its socket, as long as may be.
        seconds: for the beginning, and for each answer.

    Raises:
        DriverFailed: nobody answers there, or not in time.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._seconds = seconds
        self._until = monotonic() + seconds
        self._unread = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connect(path)
            self._message()
            self.execute("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def execute(self, command: str, arguments: Mapping[str, Any] | None = None, files: Sequence[int] = ()) -> Any:
        """Have a command carried out.

        Args:
            files: descriptors that come with it.

        Returns:
            the answer.

        Raises:
            DriverFailed: it is refused, or not answered in time.
        """
        self._until = monotonic() + self._seconds
        line = msgspec.json.encode({"execute": command, "arguments": arguments or {}}) + b"\n"
        try:
            self._socket.settimeout(self._seconds)
            sent = socket.send_fds(self._socket, [line], files)
            self._socket.sendall(line[sent:])
        except OSError as error:
            raise DriverFailed(f"QEMU could not be told to {command}: {error}.") from None
        answer = self._message()
        while "event" in answer:
            answer = self._message()
        if "return" not in answer:
            raise DriverFailed(f"QEMU refused {command}: {answer.get('error', {}).get('desc', 'it says no reason')}")
        return answer["return"]

    def _connect(self, path: Path) -> None:
        try:
            folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            raise DriverFailed("The machine does not run.") from None
        try:
            # A socket's path has 107 bytes at most; one that begins at an open folder is short enough.
            self._knock(f"/proc/self/fd/{folder}/{path.name}")
        except OSError:
            raise DriverFailed("The machine does not run.") from None
        finally:
            os.close(folder)

    def _knock(self, address: str) -> None:
        while True:
            self._socket.settimeout(self._left())
            try:
                return self._socket.connect(address)
            except BlockingIOError:  # too many wait there
                sleep(POLL_SECONDS)

    def _left(self) -> float:
        left = self._until - monotonic()
        if left <= 0:
            raise DriverFailed(f"QEMU did not answer within {self._seconds:g} seconds.")
        return left

    def _message(self) -> dict[str, Any]:
        while b"\n" not in self._unread:
            self._receive()
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            return msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise DriverFailed("What answered is no QEMU.") from None

    def _receive(self) -> None:
        self._socket.settimeout(self._left())
        try:
            got = self._socket.recv(65536)
        except TimeoutError:
            raise DriverFailed(f"QEMU did not answer within {self._seconds:g} seconds.") from None
        except OSError as error:
            raise DriverFailed(f"QEMU did not answer: {error}.") from None
        if not got:
            raise DriverFailed("QEMU ended before it answered.")
        self._unread += got
        if len(self._unread) > MAX_ANSWER:
            raise DriverFailed("What answered is no QEMU.")
