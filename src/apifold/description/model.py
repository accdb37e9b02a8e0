"""Model files: a few lines of YAML that say what a resource is, expanded to a description of its API."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from apifold.description.places import Places
from apifold.errors import DescriptionError
from apifold.marked import escape

OPERATIONS = ("list", "create", "read", "replace", "patch", "delete")

MODEL_KEYS = {
    "model": "the resource's name, singular",
    "path": "where its collection is served; the last segment is the collection's name",
    "title": "what people call the API",
    "description": "what it is for",
    "operations": f"which of {', '.join(OPERATIONS)}; all where it is left out",
    "fields": "the members, each a JSON Schema, with `required: true` where a client must give it",
    "filter": "fields that a list can be filtered by",
    "sort": "fields that a list can be sorted by; those of `filter` where it is left out",
    "unique": "fields of which no two may have the same value",
    "upstream": "another HTTP API that has them: `to`, `path` and more; each field may say its `source` there",
    "policy": "prefix of the policy rules: `inventory` binds `inventory:list` and so on",
    "public": "true: anybody may do anything with it",
    "x-apifold": "the document's own apifold keys",
}
"""Every key of a model file."""

UPSTREAM_KEYS = ("to", "path", "service", "envelope", "list", "id", "page", "headers", "query", "seconds")
"""Keys of `upstream`: those of the binding, and `list` and `id`, the members that a list and an id stand in."""

_GIVEN = ("id", "created_at", "updated_at")
_FIELD_KEYS = ("required", "source", "action")


def is_model(data: Any) -> bool:
    """Whether a file's content is a model file."""
    return isinstance(data, dict) and "model" in data and "openapi" not in data and "swagger" not in data


def check_model(data: dict[str, Any], places: Places) -> list[DescriptionError]:
    """Everything wrong with a model file."""
    return list(_check(data, places))


def _check(data: dict[str, Any], places: Places) -> Iterator[DescriptionError]:
    for key in data:
        if key not in MODEL_KEYS:
            near = get_close_matches(str(key), MODEL_KEYS, 1)
            remedy = f"did you mean `{near[0]}`?" if near else f"a model file's keys: {', '.join(MODEL_KEYS)}"
            yield places.error(f"/{escape(str(key))}", f"`{key}` is not a key of a model file", remedy)
    for key, kind, example in (
        ("model", str, "host"),
        ("path", str, "/inventory/hosts"),
        ("fields", dict, "{name: {type: string}}"),
    ):
        if not isinstance(data.get(key), kind) or not data[key]:
            yield places.error(
                f"/{key}" if key in data else "", f"a model file needs `{key}`", f"such as `{key}: {example}`"
            )
    path = data.get("path")
    if isinstance(path, str) and (not path.startswith("/") or path.endswith("/") or "{" in path):
        yield places.error(
            "/path", f"{path!r} is not the path of a collection", "begin it with `/`, end it with the collection's name"
        )
    fields = data.get("fields") if isinstance(data.get("fields"), dict) else {}
    for name, field in (fields or {}).items():
        if name in (_GIVEN[:1] if data.get("upstream") else _GIVEN):
            yield places.error(
                f"/fields/{name}", f"`{name}` is given by apifold", "leave it out, or choose another name"
            )
        if not isinstance(field, dict):
            yield places.error(
                f"/fields/{escape(name)}",
                f"the field {name!r} must be a mapping",
                f"such as `{name}: {{type: string}}`",
            )
        elif not isinstance(field.get("required", False), bool):
            yield places.error(
                f"/fields/{escape(name)}/required",
                "`required` is true or false here",
                "write the names inside an object's `properties` instead",
            )
    yield from _check_upstream(data, places)
    for key, known in (
        ("operations", OPERATIONS),
        ("filter", tuple(fields or ())),
        ("sort", (*(fields or ()), *_GIVEN)),
        ("unique", tuple(fields or ())),
    ):
        listed = data.get(key)
        if listed is not None and not isinstance(listed, list):
            yield places.error(f"/{key}", f"`{key}` is a list", f"such as `{key}: [{known[0] if known else ''}]`")
            continue
        for index, name in enumerate(listed or []):
            if name not in known:
                yield places.error(f"/{key}/{index}", f"`{name}` can't stand in `{key}`", f"one of: {', '.join(known)}")


