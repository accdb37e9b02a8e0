"""The guard: fails where a request costs noticeably more than the last time it was measured.

    python bench/check.py

What is compared is CPU per request as a ratio to the raw protocol's in the same round, against `figures.json`. A row
that looks worse is measured again, so that a busy moment of the machine does not fail anybody.
"""

from __future__ import annotations

import sys

from asks import ROWS
from compare import measure, ratios
from figures import known
from stacks import LOGGED, OURS, RAW

WORSE = 1.15
ROUNDS, AGAIN = 5, 3


def worse_rows(now: dict[str, dict[str, float]], kept: dict[str, dict[str, float]]) -> set[str]:
    """Rows whose ratio got noticeably worse; each comparison is printed."""
    worse = set()
    for stack, ratios_now in now.items():
        for row, ratio in ratios_now.items():
            change = ratio / kept[stack][row]
            print(f"{stack:<24} {row:<26} {ratio:5.2f}, was {kept[stack][row]:5.2f}: {change - 1:+4.0%}")
            if change > WORSE:
                worse.add(row)
    return worse


def main() -> None:
    kept = known().get("requests")
    if not kept:
        raise SystemExit("no figures are kept; python bench/compare.py --write")
    doubtful = list(ROWS)
    for _ in range(AGAIN):
        found, _footprints = measure((RAW, OURS, LOGGED), doubtful, ROUNDS, 1)
        worse = worse_rows(ratios(found), kept)
        doubtful = [row for row in doubtful if row.name in worse]
        if not doubtful:
            print("no row costs more than it did")
            return
    print(f"these cost over {WORSE - 1:.0%} more than they did: {', '.join(row.name for row in doubtful)}")
    sys.exit(1)


if __name__ == "__main__":
    main()
