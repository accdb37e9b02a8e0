"""Policy: the rule language of oslo.policy, compiled when the file is read.

A rule is text: `role:admin or project_id:%(project_id)s`. Checks:

| check | holds when |
|---|---|
| `@`, the empty text | always |
| `!` | never |
| `role:NAME` | the caller has the role, whatever its case |
| `rule:NAME` | the named rule holds |
| `ATTRIBUTE:%(KEY)s` | the caller's attribute equals the target's value |
| `'TEXT':%(KEY)s`, `True:%(KEY)s`, `None:%(KEY)s` | the target's value equals the literal |

They are joined by `and`, `or`, `not` and parentheses; a list of lists is an `or` of `and`s. A target that lacks the key
never matches. Checks that ask other servers (`http:`) are refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from apifold import marked
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.exchange import Caller
from apifold.marked import escape

Target = Mapping[str, Any]
Rule = Callable[[Caller, Target], bool]

_TOKEN = re.compile(r"\s*(\(|\)|(?:'[^']*'|\"[^\"]*\"|%\([^)]*\)s|[^\s()'\"])+)")
_TEMPLATE = re.compile(r"%\(([^)]*)\)s")
_WORDS = ("and", "or", "not")
_MISSING = object()


class PolicyError(ValueError):
    """A rule that can't be read; the text says why."""


class Policy:
    """Rules by name.

    Args:
        rules: texts (or lists of lists) by name.

    Raises:
        PolicyErrors: every rule that can't be used, with its reason.
    """

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self.names = tuple(sorted(rules))
        compiler = _Compiler(rules)
        self._rules = {name: compiler.rule(name) for name in rules}
        if compiler.errors:
            raise PolicyErrors(compiler.errors)

    def __contains__(self, name: object) -> bool:
        return name in self._rules

    def rule(self, name: str) -> Rule:
        """The compiled rule of a name.

        Raises:
            KeyError: there is none.
        """
        return self._rules[name]


class PolicyErrors(Exception):
    """What is wrong with rules, by the name of the rule."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


def load_policy(default: Path | None, override: Path | None) -> Policy:
    """The policy of one or two files; the second replaces the first's rules by name, and may add some.

    Raises:
        DescriptionErrors: everything that is wrong with them.
    """
    texts: dict[str, str] = {}
    rules: dict[str, Any] = {}
    origin: dict[str, str] = {}
    errors: list[DescriptionError] = []
    for path in (default, override):
        if path is None:
            continue
        name = str(path)
        try:
            texts[name] = path.read_text("utf-8")
            found = marked.read(texts[name], name) or {}
        except OSError as error:
            errors.append(
                DescriptionError(name, 0, "", f"the policy file can't be read: {error.strerror}", "is its name right?")
            )
            continue
        except DescriptionErrors as error:
            errors.extend(error.errors)
            continue
        if not isinstance(found, dict):
            errors.append(
                DescriptionError(
                    name,
                    1,
                    "",
                    "a policy file is a mapping of rule names to rules",
                    'such as `"plans:list": "role:reader"`',
                )
            )
            continue
        rules.update(found)
        origin.update(dict.fromkeys(found, name))
    try:
        policy = Policy(rules)
    except PolicyErrors as error:
        for rule, reason in error.errors.items():
            file = origin[rule]
            pointer = f"/{escape(rule)}"
            errors.append(
                DescriptionError(
                    file,
                    marked.line(texts[file], pointer),
                    pointer,
                    f"rule {rule!r}: {reason}",
                    "see the policy language in the reference",
                )
            )
    if errors:
        raise DescriptionErrors(errors)
    return policy


class _Compiler:
    """Texts to rules, each compiled once; references are followed while compiling."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self.rules = rules
        self.done: dict[str, Rule] = {}
        self.open: list[str] = []
        self.errors: dict[str, str] = {}

    def rule(self, name: str) -> Rule:
        if name in self.done:
            return self.done[name]
        if name in self.open:
            raise PolicyError(f"it leads back to itself ({' -> '.join((*self.open[self.open.index(name) :], name))})")
        self.open.append(name)
        try:
            compiled = self._compiled(self.rules[name])
        except PolicyError as error:
            self.errors[name] = str(error)
            compiled = _never
        finally:
            self.open.pop()
        self.done[name] = compiled
        return compiled

    def _compiled(self, text: Any) -> Rule:
        if isinstance(text, list):
            return (
                _any(
                    [
                        _all([self._check(check) for check in ([group] if isinstance(group, str) else group)])
                        for group in text
                        if group
                    ]
                )
                if text
                else _always
            )
        if not isinstance(text, str):
            raise PolicyError("a rule is text, or a list of lists of checks")
        if not text.strip():
            return _always
        tokens = list(_tokens(text))
        rule, rest = self._or(tokens)
        if rest:
            raise PolicyError(f"{rest[0]!r} stands where a rule should have ended")
        return rule

    def _or(self, tokens: list[str]) -> tuple[Rule, list[str]]:
        first, tokens = self._and(tokens)
        found = [first]
        while tokens and tokens[0].lower() == "or":
            one, tokens = self._and(tokens[1:])
            found.append(one)
        return _any(found), tokens

    def _and(self, tokens: list[str]) -> tuple[Rule, list[str]]:
        first, tokens = self._not(tokens)
        found = [first]
        while tokens and tokens[0].lower() == "and":
            one, tokens = self._not(tokens[1:])
            found.append(one)
        return _all(found), tokens

    def _not(self, tokens: list[str]) -> tuple[Rule, list[str]]:
        if not tokens:
            raise PolicyError("a check is missing at its end")
        head, rest = tokens[0], tokens[1:]
        if head.lower() == "not":
            inner, rest = self._not(rest)
            return (lambda caller, target: not inner(caller, target)), rest
        if head == "(":
            inner, rest = self._or(rest)
            if not rest or rest[0] != ")":
                raise PolicyError("a `)` is missing")
            return inner, rest[1:]
        if head == ")" or head.lower() in _WORDS:
            raise PolicyError(f"{head!r} stands where a check should")
        return self._check(head), rest

    def _check(self, text: str) -> Rule:
        if text == "@":
            return _always
        if text == "!":
            return _never
        kind, colon, match = text.partition(":")
        if text[:1] in "'\"":
            end = text.find(text[0], 1)
            kind, colon, match = text[: end + 1], text[end + 1 : end + 2], text[end + 2 :]
        if not colon or not kind:
            raise PolicyError(f"{text!r} is no check; write KIND:MATCH, such as role:admin")
        if kind == "rule":
            if match not in self.rules:
                raise PolicyError(f"it refers to rule {match!r}, which is not there")
            return self.rule(match)
        if kind == "role":
            return _role(match)
        if kind in ("http", "https"):
            raise PolicyError(f"{kind}: checks ask another server; they are not supported")
        return _equal(kind, match)


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise PolicyError(f"{text[place:].strip()[:20]!r} can't be read; is a quote missing?")
        yield match.group(1)
        place = match.end()


