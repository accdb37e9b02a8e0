"""What is there from the start, and what never changes: `fixed.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apifold import read_file

FIXED: dict[str, Any] = read_file(Path(__file__).with_name("fixed.yaml"))
