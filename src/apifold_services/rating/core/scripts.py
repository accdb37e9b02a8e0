"""Scripts as rating rules, each run in a child process that can do no more than compute (`script_runner`).

A script is Python that changes the prices in `data`, a frame as API v2 has it:
`data["usage"][METRIC][0]["rating"]["price"]`.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update

from apifold import Conflict, Database, Invalid, Limits, NotFound, run_confined
from apifold_services.rating.core import exact
from apifold_services.rating.core.moments import seconds
from apifold_services.rating.core.points import Frame, Point
from apifold_services.rating.core.tables import scripts
from apifold_services.rating.core.validity import author, check_change, check_times, holds

LIMITS = Limits(seconds=10, cpu_seconds=5, memory=512 << 20, output=64 << 20)

RUNNER = Path(__file__).with_name("script_runner.py")


class ScriptFailed(Conflict):  # type: ignore[misc]  # the public names are looked up when they are first asked for
    """A script did not end well; what was to be rated by it is not rated."""


class Scripts:
    """The scripts of a deployment.

    Args:
        database: with the service's tables.
        enabled: whether they are run; without that, none can be made.
    """

    def __init__(self, database: Database, *, enabled: bool) -> None:
        self.database = database
        self.enabled = enabled

    def all(self, *, with_deleted: bool = False, at: datetime | None = None) -> list[Mapping[str, Any]]:
        """Scripts in the order in which they were made; with a moment, those in force then."""
        where: list[ColumnElement[bool]] = [] if with_deleted else [scripts.c.deleted.is_(None)]
        if at is not None:
            where.append(holds(scripts, at))
        return self._rows(*where)

    def get(self, id: str) -> Mapping[str, Any]:
        """A script that was not deleted. Raises NotFound."""
        found = self._rows(scripts.c.script_id == id, scripts.c.deleted.is_(None))
        if not found:
            raise NotFound(f"No such script: None (UUID: {id})")
        return found[0]

    def add(self, name: str, data: str, by: str, **times: Any) -> Mapping[str, Any]:
        """Make a script.

        Args:
            times: `start`, `end` (moments), `description`, `force`.

        Raises:
            Conflict: there is one of that name.
            Invalid: scripts are off, or it is no Python.
        """
        self._check(data)
        now = datetime.now(UTC).replace(microsecond=0)
        start, end = times.get("start") or now, times.get("end")
        check_times(start, end, now, force=bool(times.get("force")))
        with self.database.writing() as connection:
            alike = select(scripts.c.script_id).where(scripts.c.name == name, scripts.c.deleted.is_(None))
            there = connection.scalar(alike)
            if there:
                raise Conflict(f"Script {name} already exists (UUID: {there})")
            row = {
                "script_id": str(uuid.uuid4()),
                "name": name,
                **_content(data),
                "description": times.get("description"),
                "created": seconds(now),
                "start": seconds(start),
                "end": seconds(end) if end else None,
                "created_by": author(by),
            }
            connection.execute(insert(scripts).values(row))
        return self.get(str(row["script_id"]))

    def change(self, id: str, changes: Mapping[str, Any], by: str) -> Mapping[str, Any]:
        """Change a script's `data`, `description`, `start` or `end`, as far as what was rated by it allows.

        Raises:
            NotFound: it is not there.
            Invalid: it may not be changed so.
        """
        row = self.get(id)
        values = {name: value for name, value in changes.items() if value is not None and value != row[name]}
        check_change(row, values, datetime.now(UTC).replace(microsecond=0))
        if not values:
            return row
        if "data" in values:
            self._check(values["data"])
            values |= _content(values["data"])
        with self.database.writing() as connection:
            values["updated_by"] = author(by)
            connection.execute(update(scripts).where(scripts.c.script_id == id).values(values))
        return self.get(id)

    def remove(self, id: str, by: str) -> None:
        """Delete a script; it is kept, for what was rated by it. Raises NotFound."""
        self.get(id)
        values = {"deleted": seconds(datetime.now(UTC)), "deleted_by": author(by)}
        with self.database.writing() as connection:
            connection.execute(update(scripts).where(scripts.c.script_id == id).values(values))

    def rate(self, frame: Frame, at: datetime) -> Frame:
        """The frame as the scripts in force leave it; scripts that are off leave it alone.

        Raises:
            ScriptFailed: one of them did not end well.
        """
        texts = [one["data"] for one in self.all(at=at)] if self.enabled else []
        return _run(texts, frame) if texts else frame

    def _rows(self, *where: ColumnElement[bool]) -> list[Mapping[str, Any]]:
        with self.database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(select(scripts).where(*where).order_by("id"))]

    def _check(self, data: str) -> None:
        if not self.enabled:
            raise Invalid("Scripts are off here: the setting `pyscripts` switches them on.")
        try:
            compile(data, "script", "exec")
        except (SyntaxError, ValueError) as error:
            raise Invalid(f"This is no Python: {error}") from None


def _content(data: str) -> dict[str, str]:
    return {"data": data, "checksum": hashlib.sha512(data.encode()).hexdigest()}


def _run(texts: list[str], frame: Frame) -> Frame:
    with tempfile.TemporaryDirectory(prefix="apifold-script-") as name:
        directory = Path(name)
        (directory / "in.json").write_text(json.dumps({"scripts": texts, "data": _plain(frame)}), "utf-8")
        outcome = run_confined([sys.executable, "-I", "-S", str(RUNNER)], LIMITS, directory=directory)
    if not outcome.ok:
        why = outcome.cut or outcome.errors.strip().rpartition("\n")[2] or f"status {outcome.status}"
        raise ScriptFailed(f"A script failed: {why}")
    try:
        return _repriced(frame, json.loads(outcome.output))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ScriptFailed(f"A script left no usage behind: {error}") from None


def _plain(frame: Frame) -> dict[str, Any]:
    """A frame as scripts see it; numbers are text, so that none loses a digit."""
    return {
        "period": {"begin": frame.period.begin.isoformat(), "end": frame.period.end.isoformat()},
        "usage": {
            metric: [
                {
                    "vol": {"unit": point.unit, "qty": str(point.qty)},
                    "rating": {"price": str(point.price)},
                    "groupby": dict(point.groupby),
                    "metadata": dict(point.metadata),
                    "desc": dict(point.labels),
                }
                for point in points
            ]
            for metric, points in frame.usage.items()
        },
    }


def _repriced(frame: Frame, data: Any) -> Frame:
    """The frame with the prices that scripts left; they may not add, remove or change usage."""
    usage: dict[str, tuple[Point, ...]] = {}
    for metric, points in frame.usage.items():
        left = data["usage"][metric]
        usage[metric] = tuple(
            point.priced(_price(left[index]["rating"]["price"])) for index, point in enumerate(points)
        )
    return Frame(frame.period, usage)


def _price(text: Any) -> Decimal:
    found = exact.number(text)
    if found is None:
        raise ValueError(f"{text!r} is no price")
    return found
