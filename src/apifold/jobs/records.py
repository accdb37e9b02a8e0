"""How jobs are written down: as JSON, so that a database can be read and trusted."""

from __future__ import annotations

import json
from typing import Any

from dbos import Serializer

_ERROR = "apifold:error"


class JobFailed(Exception):
    """What ended a job, or a step, in words."""


class JsonRecords(Serializer):
    """Arguments, results and errors as JSON."""

    def serialize(self, data: Any) -> str:
        """The text of a value. Raises TypeError where it is no plain JSON data."""
        return json.dumps(data, default=_plain)

    def deserialize(self, serialized_data: str) -> Any:
        """The value of a text."""
        return json.loads(serialized_data, object_hook=_back)

    def name(self) -> str:
        """As it stands in the database, beside each record."""
        return "apifold_json"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseException):
        return {_ERROR: f"{type(value).__name__}: {value}" if str(value) else type(value).__name__}
    raise TypeError(f"{type(value).__name__} is no plain JSON data; jobs take and return what JSON can hold")


def _back(value: dict[str, Any]) -> Any:
    return JobFailed(value[_ERROR]) if value.keys() == {_ERROR} else value
