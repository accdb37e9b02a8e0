"""What was used since the last turn is remembered."""

from __future__ import annotations

from collections import ChainMap
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(ChainMap[Key, Value]):
    """Values by key: those set since the last turn, before those set between that turn and the one before."""

    def __init__(self) -> None:
        super().__init__({}, {})

    def turn(self) -> None:
        """Forget what was not set since the last turn."""
        self.maps = [{}, self.maps[0]]
