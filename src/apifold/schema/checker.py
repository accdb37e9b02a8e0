"""Checkers: a compiled JSON Schema that says whether a value fits, and if not, every reason in one sentence each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import jsonschema_rs

from apifold.description.walk import Schema, map_root_schemas, map_schema, subschemas
from apifold.errors import Problem
from apifold.schema.members import is_described
from apifold.schema.messages import UNKNOWN, describe
from apifold.schema.projection import Side, closed, part, without_hidden

MAX_PROBLEMS = 100
"""Problems that are told of one message."""

_URI = "apifold:description"
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000)


class Schemas:
    """The schemas of one description, as one side of its messages sees them.

    Args:
        document: the normalised document.
        side: whose messages are checked.
        close: refuse members that are not described.
    """

    def __init__(self, document: dict[str, Any], side: Side, *, close: bool) -> None:
        self.named: dict[str, Any] = (document.get("components") or {}).get("schemas") or {}
        self.side = side
        self.close = close
        self._document = document
        self._projected: dict[tuple[str, str], Schema] = {}
        self._document_seen: dict[str, Any] = {}
        # Weak, because checkers hold on to this: what is served no more is to go without the collector's help.
        self._checkers: WeakValueDictionary[int, Checker] = WeakValueDictionary()

    def checker(self, schema: Schema) -> Checker:
        """The checker of a schema of this document; the same one for the same schema."""
        known = self._checkers.get(id(schema))
        if known is None:
            known = self._checkers[id(schema)] = Checker(self, schema)
        return known

    def compile(self, schema: Schema) -> Any:
        """The validator of a schema, its references leading to this description's schemas."""
        seen = self._seen(schema)
        return jsonschema_rs.Draft202012Validator(
            map_schema(seen, _absolute),
            registry=jsonschema_rs.Registry([(_URI, self._resource(seen))]),
            validate_formats=True,
            pattern_options=_PATTERNS,
        )

    def _seen(self, schema: Schema) -> Schema:
        seen = without_hidden(schema, self.side, self.named)
        return closed(seen, self.named) if self.close else seen

    def _resource(self, seen: Schema) -> dict[str, Any]:
        """What the references of a schema lead to: named schemas, or the whole document where they lead elsewhere."""
        found: dict[str, dict[str, Schema]] = {"schemas": {}, "parts": {}}
        open_ = [seen]
        while open_:
            for _, node in subschemas(open_.pop()):
                target = node.get("$ref")
                if not isinstance(target, str):
                    continue
                root, components, kind, name = (*target.split("/")[:4], "", "", "")[:4]
                if (root, components) != ("#", "components") or kind not in found or name not in self.named:
                    return self._whole()
                if name not in found[kind]:
                    found[kind][name] = self._named(kind, name)
                    open_.append(found[kind][name])
        return {"components": found}

    def _named(self, kind: str, name: str) -> Schema:
        """A named schema as this side sees it, or as a part of a composition."""
        if (kind, name) not in self._projected:
            schema = self.named[name]
            self._projected[kind, name] = (
                self._seen(schema)
                if kind == "schemas"
                else part(without_hidden(schema, self.side, self.named), self.named)
            )
        return self._projected[kind, name]

    def _whole(self) -> dict[str, Any]:
        if not self._document_seen:
            self._document_seen = map_root_schemas(self._document, self._seen)
            if self.close:
                parts = {name: self._named("parts", name) for name in self.named}
                components = self._document_seen.get("components") or {}
                self._document_seen = {**self._document_seen, "components": {**components, "parts": parts}}
        return self._document_seen


class Checker:
    """One schema's checker.

    It is compiled at its first use: a large description has thousands of schemas, most of which a process never
    meets, and that they can be compiled is known from the meta-schema.

    Attributes:
        accepts: whether a value fits; the validator's own method, once there is a validator.
    """

    __slots__ = ("__weakref__", "_schema", "_schemas", "_validator", "accepts")

    accepts: Callable[[Any], bool]

    def __init__(self, schemas: Schemas, schema: Schema) -> None:
        self._schemas = schemas
        self._schema = schema

    def __getattr__(self, name: str) -> Any:
        if name not in ("_validator", "accepts"):
            raise AttributeError(name)
        self._validator = self._schemas.compile(self._schema)
        self.accepts = self._validator.is_valid
        return getattr(self, name)

    def first_problem(self, value: Any, where: str) -> list[Problem]:
        """One reason why a value does not fit; none where it does.

        Args:
            where: `path`, `query`, `header`, `cookie` or `body`.
        """
        if not self.accepts(value):
            try:
                self._validator.validate(value)
            except jsonschema_rs.ValidationError as error:
                return [Problem(where, below, detail) for below, detail in describe(error)][:1]
        return []

    def problems(self, value: Any, where: str, pointer: str = "") -> list[Problem]:
        """Every reason why a value does not fit; none where it does.

        Args:
            where: `path`, `query`, `header`, `cookie` or `body`.
            pointer: JSON Pointer of the value itself.
        """
        if self.accepts(value):
            return []
        found: dict[tuple[str, str], None] = {}
        for error in self._validator.iter_errors(value):
            for one in describe(error):
                found[one] = None
            if len(found) >= MAX_PROBLEMS:
                break
        told = list(found)
        if self._schemas.close and not all(detail == UNKNOWN for _, detail in told):
            told = [one for one in told if not self._is_only_unevaluated(one)]
        return [Problem(where, pointer + below, detail) for below, detail in told[:MAX_PROBLEMS]]

    def _is_only_unevaluated(self, problem: tuple[str, str]) -> bool:
        """Whether a member is called unknown only because the part that describes it failed for another reason.

        A part of a composition that fails leaves its members unevaluated (JSON Schema 2020-12, 11.3).
        """
        below, detail = problem
        return detail == UNKNOWN and is_described(self._schema, self._schemas.named, below)


def _absolute(node: dict[str, Any]) -> dict[str, Any]:
    target = node.get("$ref")
    return {**node, "$ref": _URI + target} if isinstance(target, str) and target.startswith("#") else node


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text has a match, for a pattern from outside: the time it takes grows with the text's length only.

    Raises:
        ValueError: the pattern does not compile, or looks around, which can't be had in linear time.
    """
    try:
        validator = jsonschema_rs.Draft202012Validator(
            {"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions()
        )
    except jsonschema_rs.ValidationError:
        raise ValueError(f"{pattern!r} is no regular expression that can be matched in linear time") from None
    found: Callable[[str], bool] = validator.is_valid
    return found
