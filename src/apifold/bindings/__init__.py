"""How an operation gets its answer: handler, collection, mock, static; one file each, found by entry point."""

from apifold.bindings.modules import HandlerError, Modules
from apifold.bindings.names import argument_name
from apifold.bindings.workplace import Bind, Workplace

__all__ = ["Bind", "HandlerError", "Modules", "Workplace", "argument_name"]
