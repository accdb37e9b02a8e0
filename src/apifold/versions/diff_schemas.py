"""What changed between two schemas, as one side of a message sees it.

What a request may be must not become narrower; what a response may be must not become wider.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from apifold.marked import escape, unescape

Side = Literal["request", "response"]

_ASPECTS = {
    "type": "the types that a value may have",
    "values": "the values of an enumeration",
    "bounds": "the least or the greatest that a value may be",
    "form": "the pattern, the format or another form of a value",
    "members": "whether there may be members that are not described",
    "alternatives": "the alternatives of `anyOf` or `oneOf`",
}
"""What of a schema can become narrower or wider."""

SCHEMA_RULES: dict[str, tuple[bool, str]] = {
    f"{side}-{aspect}-{way}": (breaks, f"in a {side}, {meaning}: {'fewer' if way == 'narrowed' else 'more'}")
    for side, breaking_way in (("request", "narrowed"), ("response", "widened"))
    for aspect, meaning in _ASPECTS.items()
    for way in ("narrowed", "widened")
    for breaks in (way == breaking_way,)
} | {
    "request-property-removed": (True, "a member is no longer taken"),
    "request-property-added": (False, "an optional member is new"),
    "request-required-property-added": (True, "a member is new, and must be sent"),
    "request-property-required": (True, "a member that was optional must be sent"),
    "request-property-optional": (False, "a member need no longer be sent"),
    "request-default-changed": (True, "what is taken for something that is not sent is something else"),
    "request-restructured": (True, "a schema was rewritten so that it can't be judged"),
    "response-property-removed": (True, "a member is no longer given"),
    "response-property-added": (False, "a member is new"),
    "response-property-required": (False, "a member is always given now"),
    "response-property-optional": (True, "a member is not always given any more"),
    "response-restructured": (True, "a schema was rewritten so that it can't be judged"),
}

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_FORMS = ("pattern", "format", "multipleOf", "uniqueItems", "contentEncoding", "contentMediaType")
_INSIDE = ("items", "additionalProperties", "propertyNames")
"""Keywords whose value is a schema that becomes narrower and wider as the whole does."""
_WHOLE = ("not", "if", "then", "else", "dependentSchemas", "dependentRequired", "contains") + (
    "unevaluatedProperties",
    "unevaluatedItems",
)
_WORDS = frozenset(("title", "description", "example", "examples", "$comment", "deprecated", "externalDocs", "xml"))
"""Keywords that mean nothing to a value."""
_HIDDEN = {"request": "readOnly", "response": "writeOnly"}
_ALL_TYPES = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))
_HOPS = 16


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference: its rule, where it is (JSON Pointer into the schema), the member that it is about, and words."""

    rule: str
    pointer: str
    member: str
    text: str


