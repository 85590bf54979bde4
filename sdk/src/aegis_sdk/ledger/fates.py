"""What a guarded write that failed has come to, and writing again what was refused only for now."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Final

from aegis_sdk.errors import AegisError, DeadlineExceeded, StreamError

__all__ = ["Fate", "classify", "write_through"]

_WRONG_LAST_SEQUENCE: Final = 10071
_PASSING: Final = {10164, 10210}
"""Another guarded write is in flight for the key; more batches are open than the stream admits."""
_TRIES: Final = 20
_AT_ONCE: Final = 5
_PAUSE_S: Final = 0.002
"""A claim meets about two writes of a busy holder before it comes between them; a claim in flight takes some 25 ms."""


class Fate(Enum):
    """What a write that failed has come to."""

    ENDED = auto()  # refused for good, nothing was stored: another lease came first
    AGAIN = auto()  # refused for now, nothing was stored: to be repeated at once
    UNKNOWN = auto()  # it may be stored, now or later


def classify(error: BaseException) -> Fate:
    """The fate of a guarded write that ended with this error."""
    code = error.code if isinstance(error, StreamError) else 0
    if code == _WRONG_LAST_SEQUENCE:
        return Fate.ENDED
    return Fate.AGAIN if code in _PASSING else Fate.UNKNOWN


async def write_through(write: Callable[[float], Awaitable[int]], timeout: float) -> int:
    """The result of `write`, which is given the seconds left, and made again some times where its fate is AGAIN."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    for tries in itertools.count(1):
        left = deadline - loop.time()
        if left <= 0:
            break
        try:
            return await write(left)
        except AegisError as error:
            if classify(error) is not Fate.AGAIN or tries == _TRIES:
                raise
        await asyncio.sleep(0 if tries < _AT_ONCE else _PAUSE_S)
    raise DeadlineExceeded(f"not stored within {timeout * 1000:.0f} ms")
