"""When a rule holds, who made it, and what may be changed about it once something was rated by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, or_

from apifold import Invalid
from apifold_services.rating.core.moments import moment_at, seconds


def author(by: str) -> str:
    """Who made or changed a rule, as it is kept; "unknown" where nobody says who he is."""
    return by[:32] or "unknown"


def holds(table: Table, at: datetime) -> ColumnElement[bool]:
    """Whether a rule of a table with `start` and `end` holds at a moment."""
    moment = seconds(at)
    return and_(table.c.start <= moment, or_(table.c.end.is_(None), table.c.end > moment))


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


def check_change(row: Mapping[str, Any], changed: Mapping[str, Any], now: datetime) -> None:
    """See whether a rule may be changed: of one that holds already, only the end.

    Args:
        row: the rule as it is, with `start` and `end` in seconds since the epoch.
        changed: what changes, and what to.

    Raises:
        Invalid: it may not.
    """
    if not changed:
        return
    moment = seconds(now)
    if row["start"] <= moment and row["end"] is not None:
        raise Invalid("Cannot update a rule that was already processed and has a defined end date.")
    if row["start"] <= moment and set(changed) - {"end"}:
        began = moment_at(row["start"]).replace(tzinfo=None)
        raise Invalid(
            "You are allowed to update only the attribute [end] as this rule is already running as it started on "
            f"[{began}]"
        )
    start, end = changed.get("start", row["start"]), changed.get("end", row["end"])
    if "start" in changed and start < moment:
        raise Invalid("Cannot create a rule with start in the past.")
    if end is not None and end < moment:
        raise Invalid("End date must be in the future.")
    if end is not None and end < start:
        raise Invalid("Cannot create a rule with start after end.")
