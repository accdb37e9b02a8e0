"""What was found, kept for the next time: a table for people, figures for the guard."""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

HERE = Path(__file__).parent
FIGURES = HERE / "figures.json"


def arguments(about: str) -> argparse.ArgumentParser:
    """What every measurement lets one choose; `about` is its docstring."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the figures in bench/")
    return parser


def keep(name: str, text: str, figures: object) -> None:
    """Put a table and its figures where the next one finds them."""
    (HERE / "results" / f"{name}.md").write_text(text, "utf-8")
    FIGURES.write_text(json.dumps(known() | {name: figures}, indent=1, sort_keys=True) + "\n", "utf-8")


def tell(name: str, heading: str, rows: list[tuple[str, float]], write: bool) -> None:
    """Print rows of a name and a figure as a table; keep them where that is asked for."""
    lines = "\n".join(f"| {one} | {value:.2f} |" for one, value in rows)
    text = f"{heading}\n\n| | |\n|---|---|\n{lines}\n"
    print(text)
    if write:
        keep(name, text, dict(rows))


def known() -> dict:
    """The figures that are kept."""
    return json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else {}


def machine() -> str:
    """What the figures were found on."""
    return f"{os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
