"""How an operation gets its answer: handler, collection, mock, static; one file each, found by entry point."""

from apifold.bindings.modules import HandlerError, Modules
from apifold.bindings.workplace import Bind, Workplace
from apifold.schema.names import argument_name

__all__ = ["Bind", "HandlerError", "Modules", "Workplace", "argument_name"]
