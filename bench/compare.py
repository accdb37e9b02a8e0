"""The same work on every stack: what a request costs, how many there are in a second, how long they take.

    python bench/compare.py [--rounds N] [--seconds N] [--stack NAME ...] [--row NAME ...] [--write]

Rounds are interleaved: each stack is loaded for a moment in turn, again and again, so that what else the machine does
falls on all of them. Figures are medians of the rounds. `--write` puts them into `results.md` and `figures.json`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from asks import ROWS, Row
from figures import arguments, keep, machine
from stacks import ALL, ENVIRONMENT, HERE, RAW, Stack

from servers import Load, Server

HOME = HERE.parent / ".bench"
Found = dict[str, dict[str, list[Load]]]
"""By stack and row, one load a round."""
Footprints = dict[str, tuple[float, int]]
"""By stack, the seconds to its first answer, and the bytes of all its processes after the load."""


def measure(stacks: Sequence[Stack], rows: Sequence[Row], rounds: int, seconds: int) -> tuple[Found, Footprints]:
    """Load every stack with every row, round by round."""
    HOME.mkdir(exist_ok=True)
    found: Found = {stack.name: {row.name: [] for row in rows} for stack in stacks}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        servers = {
            stack.name: running.enter_context(Server(stack.command(HOME), Path(folder), ENVIRONMENT))
            for stack in stacks
        }
        for row in rows:
            for name, server in servers.items():
                row.check(server, name)
        for number in range(rounds):
            for row in rows:
                print(f"\rround {number + 1} of {rounds}: {row.name:<30}", end="", file=sys.stderr, flush=True)
                for name, server in servers.items():
                    found[name][row.name].append(server.load(row.ask, seconds))
        print(file=sys.stderr)
        return found, {name: (server.seconds, sum(server.memory())) for name, server in servers.items()}


def ratios(found: Found) -> dict[str, dict[str, float]]:
    """CPU per request of each stack and row, as a ratio to the raw protocol's in the same round; medians."""
    raw = found[RAW.name]
    return {
        stack: {
            row: statistics.median(load.cpu / base.cpu for load, base in zip(loads, raw[row], strict=True))
            for row, loads in rows.items()
        }
        for stack, rows in found.items()
    }


def tables(found: Found, footprints: Footprints, versions: dict[str, str], rounds: int, seconds: int) -> str:
    """The tables, as Markdown."""
    rows = list(found[RAW.name])
    relative = ratios(found)
    head = f"| stack | {' | '.join(rows)} |\n|---|{'---|' * len(rows)}"

    def table(cell) -> str:
        return "\n".join([head, *(f"| {stack} | {' | '.join(cell(stack, row) for row in rows)} |" for stack in found)])

    def cpu(stack: str, row: str) -> str:
        costs = sorted(load.cpu for load in found[stack][row])
        return f"{statistics.median(costs):.1f} ({relative[stack][row]:.2f}x) {costs[0]:.1f} to {costs[-1]:.1f}"

    def median(stack: str, row: str, name: str) -> float:
        return statistics.median(getattr(load, name) for load in found[stack][row])

    start = "\n".join(
        f"| {name} | {took:.2f} | {size / 1e6:.0f} | {versions[name]} |" for name, (took, size) in footprints.items()
    )
    return (
        "\n\n".join(
            [
                "# What a request costs",
                f"`make bench` on {machine()}: {rounds} rounds of "
                f"{seconds} s for each stack and row, interleaved; one worker on one core, wrk with 32 connections on another.",
                "## CPU per request\n\nMicroseconds of user and system time of the whole process tree, the ratio to the raw protocol, "
                "the smallest and the largest of the rounds.",
                table(cpu),
                "## Requests per second\n\nFor reference only: a busy machine moves these first.",
                table(lambda stack, row: f"{median(stack, row, 'rate'):,.0f}"),
                "## Latency\n\nMilliseconds, p50 / p99, with 32 requests always under way.",
                table(lambda stack, row: f"{median(stack, row, 'p50'):.2f} / {median(stack, row, 'p99'):.2f}"),
                "## Start and memory\n\nSeconds to the first answer, MB (proportional set size) of all processes after the load.",
                f"| stack | start | memory | versions |\n|---|---|---|---|\n{start}",
            ]
        )
        + "\n"
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--stack", action="append", help="only these, and the raw protocol")
    parser.add_argument("--row", action="append", help="only these")
    chosen = parser.parse_args()
    stacks = [stack for stack in ALL if not chosen.stack or stack.name in (*chosen.stack, RAW.name)]
    rows = [row for row in ROWS if not chosen.row or row.name in chosen.row]
    versions = {stack.name: stack.install(HOME) for stack in stacks}
    found, footprints = measure(stacks, rows, chosen.rounds, chosen.seconds)
    text = tables(found, footprints, versions, chosen.rounds, chosen.seconds)
    print(text)
    if chosen.write:
        keep("requests", text, ratios(found))


if __name__ == "__main__":
    main()
