"""Moments as they are kept and as answers show them."""

from __future__ import annotations

from datetime import UTC, datetime

from apifold import Invalid


def now() -> str:
    """This moment, as it is kept: `2026-11-21T17:42:53.000000`."""
    return kept(datetime.now(UTC))


def kept(moment: datetime) -> str:
    """A moment as it is kept."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def moment_of(kept: str) -> datetime:
    """The moment that is kept so."""
    return datetime.fromisoformat(kept).replace(tzinfo=UTC)


def zulu(kept: str) -> str:
    """As most members show it: `2026-11-21T17:42:53Z`."""
    return f"{kept[:19]}Z"


def read(text: str, name: str) -> str:
    """The moment that a client names, as it is kept; in UTC where it names no zone.

    Raises:
        Invalid: it names none.
    """
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return kept(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise Invalid(f"Invalid {name}: {text[:64]!r} is no date and time.") from None
