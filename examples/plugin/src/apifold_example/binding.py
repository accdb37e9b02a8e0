"""A binding: the answer is what was asked."""

from typing import Any

from apifold import Call, Exchange, Result


def bind(operation: Any, option: Any, workplace: Any) -> Call:
    """`binding: echo`, or `binding: {echo: {greeting: TEXT}}`."""
    greeting = (option or {}).get("greeting", "You asked for")

    def call(exchange: Exchange) -> Result:
        return Result(operation.success, {"said": greeting, "asked": dict(exchange.arguments)})

    return call
