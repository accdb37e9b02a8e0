"""What apifold adds to a description: the `x-apifold` keys at its four levels, typed and strict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal, get_args

import msgspec

from apifold.description.places import Places
from apifold.description.walk import root_schemas, subschemas
from apifold.errors import DescriptionError
from apifold.marked import escape
from apifold.settings import Brownout, Status, Unknown, ValidationModes

KEY = "x-apifold"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")


class Microversions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Between which versions clients may choose, and how.

    `max` is the document's own version where nothing is said; `default` is what a client gets that does not choose,
    `min` where nothing is said. `headers` are names, or names with their forms: `{X-Version: "compute {version}"}`.
    """

    min: str
    headers: tuple[str, ...] | dict[str, str]
    max: str = ""
    default: str = ""


class DocumentExtension(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a whole document."""

    service: str = ""
    id: str = ""
    status: Status | None = None
    deprecated: str = ""
    sunset: str = ""
    successor: str = ""
    notice: str = ""
    brownouts: tuple[Brownout, ...] = ()
    microversions: Microversions | None = None
    requires: dict[str, Any] = {}
    handlers: str = ""
    errors: str | dict[str, Any] = "problem"
    validation: ValidationModes = ValidationModes()
    unknown: Unknown = "allow"
    unknown_query: Unknown | None = None
    lenient: Literal["never", "logged", "always"] = "never"
    policy: str = ""
    auth: str = ""
    inline: bool = False
    trailing_slash: Literal["strict", "ignore"] = "strict"
    accept: Literal["strict", "ignore"] = "strict"
    aliases: dict[str, str] = {}
    project_in_path: bool = False
    request_id: dict[str, str] = {}
    traits: dict[str, dict[str, Any]] = {}


class VersionedExtension(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a path or a response, and among those of everything else that may come and go: the first and the last
    version that has it."""

    since: str = ""
    until: str = ""


class OperationExtension(VersionedExtension, frozen=True, kw_only=True):
    """The keys of one operation."""

    deprecated: str = ""
    sunset: str = ""
    successor: str = ""
    policy: str = ""
    public: bool = False
    binding: str | dict[str, Any] = ""
    traits: tuple[str, ...] | dict[str, Any] = ()
    validation: ValidationModes = ValidationModes()
    unknown: Unknown | None = None
    unknown_query: Unknown | None = None
    inline: bool | None = None
    stream: bool = False

    @property
    def bound(self) -> tuple[str, Any]:
        """The binding's name and its option: `("collection", {...})`."""
        if isinstance(self.binding, str):
            return self.binding, None
        return next(iter(self.binding.items()), ("", None))

    @property
    def habits(self) -> dict[str, Any]:
        """The traits by name, each with its option or None."""
        return self.traits if isinstance(self.traits, dict) else dict.fromkeys(self.traits)


class SchemaExtension(VersionedExtension, frozen=True, kw_only=True):
    """The keys of a schema or property."""

    read_only_reason: str = ""
    source: str = ""
    link: str = ""
    action: str = ""
    absent: Any = None
    loosely: dict[str, Any] | None = None
    core: dict[str, Any] = {}


class ParameterExtension(VersionedExtension, frozen=True, kw_only=True):
    """The keys of a parameter."""

    source: str = ""
    style: Literal["list", "pairs", ""] = ""


_LEVELS: dict[str, type[msgspec.Struct]] = {
    "document": DocumentExtension,
    "path": VersionedExtension,
    "operation": OperationExtension,
    "response": VersionedExtension,
    "schema": SchemaExtension,
    "parameter": ParameterExtension,
}

EXTENSION_KEYS: Mapping[str, tuple[str, ...]] = {
    level: tuple(field.encode_name for field in msgspec.structs.fields(struct)) for level, struct in _LEVELS.items()
}
"""Every key that may stand under `x-apifold`, by level."""

Said = tuple[str, str, Any]
"""Level, pointer and keys of one `x-apifold`."""

_REMEDIES = {"status": f"one of: {', '.join(get_args(Status))}"} | dict.fromkeys(
    ("since", "until", "deprecated", "sunset"), "write it in quotes"
)


def document_extension(document: dict[str, Any]) -> DocumentExtension:
    """The document's own keys; call it when `check_extensions` found nothing."""
    return msgspec.convert(document.get(KEY) or {}, DocumentExtension)


def operation_extension(operation: dict[str, Any], method: str, document: dict[str, Any]) -> OperationExtension:
    """An operation's keys, with the traits that its document gives to all of its method; call it when
    `check_extensions` found nothing."""
    own = msgspec.convert(operation.get(KEY) or {}, OperationExtension)
    given = ((document.get(KEY) or {}).get("traits") or {}).get(method.lower())
    if not given:
        return own
    habits = {name: option for name, option in {**given, **own.habits}.items() if option is not False}
    return msgspec.structs.replace(own, traits=habits)


def check_extensions(data: dict[str, Any], places: Places) -> list[DescriptionError]:
    """Unknown keys and values of the wrong kind, at every level of a document as written."""
    return [error for said in _found(data) for error in _check(*said, places)]


def _found(data: dict[str, Any]) -> Iterator[Said]:
    if KEY in data:
        yield "document", f"/{KEY}", data[KEY]
    components = data.get("components") or {}
    for at, item in (
        *_named(data.get("paths"), "/paths"),
        *_named(components.get("pathItems"), "/components/pathItems"),
    ):
        if KEY in item:
            yield "path", f"{at}/{KEY}", item[KEY]
        yield from _in_parameters(item.get("parameters"), f"{at}/parameters")
        for method, operation in _operations(item):
            if KEY in operation:
                yield "operation", f"{at}/{method}/{KEY}", operation[KEY]
            yield from _in_parameters(operation.get("parameters"), f"{at}/{method}/parameters")
            yield from _in_responses(operation.get("responses"), f"{at}/{method}/responses")
    yield from _in_responses(components.get("responses"), "/components/responses")
    for name, parameter in (components.get("parameters") or data.get("parameters") or {}).items():
        yield from _in_parameters([parameter], "", f"/components/parameters/{escape(name)}")
    for root, schema in root_schemas(data):
        for pointer, node in subschemas(schema, root):
            if KEY in node:
                yield "schema", f"{pointer}/{KEY}", node[KEY]


def _named(mapping: Any, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects by name, each with its pointer."""
    for name, item in mapping.items() if isinstance(mapping, dict) else ():
        if isinstance(item, dict):
            yield f"{at}/{escape(name)}", item


def _operations(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for method in METHODS:
        if isinstance(item.get(method), dict):
            yield method, item[method]
    for method, operation in (item.get("additionalOperations") or {}).items():
        if isinstance(operation, dict):
            yield f"additionalOperations/{escape(method)}", operation


def _in_responses(responses: Any, at: str) -> Iterator[Said]:
    for status, answer in responses.items() if isinstance(responses, dict) else ():
        if isinstance(answer, dict) and KEY in answer:
            yield "response", f"{at}/{escape(str(status))}/{KEY}", answer[KEY]


def _in_parameters(parameters: Any, at: str, single: str = "") -> Iterator[Said]:
    for index, parameter in enumerate(parameters or []):
        if isinstance(parameter, dict) and KEY in parameter:
            yield "parameter", f"{single or f'{at}/{index}'}/{KEY}", parameter[KEY]


def _check(level: str, pointer: str, keys: Any, places: Places) -> Iterator[DescriptionError]:
    known = EXTENSION_KEYS[level]
    if not isinstance(keys, dict):
        yield places.error(pointer, f"{KEY} must be a mapping", f"its keys here: {', '.join(known)}")
        return
    unknown = [key for key in keys if key not in known]
    for key in unknown:
        near = get_close_matches(str(key), known, 1, 0.5)
        remedy = f"did you mean `{near[0]}`?" if near else f"its keys here: {', '.join(known) or 'none'}"
        yield places.error(f"{pointer}/{escape(str(key))}", f"`{key}` is not an {KEY} key of a {level}", remedy)
    for key in known:
        if key in keys:
            try:
                msgspec.convert({key: keys[key]}, _LEVELS[level])
            except msgspec.ValidationError as error:
                message = f"`{key}: {keys[key]}`: {str(error).partition(' - at')[0]}"
                yield places.error(f"{pointer}/{key}", message, _REMEDIES.get(key, ""))
