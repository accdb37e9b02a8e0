"""Media types: reading them, matching them, choosing among them (RFC 9110, 8.3 and 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message
from functools import lru_cache


@lru_cache(maxsize=256)
def media_type(value: str) -> tuple[str, dict[str, str]]:
    """Split `Application/JSON; charset=utf-8` into `("application/json", {"charset": "utf-8"})`."""
    message = Message()
    message["content-type"] = value
    parameters = message.get_params(header="content-type") or [("", "")]
    return value.partition(";")[0].strip().lower(), {name.lower(): text for name, text in parameters[1:]}


def matches(pattern: str, value: str) -> bool:
    """Whether a media range such as `*/*`, `text/*` or `application/json` covers a media type."""
    if pattern in ("*/*", value):
        return True
    return pattern.endswith("/*") and value.startswith(pattern[:-1])


@lru_cache(maxsize=1024)
def best_match(accept: str, offered: Sequence[str]) -> str | None:
    """The offered media type that an `Accept` value likes best, or None where it takes none.

    Among equals the one offered first wins; the more specific range decides a type's weight
    (RFC 9110, 12.5.1).
    """
    ranges = []
    for item in accept.split(","):
        name, parameters = media_type(item)
        try:
            weight = float(parameters.get("q", "1"))
        except ValueError:
            weight = 0.0
        if name:
            ranges.append((name, weight))
    best, best_weight = None, 0.0
    for candidate in offered:
        covering = [(pattern, weight) for pattern, weight in ranges if matches(pattern, candidate)]
        if covering:
            weight = max(covering, key=lambda pair: (pair[0] != "*/*", not pair[0].endswith("/*")))[1]
            if weight > best_weight:
                best, best_weight = candidate, weight
    return best


def is_yaml(name: str) -> bool:
    """Whether a media type is YAML (RFC 9512), or one of the names that it had before."""
    return name.endswith(("/yaml", "/x-yaml", "+yaml"))


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an `Accept-Encoding` value takes gzip (RFC 9110, 12.5.3).

    Codings are weighed as media ranges are, so they are read as such: `gzip;q=0` is a refusal.
    """
    codings = ",".join(f"coding/{coding.strip()}" for coding in accept_encoding.lower().split(","))
    return best_match(codings, ("coding/gzip",)) is not None
