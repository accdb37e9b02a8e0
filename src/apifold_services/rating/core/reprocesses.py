"""Pasts that are to be rated again, by the rules that held then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, insert, or_, select, update

from apifold import Database, Invalid, Page
from apifold_services.rating.core.moments import moment_at, seconds
from apifold_services.rating.core.points import Period
from apifold_services.rating.core.scopes import Scope, ScopeQuery, Scopes
from apifold_services.rating.core.tables import reprocesses

ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Reprocess:
    """A past of a scope that is to be rated again; `current` is up to where that is done."""

    id: int
    scope_id: str
    begin: datetime
    end: datetime
    current: datetime | None
    reason: str

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.current is not None and self.current >= self.end


class Reprocesses:
    """What is, and was, to be rated again.

    Args:
        database: with the service's tables.
        step: how long a period is.
    """

    def __init__(self, database: Database, scopes: Scopes, step: timedelta) -> None:
        self.database = database
        self.scopes = scopes
        self.step = step

    def schedule(self, scope_ids: Sequence[str], period: Period, reason: str) -> None:
        """Have a past rated again; the pipeline does it.

        Args:
            scope_ids: whose; `ALL` alone is everybody who is active.

        Raises:
            Invalid: it can't be; the text says why.
        """
        if not reason.strip():
            raise Invalid("Empty or blank reason text is not allowed. Please, do inform/register the reason.")
        if ALL in scope_ids and len(scope_ids) > 1:
            raise Invalid("Cannot use 'ALL' with scope ID. Either use ALL alone, or a list of scope IDs.")
        if period.end < period.begin:
            raise Invalid(f"End reprocess timestamp [{period.end}] cannot be less than start [{period.begin}].")
        self._check_window(period)
        found = self._scopes(scope_ids)
        with self.database.writing() as connection:
            for scope in found:
                self._check(connection, scope, period)
            rows = [
                {
                    "scope_id": scope.scope_id,
                    "begin": seconds(period.begin),
                    "end": seconds(period.end),
                    "current": None,
                    "reason": reason,
                }
                for scope in found
            ]
            if rows:
                connection.execute(insert(reprocesses), rows)

    def page(self, scope_ids: Sequence[str], page: Page, *, descending: bool) -> list[Reprocess]:
        """Some of them, done or not, by the order in which they were asked for."""
        where = reprocesses.c.scope_id.in_(scope_ids) if scope_ids else True
        order = reprocesses.c.id.desc() if descending else reprocesses.c.id
        statement = select(reprocesses).where(where).order_by(order).limit(page.limit).offset(page.offset)  # type: ignore[arg-type]  # True is a clause, too
        with self.database.reading() as connection:
            return [_reprocess(row) for row in connection.execute(statement)]

    def open(self) -> list[Reprocess]:
        """Those that are not done."""
        with self.database.reading() as connection:
            return [_reprocess(row) for row in connection.execute(select(reprocesses).where(_OPEN).order_by("id"))]

    def get(self, id: int) -> Reprocess:
        """One of them by its number."""
        with self.database.reading() as connection:
            return _reprocess(connection.execute(select(reprocesses).where(reprocesses.c.id == id)).one())

    def advance(self, connection: Connection, task: Reprocess, to: datetime) -> bool:
        """Note that a past is rated again up to a moment; False where somebody else was faster."""
        before = None if task.current is None else seconds(task.current)
        still = and_(reprocesses.c.id == task.id, reprocesses.c.current == before)
        done = connection.execute(update(reprocesses).where(still).values(current=seconds(to)))
        return done.rowcount == 1

    def _check_window(self, period: Period) -> None:
        """Raises Invalid where a past does not consist of whole periods."""
        begin = period.begin.replace(hour=0, minute=0, second=0, microsecond=0)
        off_begin, off_end = (period.begin - begin) % self.step, (period.end - begin) % self.step
        if off_begin or off_end:
            nearest = period.begin - off_begin, period.end + (self.step - off_end if off_end else timedelta(0))
            raise Invalid(
                f"The provided reprocessing time window [{_plain(period.begin)}, {_plain(period.end)}] is invalid for "
                f"a period of {int(self.step.total_seconds())} seconds. The nearest valid one is "
                f"[{_plain(nearest[0])}, {_plain(nearest[1])}]."
            )

    def _scopes(self, scope_ids: Sequence[str]) -> list[Scope]:
        active = self.scopes.all(ScopeQuery(active=(True,)))
        if ALL in scope_ids:
            return active
        known = {scope.scope_id: scope for scope in active}
        unknown = [id for id in scope_ids if id not in known]
        if unknown:
            raise Invalid(f"Scopes {unknown} do not exist, or are not active.")
        return [known[id] for id in dict.fromkeys(scope_ids)]

    def _check(self, connection: Connection, scope: Scope, period: Period) -> None:
        """Raises Invalid where a scope was not rated yet in a past, or is being rated again in it."""
        last = scope.last_processed
        for name, moment in (("Start", period.begin), ("End", period.end)):
            if last is None or moment > last:
                raise Invalid(
                    f"{name} reprocess timestamp [{_plain(moment)}] cannot be after the last processed timestamp "
                    f"[{_plain(last) if last else None}] of scope [{scope.scope_id}]."
                )
        begin, end = seconds(period.begin), seconds(period.end)
        overlaps = and_(reprocesses.c.begin < end, reprocesses.c.end > begin)
        mine = and_(reprocesses.c.scope_id == scope.scope_id, _OPEN, overlaps)
        if connection.scalar(select(reprocesses.c.id).where(mine)) is not None:
            raise Invalid(
                f"Cannot schedule a reprocessing for scope [{scope.scope_id}] for reprocessing time "
                f"[{_plain(period.begin)}, {_plain(period.end)}], because it already has a schedule for a similar time."
            )


_OPEN = or_(reprocesses.c.current.is_(None), reprocesses.c.current < reprocesses.c.end)


def _plain(moment: datetime) -> str:
    return str(moment.astimezone(UTC))


def _reprocess(row: Any) -> Reprocess:
    current = None if row.current is None else moment_at(row.current)
    return Reprocess(row.id, row.scope_id, moment_at(row.begin), moment_at(row.end), current, row.reason)
