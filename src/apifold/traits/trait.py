"""What a trait is: a habit of an operation, switched on by one line of its description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol

from apifold.description import Description, Operation
from apifold.exchange import Around, Exchange, Result
from apifold.schema.checker import Checker
from apifold.schema.members import Shaper


@dataclass(frozen=True, slots=True)
class Whole:
    """What a thing looks like when a client writes it whole.

    Attributes:
        members: the names that it may have.
        read_only: those of them that are not the client's to change.
    """

    checker: Checker
    shaper: Shaper | None
    members: frozenset[str]
    read_only: frozenset[str]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a trait may use.

    Attributes:
        read: answers as the GET of the same path would, without its traits; None where there is no GET.
        whole: what the thing looks like when a client writes it whole; None where nobody says.
        database: opens the deployment's database.
        threads: for what may block.
    """

    description: Description
    operation: Operation
    read: Callable[[Exchange], Awaitable[Result]] | None
    whole: Whole | None
    database: Callable[[], Any]
    threads: Executor


class Trait(Protocol):
    """A trait, made from the option that stands beside its name.

    `rank` orders traits that stand on one operation: the lowest is the outermost.
    """

    rank: int

    def __init__(self, option: Any) -> None:
        """Raises ValueError, saying what the option may be."""

    def describe(self, operation: dict[str, Any]) -> dict[str, Any]:
        """The operation (OpenAPI 3.1) with what the trait adds to its contract."""

    def around(self, surroundings: Surroundings) -> Around | None:
        """What stands around the call, or None. Raises ValueError where the trait can't work here."""


def with_parameter(operation: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any]:
    """The operation with one more parameter, unless it declares that itself."""
    declared = operation.get("parameters") or []
    if any(one.get("name") == parameter["name"] and one.get("in") == parameter["in"] for one in declared):
        return operation
    return {**operation, "parameters": [*declared, parameter]}


def with_response(operation: dict[str, Any], status: str, description: str) -> dict[str, Any]:
    """The operation with one more response, unless it declares that itself."""
    declared = operation.get("responses") or {}
    return (
        operation
        if status in declared
        else {**operation, "responses": {**declared, status: {"description": description}}}
    )
