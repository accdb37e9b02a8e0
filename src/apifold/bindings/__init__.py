"""How an operation gets its answer: handler, collection, mock, static; one file each, found by entry point."""

from apifold.bindings.binding import Binding, Workplace
from apifold.bindings.modules import HandlerError, Modules
from apifold.bindings.names import argument_name

__all__ = ["Binding", "HandlerError", "Modules", "Workplace", "argument_name"]