def _always(caller: Caller, target: Target) -> bool:
    return True


def _never(caller: Caller, target: Target) -> bool:
    return False


def _all(rules: list[Rule]) -> Rule:
    if len(rules) == 1:
        return rules[0]
    return lambda caller, target: all(rule(caller, target) for rule in rules)


def _any(rules: list[Rule]) -> Rule:
    if len(rules) == 1:
        return rules[0]

    def either(caller: Caller, target: Target) -> bool:
        for rule in rules:  # noqa: SIM110  # a generator costs more than the rules of most policies
            if rule(caller, target):
                return True
        return False

    return either


def _role(match: str) -> Rule:
    key = _TEMPLATE.fullmatch(match)
    if key:
        name = key.group(1)
        return lambda caller, target: str(_of_target(target, name)).lower() in caller.roles
    role = match.lower()
    return lambda caller, target: role in caller.roles


def _equal(kind: str, match: str) -> Rule:
    """`KIND:MATCH`: a literal or the caller's attribute on the left, the target's value or a text on the right."""
    wanted = _right(match)
    try:
        literal = str(ast.literal_eval(kind))
    except (ValueError, SyntaxError):
        get = _attribute(kind)

        def attribute(caller: Caller, target: Target) -> bool:
            value = wanted(target)
            if value is _MISSING:
                return False
            return any(str(one) == value for one in get(caller))

        return attribute
    return lambda caller, target: wanted(target) == literal


def _right(match: str) -> Callable[[Target], Any]:
    parts = _TEMPLATE.split(match)
    if len(parts) == 1:
        return lambda target: match
    if parts[0] == parts[2] == "" and len(parts) == 3:
        name = parts[1]

        def one(target: Target) -> Any:
            value = _of_target(target, name)
            return value if value is _MISSING else str(value)

        return one

    def filled(target: Target) -> Any:
        values = [part if index % 2 == 0 else _of_target(target, part) for index, part in enumerate(parts)]
        return _MISSING if _MISSING in values else "".join(map(str, values))

    return filled


def _of_target(target: Target, name: str) -> Any:
    """A target's value; a name with dots is looked up as it is, then step by step."""
    if name in target:
        return target[name]
    node: Any = target
    for part in name.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return _MISSING
        node = node[part]
    return node


_ATTRIBUTES: dict[str, Callable[[Caller], tuple[Any, ...]]] = {
    **dict.fromkeys(("user_id", "user"), lambda caller: (caller.user,) if caller.user else ()),
    **dict.fromkeys(
        ("project_id", "project", "tenant_id", "tenant"), lambda caller: (caller.project,) if caller.project else ()
    ),
    "roles": lambda caller: tuple(caller.roles),
    "is_admin": lambda caller: ("admin" in caller.roles,),
}


def _attribute(name: str) -> Callable[[Caller], tuple[Any, ...]]:
    if name in _ATTRIBUTES:
        return _ATTRIBUTES[name]
    return lambda caller: tuple(value for key, value in caller.names if key == name)
