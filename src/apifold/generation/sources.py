"""Where the members of an API's shape live, proved when it is loaded; and a binding's call between lift and lower."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any

from apifold.description import Description, Operation
from apifold.description.description import json_schema
from apifold.description.extension import KEY
from apifold.description.walk import Schema, root_schemas, subschemas
from apifold.errors import DescriptionError, MissingExtra, SettingsError, UpstreamFailed
from apifold.exchange import Call, Exchange, Result
from apifold.marked import escape
from apifold.schema.checker import Schemas
from apifold.schema.generate import CannotGenerate, generate
from apifold.schema.mapping import Link, Mapping, Path, compile_mapping, parse_source, source_of
from apifold.schema.members import parts_of
from apifold.schema.projection import is_marked


def mapped(call: Call, operation: Operation, description: Description) -> Call:
    """The call with what goes in lifted to the core's shape, and what comes out lowered to the API's."""
    named = description.schemas
    lift = _compiled(_body_schema(operation, description), named)
    lowers = {
        status.upper(): mapping
        for status, answer in operation.answers.items()
        if (mapping := _compiled(json_schema(answer.content), named))
    }
    if not lift and not lowers:
        return call
    links = any(mapping.has_links for mapping in lowers.values())

    def lowered(result: Result, address: str) -> Result:
        status = result.status
        mapping = lowers.get(str(status)) or lowers.get(f"{status // 100}XX") or lowers.get("DEFAULT")
        if mapping is not None and status < 400:
            if result.foreign and not mapping.fits(result.value):
                raise UpstreamFailed("The other service's answer is of another kind than what is made of it.")
            if result.value is not None:
                result.value, missing = mapping.lower(result.value, address)
                if missing and result.foreign:
                    raise UpstreamFailed(f"The other service's answer lacks what {', '.join(missing[:5])} is made of.")
        return result

    async def later(waiting: Any, address: str) -> Result:
        return lowered(await waiting, address)

    def between(exchange: Exchange) -> Any:
        if lift is not None and "body" in exchange.arguments:
            exchange.arguments["body"] = lift.lift(exchange.arguments["body"])
        result = call(exchange)
        address = exchange.address if links else ""
        return lowered(result, address) if isinstance(result, Result) else later(result, address)

    return between


def declares_sources(description: Description) -> bool:
    """Whether any schema of a description says where its values live."""
    if KEY not in description.document and not any(KEY.encode() in raw for raw in description.raw.values()):
        return False  # told in a moment, however large the description is
    return any(node.get(KEY, {}).keys() & {"source", "action", "link"} for _, node in _every(description))


def source_errors(description: Description) -> list[DescriptionError]:
    """Every source that can't be read, maps nothing, or loses what a client may write."""
    errors = list(_unreadable(description))
    if not errors:
        errors += _misplaced(description)
    if not errors:
        errors += _lossy(description)
    return errors


def _compiled(schema: Schema | None, named: dict[str, Any]) -> Mapping | None:
    if schema is None:
        return None
    try:
        return compile_mapping(schema, named)
    except (ValueError, SettingsError, MissingExtra):
        return None  # told by `source_errors`


def _body_schema(operation: Operation, description: Description) -> Schema | None:
    """The schema of what a handler gets as the body; of a patched thing, that of the thing."""
    own: Schema | None = json_schema(operation.body.content) if operation.body else None
    if own is None and operation.method in ("PATCH", "PUT"):
        return description.written_whole(operation.path)  # type: ignore[no-any-return]  # a schema, if any
    return own


def _unreadable(description: Description) -> Iterator[DescriptionError]:
    for pointer, node in _every(description):
        keys = node.get(KEY) or {}
        if keys.get("source"):
            try:
                parse_source(keys["source"])
            except ValueError as error:
                at = f"{pointer}/x-apifold/source"
                yield description.places.error(at, str(error), "name members below the declaring object")
        if keys.get("link"):
            try:
                Link(str(keys["link"]))
            except ValueError as error:
                yield description.places.error(f"{pointer}/x-apifold/link", str(error), "such as `/plans/{plan.id}`")
            if not node.get("readOnly"):
                at, message = f"{pointer}/x-apifold/link", "a link is made by the server"
                yield description.places.error(at, message, "mark it readOnly")
        if keys.get("action"):
            try:
                compile_mapping({"properties": {"it": node}}, {})
            except (SettingsError, MissingExtra) as error:
                yield description.places.error(f"{pointer}/x-apifold/action", str(error), "name one that is installed")
            except ValueError:
                continue  # told above


