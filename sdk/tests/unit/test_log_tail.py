"""The log tail at its end."""

import asyncio
from typing import Any

from aegis_sdk.telemetry import LogTail
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


def test_a_log_event_after_the_end_of_the_loop_is_no_error() -> None:
    async def begin() -> LogTail:
        return LogTail(MemoryTransport(MemoryBroker()), "quotes", "a")

    tail = asyncio.run(begin())
    event: dict[str, Any] = {"event": "service_failed"}
    tail.take(event)
    tail.close()
