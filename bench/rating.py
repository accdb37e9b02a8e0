"""Ten million points of usage: how long they take to keep and to sum, beside a plain table and a plain query.

    python bench/rating.py [--points N] [--database URL] [--write]

The plain table has one row for each point with floating point numbers, and no more columns than the query needs; its sums are
not exact. Memory is the most that the process had.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from apifold import Deployment, Page, Settings
from apifold_services.rating.core.options import Options
from apifold_services.rating.core.points import Frame, Period, Point
from apifold_services.rating.core.rating import RatingCore
from apifold_services.rating.core.storage import Asked

RESULTS = Path(__file__).with_name("results") / "rating.md"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SERIES = 5000
"""Things that are used all the time: 100 projects with 50 resources each."""


def frame(number: int) -> Frame:
    period = Period(BEGIN + number * HOUR, BEGIN + (number + 1) * HOUR)
    usage: dict[str, list[Point]] = {"cpu": [], "volume.size": []}
    for index in range(SERIES):
        labels = {"project_id": f"p{index % 100:03}", "id": f"r{index}", "flavor": f"f{index % 7}"}
        metric = "cpu" if index % 2 else "volume.size"
        usage[metric].append(
            Point("u", Decimal(1 + index % 3), Decimal(index % 11) / 10, labels, {"zone": f"z{index % 4}"})
        )
    return Frame(period, {metric: tuple(points) for metric, points in usage.items()})


def timed(do: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = do()
    return time.perf_counter() - began, found


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plain(points: int, file: str) -> dict[str, float]:
    """The same in one plain table of SQLite."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE usage (begin INT, type TEXT, project TEXT, flavor TEXT, qty REAL, price REAL)")

    def fill() -> None:
        for number in range(points // SERIES):
            begin = int((BEGIN + number * HOUR).timestamp())
            rows = [
                (
                    begin,
                    metric,
                    point.groupby["project_id"],
                    point.groupby["flavor"],
                    float(point.qty),
                    float(point.price),
                )
                for metric, some in frame(number).usage.items()
                for point in some
            ]
            connection.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.commit()

    found = {"keep": timed(fill)[0]}
    for name, groups in (("type", "type"), ("project_id, type", "project, type"), ("", "")):
        chosen = f"{groups}, " if groups else ""
        by = f" GROUP BY {groups} ORDER BY {groups}" if groups else ""
        query = f"SELECT {chosen}SUM(qty), SUM(price) FROM usage WHERE begin >= 0 AND begin < 1e12{by}"
        found[name] = timed(lambda query=query: connection.execute(query).fetchall())[0]
    day = int((BEGIN + 24 * HOUR).timestamp())
    query = f"SELECT type, SUM(qty), SUM(price) FROM usage WHERE begin >= 0 AND begin < {day} GROUP BY type"
    found["one day"] = timed(lambda: connection.execute(query).fetchall())[0]
    connection.close()
    return found


def ours(points: int, url: str, state: str) -> dict[str, float]:
    deployment = Deployment(Settings(state=state, database=url))
    core = RatingCore(deployment, Options())

    def fill() -> None:
        for number in range(points // SERIES):
            with core.database.writing() as connection:
                core.storage.push(connection, [frame(number)])

    found = {"keep": timed(fill)[0]}
    whole = Period(BEGIN, BEGIN + 10**5 * HOUR)
    for name in ("type", "project_id, type", ""):
        groups = tuple(one for one in name.split(", ") if one)
        found[name], sums = timed(lambda groups=groups: core.storage.summary(Asked(whole, {}, groups), Page(1000)))
        assert sum(one.count for one in sums) == points // SERIES * SERIES
    expected = sum((point.price for some in frame(0).usage.values() for point in some), Decimal(0)) * (points // SERIES)
    assert sums[0].price == expected, (sums[0].price, expected)
    day = Asked(Period(BEGIN, BEGIN + 24 * HOUR), {}, ("type",))
    found["one day"] = timed(lambda: core.storage.summary(day, Page(1000)))[0]
    found["page"] = timed(lambda: core.storage.frames(Asked(whole), Page(1000, offset=points // 2)))[0]
    deployment.close()
    return found


def table(points: int, kind: str, own: dict[str, float], other: dict[str, float], most: float) -> str:
    rows = [f"| keep them | {own['keep']:.0f} s | {points / own['keep']:,.0f} points/s | {other['keep']:.0f} s |"]
    for name, shown in (
        ("", "the sum of all"),
        ("type", "by type"),
        ("project_id, type", "by project and type"),
        ("one day", "one day, by type"),
    ):
        rows.append(f"| {shown} | {own[name]:.2f} s | {own[name] / other[name]:.1f} times | {other[name]:.2f} s |")
    rows.append(f"| 1,000 points from the middle | {own['page']:.2f} s | | |")
    return "\n".join(
        [
            f"## {kind}, {points:,} points of {SERIES:,} things",
            "",
            "| | rating | | plain table, plain query |",
            "|---|---|---|---|",
            *rows,
            "",
            f"The most memory that the process had: {most:.0f} MiB.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--database", default="", help="SQLAlchemy URL; SQLite in a temporary directory by default")
    parser.add_argument("--write", action="store_true", help="write bench/results/rating.md")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apifold-bench-") as folder:
        own = ours(chosen.points, chosen.database, folder)
        most = memory()
        other = plain(chosen.points, f"{folder}/plain.db")
    text = table(chosen.points, "PostgreSQL" if chosen.database else "SQLite", own, other, most)
    print(text)
    if chosen.write:
        head = "# Ten million points of usage\n\n    python bench/rating.py --write\n\n"
        RESULTS.write_text(head + text, "utf-8")
        print(f"wrote {RESULTS}", file=sys.stderr)


if __name__ == "__main__":
    main()
