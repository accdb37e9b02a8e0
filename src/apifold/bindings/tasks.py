"""Coroutines that insist on a task: the protocol drives a request without one, which most need not know."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from apifold.exchange import Call, Exchange, Result

T = TypeVar("T")


def tasked(answer: Callable[[Exchange], Coroutine[Any, Any, Result]]) -> Call:
    """A binding's call, each in a task of its own."""

    def call(exchange: Exchange) -> Awaitable[Result]:
        return in_task(answer(exchange))

    return call


async def in_task(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives, run in a task: `asyncio.timeout`, among others, needs one."""
    if asyncio.current_task() is not None:
        return await coroutine
    return await asyncio.get_running_loop().create_task(coroutine)
