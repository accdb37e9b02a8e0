"""One stream of what happens, as CloudEvents 1.0: to a file, to a webhook; the same, whichever API was asked."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, build_opener

import orjson
from sqlalchemy import Connection, delete, insert, select

from apifold import Database, SettingsError
from apifold_services.platform.core.redirects import NoRedirects
from apifold_services.platform.core.tables import events

FILE, WEBHOOK, TOKEN = "file", "webhook", "token"
PREFIX = "org.apifold.platform."
AT_ONCE = 100
SECONDS = 10

log = logging.getLogger("apifold.platform")


@dataclass(frozen=True, slots=True)
class Events:
    """Writes events down with what they tell of, and tells them later, in their order, until they were heard.

    Attributes:
        sinks: `{file: PATH, webhook: URL, token: FILE}`, those that there are.
    """

    database: Database
    sinks: Mapping[str, str] = field(default_factory=dict)

    def note(self, connection: Connection, kind: str, owned: Any, **data: Any) -> None:
        """Write an event down, in the transaction of what it tells of.

        Args:
            kind: `plan.created`, say.
            owned: the thing, or its row: its `id`, `project_id` and `user_id`.
            data: what there is to say.
        """
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/platform",
            "type": PREFIX + kind,
            "subject": owned["id"],
            "time": datetime.now(UTC).isoformat(),
            "datacontenttype": "application/json",
            "data": {"project_id": owned["project_id"], "user_id": owned["user_id"], **data},
        }
        for sink in (FILE, WEBHOOK):
            if sink in self.sinks:
                connection.execute(insert(events).values(sink=sink, event=event))

    def tell(self, stopped: Callable[[], bool]) -> None:
        """Tell what was not told yet: a duty."""
        for sink, say in ((FILE, self._write), (WEBHOOK, self._post)):
            while sink in self.sinks and not stopped() and self._told(sink, say):
                pass

    def _told(self, sink: str, say: Callable[[list[dict[str, Any]]], int]) -> bool:
        """Whether something was told, and there may be more."""
        with self.database.reading() as connection:
            rows = list(
                connection.execute(select(events).where(events.c.sink == sink).order_by(events.c.number).limit(AT_ONCE))
            )
        heard = say([row.event for row in rows]) if rows else 0
        if heard:
            with self.database.writing() as connection:
                connection.execute(delete(events).where(events.c.number.in_([row.number for row in rows[:heard]])))
        return heard == AT_ONCE

    def _write(self, told: list[dict[str, Any]]) -> int:
        try:
            with open(self.sinks[FILE], "ab") as file:
                file.write(b"".join(orjson.dumps(event) + b"\n" for event in told))
        except OSError as error:
            log.warning("events can't be written to %s: %s; they are kept", self.sinks[FILE], error.strerror)
            return 0
        return len(told)

    def _post(self, told: list[dict[str, Any]]) -> int:
        """How many were heard; the one that was not is told again later."""
        headers = {"Content-Type": "application/cloudevents+json"}
        if TOKEN in self.sinks:
            headers["Authorization"] = f"Bearer {Path(self.sinks[TOKEN]).read_text('utf-8').strip()}"
        opener = build_opener(NoRedirects())
        for count, event in enumerate(told):
            request = Request(self.sinks[WEBHOOK], orjson.dumps(event), headers, method="POST")  # noqa: S310  # checked
            try:
                with opener.open(request, timeout=SECONDS):
                    pass
            except (URLError, OSError, ValueError) as error:
                log.warning("an event can't be told to %s: %s; it is told again", self.sinks[WEBHOOK], error)
                return count
        return len(told)


def check(sinks: Mapping[str, str]) -> None:
    """Nothing, where events can be told there. Raises SettingsError."""
    said = "services: platform: events"
    unknown = sorted(sinks.keys() - {FILE, WEBHOOK, TOKEN})
    if unknown:
        raise SettingsError(f"{said}: there is no {unknown[0]!r}; there are: file, webhook, token")
    if WEBHOOK in sinks and not sinks[WEBHOOK].startswith(("http://", "https://")):
        raise SettingsError(f"{said}: {sinks[WEBHOOK]} is no http address")
    if TOKEN in sinks and not Path(sinks[TOKEN]).is_file():
        raise SettingsError(f"{said}: there is no file {sinks[TOKEN]}")
