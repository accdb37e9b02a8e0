"""Coroutines that insist on a task: the protocol drives a request without one, which most need not know."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def in_task(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives, run in a task: `asyncio.timeout`, among others, needs one."""
    if asyncio.current_task() is not None:
        return await coroutine
    return await asyncio.get_running_loop().create_task(coroutine)
