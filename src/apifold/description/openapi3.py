"""OpenAPI 3.0, 3.1 and 3.2, and what is left of 2.0, to the one internal form on JSON Schema 2020-12.

| written | means |
|---|---|
| `nullable: true`, `x-nullable: true` | `null` is one of the types, and one of the enum |
| `exclusiveMinimum: true` with `minimum: n` | `exclusiveMinimum: n` |
| `format: int32`, `int64` | the bounds of these integers |
| `$ref` with other keywords (before 3.1) | the `$ref` alone (3.0.4, 4.7.23) |
| `discriminator` with `oneOf`, `anyOf` | the alternative that the value names, and no other |
"""

from __future__ import annotations

from typing import Any

from apifold.description.walk import Schema, map_root_schemas, map_schema

_BOUNDS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


def normalise(document: dict[str, Any], version: str) -> dict[str, Any]:
    """The document with all its schemas in JSON Schema 2020-12.

    Args:
        document: OpenAPI 3.x, its references local.
        version: the version it was written in, a key of `metaschema.VERSIONS`.
    """
    change = _modern if version in ("3.1", "3.2") else _old

    def whole(schema: Schema) -> Schema:
        return map_schema(schema, change)

    normal: dict[str, Any] = map_root_schemas(document, whole)
    return normal


def _modern(schema: dict[str, Any]) -> dict[str, Any]:
    return _discriminated(_bounded(schema))


def _old(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    if schema.get("nullable") or schema.get("x-nullable"):
        _allow_null(schema)
    schema.pop("nullable", None)
    schema.pop("x-nullable", None)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and bound in schema:
            schema[exclusive] = schema.pop(bound)
    discriminator = schema.get("discriminator")
    if isinstance(discriminator, str):
        schema["discriminator"] = {"propertyName": discriminator}
    return _discriminated(_bounded(schema))


def _allow_null(schema: dict[str, Any]) -> None:
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind, "null"]
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    elif "type" not in schema and any(key in schema for key in ("allOf", "anyOf", "oneOf", "enum")):
        moved = ("allOf", "anyOf", "oneOf", "enum", "discriminator", "properties", "required")
        inner: dict[str, Any] = {key: schema.pop(key) for key in moved if key in schema}
        schema["anyOf"] = [_discriminated(inner), {"type": "null"}]


def _bounded(schema: dict[str, Any]) -> dict[str, Any]:
    bounds = _BOUNDS.get(schema.get("format", "")) if isinstance(schema.get("format"), str) else None
    if bounds and schema.get("type") in ("integer", ["integer", "null"]):
        if "minimum" not in schema and "exclusiveMinimum" not in schema:
            schema["minimum"] = bounds[0]
        if "maximum" not in schema and "exclusiveMaximum" not in schema:
            schema["maximum"] = bounds[1]
    return schema


def _discriminated(schema: dict[str, Any]) -> dict[str, Any]:
    """Alternatives chosen by the named member, so that an error speaks of the one that was meant."""
    discriminator = schema.get("discriminator")
    alternatives = schema.get("oneOf") or schema.get("anyOf")
    if (
        not isinstance(discriminator, dict)
        or not alternatives
        or not all("$ref" in one for one in alternatives if isinstance(one, dict))
    ):
        return schema
    name = discriminator.get("propertyName")
    targets = [one["$ref"] for one in alternatives]
    mapping = {
        key: target if "/" in target else f"#/components/schemas/{target}"
        for key, target in (discriminator.get("mapping") or {}).items()
    }
    choices = {target.rpartition("/")[2]: target for target in targets if target not in mapping.values()} | mapping
    schema = {key: value for key, value in schema.items() if key not in ("oneOf", "anyOf")}
    schema["allOf"] = [
        *schema.get("allOf", []),
        {"type": "object", "required": [name], "properties": {name: {"enum": sorted(choices)}}},
        *(
            {"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": {"$ref": target}}
            for value, target in sorted(choices.items())
        ),
    ]
    return schema
