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
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from apifold import marked
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.exchange import Caller
from apifold.marked import escape

Target = Mapping[str, Any]
Rule = Callable[[Caller, Target], bool]
PathRule = Callable[[Caller, Sequence[str]], bool]

_TOKEN = re.compile(r"\s*(\(|\)|(?:'[^']*'|\"[^\"]*\"|%\([^)]*\)s|[^\s()'\"])+)")
_TEMPLATE = re.compile(r"%\(([^)]*)\)s")
_WORDS = ("and", "or", "not")


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
        self._texts = rules
        compiler = _Compiler(rules, _of_mapping)
        self._rules = {name: compiler.rule(name) for name in rules}
        self._on_paths: dict[tuple[str, ...], _Compiler] = {}
        if compiler.errors:
            raise PolicyErrors(compiler.errors)

    def __contains__(self, name: object) -> bool:
        return name in self._rules

    def rule(self, name: str) -> Rule:
        """The compiled rule of a name; its target is what the core knows of a thing.

        Raises:
            KeyError: there is none.
        """
        rule: Rule = self._rules[name]
        return rule

    def path_rule(self, name: str, variables: tuple[str, ...]) -> PathRule:
        """The same, compiled for a path: its target is the values of the path's variables and, where these have none
        of those names, the caller's own `project_id` and `user_id`.

        Args:
            variables: the path's, in their order.
        """
        if variables not in self._on_paths:
            self._on_paths[variables] = _Compiler(self._texts, partial(_of_path, variables))
        rule: PathRule = self._on_paths[variables].rule(name)
        return rule


