"""A description as the rest of the house sees it: one form, whatever was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apifold.description.extension import DocumentExtension, OperationExtension
from apifold.description.places import Places
from apifold.marked import unescape

MediaTypes = Mapping[str, Any]
"""Media type to its object: `schema`, `encoding`, `example`, `examples`."""


def json_schema(content: MediaTypes) -> Any:
    """The schema of JSON among some media types, that of a patch apart; None where there is none."""
    whole = (one for media, one in content.items() if "json" in media and "patch" not in media)
    return next((one["schema"] for one in whole if "schema" in one), None)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path, query, header or cookie parameter; `schema` is JSON Schema 2020-12.

    `media` is set where the value is itself a document (`content: {application/json: ...}`); `source` is what it is
    called behind the API, its own name where nothing else is said; `convention` is `list` or `pairs` where it is
    repeated and separated by commas at once, which no style of OpenAPI says.
    """

    name: str
    where: str
    required: bool
    schema: Any
    style: str
    explode: bool
    pointer: str
    media: str = ""
    allow_reserved: bool = False
    source: str = ""
    convention: str = ""

    @property
    def inner_name(self) -> str:
        """What it is called behind the API."""
        return self.source or self.name

    @property
    def takes_slashes(self) -> bool:
        """Whether its value may have slashes in it: `format: path`, or `x-multi-segment: true`."""
        schema = self.schema if isinstance(self.schema, dict) else {}
        return schema.get("format") == "path" or schema.get("x-multi-segment") is True


@dataclass(frozen=True, slots=True)
class Body:
    """A request body, by media type."""

    required: bool
    content: MediaTypes
    pointer: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One described response, by media type, with the schemas of its headers."""

    content: MediaTypes
    headers: Mapping[str, Any]
    pointer: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path.

    `answers` is keyed by status as written: `200`, `4XX`, `default`. `security` is the requirement in force:
    its own, else the document's, else None.
    """

    id: str
    method: str
    path: str
    pointer: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    answers: Mapping[str, Answer]
    security: list[dict[str, list[str]]] | None
    extension: OperationExtension
    written: Mapping[str, Any]

    @property
    def title(self) -> str:
        """`GET /plans/{name}`, for people."""
        return f"{self.method} {self.path}"

    @property
    def success(self) -> int:
        """The first described 2xx status, else the first 3xx, else 200."""
        codes = sorted(code for code in self.answers if code[:1] in ("2", "3"))
        return 200 if not codes or not codes[0].isdigit() else int(codes[0])


@dataclass(frozen=True, slots=True)
class Description:
    """One API as its files tell it.

    `document` is self-contained OpenAPI 3.1 on JSON Schema 2020-12; `written` is what clients are shown;
    `template_base` is in front of every path template, `base` is the path below which this API is found; `may_vary`
    says that something in it may not be in every version.
    """

    name: str
    file: Path
    title: str
    version: str
    flavour: str
    base: str
    template_base: str
    document: dict[str, Any]
    written: dict[str, Any]
    extension: DocumentExtension
    places: Places
    operations: tuple[Operation, ...] = ()
    raw: Mapping[str, bytes] = field(default_factory=dict)
    may_vary: bool = False

    @property
    def schemas(self) -> dict[str, Any]:
        """The named schemas."""
        found: dict[str, Any] = (self.document.get("components") or {}).get("schemas") or {}
        return found

    @property
    def security_schemes(self) -> dict[str, Any]:
        """How callers may show who they are, by name."""
        found: dict[str, Any] = (self.document.get("components") or {}).get("securitySchemes") or {}
        return found

    def operation(self, method: str, path: str) -> Operation:
        """The operation at a method and path template, one of those that it has."""
        return next(one for one in self.operations if one.method == method and one.path == path)

    def written_whole(self, path: str) -> Any:
        """How the thing on a path looks when it is written whole: as PUT takes it, else as GET gives it."""
        there = {operation.method: operation for operation in self.operations if operation.path == path}
        put, get = there.get("PUT"), there.get("GET")
        taken = json_schema(put.body.content) if put and put.body else None
        answer = get.answers.get(str(get.success)) if get and taken is None else None
        return json_schema(answer.content) if answer else taken

    def resolve(self, schema: Any) -> Any:
        """A schema with its own `$ref`s followed until it is something else."""
        seen: set[str] = set()
        while isinstance(schema, dict) and isinstance(schema.get("$ref"), str) and schema["$ref"] not in seen:
            seen.add(schema["$ref"])
            schema = self.schemas.get(unescape(schema["$ref"].rpartition("/")[2]), {})
        return schema
