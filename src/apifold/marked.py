"""YAML and JSON text to plain data, strictly; and the line on which a JSON Pointer lands.

YAML is read as JSON would be (1.2 core schema): `no`, `on` and dates stay text, keys are text, duplicate keys
and alias bombs are refused. Lines are worked out only when an error needs one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from apifold.errors import DescriptionError, DescriptionErrors

MAX_NODES = 2_000_000
"""Values in one file, aliases counted as often as they are used."""

MAX_DEPTH = 200
MAX_DIGITS = 1000
"""Of an integer: what has more takes long to read."""


class _Loader(yaml.CSafeLoader):
    """The C loader with YAML 1.2's core schema: what looks like JSON is JSON, the rest is text."""

    yaml_implicit_resolvers: dict[Any, Any] = {}


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first) + ([""] if _tag == "null" else [])
    )


def read(text: str, name: str, most: int = MAX_NODES) -> Any:
    """The plain data of a YAML or JSON text (JSON when `name` ends in `.json`).

    Args:
        most: values in it.

    Raises:
        DescriptionErrors: it can't be read; says where and why.
    """
    if name.endswith(".json"):
        return _read_json(text, name)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if error.context_mark and mark and mark.line >= len(text.splitlines()):
            mark = error.context_mark  # what was never closed is to be mended where it was opened
        what = " ".join(part for part in (error.context, error.problem) if part)
        at = min(mark.line + 1, max(1, len(text.splitlines()))) if mark else 0
        raise _refused(name, at, f"this is not YAML: {what}", _hint(text, mark)) from None
    except yaml.YAMLError as error:
        raise _refused(name, 0, f"this is not YAML: {error}", "save the file as UTF-8 text") from None
    except RecursionError:
        raise _refused(name, 0, "nested too deeply", f"at most {MAX_DEPTH} levels are read") from None
    return None if node is None else _Builder(name, most).build(node)


def read_file(path: Path) -> Any:
    """`read` of a file's content.

    Raises:
        OSError: the file can't be opened.
        DescriptionErrors: the content can't be read.
    """
    try:
        return read(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise _refused(str(path), 0, "this is not UTF-8 text", "save the file as UTF-8") from None


def write(value: Any) -> str:
    """Plain data as YAML text, members in their order."""
    text: str = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    return text


def line(text: str, pointer: str) -> int:
    """The line, from 1, of what a JSON Pointer (RFC 6901) names; of its nearest parent where it is missing."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        return 0
    if node is None:
        return 0
    found: int = node.start_mark.line + 1
    for part in pointer.split("/")[1:]:
        key = unescape(part)
        child: Node | None = None
        if isinstance(node, MappingNode):
            for key_node, value_node in node.value:
                if getattr(key_node, "value", None) == key:
                    child, found = value_node, key_node.start_mark.line + 1
        elif isinstance(node, SequenceNode) and key.isdigit() and int(key) < len(node.value):
            child = node.value[int(key)]
            found = child.start_mark.line + 1
        if child is None:
            break
        node = child
    return found


def escape(key: str) -> str:
    """A key as one part of a JSON Pointer (RFC 6901, 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def unescape(part: str) -> str:
    """The key that one part of a JSON Pointer stands for (RFC 6901, 4)."""
    return part.replace("~1", "/").replace("~0", "~")


def _refused(name: str, at: int, message: str, remedy: str) -> DescriptionErrors:
    return DescriptionErrors([DescriptionError(name, at, "", message, remedy)])


def _hint(text: str, mark: Any) -> str:
    if mark is None:
        return "check the quotes and the indentation"
    lines = text.splitlines()
    near = lines[min(mark.line, len(lines) - 1)].strip() if lines else ""
    return f"look for a missing quote, colon or space at or above: {near[:80]!r}"


class _Builder:
    """Composed YAML nodes to plain data, counting what is built."""

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self.most = most
        self.count = 0
        self.duplicates: list[DescriptionError] = []

    def build(self, root: Node) -> Any:
        data = self._value(root, 0)
        if self.duplicates:
            raise DescriptionErrors(self.duplicates)
        return data

    def _value(self, node: Node, depth: int) -> Any:
        self.count += 1
        at = node.start_mark.line + 1
        if self.count > self.most:
            raise _refused(self.name, at, f"more than {self.most} values, aliases counted", "write fewer aliases")
        if depth > MAX_DEPTH:
            raise _refused(
                self.name, at, "nested too deeply, or an alias that contains itself", f"at most {MAX_DEPTH} levels"
            )
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if isinstance(node, SequenceNode):
            return [self._value(child, depth + 1) for child in node.value]
        return self._mapping(node, depth)

    def _mapping(self, node: Node, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            at = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise _refused(self.name, at, "a key must be text", "put the key in quotes")
            key = key_node.value
            if key in data:
                first = next(k.start_mark.line + 1 for k, _ in node.value if k.value == key)
                self.duplicates.append(
                    DescriptionError(
                        self.name, at, "", f"the key {key!r} stands twice (first on line {first})", "remove one of them"
                    )
                )
            data[key] = self._value(value_node, depth + 1)
        return data

    def _scalar(self, node: ScalarNode) -> Any:
        kind = node.tag.rpartition(":")[2]
        text = node.value
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int" and len(text) > MAX_DIGITS:
            raise _refused(self.name, node.start_mark.line + 1, f"more than {MAX_DIGITS} digits", "write it as text")
        if kind == "int":
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if kind == "float":
            return float(text)
        if kind == "str":
            return text
        raise _refused(self.name, node.start_mark.line + 1, f"the tag {node.tag!r} is not read", "remove the tag")


def _read_json(text: str, name: str) -> Any:
    duplicates: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(pairs)
        if len(data) != len(pairs):
            seen: set[str] = set()
            duplicates.extend(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # `add` as a test
        return data

    def constant(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    try:
        data = json.loads(text, object_pairs_hook=members, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise _refused(name, error.lineno, f"this is not JSON: {error.msg}", f"look at column {error.colno}") from None
    except ValueError as error:
        raise _refused(name, 0, f"this is not JSON: {error}", "write a finite number") from None
    except RecursionError:
        raise _refused(name, 0, "nested too deeply", f"at most {MAX_DEPTH} levels are read") from None
    if duplicates:
        raise DescriptionErrors(
            DescriptionError(
                name, _second_line(text, key), "", f"the key {key!r} stands twice in one object", "remove one of them"
            )
            for key in duplicates
        )
    return data


def _second_line(text: str, key: str) -> int:
    places = [match.start() for match in re.finditer(re.escape(json.dumps(key)) + r"\s*:", text)]
    return text.count("\n", 0, places[1]) + 1 if len(places) > 1 else 0
