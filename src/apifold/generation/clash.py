"""Whether two APIs can stand beside each other: names, base paths; of parts of one API, operations and schemas."""

from __future__ import annotations

from apifold.generation.generation import Loaded
from apifold.marked import escape
from apifold.routing import PLACEHOLDER, split_choice


def clash(one: Loaded, other: Loaded) -> tuple[str, str, str] | None:
    """Pointer, message and remedy where one can't stand beside another; of a part and an API, the part gives way."""
    if one.api.name == other.api.name:
        return "", f"its name {one.api.name!r} is also that of {other.path}", "give each its own name"
    whole = one.part_of or one.api.name
    if whole == (other.part_of or other.api.name):
        return _clash_of_parts(one, other)
    if other.part_of and not one.part_of:
        return None
    remedy = "give each its own base path"
    if one.api.base == other.api.base:
        return "", f"its base path {one.api.base or '/'} is also that of {other.path}", remedy
    if other.api.base.startswith(f"{one.api.base}/"):
        for operation in one.description.operations:
            path = one.description.template_base + operation.path
            if path == other.api.base or path.startswith(f"{other.api.base}/"):
                hidden = f"its {operation.method} {path} is hidden by {other.path}, whose base path is {other.api.base}"
                return operation.pointer, hidden, remedy
    return None


def _clash_of_parts(one: Loaded, other: Loaded) -> tuple[str, str, str] | None:
    """What a part wants, and another one, or the whole, has."""
    if not one.part_of:
        return None
    if one.api.base != other.api.base:
        message = f"its base path {one.api.base or '/'} is not {other.api.base or '/'}, that of the API it is a part of"
        return "", message, "make them one"
    places = {(operation.method, _without_names(operation.path)) for operation in other.description.operations}
    shared = {(method, split_choice(path)[0]) for method, path in places if split_choice(path)[1]}
    for operation in one.description.operations:
        method, path = operation.method, _without_names(operation.path)
        plain, name = split_choice(path)
        if (method, path) in places or (method, plain) in (places if name else shared):
            return operation.pointer, f"its {operation.title} is also in {other.path}", "choose another path"
    for name, schema in one.description.schemas.items():
        if other.description.schemas.get(name, schema) != schema:
            message = f"its schema {name!r} is another one in {other.path}, and both are in one document"
            return f"/components/schemas/{escape(name)}", message, "choose another name"
    return None


def _without_names(path: str) -> str:
    return PLACEHOLDER.sub("{}", path)
