"""What changed between two descriptions, rule by rule, and which of it breaks clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apifold.description import Answer, Body, Description, Operation, Parameter
from apifold.marked import escape
from apifold.routing import PLACEHOLDER
from apifold.versions.diff_schemas import SCHEMA_RULES, SchemaChange, Schemas, Side

RULES: dict[str, tuple[bool, str]] = {
    "api-removed": (True, "an API is gone"),
    "api-added": (False, "an API is new"),
    "base-path-changed": (True, "the API is served elsewhere"),
    "versions-removed": (True, "versions that clients could ask for are gone"),
    "versions-added": (False, "clients can ask for other versions, too"),
    "version-default-changed": (True, "clients that do not choose a version get another one"),
    "version-header-removed": (True, "versions can't be asked for by a header any more"),
    "unknown-rejected": (True, "what is not described is refused"),
    "unknown-taken": (False, "what is not described is no longer refused"),
    "slash-strict": (True, "paths are no longer the same with a slash at their end"),
    "slash-ignored": (False, "paths are the same with a slash at their end"),
    "errors-changed": (True, "errors are told in another form"),
    "operation-removed": (True, "an operation is gone"),
    "operation-added": (False, "an operation is new"),
    "operation-renamed": (False, "an operationId is another one; only generated clients see it"),
    "operation-deprecated": (False, "an operation is deprecated"),
    "caller-needed": (True, "an operation that was public is so no longer"),
    "caller-not-needed": (False, "an operation is public now"),
    "security-changed": (True, "callers show who they are in another way"),
    "path-parameter-renamed": (False, "a path's variable has another name"),
    "parameter-removed": (True, "a parameter is no longer taken"),
    "parameter-added": (False, "an optional parameter is new"),
    "required-parameter-added": (True, "a parameter is new, and must be sent"),
    "parameter-required": (True, "a parameter that was optional must be sent"),
    "parameter-optional": (False, "a parameter need no longer be sent"),
    "parameter-style-changed": (True, "a parameter is written in another way"),
    "body-removed": (True, "a body is no longer taken"),
    "body-added": (False, "an optional body is new"),
    "required-body-added": (True, "a body is new, and must be sent"),
    "body-required": (True, "a body that was optional must be sent"),
    "body-optional": (False, "a body need no longer be sent"),
    "request-media-removed": (True, "a media type is no longer taken"),
    "request-media-added": (False, "another media type is taken"),
    "success-removed": (True, "a status of success is gone"),
    "failure-removed": (False, "a status of failure is gone"),
    "response-added": (False, "a status is new"),
    "response-media-removed": (True, "a media type is no longer given"),
    "response-media-added": (False, "another media type is given"),
    "response-header-removed": (True, "a header is no longer given"),
    "response-header-added": (False, "a header is new"),
    **SCHEMA_RULES,
}
"""Every rule: whether what it finds breaks clients, and what that is."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        rule: a key of `RULES`.
        operation: method and path; "" for the whole API.
        pointer: where it is, in the newer document; of what is gone, in the older one.
        text: what it is, in words.
    """

    rule: str
    operation: str
    pointer: str
    text: str

    @property
    def is_breaking(self) -> bool:
        """Whether it breaks clients."""
        return RULES[self.rule][0]

    def __str__(self) -> str:
        return f"{self.operation}: {self.text}" if self.operation else self.text


def differences(old: Description, new: Description) -> list[Change]:
    """Everything that changed for clients, operation by operation, as the newer description has them."""
    return list(dict.fromkeys(_Comparison(old, new).changes()))


class _Comparison:
    def __init__(self, old: Description, new: Description) -> None:
        self.old = old
        self.new = new

    def changes(self) -> Iterator[Change]:
        if self.old.template_base != self.new.template_base:
            text = f"the base path was {self.old.template_base or '/'}, is {self.new.template_base or '/'}"
            yield Change("base-path-changed", "", "/servers", text)
        yield from self._manners()
        before = {_place(operation): operation for operation in self.old.operations}
        for operation in self.new.operations:
            earlier = before.pop(_place(operation), None)
            if earlier is None:
                yield Change("operation-added", operation.title, operation.pointer, f"added{_summary(operation)}")
            else:
                for rule, pointer, text in _Operations(self.old, self.new, earlier, operation).changes():
                    yield Change(rule, operation.title, operation.pointer + pointer, text)
        for gone in before.values():
            yield Change("operation-removed", gone.title, gone.pointer, f"removed{_summary(gone)}")

    def _manners(self) -> Iterator[Change]:
        """What changed for all operations alike."""
        was, now = self.old.extension, self.new.extension
        if was.unknown != now.unknown and "reject" in (was.unknown, now.unknown):
            rule = "unknown-rejected" if now.unknown == "reject" else "unknown-taken"
            yield Change(rule, "", "/x-apifold/unknown", f"what is not described: was {was.unknown}, is {now.unknown}")
        if was.trailing_slash != now.trailing_slash:
            rule = "slash-strict" if now.trailing_slash == "strict" else "slash-ignored"
            text = f"slashes at the end of paths: was {was.trailing_slash}, is {now.trailing_slash}"
            yield Change(rule, "", "/x-apifold/trailing_slash", text)
        if was.errors != now.errors:
            yield Change("errors-changed", "", "/x-apifold/errors", "errors are told in another form")


def _place(operation: Operation) -> tuple[str, str]:
    return operation.method, PLACEHOLDER.sub("{}", operation.path)


def _summary(operation: Operation) -> str:
    summary = str(operation.written.get("summary") or "").strip()
    return f": {summary}" if summary else ""


Found = Iterator[tuple[str, str, str]]
"""Rule, pointer below the operation, text."""


class _Operations:
    """One operation, before and after."""

    def __init__(self, old: Description, new: Description, before: Operation, after: Operation) -> None:
        self.old = old
        self.new = new
        self.before = before
        self.after = after

    def changes(self) -> Found:
        before, after = self.before, self.after
        if before.id != after.id:
            yield "operation-renamed", "/operationId", f"its operationId was {before.id!r}, is {after.id!r}"
        if after.written.get("deprecated") and not before.written.get("deprecated"):
            yield "operation-deprecated", "/deprecated", "deprecated"
        if before.extension.public and not after.extension.public:
            yield "caller-needed", "", "was public, and now needs a caller"
        elif after.extension.public and not before.extension.public:
            yield "caller-not-needed", "", "is public now"
        if self._lost_ways():
            yield "security-changed", "/security", "callers show who they are in another way"
        yield from self._parameters()
        yield from self._body(before.body, after.body)
        yield from self._answers()

    def _lost_ways(self) -> bool:
        """Whether callers could show who they are in a way that they can't any more."""
        ways = [
            None if operation.security is None else [_ways(one, schemes) for one in operation.security]
            for operation, schemes in (
                (self.before, self.old.security_schemes),
                (self.after, self.new.security_schemes),
            )
        ]
        was, now = ways
        if not now:  # by any way, or by none
            return False
        return was is None or not was or any(one not in now for one in was)

    def _parameters(self) -> Found:
        renamed = dict(zip(PLACEHOLDER.findall(self.before.path), PLACEHOLDER.findall(self.after.path), strict=True))
        before = {_key(one, renamed): one for one in self.before.parameters}
        for one in self.after.parameters:
            earlier = before.pop(_key(one, {}), None)
            at, what = f"/parameters/{escape(one.name)}", f"{one.where} parameter `{one.name}`"
            if earlier is None:
                rule = "required-parameter-added" if one.required else "parameter-added"
                yield rule, at, f"added the {'required ' if one.required else ''}{what}"
                continue
            yield from self._parameter(earlier, one, at, what)
        for gone in before.values():
            at, what = f"/parameters/{escape(gone.name)}", f"{gone.where} parameter `{gone.name}`"
            yield "parameter-removed", at, f"removed the {what}"

    def _parameter(self, before: Parameter, after: Parameter, at: str, what: str) -> Found:
        if before.name != after.name:
            yield "path-parameter-renamed", at, f"the {what} was called `{before.name}`"
        if after.required and not before.required:
            yield "parameter-required", at, f"the {what} must be sent now"
        elif before.required and not after.required:
            yield "parameter-optional", at, f"the {what} need not be sent any more"
        if _style(before) != _style(after):
            yield "parameter-style-changed", at, f"the {what} is written in another way"
        yield from self._schemas("request", before.schema, after.schema, at, f"the {what}")

    def _body(self, before: Body | None, after: Body | None) -> Found:
        if before is None or after is None:
            if after is not None:
                rule = "required-body-added" if after.required else "body-added"
                yield rule, "/requestBody", f"added a {'required ' if after.required else ''}body"
            elif before is not None:
                yield "body-removed", "/requestBody", "removed the body"
            return
        if after.required and not before.required:
            yield "body-required", "/requestBody", "the body must be sent now"
        elif before.required and not after.required:
            yield "body-optional", "/requestBody", "the body need not be sent any more"
        yield from self._content("request", before.content, after.content, "/requestBody", "the body")

    def _answers(self) -> Found:
        for status, after in self.after.answers.items():
            before = self.before.answers.get(status)
            if before is None:
                yield "response-added", f"/responses/{status}", f"added the status {status}"
            else:
                yield from self._answer(status, before, after)
        for status in sorted(self.before.answers.keys() - self.after.answers.keys()):
            rule = "success-removed" if status[:1] in ("2", "3") else "failure-removed"
            yield rule, f"/responses/{status}", f"removed the status {status}"

    def _answer(self, status: str, before: Answer, after: Answer) -> Found:
        at, what = f"/responses/{status}", f"the answer {status}"
        yield from self._content("response", before.content, after.content, at, what)
        was, now = _lower(before.headers), _lower(after.headers)
        for name in sorted(was.keys() - now.keys()):
            yield "response-header-removed", f"{at}/headers", f"{what} has no header {name} any more"
        for name, schema in now.items():
            if name not in was:
                yield "response-header-added", f"{at}/headers", f"{what} has a header {name}"
            else:
                yield from self._schemas("response", was[name], schema, f"{at}/headers/{name}", f"its header {name}")

    def _content(self, side: Side, before: Mapping[str, Any], after: Mapping[str, Any], at: str, what: str) -> Found:
        taken = "taken" if side == "request" else "given"
        for media in sorted(before.keys() - after.keys()):
            yield f"{side}-media-removed", f"{at}/content", f"{what} is no longer {taken} as {media}"
        for media, described in after.items():
            if media not in before:
                yield f"{side}-media-added", f"{at}/content/{escape(media)}", f"{what} is {taken} as {media}, too"
                continue
            old, new = before[media].get("schema", True), described.get("schema", True)
            yield from self._schemas(side, old, new, f"{at}/content/{escape(media)}/schema", what)

    def _schemas(self, side: Side, before: Any, after: Any, at: str, what: str) -> Found:
        schemas = Schemas(side, self.old.schemas, self.new.schemas)
        for change in schemas.compare(before, after):
            yield change.rule, at + change.pointer, _sentence(what, change)


def _sentence(what: str, change: SchemaChange) -> str:
    return f"{what}{f', `{change.member}`' if change.member else ''}: {change.text}"


def _key(parameter: Parameter, renamed: Mapping[str, str]) -> tuple[str, str]:
    name = renamed.get(parameter.name, parameter.name) if parameter.where == "path" else parameter.name
    return parameter.where, name.lower() if parameter.where == "header" else name


def _style(parameter: Parameter) -> tuple[str, bool, str, str]:
    return parameter.style, parameter.explode, parameter.media, parameter.convention


def _ways(requirement: Mapping[str, list[str]], schemes: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What a security requirement asks for, whatever its schemes are called."""
    said = ("type", "in", "name", "scheme")
    return [(*(schemes.get(name, {}).get(key) for key in said), sorted(scopes)) for name, scopes in requirement.items()]


def _lower(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): schema for name, schema in headers.items()}


def breaking(changes: Iterable[Change]) -> list[Change]:
    """Those that break clients."""
    return [change for change in changes if change.is_breaking]