def _check_upstream(data: dict[str, Any], places: Places) -> Iterator[DescriptionError]:
    upstream = data.get("upstream")
    if upstream is None:
        for name, field in (data["fields"] if isinstance(data.get("fields"), dict) else {}).items():
            for key in ("source", "action"):
                if isinstance(field, dict) and key in field:
                    at = f"/fields/{escape(name)}/{key}"
                    yield places.error(at, f"`{key}` is for fields of an `upstream`", "leave it out, or add `upstream`")
        return
    if (
        not isinstance(upstream, dict)
        or not isinstance(upstream.get("to"), str)
        or not isinstance(upstream.get("path"), str)
    ):
        yield places.error(
            "/upstream", "`upstream` needs `to` and `path`", "such as `{to: cloud, path: /v2.0/networks}`"
        )
        return
    for key in upstream:
        if key not in UPSTREAM_KEYS:
            remedy = f"its keys: {', '.join(UPSTREAM_KEYS)}"
            yield places.error(f"/upstream/{escape(str(key))}", f"`{key}` is not a key of `upstream`", remedy)
    for key in ("sort", "unique"):
        if data.get(key):
            yield places.error(f"/{key}", f"`{key}` is for what is stored here", "leave it out; the upstream decides")


def expand(data: dict[str, Any], places: Places) -> dict[str, Any]:
    """The OpenAPI 3.1 description that a model file stands for; call it when `check_model` found nothing."""
    return _Expansion(data, places).document()


