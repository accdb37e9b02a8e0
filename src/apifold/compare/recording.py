"""Requests in a file, one JSON object a line, without what says who sent them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from apifold.errors import SettingsError
from apifold.http import Request

SECRET = re.compile(r"auth|cookie|token|secret|password|key", re.IGNORECASE)
"""What the names of headers have in them that say who somebody is."""

_STAYING = frozenset(("host", "content-length", "connection"))


class RecordedRequest(msgspec.Struct, omit_defaults=True):
    """One request; a body that is no UTF-8 stands in `base64`."""

    method: str
    path: str
    headers: dict[str, str] = {}
    body: str = ""
    base64: str = ""

    @property
    def content(self) -> bytes:
        """The body."""
        return base64.b64decode(self.base64) if self.base64 else self.body.encode()


class Recording:
    """A file that requests are noted in.

    Args:
        file: is made where it is not there; only its owner may read it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def note(self, request: Request) -> None:
        """Add a request."""
        headers = {name: text for name, text in request.headers.items() if _is_told(name)}
        path = f"{request.path}?{request.query}" if request.query else request.path
        recorded = RecordedRequest(request.method, path, headers)
        try:
            recorded.body = request.body.decode()
        except UnicodeDecodeError:
            recorded.base64 = base64.b64encode(request.body).decode()
        self.file.touch(mode=0o600)
        with self.file.open("ab") as stream:
            stream.write(msgspec.json.encode(recorded) + b"\n")


def _is_told(name: str) -> bool:
    return name == "idempotency-key" or not (name in _STAYING or SECRET.search(name))


def read_recording(file: Path) -> Iterator[RecordedRequest]:
    """The requests in a file.

    Raises:
        SettingsError: it can't be read; says at which line.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield msgspec.json.decode(line, type=RecordedRequest)
            except msgspec.DecodeError as error:
                raise SettingsError(f"{file}:{number}: this is no recorded request: {error}") from None
