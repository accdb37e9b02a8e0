"""What a meta-schema can't say: names that must agree, things that must not stand twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from apifold.description.operations import each_operation, merged_parameters
from apifold.description.places import Places
from apifold.errors import DescriptionError

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def lint(document: dict[str, Any], places: Places) -> list[DescriptionError]:
    """Every disagreement inside one normalised document."""
    return [
        *_twice(document, places),
        *_same_paths(document, places),
        *_path_parameters(document, places),
        *_security(document, places),
    ]


def _twice(document: dict[str, Any], places: Places) -> Iterator[DescriptionError]:
    seen: dict[str, str] = {}
    for _, _, operation, _, pointer in each_operation(document):
        name = operation.get("operationId")
        if name in seen:
            first = places.line(*places.origin(f"{seen[name]}/operationId"))
            yield places.error(
                f"{pointer}/operationId",
                f"the operationId {name!r} stands twice (first on line {first})",
                "give each its own",
            )
        elif name:
            seen[name] = pointer


def _same_paths(document: dict[str, Any], places: Places) -> Iterator[DescriptionError]:
    """Templates that differ in names only are told apart by method, as published descriptions need; not otherwise."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for path, method, _, _, pointer in each_operation(document):
        shape = (PLACEHOLDER.sub("{}", path), method)
        if shape in seen:
            yield places.error(
                pointer, f"{method} {path} means the same as {method} {seen[shape][0]}", "remove one of them"
            )
        seen.setdefault(shape, (path, pointer))
    for (shaped, method), (path, pointer) in seen.items():
        plain, _, name = shaped.partition("#")
        if name and (plain, method) in seen:
            hides = f"{method} {seen[plain, method][0]}"
            yield places.error(pointer, f"{method} {path} is hidden by {hides}", "give that one a name, too")


def _path_parameters(document: dict[str, Any], places: Places) -> Iterator[DescriptionError]:
    for path, method, operation, item, pointer in each_operation(document):
        placeholders = PLACEHOLDER.findall(path)
        declared = {}
        for parameter, at in merged_parameters(document, operation, item, pointer):
            if parameter.get("in") == "path":
                declared[parameter.get("name")] = at
                if parameter.get("name") not in placeholders:
                    yield places.error(
                        at,
                        f"path parameter {parameter.get('name')!r} is not in {path}",
                        "write it there in braces, or remove it",
                    )
        for name in placeholders:
            if name not in declared:
                remedy = f"add `- {{name: {name}, in: path, required: true, schema: {{type: string}}}}`"
                yield places.error(pointer, f"{method} {path} does not declare its path parameter {name!r}", remedy)
        for name in {name for name in placeholders if placeholders.count(name) > 1}:
            yield places.error(pointer, f"{path} has {{{name}}} twice", "give each its own name")


def _security(document: dict[str, Any], places: Places) -> Iterator[DescriptionError]:
    known = set((document.get("components") or {}).get("securitySchemes") or {})
    wanted = [(document.get("security"), "/security")]
    wanted += [
        (operation.get("security"), f"{pointer}/security") for _, _, operation, _, pointer in each_operation(document)
    ]
    for requirements, pointer in wanted:
        for index, requirement in enumerate(requirements or []):
            for name in requirement:
                if name not in known:
                    yield places.error(
                        f"{pointer}/{index}",
                        f"the security scheme {name!r} is not defined",
                        f"there are: {', '.join(sorted(known)) or 'none'}",
                    )
