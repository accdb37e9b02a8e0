"""The benchmark compares what can be compared: every row is answered rightly by the limit and by apifold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process
BENCH = Path(__file__).parents[2] / "bench"


def run(*line: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *line], cwd=BENCH, capture_output=True, text=True, timeout=120, check=False)


CHECK = """
import sys, tempfile
from pathlib import Path
from asks import ROWS
from servers import Server
from stacks import ALL, ENVIRONMENT

with tempfile.TemporaryDirectory() as folder:
    for stack in ALL:
        if not stack.packages:
            with Server(stack.command(Path(folder)), Path(folder), ENVIRONMENT, pinned=False) as server:
                for row in ROWS:
                    row.check(server, stack.name)
            print(stack.name)
"""


def test_every_row_is_answered_rightly():
    done = run("-c", CHECK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["raw protocol", "apifold"]


def test_a_row_that_costs_more_is_told():
    sys.path.insert(0, str(BENCH))
    try:
        from check import worse_rows
    finally:
        sys.path.remove(str(BENCH))
    kept = {"apifold": {"GET": 2.0, "POST": 2.0}}
    assert worse_rows({"apifold": {"GET": 2.2, "POST": 2.29}}, kept) == set()
    assert worse_rows({"apifold": {"GET": 2.4, "POST": 1.0}}, kept) == {"GET"}
