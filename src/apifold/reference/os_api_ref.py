"""A reference as source for Sphinx with `os-api-ref`, the form in which OpenStack's projects publish theirs.

Source: the documentation of os-api-ref: `rest_method`, `rest_parameters`, `rest_status_code`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import yaml

from apifold.reference.outline import Operation, Outline, mapping, schema_of, sequence
from apifold.reference.pages import CatalogueEntry
from apifold.reference.prose import as_sent
from apifold.reference.restructured_text import escaped, heading, literal, rst
from apifold.reference.static_pages import Names
from apifold.schema.generate import CannotGenerate, generate
from apifold.versions.marks import span

STATUS_FILE = "http-status.yaml"

SECTIONS = {"header": 1, "path": 2, "query": 3, "body": 4}
"""Where os-api-ref's parameters may be, in the order in which it wants them."""

DEEPEST = 8
"""Levels of a body's members that are listed."""

MOST_MEMBERS = 500
"""Members of one body that are listed."""

LONGEST_SAMPLE = 20_000
"""Characters of one example that are shown."""

_PLAIN_NAME = re.compile(r"[A-Za-z]|[A-Za-z][\w.-]*[A-Za-z0-9]")


def write_os_api_ref(documents: Iterable[tuple[CatalogueEntry, dict[str, Any]]], directory: Path) -> list[Path]:
    """Write an index, `conf.py`, and for each API a page and a file of parameters.

    Args:
        documents: what the catalogue says of each API, and its description; taken one after the other.
        directory: is made where it is missing; files of the same names are written over.

    Returns:
        the files that were written.
    """
    names, reasons, pages, ranges = Names("index", "conf"), Reasons(), [], []
    written: dict[str, str] = {}
    for entry, document in documents:
        name = names.give(entry.name)
        page = ApiSource(entry, Outline(document), reasons, f"{name}-parameters.yaml")
        written[f"{name}.rst"] = page.text()
        written[page.parameters_file] = page.parameters.text()
        pages.append(name)
        ranges += [(entry.oldest, entry.newest)] if entry.newest else []
    listed = "\n".join(f"   {name}" for name in pages)
    written["index.rst"] = f"{heading('API reference', '=')}\n\n.. toctree::\n   :maxdepth: 1\n\n{listed}\n"
    written["conf.py"] = _conf(*(ranges[0] if len(ranges) == 1 else ("", "")))
    written[STATUS_FILE] = _yaml(reasons.by_code)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (directory / name).write_text(text, "utf-8", "backslashreplace")
    return [directory / name for name in written]


@dataclass(slots=True)
class Reasons:
    """Why there are answers of a status, each said once."""

    by_code: dict[int, dict[str, str]] = field(default_factory=dict)

    def give(self, code: int, text: str) -> str:
        """The name of a reason."""
        known = self.by_code.setdefault(code, {"default": _phrase(code)})
        for name, said in known.items():
            if said == (text or known["default"]):
                return name
        name = f"reason_{len(known)}"
        known[name] = text
        return name


@dataclass(slots=True)
class ParametersFile:
    """The parameters of one API, each described once."""

    names: Names = field(default_factory=Names)
    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)
    _given: dict[str, str] = field(default_factory=dict)

    def give(self, called: str, said: dict[str, Any]) -> str:
        """The name of an entry."""
        key = f"{called} {sorted(said.items())}"
        if key not in self._given:
            self._given[key] = self.names.give(f"{called}_{said['in']}")
            self.by_name[self._given[key]] = said
        return self._given[key]

    def text(self) -> str:
        """As os-api-ref wants it: by section, then by name."""
        ordered = sorted(self.by_name.items(), key=lambda item: (SECTIONS[item[1]["in"]], item[0]))
        return _yaml(dict(ordered)) if ordered else "# There are no parameters.\n"


