"""Actions: what happens to a value on its way between the core's shape and the API's, beside a change of place."""

from __future__ import annotations

from typing import Any


class Copy:
    """`copy`: it stays as it is."""

    @staticmethod
    def lower(value: Any) -> Any:
        """From the core's shape."""
        return value

    @staticmethod
    def lift(value: Any) -> Any:
        """To the core's shape."""
        return value


class Pairs:
    """`pairs`: a mapping in the core is a list of `{keyName, value}` in the API."""

    @staticmethod
    def lower(value: Any) -> Any:
        """From the core's shape."""
        return [{"keyName": key, "value": one} for key, one in value.items()] if isinstance(value, dict) else value

    @staticmethod
    def lift(value: Any) -> Any:
        """To the core's shape."""
        if not isinstance(value, list) or not all(isinstance(pair, dict) and "keyName" in pair for pair in value):
            return value
        return {pair["keyName"]: pair.get("value") for pair in value}
