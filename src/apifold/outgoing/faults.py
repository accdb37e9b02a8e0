"""What another service's answer means as a fault of ours."""

from __future__ import annotations

from typing import Any

from apifold.errors import (
    Conflict,
    Denied,
    Fault,
    Gone,
    Invalid,
    Limited,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unavailable,
    Unprocessable,
    UpstreamFailed,
    UpstreamTimeout,
)
from apifold.outgoing.client import Reply

MAX_MESSAGE = 500
"""Characters of another service's message that are passed on."""

_FAULTS: dict[int, type[Fault]] = {
    400: Invalid, 403: Denied, 404: NotFound, 409: Conflict, 410: Gone, 412: PreconditionFailed, 413: TooLarge,
    422: Unprocessable, 504: UpstreamTimeout,
}  # fmt: skip
_WORDS = ("message", "detail", "description", "title")


def fault_of(reply: Reply) -> Fault:
    """The fault that an answer with a status from 400 on is.

    What the client can mend keeps its meaning; what it can't (401: our own credentials; 5xx) is the other service's.
    """
    detail = _message(reply)
    if reply.status == 429:
        after = reply.header("Retry-After")
        return Limited(int(after) if after.isdigit() else 1, detail)
    if reply.status == 503:
        after = reply.header("Retry-After")
        return Unavailable(detail, int(after) if after.isdigit() else 0)
    kind = _FAULTS.get(reply.status, UpstreamFailed)
    return kind(detail or f"The other service answered {reply.status}.")


def _message(reply: Reply) -> str:
    """What it says to people, wherever in its JSON that stands."""
    try:
        found = _said(reply.json(), 0)
    except UpstreamFailed:
        return ""
    return " ".join(found.split())[:MAX_MESSAGE]


def _said(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or depth > 3:
        return ""
    for word in _WORDS:
        if isinstance(value.get(word), str):
            return str(value[word])
    return next(
        (said for child in value.values() if isinstance(child, dict | str) if (said := _said(child, depth + 1))), ""
    )
