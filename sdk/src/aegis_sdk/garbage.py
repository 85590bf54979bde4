"""Garbage collection that never stops the event loop for long.

A full collection looks through every container that lives. What a start has made costs 20 to 40 ms, the state of a
service costs more the longer it runs; on a busy machine the loop stands for five times as long, and others take the
instance for dead. So what has outlived a collection that took long is *frozen*: no later one looks at it. What is
frozen is still freed when nobody refers to it any more; only a cycle that falls dead later stays.
"""

from __future__ import annotations

import gc
import time
from typing import Any, Final

__all__ = ["settle"]

LIMIT_S: Final = 0.005
"""Of the processor's time, for one full collection."""

_FULL: Final = 2


class _Freezing:
    """Called by the collector, in the thread that it stops, before and after each collection."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._began_s = 0.0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if info["generation"] != _FULL:
            return
        if phase == "start":
            self._began_s = time.thread_time()
        elif time.thread_time() - self._began_s >= self._limit_s:
            gc.freeze()


def settle(limit_s: float = LIMIT_S) -> None:
    """Freeze all that lives now, at the end of a start, and later what outlives a full collection of `limit_s` or more.

    Without it the first full collection would come with the first requests. The latest call sets the limit.
    """
    gc.callbacks[:] = [each for each in gc.callbacks if not isinstance(each, _Freezing)]
    gc.callbacks.append(_Freezing(limit_s))
    gc.collect()
    gc.freeze()
