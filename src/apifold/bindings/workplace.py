"""What a binding is given: an operation, what stands beside its own name, and a workplace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from apifold.bindings.modules import HandlerError, Modules
from apifold.deployment import Deployment
from apifold.description import Description, Operation
from apifold.errors import DescriptionError, DescriptionErrors
from apifold.exchange import Call, Exchange
from apifold.http import Request, Response
from apifold.schema.checker import Schemas


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a binding may use.

    Attributes:
        description: the API that the operation belongs to.
        modules: which code its operationIds may name.
        provides: what its service provides to handlers, by argument name.
        responses: the API's schemas as its answers must fit them.
        deployment: settings, and what opens where it is used: the database, the way to other services.
        threads: for what may block.
        inside: answers another request as if it had come in beside the one that is being answered.
    """

    description: Description
    modules: Modules
    provides: Mapping[str, Any]
    responses: Schemas
    deployment: Deployment
    threads: Executor
    inside: Callable[[Exchange, Request], Awaitable[Response]]

    def refused(self, operation: Operation, message: str, remedy: str, below: str = "") -> DescriptionErrors:
        """The error to raise when an operation can't be bound, placed in its file."""
        return DescriptionErrors([self.error(operation, message, remedy, below)])

    def named(self, operation: Operation, name: Any) -> Any:
        """What `MODULE:NAME` stands for.

        Raises:
            DescriptionErrors: it is not there, or may not be named.
        """
        try:
            return self.modules.attribute(str(name))
        except HandlerError as error:
            raise self.unnamed(operation, error) from None

    def unnamed(self, operation: Operation, error: HandlerError, below: str = "") -> DescriptionErrors:
        """The errors to raise when code can't be had: where it is named, and where it fails itself."""
        place = self.error(operation, str(error), error.remedy, below)
        return DescriptionErrors([place, *([error.cause] if error.cause else [])])

    def error(self, operation: Operation, message: str, remedy: str, below: str = "") -> DescriptionError:
        """One such error; `below` is a pointer inside the operation."""
        return self.description.places.error(operation.pointer + below, message, remedy)


Bind = Callable[[Operation, Any, Workplace], Call]
"""A binding, as an entry of `apifold.bindings`: makes the call that answers an operation."""
