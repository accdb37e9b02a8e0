"""What a description has to show to readers: its operations by tag, its named schemas, where references lead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from apifold.description.extension import METHODS
from apifold.description.walk import resolve_pointer
from apifold.marked import unescape

HOPS = 16
"""References that lead to references."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        method: in upper case, or as it is written under `additionalOperations` (3.2).
        tag: the first of its tags, "operations" where it has none.
        written: all that is written of it.
        parameters: its own and those of its path that it does not replace, references followed.
    """

    method: str
    path: str
    tag: str
    written: dict[str, Any]
    parameters: tuple[dict[str, Any], ...]

    @property
    def label(self) -> str:
        """What a table of contents calls it."""
        return str(self.written.get("summary") or f"{self.method} {self.path}")

    @property
    def is_deprecated(self) -> bool:
        return self.written.get("deprecated") is True


class Outline:
    """An OpenAPI 3.x or Swagger 2.0 document whose references are all local.

    What is not as the specification says is passed over: who reads a reference is not to be told of that.

    Attributes:
        operations: in the order in which they are written.
        schemas: the named ones.
        is_swagger2: whether the document is Swagger 2.0.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.is_swagger2 = "swagger" in document
        container = document if self.is_swagger2 else mapping(document.get("components"))
        self.schemas = mapping(container.get("definitions" if self.is_swagger2 else "schemas"))
        self.operations = tuple(self._read_operations())

    def by_tag(self) -> dict[str, list[Operation]]:
        """The operations by tag, tags in the order in which the document lists them."""
        groups: dict[str, list[Operation]] = {tag: [] for tag in self._tags()}
        for operation in self.operations:
            groups.setdefault(operation.tag, []).append(operation)
        return {tag: operations for tag, operations in groups.items() if operations}

    def about_tag(self, tag: str) -> Any:
        """The description of a tag, if there is one."""
        return self._tags().get(tag)

    def media_types(self, operation: Operation, key: str) -> str:
        """What an operation of Swagger 2.0 `consumes` or `produces`."""
        return ", ".join(map(str, sequence(operation.written.get(key, self.document.get(key)))))

    def followed(self, node: Any) -> dict[str, Any]:
        """What is written, or what its `$ref` leads to; nothing where it leads nowhere."""
        for _ in range(HOPS):
            if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
                return mapping(node)
            try:
                node = resolve_pointer(self.document, pointer_of(node["$ref"]))
            except KeyError:
                break
        return {}

    def body(self, operation: Operation) -> tuple[dict[str, Any], dict[str, Any]]:
        """A request's body as it is written, and its content by media type; empty where it takes none."""
        for parameter in operation.parameters:
            if parameter.get("in") == "body":
                media_types = self.media_types(operation, "consumes")
                return parameter, {media_types: {"schema": parameter.get("schema", {})}}
        body = self.followed(operation.written.get("requestBody"))
        return body, mapping(body.get("content"))

    def responses(self, operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
        """The responses by status, as text: `404`, `4XX`, `default`."""
        for status, response in mapping(operation.written.get("responses")).items():
            if not str(status).startswith("x-"):
                yield str(status), self.followed(response)

    def content(self, operation: Operation, response: dict[str, Any]) -> dict[str, Any]:
        """A response's content by media type.

        Swagger 2.0 has one schema for all media types, and an example for each of them.
        """
        if not self.is_swagger2:
            return mapping(response.get("content"))
        schema = {"schema": response["schema"]} if "schema" in response else {}
        content = {self.media_types(operation, "produces"): schema} if schema else {}
        samples = mapping(response.get("examples")).items()
        return content | {f"{media} example": {"example": value} for media, value in samples}

    def examples(self, described: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """The examples of a parameter or of a media type: what each is called, "" for an only one, and its value."""
        if "example" in described:
            yield "", described["example"]
        for name, written in mapping(described.get("examples")).items():
            one = self.followed(written)
            key = next((key for key in ("value", "dataValue", "serializedValue") if key in one), None)
            if key and one[key] is not None:
                yield str(one.get("summary") or name), one[key]

    def schema_named_by(self, reference: str) -> tuple[str, str]:
        """The named schema that a reference leads to, and the JSON Pointer from there on; ("", "") for none."""
        home = "/definitions/" if self.is_swagger2 else "/components/schemas/"
        pointer = pointer_of(reference)
        if not pointer.startswith(home):
            return "", ""
        key, slash, rest = pointer.removeprefix(home).partition("/")
        name = unescape(key)
        return (name, slash + rest) if name in self.schemas else ("", "")

    def _tags(self) -> dict[str, Any]:
        listed = map(mapping, sequence(self.document.get("tags")))
        return {str(tag["name"]): tag.get("description") for tag in listed if "name" in tag}

    def _read_operations(self) -> Iterator[Operation]:
        for path, written in mapping(self.document.get("paths")).items():
            if not path.startswith("/"):
                continue
            item = self.followed(written)
            found = [(method.upper(), item[method]) for method in METHODS if method in item]
            found += mapping(item.get("additionalOperations")).items()
            for method, operation in found:
                if isinstance(operation, dict):
                    tags = sequence(operation.get("tags"))
                    parameters = self._parameters(item, operation)
                    yield Operation(method, path, str(tags[0]) if tags else "operations", operation, parameters)

    def _parameters(self, *levels: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """Later ones replace earlier ones of the same name and place (3.1.1, 4.8.10.1)."""
        found = {}
        for level in levels:
            for parameter in map(self.followed, sequence(level.get("parameters"))):
                found[str(parameter.get("name")), str(parameter.get("in"))] = parameter
        return tuple(found.values())


def schema_of(parameter: dict[str, Any]) -> Any:
    """A parameter's schema: its own, that of its only media type, or, in Swagger 2.0, the parameter itself."""
    content = mapping(parameter.get("content"))
    if content:
        return mapping(next(iter(content.values()))).get("schema", {})
    return parameter.get("schema", parameter)


def mapping(node: Any) -> dict[str, Any]:
    """The node if it is an object, else an empty one."""
    return node if isinstance(node, dict) else {}


def sequence(node: Any) -> list[Any]:
    """The node if it is an array, else an empty one."""
    return node if isinstance(node, list) else []


def pointer_of(reference: str) -> str:
    """The JSON Pointer in a local reference's fragment (RFC 6901, 6)."""
    return unquote(reference.removeprefix("#")) if reference.startswith("#") else "/"
