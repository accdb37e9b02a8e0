"""Definition files: a resource of a cloud, told in YAML as MultiCloud has it, made a Swagger document."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from apifold import NotADescription

VERBS = {
    "get": ("get", True),
    "get_all": ("get", False),
    "post": ("post", False),
    "put": ("put", True),
    "patch": ("patch", True),
    "delete": ("delete", True),
}
"""Verbs of a definition: the method, and whether it is one thing's, or the list's."""

PATH_KEYS = (*VERBS, "parameters", "vim_path", "handler", "envelope")
RESOURCE_KEYS = ("vim_resource", "plural_vim_resource", "plural", "properties", "description", "type", "required")
PROPERTY_KEYS = (
    *("source", "type", "format", "required", "default", "minimal", "minimum", "maximum", "action", "description"),
    *("enum", "items", "properties", "read_only", "pattern", "minLength", "maxLength", "example"),
)
BARE_SERVICES = ("image",)
"""Services that answer a thing without an envelope, whatever a definition says of one (Image API v2)."""

GIVEN_BY_CLOUDS = ("id", "status", "tenantId")
"""Members that nobody writes."""

PLACE = ("vimName", "vimId", "tenantId", "cloud-owner", "cloud-region-id")
"""Members that tell the client again where it was."""

EXAMPLE = "/network/v2.0/networks"

UUID = "^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"

_WORDS = {"None": None, "true": True, "false": False}
"""Defaults that stand as words."""

_LISTED = (
    {"name": "name", "in": "query", "type": "string", "description": "only those of this name"},
    {"name": "limit", "in": "query", "type": "integer", "minimum": 1, "description": "how many at the most"},
    {"name": "marker", "in": "query", "type": "string", "description": "after this one"},
)

Problem = tuple[str, str, str]


def document_of(data: dict[str, Any], name: str) -> dict[str, Any]:
    """The Swagger 2.0 document that a definition stands for, its paths below `/{vimid}`.

    Args:
        name: of the file, without its ending.

    Raises:
        NotADescription: something in it can't be understood; tells everything.
    """
    return _Definition(data, name).document()


class _Definition:
    def __init__(self, data: dict[str, Any], name: str) -> None:
        self.data = data
        self.name = name
        self.problems: list[Problem] = []
        definitions = data.get("definitions")
        self.resources: dict[str, Any] = definitions if isinstance(definitions, dict) else {}

    def document(self) -> dict[str, Any]:
        paths = self.data.get("paths")
        if not isinstance(paths, dict) or not paths:
            self._wrong(
                "/paths" if "paths" in self.data else "", "a definition needs `paths`", "write one path at least"
            )
            raise NotADescription(self.problems)
        for resource, written in self.resources.items():
            self._check_resource(resource, written)
        described = {} if self.problems else {name: self._schema(one) for name, one in self.resources.items()}
        made: dict[str, Any] = {}
        for path, item in paths.items():
            made |= self._path(path, item if isinstance(item, dict) else {})
        if self.problems:
            raise NotADescription(self.problems)
        info = {"title": self.name, "version": "1.0", **(self.data.get("info") or {})}
        return {
            "swagger": "2.0",
            "info": {**info, "version": str(info["version"])},
            "consumes": ["application/json"],
            "x-apifold": {"handlers": "apifold_services.multicloud.plugin", "unknown": "reject"},
            "paths": made,
            "definitions": described,
        }

    def _wrong(self, pointer: str, message: str, remedy: str) -> None:
        self.problems.append((pointer, message, remedy))

    def _unknown(self, pointer: str, written: dict[str, Any], known: tuple[str, ...], what: str) -> None:
        for key in written:
            if key not in known and not str(key).startswith("x-"):
                near = get_close_matches(str(key), known, 1)
                remedy = f"did you mean `{near[0]}`?" if near else f"its keys: {', '.join(known)}"
                self._wrong(f"{pointer}/{_escaped(key)}", f"`{key}` is not a key of {what}", remedy)

    def _check_resource(self, resource: str, written: Any) -> None:
        at = f"/definitions/{_escaped(resource)}"
        if not isinstance(written, dict) or not isinstance(written.get("properties"), dict):
            self._wrong(at, f"the resource {resource!r} needs `properties`", "such as `name: {source: network.name}`")
            return
        self._unknown(at, written, RESOURCE_KEYS, "a resource")
        envelope = written.get("vim_resource")
        for name, one in written["properties"].items():
            below = f"{at}/properties/{_escaped(name)}"
            if not isinstance(one, dict):
                self._wrong(below, f"the property {name!r} must be a mapping", "such as `{type: string}`")
                continue
            self._unknown(below, one, PROPERTY_KEYS, "a property")
            source = one.get("source")
            if source and envelope and not str(source).startswith(f"{envelope}."):
                remedy = f"write `{envelope}.{str(source).partition('.')[2] or source}`"
                self._wrong(f"{below}/source", f"the source of {name!r} does not begin with {envelope!r}", remedy)

    def _schema(self, resource: dict[str, Any]) -> dict[str, Any]:
        envelope = resource.get("vim_resource", "")
        return _object(resource["properties"], f"{envelope}." if envelope else "")

    def _path(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        at = f"/paths/{_escaped(path)}"
        if not path.startswith("/{vimid}/"):
            self._wrong(at, f"{path!r} is not below a cloud", "begin it with `/{vimid}/`")
        self._unknown(at, item, PATH_KEYS, "a path")
        verbs = [verb for verb in VERBS if verb in item]
        if not verbs:
            self._wrong(at, f"{path!r} exposes nothing", f"write one of: {', '.join(VERBS)}")
        if not item.get("vim_path") and not item.get("handler") and not all(_own(item[verb]) for verb in verbs):
            self._wrong(
                at, f"{path!r} has neither `vim_path` nor `handler`", "such as `vim_path: /network/v2.0/networks`"
            )
            return {}
        listed, single = _split(path)
        made: dict[str, Any] = {}
        for verb in verbs:
            method, is_one = VERBS[verb]
            place = single if is_one else listed
            shared = [_in_path(one) for one in item.get("parameters") or () if f"{{{one.get('name')}}}" in place]
            given = {parameter["name"] for parameter in shared}
            shared += [
                {"name": name, "in": "path", "type": "string", "required": True}
                for name in _placeholders(place)
                if name not in given
            ]
            target = made.setdefault(place, {"parameters": shared})
            target[method] = self._operation(f"{at}/{verb}", verb, item, place)
        return made

    def _operation(self, at: str, verb: str, item: dict[str, Any], place: str) -> dict[str, Any]:
        written = item[verb] if isinstance(item[verb], dict) else {}
        resource = self._resource(at, written)
        collection = place.strip("/").split("/")[-1 if "{" not in place.rpartition("/")[2] else -2]
        code = _code(verb, written)
        binding = self._binding(at, verb, item, written, resource, place)
        operation: dict[str, Any] = {
            "operationId": f"{verb}_{collection}",
            "tags": [collection],
            **({} if verb == "delete" else {"produces": ["application/json"]}),
            "summary": written.get("summary") or f"{verb.replace('_', ' ').capitalize()} {collection}",
            "x-apifold": {
                "binding": binding,
                "policy": "multicloud:read" if VERBS[verb][0] == "get" else "multicloud:write",
            },
            "responses": {str(code): self._response(verb, resource)},
        }
        parameters = [
            *(written.get("parameters") or ()),
            *(_LISTED if verb == "get_all" and "upstream" in binding else ()),
        ]
        if verb in ("post", "put", "patch") and resource:
            schema = self._whole(resource) if verb == "post" else self._loose(resource)
            parameters.append({"name": "body", "in": "body", "required": True, "schema": schema})
        if parameters:
            operation["parameters"] = parameters
        if verb == "post" and resource:
            operation["responses"].setdefault("200", self._response(verb, resource))
        operation["responses"]["default"] = {"description": "What is wrong", "schema": {"type": "object"}}
        return operation

    def _resource(self, at: str, written: dict[str, Any]) -> str:
        """The resource that a verb answers: the one that its schema names, else the only one."""
        reference = _reference(written.get("responses"))
        if reference and reference not in self.resources:
            self._wrong(
                f"{at}/responses", f"there is no definition {reference!r}", f"there are: {', '.join(self.resources)}"
            )
            return ""
        return reference or next(iter(self.resources), "")

    def _binding(
        self, at: str, verb: str, item: dict[str, Any], written: dict[str, Any], resource: str, place: str
    ) -> dict[str, Any]:
        handler = written.get("handler") or (None if "vim_path" in written else item.get("handler"))
        if handler:
            return {"handler": str(handler).replace(":", ".")}
        vim_path = str(written.get("vim_path") or item.get("vim_path") or "")
        service, slash, rest = vim_path.strip("/").partition("/")
        if not vim_path.startswith("/") or not slash:
            self._wrong(
                at, f"{vim_path!r} is no vim_path", "begin with the type of a service: `/network/v2.0/networks`"
            )
            return {}
        about = self.resources.get(resource) or {}
        last = place.rpartition("/")[2]
        option: dict[str, Any] = {
            "to": "cloud",
            "service": service,
            "path": f"/{rest}/{last}" if VERBS[verb][1] and last.startswith("{") else f"/{rest}",
            "add": {
                "vimName": "{vim}",
                "vimid" if verb == "get_all" else "vimId": "{vim}",
                **({"tenantId": "{tenantid}"} if "{tenantid}" in place else {}),
            },
        }
        bare = service in BARE_SERVICES or item.get("envelope") == "none"
        envelope = "" if bare else about.get("vim_resource", "")
        if verb != "get_all" and envelope:
            option["envelope"] = envelope
        if verb == "post":
            option["add"]["returnCode"] = 1
            name = _source(about, "name", about.get("vim_resource", ""))
            if name and about.get("plural_vim_resource"):
                option["existing"] = {"by": name, "list": about["plural_vim_resource"], "add": {"returnCode": 0}}
                listed = item.get("get_all")
                if isinstance(listed, dict) and "vim_path" in listed:
                    option["existing"]["path"] = f"/{listed['vim_path'].strip('/').partition('/')[2]}"
        elif verb in ("get", "put", "patch"):
            option["add"]["returnCode"] = 0
        elif verb == "delete":
            del option["add"]
        return {"upstream": option}

    def _response(self, verb: str, resource: str) -> dict[str, Any]:
        if verb == "delete" or not resource:
            return {"description": "Done"}
        one = {"$ref": f"#/definitions/{resource}"}
        about = self.resources[resource]
        place = {name: {"type": "string"} for name in PLACE}
        if verb == "get_all":
            plural = about.get("plural") or about.get("plural_vim_resource") or f"{resource}s"
            items = {
                "type": "array",
                "items": one,
                "x-apifold": {"source": about.get("plural_vim_resource") or plural},
            }
            names = {**place, "vimid": {"type": "string"}}
            properties = {plural: items, **names}
            schema = {"type": "object", "required": [plural], "properties": properties}
            return {"description": "All of them", "schema": schema}
        own = set(about["properties"])
        extra = {name: schema for name, schema in place.items() if name not in own} | {
            "returnCode": {"type": "integer"}
        }
        return {"description": "The one", "schema": {"allOf": [one, {"type": "object", "properties": extra}]}}

    def _whole(self, resource: str) -> dict[str, Any]:
        """The resource with everything that a client must give, for creating."""
        properties = self.resources[resource]["properties"]
        required = [name for name, one in properties.items() if one.get("required") is True and _is_inside_list(one)]
        one = {"$ref": f"#/definitions/{resource}"}
        return {"allOf": [one, {"type": "object", "required": required}]} if required else one

    def _loose(self, resource: str) -> dict[str, Any]:
        """The resource with nothing required, for changes."""
        schema = self._schema(self.resources[resource])
        return {key: value for key, value in schema.items() if key != "required"}


def _object(properties: dict[str, Any], envelope: str) -> dict[str, Any]:
    """A mapping of properties as a schema.

    What lives in an item of a list is not required of a cloud: the list may be empty, and the rest is told.
    """
    required = [name for name, one in properties.items() if one.get("required") is True and not _is_inside_list(one)]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(name, one, envelope) for name, one in properties.items()},
    }
    return {**schema, "required": required} if required else schema


def _property(name: str, written: dict[str, Any], envelope: str) -> dict[str, Any]:
    kept = ("type", "format", "description", "enum", "minimum", "maximum", "pattern", "minLength", "maxLength")
    schema = {key: written[key] for key in kept if key in written}
    if "minimal" in written:
        schema["minLength" if written.get("type") == "string" else "minimum"] = written["minimal"]
    if not written.get("required"):
        schema["x-nullable"] = True
    if (envelope and name in GIVEN_BY_CLOUDS) or written.get("read_only"):
        schema["readOnly"] = True
    if isinstance(written.get("properties"), dict):
        schema |= _object(written["properties"], "")
    if isinstance(written.get("items"), dict):
        schema["items"] = _property("", written["items"], "") if written["items"] else {}
    source = str(written.get("source") or name).removeprefix(envelope)
    said: dict[str, Any] = {"source": source} if source else {}
    if "default" in written:
        default = written["default"]
        said["absent"] = _WORDS.get(default, default) if isinstance(default, str) else default
    if written.get("action", "copy") != "copy":
        said["action"] = written["action"]
    return {**schema, "x-apifold": said} if said else schema


def _in_path(parameter: dict[str, Any]) -> dict[str, Any]:
    """A path parameter, which is always required. A UUID may come without its dashes, as Keystone writes projects."""
    kept = {key: value for key, value in parameter.items() if key != "format"}
    if parameter.get("format") == "uuid":
        kept["pattern"] = UUID
    return {"type": "string", **kept, "in": "path", "required": True}


def _is_inside_list(written: dict[str, Any]) -> bool:
    return "[" in str(written.get("source", ""))


def _source(about: dict[str, Any], name: str, envelope: str) -> str:
    one = (about.get("properties") or {}).get(name) or {}
    return str(one.get("source") or "").removeprefix(f"{envelope}." if envelope else "") if one else ""


def _own(written: Any) -> bool:
    return isinstance(written, dict) and bool(written.get("vim_path") or written.get("handler"))


def _split(path: str) -> tuple[str, str]:
    """The list's path and one thing's; they are the same where no name ends the path."""
    head, _, last = path.rpartition("/")
    return (head, path) if last.startswith("{") else (path, path)


def _placeholders(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _code(verb: str, written: dict[str, Any]) -> int:
    """The status that a definition declares; MultiCloud's own where it declares none."""
    return next((code for code in _codes(written) if 200 <= code < 300), {"post": 201, "delete": 204}.get(verb, 200))


def _codes(written: dict[str, Any]) -> Iterator[int]:
    code = written.get("success_code")
    if code is not None:
        yield int(code)
    responses = written.get("responses")
    if isinstance(responses, dict):
        if "success_code" in responses:
            yield int(responses["success_code"])
        yield from (int(code) for code in responses if str(code).isdigit())
    elif str(responses).isdigit():
        yield int(str(responses))


def _reference(responses: Any) -> str:
    """The definition that a verb's answer names, alone or as a list's items."""
    for response in responses.values() if isinstance(responses, dict) else ():
        schema = response.get("schema") if isinstance(response, dict) else None
        while isinstance(schema, dict):
            if "$ref" in schema:
                return str(schema["$ref"]).rpartition("/")[2]
            schema = schema.get("items")
    return ""


def _escaped(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
