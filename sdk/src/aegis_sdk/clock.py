"""The clock of single-active services: never back, through the sleep of a machine, and of this host alone."""

from __future__ import annotations

import time

__all__ = ["now"]

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # CLOCK_MONOTONIC of Linux omits suspension


def now() -> float:
    """Seconds since the machine was started. Never compared between machines."""
    return time.clock_gettime(_CLOCK)
