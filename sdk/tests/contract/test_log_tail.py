"""The log tail of a process, over both transports."""

import asyncio
import io
import json
import threading

import structlog

from aegis_sdk.messages import Message
from aegis_sdk.telemetry import LogTail, configure_logging
from aegis_sdk.transport import Transport

from .network import DEADLINE_S


async def test_log_events_are_written_and_published_also_from_a_thread(
    transport: Transport, other: Transport, name: str
) -> None:
    written = io.StringIO()
    configure_logging(written)
    arrived: asyncio.Queue[Message] = asyncio.Queue()
    await other.subscribe(f"log.{name}.*", arrived.put_nowait)
    await other.flush()
    tail = LogTail(transport, name, "one")
    log = structlog.get_logger("test")
    try:
        log.info("opened", instruments=3)
        thread = threading.Thread(target=lambda: log.warning("slow", seconds=0.5))
        thread.start()
        thread.join()
        async with asyncio.timeout(DEADLINE_S):
            events = [json.loads((await arrived.get()).payload) for _ in range(2)]
    finally:
        tail.close()
        structlog.reset_defaults()
    assert [event["event"] for event in events] == ["opened", "slow"]
    assert events[0]["instruments"] == 3
    assert events[1]["level"] == "warning"
    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["opened", "slow"]
