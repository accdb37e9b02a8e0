"""Telling usage: a rating service hears, period by period, which servers there were."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import orjson
from sqlalchemy import delete, insert, select

from apifold import Database, SettingsError
from apifold_services.compute.core.moments import kept, moment_of
from apifold_services.compute.core.tables import told
from apifold_services.compute.core.usage import ServerUsage, Usages

METRIC = "cpu"
"""What CloudKitty's metrics call a server that was there."""

MOST_BEHIND = timedelta(days=31)
"""What is longer ago is told no more."""

SECONDS = 30

log = logging.getLogger("apifold.compute")


@dataclass(frozen=True, slots=True)
class Telling:
    """Tells usage to a rating service: `POST ADDRESS` with `{"usage": [{metric, scope_id, value, moment, labels}]}`.

    What is told of a period is written down before, and up to when it was told after that: who dies in between, or
    hears nothing, tells the very same again, which counts once.

    Attributes:
        address: of the rating service's usage.
        token: file with the token that it takes; "" for none.
        period: how long what is told at a time.
    """

    database: Database
    usages: Usages
    address: str
    token: str
    period: timedelta

    def tell(self, stopped: Callable[[], bool]) -> None:
        """Tell every period that is over and was not told: a duty."""
        for begin in self._untold():
            used = self._of(begin)
            if stopped() or (used and not self._push(used)):
                return
            self._note(begin + self.period, None)

    def _untold(self) -> Iterator[datetime]:
        """The begins of the periods that are over and were not told, the oldest first."""
        now = datetime.now(UTC)
        with self.database.reading() as connection:
            last = connection.scalar(select(told.c.moment).where(told.c.address == self.address))
        begin = max(moment_of(last), now - MOST_BEHIND) if last else now - self.period
        begin = datetime.fromtimestamp(begin.timestamp() // self.seconds * self.seconds, UTC)
        while begin + self.period <= now:
            yield begin
            begin += self.period

    def _of(self, begin: datetime) -> list[dict[str, Any]]:
        """What is told of a period: what was written down, where that was done already."""
        with self.database.reading() as connection:
            known = connection.execute(select(told).where(told.c.address == self.address)).first()
        if known is not None and known.telling is not None and known.moment == kept(begin):
            used: list[dict[str, Any]] = known.telling
            return used
        found = self.usages.of(begin, begin + self.period)
        used = [_used(one, begin) for usage in found for one in usage.servers]
        self._note(begin, used)
        return used

    def _note(self, moment: datetime, telling: list[dict[str, Any]] | None) -> None:
        with self.database.writing() as connection:
            connection.execute(delete(told).where(told.c.address == self.address))
            connection.execute(insert(told).values(address=self.address, moment=kept(moment), telling=telling))

    @property
    def seconds(self) -> float:
        """The period's."""
        return self.period.total_seconds()

    def _push(self, used: list[dict[str, Any]]) -> bool:
        """Whether it was taken; what was not is told again."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["X-Auth-Token"] = _read(self.token)
        request = Request(self.address, orjson.dumps({"usage": used}), headers, method="POST")  # noqa: S310  # checked below
        try:
            with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  # the address is a setting, http or https
                return bool(200 <= answer.status < 300)
        except (URLError, OSError, ValueError) as error:
            log.warning("usage can't be told to %s: %s; it is told again", self.address, error)
            return False


def check(address: str, token: str) -> None:
    """Nothing, where usage can be told. Raises SettingsError."""
    if not address.startswith(("http://", "https://")):
        raise SettingsError(f"services: compute: usage: {address} is no http address")
    if token:
        _read(token)


def _read(file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"services: compute: usage_token: {file}: {error.strerror}") from None


def _used(one: ServerUsage, moment: datetime) -> dict[str, Any]:
    row = one.server
    labels = {
        "id": row.id,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "flavor_id": row.flavor_id,
        "name": row.name,
        "flavor_name": row.flavor["name"],
        "vcpus": str(row.vcpus),
    }
    when = moment.isoformat()
    return {"metric": METRIC, "scope_id": row.project_id, "value": row.vcpus, "moment": when, "labels": labels}
