"""A value made from a schema: valid, sensible, and the same every time. For mock answers and for docs."""

from __future__ import annotations

import base64
import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

from apifold.schema.patterns import CannotMatch, matching

Valid = Callable[[Any, Any], bool]
"""Whether a value fits a schema."""

Resolve = Callable[[Any], Any]

DEPTH = 6
"""How deep optional members are made."""

LIMIT = 32
"""How deep required members are followed before it is given up."""

_TEXTS = {
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "uri": "https://example.com/1",
    "url": "https://example.com/1",
    "iri": "https://example.com/1",
    "uri-reference": "/1",
    "iri-reference": "/1",
    "uri-template": "/things/{id}",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "json-pointer": "/a",
    "relative-json-pointer": "0",
    "regex": "^a$",
    "byte": base64.b64encode(b"text").decode(),
    "binary": "text",
    "password": "secret",
}
_HIDDEN = {"request": "readOnly", "response": "writeOnly"}
_IMPLIED = {
    "properties": "object", "required": "object", "additionalProperties": "object", "patternProperties": "object",
    "minProperties": "object",
    "items": "array", "prefixItems": "array", "minItems": "array", "maxItems": "array", "contains": "array",
    "minLength": "string", "maxLength": "string", "pattern": "string", "format": "string",
    "minimum": "number", "maximum": "number", "exclusiveMinimum": "number", "exclusiveMaximum": "number",
    "multipleOf": "number",
}  # fmt: skip


class CannotGenerate(ValueError):
    """No value could be made; the text says at which place of the value."""


def generate(
    schema: Any, resolve: Resolve, valid: Valid | None = None, side: Literal["request", "response", ""] = ""
) -> Any:
    """A value that fits a schema.

    Examples, constants, defaults and enums are preferred where they fit; else the value is built.

    Args:
        schema: JSON Schema 2020-12.
        resolve: follows the references of a schema.
        valid: judges candidates; without it the first is taken.
        side: leave out the members of the other side's messages.

    Raises:
        CannotGenerate: the schema needs itself without end, or contradicts itself.
    """
    maker = _Maker(resolve, valid, side)
    for candidate in itertools.islice(maker.candidates(schema, "", 0), 24):
        if valid is None or valid(schema, candidate):
            return candidate
    raise CannotGenerate("no candidate fits the schema")