class PolicyErrors(Exception):
    """What is wrong with rules, by the name of the rule."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


def load_policy(*files: Path) -> Policy:
    """The policy of some files; each replaces rules of those before it by name, and may add some.

    Raises:
        DescriptionErrors: everything that is wrong with them.
    """
    texts: dict[str, str] = {}
    rules: dict[str, Any] = {}
    origin: dict[str, str] = {}
    errors: list[DescriptionError] = []
    for path in files:
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
    """Texts to rules. A rule becomes one Python expression, compiled once; the rules that it refers to are called.

    What stands in the text comes into the expression as literals only.
    """

    def __init__(self, rules: Mapping[str, Any], read: Read) -> None:
        self.rules = rules
        self.read = read
        self.done: dict[str, Any] = {}
        self.known = {"rules": self.done, "value": _value, "lowered": _lowered, "filled": _filled, "names": _names}
        self.open: list[str] = []
        self.errors: dict[str, str] = {}

    def rule(self, name: str) -> Any:
        if name in self.done:
            return self.done[name]
        if name in self.open:
            raise PolicyError(f"it leads back to itself ({' -> '.join((*self.open[self.open.index(name) :], name))})")
        self.open.append(name)
        try:
            expression = self._expression(self.rules[name])
            compiled = eval(f"lambda caller, target: {expression}", self.known)  # noqa: S307  # only literals are not ours
        except PolicyError as error:
            self.errors[name] = str(error)
            compiled = _never
        except (SyntaxError, RecursionError, MemoryError):
            self.errors[name] = "it is nested too deeply"
            compiled = _never
        finally:
            self.open.pop()
        self.done[name] = compiled
        return compiled

    def _expression(self, text: Any) -> str:
        if isinstance(text, list):
            groups = [[group] if isinstance(group, str) else group for group in text if group]
            return _any([_all([self._check(check) for check in group]) for group in groups]) if text else "True"
        if not isinstance(text, str):
            raise PolicyError("a rule is text, or a list of lists of checks")
        if not text.strip():
            return "True"
        tokens = list(_tokens(text))
        expression, rest = self._or(tokens)
        if rest:
            raise PolicyError(f"{rest[0]!r} stands where a rule should have ended")
        return expression

    def _or(self, tokens: list[str]) -> tuple[str, list[str]]:
        first, tokens = self._and(tokens)
        found = [first]
        while tokens and tokens[0].lower() == "or":
            one, tokens = self._and(tokens[1:])
            found.append(one)
        return _any(found), tokens

    def _and(self, tokens: list[str]) -> tuple[str, list[str]]:
        first, tokens = self._not(tokens)
        found = [first]
        while tokens and tokens[0].lower() == "and":
            one, tokens = self._not(tokens[1:])
            found.append(one)
        return _all(found), tokens

    def _not(self, tokens: list[str]) -> tuple[str, list[str]]:
        if not tokens:
            raise PolicyError("a check is missing at its end")
        head, rest = tokens[0], tokens[1:]
        if head.lower() == "not":
            inner, rest = self._not(rest)
            return f"(not {inner})", rest
        if head == "(":
            inner, rest = self._or(rest)
            if not rest or rest[0] != ")":
                raise PolicyError("a `)` is missing")
            return inner, rest[1:]
        if head == ")" or head.lower() in _WORDS:
            raise PolicyError(f"{head!r} stands where a check should")
        return self._check(head), rest

    def _check(self, text: str) -> str:
        if text == "@":
            return "True"
        if text == "!":
            return "False"
        kind, colon, match = text.partition(":")
        if text[:1] in "'\"":
            end = text.find(text[0], 1)
            kind, colon, match = text[: end + 1], text[end + 1 : end + 2], text[end + 2 :]
        if not colon or not kind:
            raise PolicyError(f"{text!r} is no check; write KIND:MATCH, such as role:admin")
        if kind == "rule":
            if match not in self.rules:
                raise PolicyError(f"it refers to rule {match!r}, which is not there")
            self.rule(match)
            return f"rules[{match!r}](caller, target)"
        if kind == "role":
            key = _TEMPLATE.fullmatch(match)
            wanted = f"lowered({self.read(key[1])})" if key else repr(match.lower())
            return f"({wanted} in caller.roles)"
        if kind in ("http", "https"):
            raise PolicyError(f"{kind}: checks ask another server; they are not supported")
        return _equal(kind, self._right(match))

    def _right(self, match: str) -> str:
        """The text on the right of a check; None where the target lacks a part of it."""
        parts = _TEMPLATE.split(match)
        if len(parts) == 1:
            return repr(match)
        if len(parts) == 3 and parts[0] == parts[2] == "":
            return self.read(parts[1])
        return f"filled({', '.join(repr(part) if i % 2 == 0 else self.read(part) for i, part in enumerate(parts))})"


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise PolicyError(f"{text[place:].strip()[:20]!r} can't be read; is a quote missing?")
        yield match.group(1)
        place = match.end()


def _never(caller: Caller, target: Target) -> bool:
    return False


def _any(expressions: list[str]) -> str:
    return f"({' or '.join(expressions)})" if expressions[1:] else "".join(expressions) or "False"


def _all(expressions: list[str]) -> str:
    return f"({' and '.join(expressions)})" if expressions[1:] else "".join(expressions) or "True"


def _equal(kind: str, wanted: str) -> str:
    """`KIND:MATCH`: a literal or the caller's attribute on the left, the target's value or a text on the right."""
    try:
        return f"({wanted} == {str(ast.literal_eval(kind))!r})"
    except (ValueError, SyntaxError):
        pass
    match kind:
        case "user_id" | "user":
            return f"('' != caller.user == {wanted})"
        case "project_id" | "project" | "tenant_id" | "tenant":
            return f"('' != caller.project == {wanted})"
        case "roles":
            return f"({wanted} in caller.roles)"
        case "is_admin":
            return f"(str('admin' in caller.roles) == {wanted})"
        case _:
            return f"({wanted} in names(caller, {kind!r}))"


Read = Callable[[str], str]
"""The expression for what `%(NAME)s` stands for: a text, or None."""


def _of_mapping(name: str) -> str:
    return f"value(target, {name!r})"


def _of_path(variables: tuple[str, ...], name: str) -> str:
    if name in variables:
        return f"target[{variables.index(name)}]"
    return {"project_id": "caller.project", "user_id": "caller.user"}.get(name, "None")


# What expressions call.


def _value(target: Target, name: str) -> str | None:
    """A target's value as text; a name with dots is looked up as it is, then step by step."""
    if name in target:
        return str(target[name])
    node: Any = target
    for part in name.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return None
        node = node[part]
    return str(node)


def _lowered(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _filled(*parts: str | None) -> str | None:
    return None if None in parts else "".join(map(str, parts))


def _names(caller: Caller, name: str) -> list[str]:
    return [str(value) for key, value in caller.names if key == name]