class ApiSource:
    """The page of one API.

    Args:
        entry: what the catalogue says of it.
        outline: of its description.
        reasons: of its statuses, with those of others.
        parameters_file: the name of the file of its parameters.
    """

    def __init__(self, entry: CatalogueEntry, outline: Outline, reasons: Reasons, parameters_file: str) -> None:
        self.parameters = ParametersFile()
        self.parameters_file = parameters_file
        self._entry = entry
        self._outline = outline
        self._reasons = reasons

    def text(self) -> str:
        """The page."""
        entry = self._entry
        about = rst(mapping(self._outline.document.get("info")).get("description"))
        status = f"Served at {entry.base}; {entry.status}." if entry.status else f"Served at {entry.base}."
        blocks = [heading(f"{entry.title} {entry.version}", "="), ".. rest_expand_all::", escaped(status), about]
        for tag, operations in self._outline.by_tag().items():
            blocks += [heading(tag, "-"), rst(self._outline.about_tag(tag))]
            for operation in operations:
                blocks += self._operation(operation)
        return "\n\n".join(block for block in blocks if block) + "\n"

    def _operation(self, operation: Operation) -> Iterator[str]:
        versions = "".join(f"\n   {key}: {version}" for key, version in _life(operation.written).items())
        yield heading(operation.label, "~")
        yield f".. rest_method:: {operation.method} {self._entry.base.rstrip('/')}{operation.path}{versions}"
        if operation.is_deprecated:
            yield "**Deprecated.**"
        yield rst(operation.written.get("description"))
        yield from self._statuses(operation)
        yield from self._request(operation)
        for status, response in self._outline.responses(operation):
            yield from self._response(operation, status, response)

    def _statuses(self, operation: Operation) -> Iterator[str]:
        codes: dict[str, list[str]] = {"success": [], "error": []}
        others = []
        for status, response in self._outline.responses(operation):
            text = rst(response.get("description"))
            if status.isdigit():
                reason = self._reasons.give(int(status), text)
                codes["success" if int(status) < 400 else "error"].append(f"   - {status}: {reason}")
            else:
                others += [f"**{'Any other status' if status == 'default' else escaped(status)}**", text]
        for kind, lines in codes.items():
            if lines:
                yield f".. rest_status_code:: {kind} {STATUS_FILE}\n\n" + "\n".join(lines)
        yield from others

    def _request(self, operation: Operation) -> Iterator[str]:
        body, content = self._outline.body(operation)
        found = [
            (str(one.get("name")), self._parameter(one)) for one in operation.parameters if one.get("in") != "body"
        ]
        found += self._members_of(content)
        if found or content:
            yield heading("Request", "^")
            yield rst(body.get("description"))
            yield self._table(found)
            yield from self._samples(content, "request")

    def _response(self, operation: Operation, status: str, response: dict[str, Any]) -> Iterator[str]:
        content = self._outline.content(operation, response)
        headers = {name: self._outline.followed(one) for name, one in mapping(response.get("headers")).items()}
        found = [(str(name), self._parameter({**one, "in": "header"})) for name, one in headers.items()]
        found += self._members_of(content)
        if found or content:
            yield heading("Any other response" if status == "default" else f"Response {status}", "^")
            yield self._table(found)
            yield from self._samples(content, "response")

    def _table(self, found: list[tuple[str, dict[str, Any]]]) -> str:
        lines = {f"   - {_quoted(_shown(name))}: {self.parameters.give(name, said)}": None for name, said in found}
        return f".. rest_parameters:: {self.parameters_file}\n\n" + "\n".join(lines) if lines else ""

    def _samples(self, content: dict[str, Any], side: Literal["request", "response"]) -> Iterator[str]:
        for media, written in content.items():
            described = self._outline.followed(written)
            for name, value in list(self._outline.examples(described)) or self._made(described, side):
                text = as_sent(value)
                language = "text" if isinstance(value, str) or len(text) > LONGEST_SAMPLE else "json"
                yield f"**{escaped(f'Example, {name}' if name else 'Example')}** ({escaped(media)})"
                yield literal(text[:LONGEST_SAMPLE], language)

    def _made(self, described: dict[str, Any], side: Literal["request", "response"]) -> list[tuple[str, Any]]:
        """An example made from the schema; none where none can be made, or where it says nothing."""
        try:
            value = generate(described.get("schema", {}), self._outline.followed, side=side)
        except CannotGenerate:
            return []
        return [("", value)] if isinstance(value, dict | list) else []

    def _parameter(self, parameter: dict[str, Any]) -> dict[str, Any]:
        place = str(parameter.get("in"))
        schema = self._outline.followed(schema_of(parameter))
        about = rst(parameter.get("description")) or rst(schema.get("description"))
        if place not in SECTIONS:
            about, place = f"{about}\n\nIn: {escaped(place)}", "body" if place == "formData" else "header"
        return self._said(place, schema, about, parameter.get("required") is True, parameter)

    def _members_of(self, content: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        schemas = [mapping(self._outline.followed(one)).get("schema") for one in content.values()]
        found = (member for schema in schemas for member in self._members(schema, "", ()))
        return list(dict(islice(found, MOST_MEMBERS)).items())

    def _members(self, schema: Any, inside: str, above: tuple[int, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
        """A body's members, those of members as `member.name`; a schema inside itself is not unfolded."""
        followed = self._outline.followed(schema)
        if id(followed) in above or len(above) > DEEPEST:
            return
        above = (*above, id(followed))
        needed = set(map(str, sequence(followed.get("required"))))
        for name, child in mapping(followed.get("properties")).items():
            called = f"{inside}{name}"
            member = self._outline.followed(child)
            about = rst(mapping(child).get("description")) or rst(member.get("description"))
            yield called, self._said("body", member, about, name in needed, member)
            yield from self._members(member, f"{called}.", above)
        for key in ("items", "additionalProperties"):
            yield from self._members(followed.get(key), inside, above)
        for key in ("allOf", "oneOf", "anyOf"):
            for part in sequence(followed.get(key)):
                yield from self._members(part, inside, above)

    def _said(self, place: str, schema: Any, about: str, required: bool, written: dict[str, Any]) -> dict[str, Any]:
        return {
            "in": place,
            "type": _type(mapping(schema)),
            "required": required,
            "description": about or "\\ ",
            **_life(written),
        }


def _type(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    kinds = [str(one) for one in kind if one != "null"] if isinstance(kind, list) else [str(kind)] if kind else []
    fallback = "object" if "properties" in schema else "string" if "enum" in schema else "any"
    return escaped(" or ".join(kinds) or fallback)


def _life(written: dict[str, Any]) -> dict[str, str]:
    """The versions from which on, and up to which, something is there, where it says so."""
    named = zip(("min_version", "max_version"), span(written), strict=True)
    return {key: version for key, version in named if version}


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return f"Status {code}"


def _shown(name: str) -> str:
    """A name as a cell of a table: plain ones as they are, for os-api-ref looks for those of the path."""
    return name if _PLAIN_NAME.fullmatch(name) else escaped(name) or "…"


def _quoted(name: str) -> str:
    """A name as YAML, on one line."""
    return yaml.safe_dump(name, width=1_000_000, default_style='"', allow_unicode=True).strip()


def _yaml(data: Any) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def _conf(oldest: str, newest: str) -> str:
    return f'''"""Build with: sphinx-build -W -b html . html  (needs sphinx and os-api-ref)."""

project = "API reference"
extensions = ["os_api_ref"]
exclude_patterns = ["html"]
smartquotes = False
os_api_ref_min_microversion = {oldest!r}
os_api_ref_max_microversion = {newest!r}
'''
