"""The heads of responses as text. Most answers share theirs, so that it is put together once."""

from __future__ import annotations

import logging
from functools import lru_cache

from apifold.http import Response, reason

log = logging.getLogger("apifold.server")


def head(response: Response) -> str:
    """Status line and headers of a response, each line with its end (RFC 9112, 4 and 5)."""
    try:
        return _kept(response.status, response.headers)
    except TypeError:  # a pair that is a list, say, can be sent but not looked up
        return _head(response.status, response.headers)


def _head(status: int, headers: tuple[tuple[str, str], ...]) -> str:
    lines = [f"HTTP/1.1 {status} {reason(status)}"]
    for name, value in headers:
        line = f"{name}: {value}"
        if "\r" in line or "\n" in line:
            log.error("a header holds a line break; it is left out: %r", line)
        else:
            lines.append(line)
    lines.append("")
    return "\r\n".join(lines).encode("latin-1", "replace").decode("latin-1")


_kept = lru_cache(maxsize=512)(_head)
