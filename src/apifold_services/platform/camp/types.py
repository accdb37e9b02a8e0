"""CAMP's own account of its types and attributes, drawn from the schemas that its resources are described by."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from apifold import NotFound, read_file

DESCRIPTION = Path(__file__).with_name("openapi.yaml")
COMMON = "camp_resource"
"""The type whose attributes every other has."""

_COMMON_SCHEMA = "CampResource"
_FORMATS = {"uri": "URI", "date-time": "Timestamp"}
_LINKS = ("AttributeLink", "ParameterLink")
_VALUE = "as sensor_type says"

PARAMETERS = {
    "deploy_params": ("Solum_CAMP_deploy_parameters", ("pdp_uri", "plan_uri", "pdp_file", "plan_file")),
    "ndt_params": ("Solum_CAMP_NDT_parameters", ("name", "description", "tags")),
    "scale_params": ("Solum_CAMP_scale_parameters", ("instances",)),
}
"""Collections of parameters: the name of each, and what is in it."""

PARAMETER_TYPES = {
    "pdp_uri": ("URI", "Where the package is that is deployed or registered"),
    "plan_uri": ("URI", "Where the plan is that is deployed or registered"),
    "pdp_file": ("String", "The package itself"),
    "plan_file": ("String", "The plan itself"),
    "name": ("String", "What the new resource is called"),
    "description": ("String", "What the new resource is"),
    "tags": ("String[]", "What the new resource can be found by"),
    "instances": ("Integer", "How many of it run"),
}


class Types:
    """The types, their attributes, and the parameters of requests.

    Args:
        auth_scheme: what the endpoint says of authentication.
    """

    def __init__(self, auth_scheme: str) -> None:
        self.auth_scheme = auth_scheme

    def all(self) -> list[dict[str, Any]]:
        """Every type."""
        return list(self._types.values())

    def type(self, name: str) -> dict[str, Any]:
        """A type. Raises NotFound."""
        found: dict[str, Any] = _found(self._types, name, "type definition")
        return found

    def attribute(self, name: str) -> dict[str, Any]:
        """An attribute, of whichever types have it. Raises NotFound."""
        found: dict[str, Any] = _found(self._attributes, name, "attribute definition")
        return found

    def parameters(self, id: str) -> dict[str, Any]:
        """What may be sent somewhere. Raises NotFound."""
        name, inside = _found(PARAMETERS, id, "collection of parameter definitions")
        return {
            "id": id,
            "name": name,
            "parameters": [{"id": f"{one}_param", "name": one, "required": False} for one in inside],
        }

    def parameter(self, id: str) -> dict[str, Any]:
        """A thing that may be sent. Raises NotFound."""
        name = id.removesuffix("_param")
        kind, description = _found(PARAMETER_TYPES, name, "parameter definition")
        return {"id": f"{name}_param", "name": name, "description": description, "parameter_type": kind}

    @cached_property
    def _schemas(self) -> dict[str, Any]:
        schemas: dict[str, Any] = read_file(DESCRIPTION)["components"]["schemas"]
        return schemas

    @cached_property
    def _types(self) -> dict[str, dict[str, Any]]:
        found = {COMMON: self._type(COMMON, _COMMON_SCHEMA, ())}
        for name, schema in self._schemas.items():
            kind = ((schema.get("properties") or {}).get("type") or {}).get("const")
            if kind:
                found[kind] = self._type(kind, name, ({"name": COMMON},))
        return found

    @cached_property
    def _attributes(self) -> dict[str, dict[str, Any]]:
        return {
            attribute["name"]: {**attribute, "schema": kind["schema"]}
            for kind in reversed(self._types.values())
            for attribute in kind["attributes"]
        }

    def _type(self, kind: str, schema_name: str, inherits: tuple[dict[str, str], ...]) -> dict[str, Any]:
        schema = self._schemas[schema_name]
        common = self._schemas[_COMMON_SCHEMA]["properties"]
        attributes = [
            self._attribute(name, said, required=name in schema.get("required", ()))
            for name, said in schema["properties"].items()
            if name not in common or kind == COMMON
        ]
        described = {"description": schema["description"]} if "description" in schema else {}
        of_others = {"inherits_from": list(inherits)} if inherits else {}
        return {"name": kind, "schema": schema_name, "attributes": attributes, **of_others, **described}

    def _attribute(self, name: str, said: dict[str, Any], *, required: bool) -> dict[str, Any]:
        mutable = bool(said.get("x-mutable"))
        consumer = {"consumer_mutable": not said.get("readOnly", False)} if mutable else {}
        described = {"description": said["description"]} if "description" in said else {}
        kind = _VALUE if isinstance(said.get("type"), list) else self._kind(said)
        return {"name": name, "attribute_type": kind, "required": required, "mutable": mutable, **consumer, **described}

    def _kind(self, said: dict[str, Any]) -> str:
        """The type of an attribute, as CAMP calls it."""
        if said.get("type") == "array":
            return f"{self._kind(said['items'])}[]"
        target = str(said.get("$ref", "")).rpartition("/")[2]
        if target:
            return "Link" if target.endswith("Link") and target not in _LINKS else target
        if said.get("type") == "boolean":
            return "Boolean"
        return str(said.get("x-type") or _FORMATS.get(said.get("format", ""), "String"))


def _found(known: dict[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise NotFound(f"There is no {what} {name}.")
    return known[name]
