"""When a rule holds, and what may be changed about it once something was rated by it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from apifold import Invalid


def check_times(start: datetime, end: datetime | None, now: datetime, *, force: bool) -> None:
    """See whether a new rule may hold from one moment to another.

    Args:
        force: whether it may begin in the past.

    Raises:
        Invalid: it may not.
    """
    if start < now and not force:
        raise Invalid(
            "Cannot create a rule with start in the past. If you still want to do so, force the creation using the "
            "'force' option."
        )
    if end is not None and end < start:
        raise Invalid("Cannot create a rule with start after end.")


def check_change(row: Mapping[str, Any], changed: Collection[str], values: Mapping[str, Any], now: datetime) -> None:
    """See whether a rule may be changed: of one that holds already, only the end.

    Args:
        row: the rule as it is, with `start` and `end` in seconds since the epoch.
        changed: what changes.
        values: what it changes to.

    Raises:
        Invalid: it may not.
    """
    if not changed:
        return
    moment = int(now.timestamp())
    if row["start"] <= moment and row["end"] is not None:
        raise Invalid("Cannot update a rule that was already processed and has a defined end date.")
    if row["start"] <= moment and set(changed) - {"end"}:
        began = datetime.fromtimestamp(row["start"], UTC).replace(tzinfo=None)
        raise Invalid(
            "You are allowed to update only the attribute [end] as this rule is already running as it started on "
            f"[{began}]"
        )
    start, end = values.get("start", row["start"]), values.get("end", row["end"])
    if "start" in changed and start < moment:
        raise Invalid("Cannot create a rule with start in the past.")
    if end is not None and end < moment:
        raise Invalid("End date must be in the future.")
    if end is not None and end < start:
        raise Invalid("Cannot create a rule with start after end.")
