"""Two readings of one contract: as it is written, and `loosely`, as clients of an older API know it.

A schema may say how it is read loosely:

    Name:
      type: string
      pattern: "^\\\\S.*\\\\S$"
      x-apifold: {loosely: {type: string}}
"""

from __future__ import annotations

from typing import Any

from apifold.description.extension import KEY
from apifold.description.walk import Schema, map_root_schemas, map_schema


def loosened(document: dict[str, Any]) -> dict[str, Any]:
    """A copy of a document in which every schema is read loosely that says how."""

    def whole(schema: Schema) -> Schema:
        return map_schema(schema, _loose)

    loose: dict[str, Any] = map_root_schemas(document, whole)
    return loose


def _loose(schema: dict[str, Any]) -> dict[str, Any]:
    said = schema.get(KEY)
    if not isinstance(said, dict):
        return schema
    other = said.get("loosely")
    if not isinstance(other, dict):
        return schema
    rest = {key: value for key, value in said.items() if key != "loosely"}
    return {**other, **({KEY: rest} if rest else {})}
