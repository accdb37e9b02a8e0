"""Rate limits that all workers keep together: fixed windows in memory that was shared before they were forked."""

from __future__ import annotations

import hashlib
import mmap
import re
import struct
import time
from collections.abc import Callable

from apifold.errors import Limited, SettingsError
from apifold.http import Request

_SLOTS = 1 << 18
_SLOT = struct.Struct("<II")
_UNITS = {"s": 1, "m": 60, "h": 3600}


class SharedLimits:
    """A table of counters that forked processes share.

    A client's slot is chosen by a hash; two clients in one slot (one in 262,144) share a limit. Two workers that
    count at the same instant may lose one count, never more.
    """

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, _SLOTS * _SLOT.size)

    def count(self, key: bytes, window: int) -> int:
        """Count one request of a client in a window, and tell how many there were."""
        place = int.from_bytes(hashlib.blake2b(key, digest_size=4).digest(), "little") % _SLOTS * _SLOT.size
        known, count = _SLOT.unpack_from(self.memory, place)
        count = count + 1 if known == window else 1
        _SLOT.pack_into(self.memory, place, window, count)
        return count


def parse_rate(text: str) -> tuple[int, int]:
    """Requests and seconds of `100/s`, `600/m`, `5000/h`.

    Raises:
        SettingsError: it is not of that form.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([smh])", text)
    if not match:
        raise SettingsError(f"rate_limit {text!r}: write it as 100/s, 600/m or 5000/h")
    return int(match.group(1)), _UNITS[match.group(2)]


def limiter(rate: str, limits: SharedLimits, clock: Callable[[], float] = time.time) -> Callable[[Request], None]:
    """A check that raises Limited for a client that asks too often.

    A client is its credential where it sends one (only a hash of it is kept), else its address.
    """
    allowed, seconds = parse_rate(rate)

    def check(request: Request) -> None:
        now = clock()
        credential = request.headers.get("authorization") or request.headers.get("x-auth-token")
        key = (credential or request.client).encode("utf-8", "replace")
        if limits.count(key, int(now / seconds)) > allowed:
            raise Limited(max(1, int(seconds - now % seconds + 0.999)), f"At most {rate}.")

    return check