def _misplaced(description: Description) -> Iterator[DescriptionError]:
    """Two members in one place, items of which the ones before are nobody's, and members that the core has not."""
    named = description.schemas
    for pointer, node in _every(description):
        properties = node.get("properties") or {}
        placed = {name: parse_source(text) for name, child in properties.items() if (text := source_of(child))}
        core = (node.get(KEY) or {}).get("core")
        written = {name: path for name, path in placed.items() if not is_marked(properties[name], "readOnly", named)}
        for name, path in placed.items():
            told = [
                *(_shared(name, path, properties, placed, named) if name in written else ()),
                *(_skipped(name, path, written.values()) if name in written else ()),
                *([f"{name!r}: {problem}"] if core and (problem := _absent(core, path, named)) else ()),
            ]
            for message in told:
                at = f"{pointer}/properties/{escape(name)}/x-apifold/source"
                yield description.places.error(at, message, "mend the source, or mark the member readOnly")


def _shared(
    name: str, path: Path, properties: dict[str, Any], placed: dict[str, Path], named: dict[str, Any]
) -> Iterator[str]:
    """Another member in the same place, or around it, of which one would overwrite the other."""
    for other, child in properties.items():
        place = placed.get(other, (other,))
        same = other != name and place and path[: len(place)] == place
        if same and not is_marked(child, "readOnly", named):
            yield f"{name!r} and {other!r} live in the same place, or one inside the other"


def _skipped(name: str, path: Path, written: Collection[Path]) -> Iterator[str]:
    """An item of an array where nothing is in the item before."""
    for index, step in enumerate(path):
        if isinstance(step, int) and step:
            before = (*path[:index], step - 1)
            if not any(other[: index + 1] == before for other in written):
                yield f"{name!r} lives in item {step}, and nothing lives in the item before"


def _absent(core: Any, path: Path, named: dict[str, Any]) -> str:
    """Why a path leads nowhere in the core's schema, or nothing where it leads somewhere, or may."""
    schemas = [core]
    for step in path:
        parts = [part for schema in schemas for part, _ in parts_of(schema, named)]
        if isinstance(step, int):
            schemas = [part["items"] for part in parts if isinstance(part.get("items"), dict)]
            if not schemas and any("properties" in part for part in parts):
                return f"the core has an object where item {step} is looked for"
            continue
        known = {name: child for part in parts for name, child in (part.get("properties") or {}).items()}
        if step in known:
            schemas = [known[step]]
        elif known and not any(part.get("additionalProperties") or "patternProperties" in part for part in parts):
            near = get_close_matches(step, known, 1)
            return f"the core has no {step!r} there; it has {f'{near[0]!r}' if near else ', '.join(sorted(known))}"
        else:
            return ""
    return ""


def _lossy(description: Description) -> Iterator[DescriptionError]:
    """What is not the same after it went to the core's shape and back."""
    named = description.schemas
    schemas = Schemas(description.document, "request", close=False)
    told: set[str] = set()
    for operation in description.operations:
        schema = _body_schema(operation, description)
        mapping = _compiled(schema, named)
        if schema is None or mapping is None:
            continue
        try:
            value = generate(
                schema, description.resolve, lambda part, one: schemas.checker(part).accepts(one), "request"
            )
        except CannotGenerate:
            continue
        back, _ = mapping.lower(mapping.lift(value))
        lost = _difference(mapping.both_ways(value), back)
        if lost is not None and lost not in told:
            told.add(lost)
            yield description.places.error(
                _place_of(operation),
                f"what a client writes at {lost or '/'!r} gets lost on the way to its `source` and back",
                "mend the source, or mark the member readOnly or writeOnly",
            )


def _place_of(operation: Operation) -> str:
    return operation.body.pointer if operation.body else operation.pointer


def _difference(sent: Any, back: Any, pointer: str = "") -> str | None:
    """Where the first thing that was sent is not there any more."""
    if isinstance(sent, dict) and isinstance(back, dict):
        for name, value in sent.items():
            at = f"{pointer}/{escape(name)}"
            found = _difference(value, back[name], at) if name in back else at if value != {} else None
            if found is not None:
                return found
        return None
    if isinstance(sent, list) and isinstance(back, list) and len(sent) == len(back):
        for index, (one, other) in enumerate(zip(sent, back, strict=True)):
            found = _difference(one, other, f"{pointer}/{index}")
            if found is not None:
                return found
        return None
    return None if sent == back and type(sent) is type(back) else pointer


def _every(description: Description) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a description with its pointer, those below `x-apifold` apart."""
    for root, schema in root_schemas(description.document):
        yield from subschemas(schema, root)