class Schemas:
    """The named schemas of two descriptions, before and after.

    Args:
        side: who sends what the schemas describe.
    """

    def __init__(self, side: Side, old: dict[str, Any], new: dict[str, Any]) -> None:
        self.side = side
        self.old = old
        self.new = new
        self._met: set[tuple[str, str]] = set()

    def compare(self, before: Any, after: Any, pointer: str = "", member: str = "") -> Iterator[SchemaChange]:
        """Everything that changed from one schema to another."""
        met = (_reference(before), _reference(after))
        if all(met):
            if met in self._met:
                return
            self._met.add(met)
        was, now = _flat(before, self.old), _flat(after, self.new)
        for rule, text in (
            *_types(was, now),
            *_values(was, now),
            *_bounds(was, now),
            *_forms(was, now),
            *_rest(was, now),
        ):
            yield SchemaChange(f"{self.side}-{rule}", pointer, member, text)
        if self.side == "request" and was.get("default") != now.get("default"):
            text = f"its default was {_shown(was.get('default'))}, is {_shown(now.get('default'))}"
            yield SchemaChange("request-default-changed", pointer, member, text)
        yield from self._properties(was, now, pointer, member)
        yield from self._alternatives(was, now, pointer, member)
        yield from self._inside(was, now, pointer, member)

    def _inside(self, was: Any, now: Any, pointer: str, member: str) -> Iterator[SchemaChange]:
        """What changed of items, and of members that have no name."""
        for key in _INSIDE:
            before, after = was.get(key, True), now.get(key, True)
            if False not in (before, after) and not (before is True and after is True):
                called = f"{member}[]" if key == "items" else f"{member}.*" if member else "*"
                yield from self.compare(before, after, f"{pointer}/{key}", called)
        for key in ("patternProperties", "prefixItems"):
            old, new = _numbered(was.get(key)), _numbered(now.get(key))
            for name in sorted(old.keys() | new.keys(), key=str):
                at, called = f"{pointer}/{key}/{escape(str(name))}", f"{member}[{name}]"
                yield from self.compare(old.get(name, True), new.get(name, True), at, called)

    def _properties(self, was: Any, now: Any, pointer: str, member: str) -> Iterator[SchemaChange]:
        before, after = self._visible(was, self.old), self._visible(now, self.new)
        needed_before, needed = set(was.get("required") or ()), set(now.get("required") or ())
        for name in sorted((needed ^ needed_before) - before.keys() - after.keys()):
            rule = f"{self.side}-property-{'required' if name in needed else 'optional'}"
            called = f"{member}.{name}" if member else name
            words = "must be there now" if name in needed else "need not be there any more"
            yield SchemaChange(rule, f"{pointer}/required", called, words)
        for name, schema in after.items():
            at, called = f"{pointer}/properties/{escape(name)}", f"{member}.{name}" if member else name
            must = name in needed
            if name not in before:
                required = self.side == "request" and must
                rule = f"{self.side}-{'required-' if required else ''}property-added"
                yield SchemaChange(rule, at, called, "added, and must be sent" if required else "added")
                continue
            if must != (name in needed_before):
                rule = f"{self.side}-property-{'required' if must else 'optional'}"
                always = ("must be sent", "need not be sent any more") if self.side == "request" else _GIVEN
                yield SchemaChange(rule, at, called, always[0] if must else always[1])
            yield from self.compare(before[name], schema, at, called)
        for name in before:
            if name not in after:
                called = f"{member}.{name}" if member else name
                at = f"{pointer}/properties/{escape(name)}"
                yield SchemaChange(f"{self.side}-property-removed", at, called, "removed")

    def _visible(self, schema: Any, named: dict[str, Any]) -> dict[str, Any]:
        """The members that this side may send."""
        mark = _HIDDEN[self.side]
        members = schema.get("properties") or {}
        return {name: child for name, child in members.items() if _flat(child, named).get(mark) is not True}

    def _alternatives(self, was: Any, now: Any, pointer: str, member: str) -> Iterator[SchemaChange]:
        for key in ("anyOf", "oneOf"):
            before, after = list(was.get(key) or ()), list(now.get(key) or ())
            if not before and not after:
                continue
            pairs = [(one, other) for one in before for other in after if self._is_same(one, other)]
            for one, other in pairs:
                if one in before and other in after:
                    before.remove(one)
                    after.remove(other)
                    yield from self.compare(one, other, f"{pointer}/{key}", member)
            if len(before) == len(after) == 1:
                yield from self.compare(before[0], after[0], f"{pointer}/{key}", member)
                continue
            had, has = bool(was.get(key)), bool(now.get(key))
            narrower, wider = bool(before) and has, bool(after) and had
            if not had or not has:  # from anything to some, or from some to anything
                narrower, wider = not had, not has
            if narrower:
                text = f"{len(before) or len(after)} of its alternatives fewer" if before else "has alternatives now"
                yield SchemaChange(f"{self.side}-alternatives-narrowed", f"{pointer}/{key}", member, text)
            if wider:
                text = f"{len(after)} of its alternatives more" if after else "has no alternatives any more"
                yield SchemaChange(f"{self.side}-alternatives-widened", f"{pointer}/{key}", member, text)

    def _is_same(self, one: Any, other: Any) -> bool:
        """Whether two alternatives are meant to be the same."""
        if isinstance(one, dict) and isinstance(other, dict):
            names = [(_reference(each) or each.get("title") or "") for each in (one, other)]
            if any(names):
                return names[0] == names[1]
        was, now = _flat(one, self.old), _flat(other, self.new)
        return was == now or (bool(was.get("type")) and was.get("type") == now.get("type") != "object")


_GIVEN = ("is always given now", "is not always given any more")

Aspects = Iterator[tuple[str, str]]


def _types(was: Any, now: Any) -> Aspects:
    before, after = _type_set(was), _type_set(now)
    shown = f"its type was {_named(was)}, is {_named(now)}"
    if before - after:
        yield "type-narrowed", shown
    if after - before:
        yield "type-widened", shown


def _type_set(schema: Any) -> frozenset[str]:
    said = schema.get("type")
    if said is None:
        return _ALL_TYPES
    found = {said} if isinstance(said, str) else set(said)
    return frozenset(found | {"integer"} if "number" in found else found)