class _Expansion:
    def __init__(self, data: dict[str, Any], places: Places) -> None:
        self.data = data
        self.model: str = data["model"]
        self.parent, _, self.plural = data["path"].rpartition("/")
        self.wanted = tuple(data.get("operations") or OPERATIONS)
        self.upstream: dict[str, Any] = data.get("upstream") or {}
        self.filters = list(data.get("filter") or [])
        self.sorts = [] if self.upstream else list(data.get("sort") or self.filters) + ["created_at", "updated_at"]
        self.collection = {
            "name": self.plural,
            "filter": self.filters,
            "sort": self.sorts,
            "unique": list(data.get("unique") or []),
        }
        for name in data["fields"]:
            places.move(
                f"/components/schemas/{escape(self.model)}/properties/{escape(name)}",
                places.main.name,
                f"/fields/{escape(name)}",
            )
            places.move(
                f"/components/schemas/{escape(self.model)}-changes/properties/{escape(name)}",
                places.main.name,
                f"/fields/{escape(name)}",
            )

    def document(self) -> dict[str, Any]:
        data = self.data
        fields = {name: _property(field) for name, field in data["fields"].items()}
        given = _given_upstream(self.upstream) if self.upstream else _given()
        required = [name for name, field in data["fields"].items() if field.get("required")]
        extension = {"unknown": "reject", **(data.get("x-apifold") or {})}
        document: dict[str, Any] = {
            "openapi": "3.1.0",
            "info": {
                "title": data.get("title") or self.plural.replace("_", " ").title(),
                "version": "1.0",
                "description": data.get("description", ""),
            },
            "servers": [{"url": self.parent or "/"}],
            "x-apifold": extension,
            "paths": {},
            "components": {
                "schemas": {
                    self.model: {
                        "type": "object",
                        "properties": {**given, **fields},
                        "required": [*given, *required],
                        "additionalProperties": False,
                    },
                    f"{self.model}-list": {
                        "type": "object",
                        "required": ["items"],
                        "properties": {
                            "items": {"type": "array", "items": self._schema(), **_sourced(self.upstream.get("list"))},
                            "next": {"type": "string", "description": "marker of the next page, where there is one"},
                        },
                    },
                    "problem": _problem(),
                }
            },
        }
        many = {
            method: self._operation(name)
            for name, method in (("list", "get"), ("create", "post"))
            if name in self.wanted
        }
        one = {
            method: self._operation(name)
            for name, method in (("read", "get"), ("replace", "put"), ("patch", "patch"), ("delete", "delete"))
            if name in self.wanted
        }
        if many:
            document["paths"][f"/{self.plural}"] = many
        if one:
            identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            document["paths"][f"/{self.plural}/{{id}}"] = {"parameters": [identifier], **one}
        return document

    def _schema(self) -> dict[str, Any]:
        return {"$ref": f"#/components/schemas/{self.model}"}

    def _operation(self, name: str) -> dict[str, Any]:
        noun = self.model.replace("_", " ")
        extension: dict[str, Any] = {"binding": self._binding(name)}
        if self.data.get("policy"):
            extension["policy"] = f"{self.data['policy']}:{name}"
        if self.data.get("public"):
            extension["public"] = True
        one = {"description": f"The {noun}", "content": {"application/json": {"schema": self._schema()}}}
        body = {"required": True, "content": {"application/json": {"schema": self._schema()}}}
        default = {
            "description": "What is wrong",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}},
        }
        operation: dict[str, Any] = {
            "operationId": f"{name}_{self.plural if name == 'list' else self.model}",
            "tags": [self.plural],
            "x-apifold": extension,
        }
        match name:
            case "list":
                if not self.upstream or "page" in self.upstream:
                    extension["traits"] = {"page": "marker"}
                content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{self.model}-list"}}}
                operation |= {
                    "summary": f"List {self.plural}",
                    "parameters": self._list_parameters(),
                    "responses": {"200": {"description": "One page", "content": content}},
                }
            case "create":
                extension["traits"] = ["etag", "idempotent"]
                operation |= {"summary": f"Create a {noun}", "requestBody": body, "responses": {"201": one}}
            case "read":
                extension["traits"] = ["etag"]
                operation |= {"summary": f"Read a {noun}", "responses": {"200": one}}
            case "replace":
                extension["traits"] = ["etag"]
                operation |= {"summary": f"Replace a {noun}", "requestBody": body, "responses": {"200": one}}
            case "patch":
                extension["traits"] = ["etag", "json-patch", "merge-patch"]
                operation |= {"summary": f"Change a {noun}", "responses": {"200": one}}
            case _:
                extension["traits"] = ["etag"]
                operation |= {"summary": f"Delete a {noun}", "responses": {"204": {"description": "Gone"}}}
        operation["responses"]["default"] = default
        return operation

    def _binding(self, name: str) -> dict[str, Any]:
        if not self.upstream:
            return {"collection": {**self.collection, "do": name}}
        upstream = self.upstream
        option: dict[str, Any] = {
            key: upstream[key] for key in ("to", "service", "headers", "query", "seconds") if key in upstream
        }
        option["path"] = upstream["path"] + ("" if name in ("list", "create") else "/{id}")
        if name == "list" and "page" in upstream:
            option["page"] = {"list": upstream.get("list", "items"), **(upstream["page"] or {})}
        if name != "list" and upstream.get("envelope"):
            option["envelope"] = upstream["envelope"]
        if name == "patch":
            option["method"] = "PUT"
        return {"upstream": option}

    def _list_parameters(self) -> list[dict[str, Any]]:
        fields = self.data["fields"]
        filters = [
            {
                "name": name,
                "in": "query",
                "description": f"only those whose {name} is this, or one of these",
                "schema": {
                    "type": "array",
                    "items": {key: value for key, value in fields[name].items() if key in ("type", "enum", "format")},
                },
                **_sourced(fields[name].get("source")),
            }
            for name in self.filters
        ]
        if not self.sorts:
            return filters
        keys = [direction + name for name in dict.fromkeys(self.sorts) for direction in ("", "-")]
        sort = {
            "name": "sort",
            "in": "query",
            "explode": False,
            "description": "by these fields; `-` in front for descending",
            "schema": {"type": "array", "items": {"type": "string", "enum": keys}},
        }
        return [*filters, sort]


def _property(field: dict[str, Any]) -> dict[str, Any]:
    """A field as a property: what only model files say goes where descriptions say it."""
    plain = {key: value for key, value in field.items() if key not in _FIELD_KEYS}
    said = {key: field[key] for key in ("source", "action") if key in field}
    return {**plain, "x-apifold": {**plain.get("x-apifold", {}), **said}} if said else plain


def _sourced(source: Any) -> dict[str, Any]:
    return {"x-apifold": {"source": source}} if source else {}


def _given_upstream(upstream: dict[str, Any]) -> dict[str, Any]:
    return {"id": {"type": "string", "readOnly": True, **_sourced(upstream.get("id"))}}


def _given() -> dict[str, Any]:
    return {
        "id": {"type": "string", "readOnly": True},
        "created_at": {"type": "string", "format": "date-time", "readOnly": True},
        "updated_at": {"type": "string", "format": "date-time", "readOnly": True},
    }


def _problem() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "RFC 9457",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": {"type": "object"}},
        },
    }