class _Maker:
    def __init__(self, resolve: Resolve, valid: Valid | None, side: str) -> None:
        self.resolve = resolve
        self.valid = valid
        self.hidden = _HIDDEN.get(side, "")

    def candidates(self, schema: Any, at: str, depth: int) -> Iterator[Any]:
        """Values that may fit, the best first."""
        if depth > LIMIT:
            raise CannotGenerate(f"{at or '/'} needs itself without end")
        schema = self.resolve(schema)
        if not isinstance(schema, dict) or not schema:
            if schema is False:
                raise CannotGenerate(f"{at or '/'} may have no value")
            yield "text"
            return
        yield from self._given(schema)
        if "const" in schema or "enum" in schema:
            return
        yield from self._built(schema, at, depth)

    def make(self, schema: Any, at: str, depth: int) -> Any:
        """The first candidate that fits."""
        first: list[Any] = []
        for candidate in itertools.islice(self.candidates(schema, at, depth), 8):
            if self.valid is None or self.valid(schema, candidate):
                return candidate
            first.append(candidate)
        if first:
            return first[0]
        raise CannotGenerate(f"{at or '/'} has no value that fits")

    @staticmethod
    def _given(schema: dict[str, Any]) -> Iterator[Any]:
        if "example" in schema:
            yield schema["example"]
        if isinstance(schema.get("examples"), list):
            yield from schema["examples"]
        if "const" in schema:
            yield schema["const"]
        if "default" in schema:
            yield schema["default"]
        yield from schema.get("enum", ())

    def _built(self, schema: dict[str, Any], at: str, depth: int) -> Iterator[Any]:
        for key in ("oneOf", "anyOf"):
            if key in schema:
                rest = {name: value for name, value in schema.items() if name != key}
                for branch in map(self.resolve, schema[key]):
                    if not isinstance(branch, dict):
                        continue
                    try:
                        yield from itertools.islice(self.candidates(self._merged([rest, branch]), at, depth + 1), 3)
                    except CannotGenerate:
                        continue
                return
        if "allOf" in schema:
            rest = {name: value for name, value in schema.items() if name != "allOf"}
            yield from self.candidates(self._merged([rest, *map(self.resolve, schema["allOf"])]), at, depth + 1)
            return
        if "if" in schema:
            rest = {name: value for name, value in schema.items() if name not in ("if", "then", "else")}
            extras: tuple[Any, ...] = ({}, self.resolve(schema.get("then", {})), self.resolve(schema.get("else", {})))
            for extra in extras:
                both = [rest, self.resolve(schema["if"]), extra] if extra else [rest]
                try:
                    yield from itertools.islice(
                        self.candidates(self._merged([one for one in both if isinstance(one, dict)]), at, depth + 1), 2
                    )
                except CannotGenerate:
                    continue
            return
        for kind in self._kinds(schema):
            yield from getattr(self, f"_{kind}")(schema, at, depth)

    @staticmethod
    def _kinds(schema: dict[str, Any]) -> list[str]:
        kind = schema.get("type")
        kinds = [kind] if isinstance(kind, str) else list(kind or ())
        if not kinds:
            kinds = [next((implied for key, implied in _IMPLIED.items() if key in schema), "string")]
        return sorted(kinds, key=lambda name: name == "null")

    def _merged(self, schemas: list[Any]) -> dict[str, Any]:
        """One schema for several that hold together, as far as making a value goes."""
        merged: dict[str, Any] = {}
        for schema in schemas:
            for key, value in (schema if isinstance(schema, dict) else {}).items():
                if key not in merged:
                    merged[key] = value
                elif key == "properties":
                    merged[key] = {
                        **merged[key],
                        **{name: self._both(merged[key].get(name), child) for name, child in value.items()},
                    }
                elif key in ("required", "allOf"):
                    merged[key] = [*merged[key], *(one for one in value if one not in merged[key])]
                elif key in ("oneOf", "anyOf"):
                    merged.setdefault("allOf", [])
                    merged["allOf"] = [*merged["allOf"], {key: value}]
                elif key in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"):
                    merged[key] = max(merged[key], value)
                elif key in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"):
                    merged[key] = min(merged[key], value)
                elif key == "enum":
                    merged[key] = [one for one in merged[key] if one in value]
                elif key == "type":
                    ours, theirs = ([one] if isinstance(one, str) else one for one in (merged[key], value))
                    both = [name for name in ours if name in theirs or (name == "integer" and "number" in theirs)]
                    merged[key] = both or ours
                elif key in ("example", "examples", "default"):
                    merged.pop(key)
                elif key == "$ref":
                    merged = self._merged(
                        [self.resolve({"$ref": merged.pop(key)}), merged, self.resolve({"$ref": value})]
                    )
                else:
                    merged[key] = value
        return merged

    def _both(self, one: Any, other: Any) -> Any:
        return other if one is None or one == other else {"allOf": [one, other]}

    def _null(self, schema: dict[str, Any], at: str, depth: int) -> Iterator[Any]:
        yield None

    def _boolean(self, schema: dict[str, Any], at: str, depth: int) -> Iterator[Any]:
        yield True
        yield False

    def _integer(self, schema: dict[str, Any], at: str, depth: int) -> Iterator[Any]:
        low, high = _bounds(schema)
        step = schema.get("multipleOf", 1)
        step = step if step == int(step) else 1
        for start in (low, 1 if low is None and (high is None or high >= 1) else None, high):
            if start is not None:
                value = math.ceil(start / step) * step
                if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
                    value += step
                if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
                    value -= step
                yield int(value)
        yield from (0, 1)

    def _number(self, schema: dict[str, Any], at: str, depth: int) -> Iterator[Any]:
        low, high = _bounds(schema)
        if "multipleOf" in schema:
            step = schema["multipleOf"]
            yield math.ceil((low or 0) / step) * step
            yield (math.floor((low or 0) / step) + 1) * step
        if low is not None and high is not None:
            yield (low + high) / 2
        yield from (value for value in (low, high) if value is not None)
        yield 1.5 if low is None and (high is None or high >= 1.5) else (low + 1.0 if low is not None else high - 1.0)  # type: ignore[operator]  # one of both is a number
        yield from (0, 1)

    def _string(self, schema: dict[str, Any], at: str, depth: int) -> Iterator[Any]:
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        if "pattern" in schema:
            with contextlib.suppress(CannotMatch):
                yield from itertools.islice(matching(schema["pattern"], least, most), 6)
        if schema.get("format") in _TEXTS:
            yield _TEXTS[schema["format"]]
        text = at.rpartition("/")[2] if at and not at.rpartition("/")[2].isdigit() else "text"
        text = text if len(text) >= least else (text + "-text" * least)[: max(least, 1)]
        yield text[:most] if most is not None else text

    def _array(self, schema: dict[str, Any], at: str, depth: int) -> Iterator[Any]:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        prefix = schema.get("prefixItems", [])
        items = schema.get("items", {})
        wanted = max(least, len(prefix), schema.get("minContains", 1) if "contains" in schema else 0)
        if wanted == 0 and depth < DEPTH and most != 0 and items is not False:
            wanted = 1
        made: list[Any] = []
        try:
            for index in range(wanted):
                one = (
                    prefix[index]
                    if index < len(prefix)
                    else schema["contains"]
                    if "contains" in schema and index >= len(prefix)
                    else items
                )
                made.append(
                    self._another(one, made, f"{at}/{index}", depth + 1, unique=bool(schema.get("uniqueItems")))
                )
        except CannotGenerate:
            if least:
                raise
            made = []
        yield made
        if least == 0:
            yield []

    def _another(self, schema: Any, made: list[Any], at: str, depth: int, *, unique: bool) -> Any:
        if not unique:
            return self.make(schema, at, depth)
        for candidate in itertools.islice(self.candidates(schema, at, depth), 16):
            if candidate not in made and (self.valid is None or self.valid(schema, candidate)):
                return candidate
        resolved = self.resolve(schema)
        for number in range(1, 1000):
            candidate = f"text-{number}" if "string" in self._kinds(resolved) else number
            if candidate not in made and (self.valid is None or self.valid(schema, candidate)):
                return candidate
        raise CannotGenerate(f"{at} has no other value")

    def _object(self, schema: dict[str, Any], at: str, depth: int) -> Iterator[Any]:
        properties = schema.get("properties") or {}
        required = [name for name in schema.get("required") or () if not self._is_hidden(properties.get(name))]
        full = self._members(
            schema, required, [name for name in properties if name not in required] if depth < DEPTH else [], at, depth
        )
        yield full
        yield self._members(schema, required, [], at, depth)

    def _members(
        self, schema: dict[str, Any], required: list[str], optional: list[str], at: str, depth: int
    ) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        extra = schema.get("additionalProperties", {})
        made: dict[str, Any] = {}
        wanted = set(required)
        for name in sorted(set(required) | set(optional), key=[*properties, *required].index):
            child = properties.get(name, extra if extra is not False else {})
            if self._is_hidden(child):
                continue
            try:
                made[name] = self.make(child, f"{at}/{name}", depth + 1)
            except CannotGenerate:
                if name in wanted:
                    raise
        for name, needed in (schema.get("dependentRequired") or {}).items():
            for other in needed if name in made else ():
                made.setdefault(other, self.make(properties.get(other, {}), f"{at}/{other}", depth + 1))
        for number in range(schema.get("minProperties", 0) - len(made)):
            self._one_more(schema, made, number, at, depth)
        for name in [name for name in list(made) if name not in wanted][
            : max(0, len(made) - schema.get("maxProperties", len(made)))
        ]:
            del made[name]
        return made

    def _one_more(self, schema: dict[str, Any], made: dict[str, Any], number: int, at: str, depth: int) -> None:
        name = f"member{number + 1}"
        child = schema.get("additionalProperties", {})
        for pattern, one in (schema.get("patternProperties") or {}).items():
            name, child = next((text for text in matching(pattern, 0, None) if text not in made), name), one
            break
        if isinstance(schema.get("propertyNames"), dict):
            name = next(
                (
                    text
                    for text in self.candidates({"type": "string", **self.resolve(schema["propertyNames"])}, "", depth)
                    if text not in made
                ),
                name,
            )
        made[name] = self.make(child, f"{at}/{name}", depth + 1)

    def _is_hidden(self, schema: Any) -> bool:
        if not self.hidden:
            return False
        schema = self.resolve(schema)
        return isinstance(schema, dict) and schema.get(self.hidden) is True


def _bounds(schema: dict[str, Any]) -> tuple[float | None, float | None]:
    lows = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
    highs = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
    return max(lows, default=None), min(highs, default=None)
