"""The order of the rooms: one list, and no arrow that points up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "apifold"

ROOMS = (
    "errors",
    "marked",
    "http",
    "extension_points",
    "settings",
    "confined",
    "lasting",
    "outgoing",
    "exchange",
    "description",
    "observe",
    "schema",
    "routing",
    "versions",
    "store",
    "jobs",
    "deployment",
    "access",
    "service",
    "traits",
    "bindings",
    "pipeline",
    "compare",
    "generation",
    "reference",
    "application",
    "server",
    "app",
    "testing",
    "cli",
)
"""A room imports only rooms above it."""

FILES = sorted(
    path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py" and "migrations" not in path.parts
)


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found.update(name.split(".")[1] for name in names if name.startswith("apifold."))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_rooms_above_it(path):
    here = ROOMS.index(room_of(path))
    below = {room for room in imported(path) if room in ROOMS and ROOMS.index(room) > here}
    assert not below, f"{path.name} in {room_of(path)} reaches down to {sorted(below)}"


def test_every_room_is_in_the_list():
    assert {room_of(path) for path in FILES} == set(ROOMS)


def test_the_map_names_every_room():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert [room for room in ROOMS if f"`{room}.py`" not in text and f"`{room}/`" not in text] == []


def test_services_use_public_names_only():
    for path in (ROOT / "src" / "apifold_services").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "apifold":
                assert node.module == "apifold", f"{path}: {node.module}"


def test_nothing_is_imported_for_types_only():
    assert [path.name for path in FILES if "TYPE_CHECKING" in path.read_text("utf-8")] == []