def _named(schema: Any) -> str:
    said = schema.get("type")
    return "anything" if said is None else said if isinstance(said, str) else " or ".join(map(str, said))


def _values(was: Any, now: Any) -> Aspects:
    before, after = _enumeration(was), _enumeration(now)
    if before is None and after is None:
        return
    if before is None or after is None:
        values = ", ".join(map(_shown, before or after or ()))
        yield (
            ("values-narrowed", f"is only one of {values} now")
            if before is None
            else (
                "values-widened",
                f"is no longer only one of {values}",
            )
        )
        return
    gone = [value for value in before if value not in after]
    new = [value for value in after if value not in before]
    if gone:
        yield "values-narrowed", f"is no longer {' or '.join(map(_shown, gone))}"
    if new:
        yield "values-widened", f"may be {' or '.join(map(_shown, new))}, too"


def _enumeration(schema: Any) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found = schema.get("enum")
    return list(found) if isinstance(found, list) else None


def _bounds(was: Any, now: Any) -> Aspects:
    for keys, sign in ((_LOWER, 1), (_UPPER, -1)):
        for key in keys:
            before, after = was.get(key), now.get(key)
            if key.startswith("min") and key != "minimum":  # a length of 0 is no bound
                before, after = before or None, after or None
            if before == after:
                continue
            text = f"`{key}` was {_shown(before)}, is {_shown(after)}"
            narrower = before is None or (after is not None and sign * after > sign * before)
            yield ("bounds-narrowed" if narrower else "bounds-widened"), text


def _forms(was: Any, now: Any) -> Aspects:
    for key in _FORMS:
        before, after = was.get(key) or None, now.get(key) or None
        if before == after:
            continue
        text = f"`{key}` was {_shown(before)}, is {_shown(after)}"
        if after is not None:
            yield "form-narrowed", text
        if before is not None:
            yield "form-widened", text


def _rest(was: Any, now: Any) -> Aspects:
    before, after = was.get("additionalProperties", True), now.get("additionalProperties", True)
    if (before is False) != (after is False):
        more = before is False
        yield (
            ("members-widened" if more else "members-narrowed"),
            (f"takes {'' if more else 'no '}members that are not described"),
        )
    for key in _WHOLE:
        if _bare(was.get(key)) != _bare(now.get(key)):
            yield "restructured", f"its `{key}` was rewritten"


def _bare(node: Any) -> Any:
    """A schema without what is only for people."""
    if isinstance(node, dict):
        return {key: _bare(value) for key, value in node.items() if key not in _WORDS and not key.startswith("x-")}
    return [_bare(child) for child in node] if isinstance(node, list) else node


def _numbered(schemas: Any) -> dict[Any, Any]:
    return dict(enumerate(schemas)) if isinstance(schemas, list) else schemas or {}


def _reference(schema: Any) -> str:
    return str(schema["$ref"]) if isinstance(schema, dict) and "$ref" in schema else ""


def _flat(schema: Any, named: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """A schema with its references followed and the parts of its `allOf` put together."""
    if schema is False:
        return {"enum": []}
    if not isinstance(schema, dict) or depth > _HOPS:
        return {}
    flat = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    parts = [_target(schema["$ref"], named)] if "$ref" in schema else []
    for part in [*parts, *(schema.get("allOf") or ())]:
        for key, value in _flat(part, named, depth + 1).items():
            flat[key] = _both(key, flat[key], value) if key in flat else value
    return flat


def _both(key: str, one: Any, other: Any) -> Any:
    """What a keyword says where it is said twice."""
    if one == other or key in _WORDS:
        return one
    if key == "properties":
        shared = {name: {"allOf": [one[name], other[name]]} for name in one.keys() & other.keys()}
        return {**one, **other, **shared}
    if key == "required":
        return sorted({*one, *other})
    if key == "enum":
        return [value for value in one if value in other]
    if key == "type":
        return sorted(_type_set({"type": one}) & _type_set({"type": other}))
    if key in _LOWER:
        return max(one, other)
    if key in _UPPER:
        return min(one, other)
    if key in _INSIDE and False not in (one, other):
        return {"allOf": [one, other]}
    return one if key in _INSIDE and one is False else other if key in _INSIDE else [one, other]


def _target(reference: str, named: dict[str, Any]) -> Any:
    """What a reference leads to, in a named schema or inside of one."""
    parts = [unescape(part) for part in reference.split("/")[3:]]
    node: Any = named
    for part in parts:
        node = node.get(part) if isinstance(node, dict) else None
    return {} if node is None else node


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)
