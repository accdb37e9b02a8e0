"""Swagger 2.0 to the one internal form (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from apifold.description.places import Places
from apifold.marked import escape, unescape

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")

_SCHEMA_KEYS = frozenset(
    ("type", "format", "items", "default", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength")
    + ("minLength", "pattern", "maxItems", "minItems", "uniqueItems", "enum", "multipleOf", "x-nullable")
)

_STYLES = {
    "csv": ("", False),
    "ssv": ("spaceDelimited", False),
    "tsv": ("tabDelimited", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}
"""`collectionFormat` as style and explode; "" is the default style of the place."""

_FLOWS = {
    "implicit": "implicit",
    "password": "password",
    "application": "clientCredentials",
    "accessCode": "authorizationCode",
}


def from_swagger2(data: dict[str, Any], places: Places) -> dict[str, Any]:
    """The same API in OpenAPI 3.1's words; schemas keep their 2.0 keywords for the step after.

    Args:
        data: a document that the 2.0 meta-schema accepts, its references local.
        places: is told where moved things were written.
    """
    return _Converter(data, places).document()


class _Converter:
    def __init__(self, data: dict[str, Any], places: Places) -> None:
        self.data = data
        self.places = places
        self.parameters = data.get("parameters") or {}
        self.responses = data.get("responses") or {}

    def document(self) -> dict[str, Any]:
        data = self.data
        base = data.get("basePath") or "/"
        document: dict[str, Any] = {
            "openapi": "3.1.0",
            "info": data["info"],
            "servers": [{"url": base}],
            "paths": {
                path: self._path_item(path, item) for path, item in data["paths"].items() if not path.startswith("x-")
            },
            "components": {
                "schemas": _rewritten(data.get("definitions") or {}),
                "securitySchemes": {
                    name: _security(scheme) for name, scheme in (data.get("securityDefinitions") or {}).items()
                },
            },
        }
        self.places.move("/components/schemas", self.places.main.name, "/definitions")
        self.places.move("/components/securitySchemes", self.places.main.name, "/securityDefinitions")
        for key in ("tags", "security", "externalDocs", "x-apifold"):
            if key in data:
                document[key] = data[key]
        return document

    def _path_item(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        at = f"/paths/{escape(path)}"
        shared = [self._resolve(parameter) for parameter in item.get("parameters") or []]
        converted = {key: value for key, value in item.items() if key.startswith("x-")}
        for method in METHODS:
            if method in item:
                converted[method] = self._operation(item[method], shared, f"{at}/{method}", f"{at}/parameters")
        return converted

    def _operation(
        self, operation: dict[str, Any], shared: list[dict[str, Any]], at: str, shared_at: str
    ) -> dict[str, Any]:
        own = [
            (self._resolve(parameter), f"{at}/parameters/{index}")
            for index, parameter in enumerate(operation.get("parameters") or [])
        ]
        names = {(parameter.get("name"), parameter.get("in")) for parameter, _ in own}
        inherited = [
            (parameter, f"{shared_at}/{index}")
            for index, parameter in enumerate(shared)
            if (parameter.get("name"), parameter.get("in")) not in names
        ]
        everything = own + inherited
        consumes = operation.get("consumes", self.data.get("consumes")) or ["application/json"]
        produces = operation.get("produces", self.data.get("produces")) or ["application/json"]
        converted = {
            key: value
            for key, value in operation.items()
            if key not in ("parameters", "responses", "consumes", "produces", "schemes")
        }
        plain = [
            (parameter, origin) for parameter, origin in everything if parameter.get("in") not in ("body", "formData")
        ]
        if plain:
            converted["parameters"] = [_parameter(parameter) for parameter, _ in plain]
            for index, (_, origin) in enumerate(plain):
                self._came(f"{at}/parameters/{index}", origin)
                self._came(f"{at}/parameters/{index}/schema", origin)
        self._body(converted, everything, consumes, at)
        converted["responses"] = {
            str(status): self._response(self._resolve_response(response), produces, f"{at}/responses/{status}")
            for status, response in operation["responses"].items()
            if not str(status).startswith("x-")
        }
        return converted

    def _body(
        self, operation: dict[str, Any], parameters: list[tuple[dict[str, Any], str]], consumes: list[str], at: str
    ) -> None:
        for parameter, origin in parameters:
            if parameter.get("in") == "body":
                operation["requestBody"] = {
                    "required": parameter.get("required", False),
                    "description": parameter.get("description", ""),
                    "content": {media: {"schema": _rewritten(parameter.get("schema", {}))} for media in consumes},
                    **({"x-apifold": parameter["x-apifold"]} if "x-apifold" in parameter else {}),
                }
                operation.setdefault("x-body-name", parameter.get("name"))
                self._came(f"{at}/requestBody", origin)
                for media in consumes:
                    self._came(f"{at}/requestBody/content/{escape(media)}/schema", f"{origin}/schema")
                return
        fields = [(parameter, origin) for parameter, origin in parameters if parameter.get("in") == "formData"]
        if not fields:
            return
        forms = [media for media in consumes if media in ("application/x-www-form-urlencoded", "multipart/form-data")]
        if not forms:
            forms = (
                ["multipart/form-data"]
                if any(field["type"] == "file" for field, _ in fields)
                else ["application/x-www-form-urlencoded"]
            )
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {field["name"]: _form_field(field) for field, _ in fields},
        }
        required = [field["name"] for field, _ in fields if field.get("required")]
        if required:
            schema["required"] = required
        encoding = {field["name"]: _style(field) for field, _ in fields if field.get("type") == "array"}
        operation["requestBody"] = {
            "required": bool(required),
            "content": {
                media: {"schema": schema, "encoding": encoding} if encoding else {"schema": schema} for media in forms
            },
        }
        self._came(f"{at}/requestBody", fields[0][1])

    def _response(self, response: dict[str, Any], produces: list[str], at: str) -> dict[str, Any]:
        converted = {key: value for key, value in response.items() if key in ("description", "x-apifold")}
        examples = response.get("examples") or {}
        if "schema" in response:
            schema = _rewritten(response["schema"])
            if schema.get("type") == "file":
                schema = {"type": "string", "format": "binary"}
            converted["content"] = {media: {"schema": schema} for media in produces}
            for media in produces:
                here = f"{at}/content/{escape(media)}"
                self._came(f"{here}/schema", f"{at}/schema")
                if media in examples:
                    converted["content"][media]["example"] = examples[media]
                    self._came(f"{here}/example", f"{at}/examples/{escape(media)}")
        if response.get("headers"):
            converted["headers"] = {
                name: _parameter({**header, "in": "header"}, name=False) for name, header in response["headers"].items()
            }
        return converted

    def _resolve(self, parameter: dict[str, Any]) -> dict[str, Any]:
        target = parameter.get("$ref", "")
        if target.startswith("#/parameters/"):
            return self._resolve(self.parameters[unescape(target[len("#/parameters/") :])])
        return parameter

    def _resolve_response(self, response: dict[str, Any]) -> dict[str, Any]:
        target = response.get("$ref", "")
        if target.startswith("#/responses/"):
            return self._resolve_response(self.responses[unescape(target[len("#/responses/") :])])
        return response

    def _came(self, pointer: str, origin: str) -> None:
        self.places.move(pointer, *self.places.origin(origin))


def _rewritten(node: Any) -> Any:
    """A copy in which references to definitions lead to components."""
    if isinstance(node, list):
        return [_rewritten(child) for child in node]
    if not isinstance(node, dict):
        return node
    target = node.get("$ref")
    if isinstance(target, str) and target.startswith("#/definitions/"):
        return {**node, "$ref": target.replace("#/definitions/", "#/components/schemas/", 1)}
    return {key: _rewritten(value) for key, value in node.items()}


def _schema(parameter: dict[str, Any]) -> dict[str, Any]:
    schema = {key: _rewritten(value) for key, value in parameter.items() if key in _SCHEMA_KEYS}
    items = schema.get("items")
    if isinstance(items, dict) and "collectionFormat" in items:
        schema["items"] = _schema(items)
    return schema


def _form_field(parameter: dict[str, Any]) -> dict[str, Any]:
    if parameter["type"] == "file":
        return {"type": "string", "format": "binary"}
    return _schema(parameter)


def _style(parameter: dict[str, Any]) -> dict[str, Any]:
    style, explode = _STYLES[parameter.get("collectionFormat", "csv")]
    return {"style": style, "explode": explode} if style else {"explode": explode}


def _parameter(parameter: dict[str, Any], *, name: bool = True) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in parameter.items()
        if key in ("in", "required", "description", "allowEmptyValue", "x-apifold", "x-example")
    }
    if name:
        kept["name"] = parameter["name"]
    else:
        kept.pop("in")
    kept["schema"] = _schema(parameter)
    if parameter.get("type") == "array":
        kept |= _style(parameter)
    return kept


def _security(scheme: dict[str, Any]) -> dict[str, Any]:
    if scheme["type"] == "basic":
        return {"type": "http", "scheme": "basic"}
    if scheme["type"] == "oauth2":
        flow = {key: value for key, value in scheme.items() if key in ("authorizationUrl", "tokenUrl", "scopes")}
        return {"type": "oauth2", "flows": {_FLOWS[scheme["flow"]]: flow}}
    return scheme
