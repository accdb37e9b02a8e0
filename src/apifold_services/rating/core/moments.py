"""Moments as people and clients write them, and as they are kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from apifold import Invalid

_DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}")


def moment(text: str | None, name: str = "timestamp") -> datetime | None:
    """The moment that a text names, in UTC; None for none.

    Args:
        text: ISO 8601, extended (`2026-07-23T12:28:10+02:00`) or basic (`20260723T122810Z`), with `T` or a space, down
            to a date alone; in UTC where it names no zone.
        name: what it is, for the error.

    Raises:
        Invalid: it names none.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
    except ValueError:
        raise Invalid(f"Invalid {name}: {text[:80]!r} is no date and time as ISO 8601 has them.") from None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise Invalid(f"Invalid {name}: {text[:80]!r} is out of range.") from None


def seconds(moment: datetime) -> int:
    """A moment in seconds since the epoch, as it is kept."""
    return int(moment.timestamp())


def moment_at(seconds: int) -> datetime:
    """The moment that is kept so."""
    return datetime.fromtimestamp(seconds, UTC)


def is_date(text: str | None) -> bool:
    """Whether a text names a day and no time."""
    return bool(text and _DATE.fullmatch(text.strip()))
