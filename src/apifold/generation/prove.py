"""What a description promises about itself, held against itself before it is served: its examples and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apifold.description import Description
from apifold.description.walk import LITERAL, root_schemas, subschemas
from apifold.errors import DescriptionError
from apifold.marked import escape
from apifold.schema.checker import Schemas


def prove(description: Description) -> list[DescriptionError]:
    """Every example and default that breaks the schema it stands for."""
    errors = []
    schemas = Schemas(description.document, "response", close=False)
    for pointer, schema, value in _promises(description):
        problems = schemas.checker(schema).problems(value, "body")
        if problems:
            first = problems[0]
            what = pointer.rpartition("/")[2] if not pointer.endswith("/value") else "example"
            said = f"`{first.pointer}` {first.detail}" if first.pointer else first.detail
            errors.append(
                description.places.error(
                    pointer,
                    f"the {what if what in LITERAL else 'example'} breaks its schema: {said}",
                    "mend the value, or the schema",
                )
            )
    return errors


def _promises(description: Description) -> Iterator[tuple[str, Any, Any]]:
    """Pointer, schema and value of every example and default."""
    document = description.document
    for root, schema in root_schemas(document):
        for pointer, node in subschemas(schema, root):
            rest = {key: value for key, value in node.items() if key not in ("example", "examples", "default")}
            for key in ("example", "default"):
                if key in node and rest:
                    yield f"{pointer}/{key}", rest, node[key]
            if isinstance(node.get("examples"), list):
                yield from (
                    (f"{pointer}/examples/{index}", rest, value) for index, value in enumerate(node["examples"])
                )
    for pointer, holder in _holders(document):
        schema = holder["schema"]
        if _is_text(pointer):
            continue
        if "example" in holder:
            yield f"{pointer}/example", schema, holder["example"]
        for name, example in (holder.get("examples") or {}).items() if isinstance(holder.get("examples"), dict) else ():
            if isinstance(example, dict) and "value" in example:
                yield f"{pointer}/examples/{escape(name)}/value", schema, example["value"]


def _is_text(pointer: str) -> bool:
    """Whether it is an example of a media type whose values are text on the wire, whatever the schema describes."""
    media = pointer.rpartition("/content/")[2]
    return "/content/" in pointer and "json" not in media


def _holders(node: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every parameter, header and media type: what has a `schema` and may have examples beside it."""
    if isinstance(node, dict):
        if isinstance(node.get("schema"), dict) and ("example" in node or "examples" in node):
            yield pointer, node
        for key, value in node.items():
            if key not in LITERAL and key not in ("schema", "schemas") and isinstance(value, dict | list):
                yield from _holders(value, f"{pointer}/{escape(key)}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            if isinstance(value, dict | list):
                yield from _holders(value, f"{pointer}/{index}")
