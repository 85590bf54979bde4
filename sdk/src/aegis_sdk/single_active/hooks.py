"""Hooks of a service, as what they are: code of others, which may end in any way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["uncancelled"]

Value = TypeVar("Value")


async def uncancelled(hook: Awaitable[Value]) -> Value:
    """What it returns or raises; RuntimeError where it ends as if cancelled, and nobody has cancelled our task.

    It may have waited for a task that somebody else cancelled. Taken for our own end, that would leave a key half-way.
    """
    try:
        return await hook
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("what a hook waited for was cancelled") from error
