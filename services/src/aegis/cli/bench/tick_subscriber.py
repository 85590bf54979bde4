"""A benchmark process: decodes every tick that comes, and tells when the last one did."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import Any, Final

from aegis.cli.bench.figures import latencies
from aegis.cli.bench.workers import asked, connect, run, tell
from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import decode
from aegis.ticks import subscribe_ticks

_SILENT_S: Final = 3.0
_SAMPLES: Final = 200_000


class _Count:
    """Ticks decoded, when the last one was, and for the first of them how old they were then."""

    def __init__(self) -> None:
        self.ticks = 0
        self.last_ns = 0
        self.ages: list[float] = []
        self._began_ns = time.time_ns()
        self._expected = -1
        self._complete = asyncio.Event()

    def take(self, tick: Tick) -> None:
        if tick.epoch < self._began_ns:
            return  # the latest of an earlier round: the publisher's epoch is the time of its start
        self.ticks += 1
        self.last_ns = now_ns = time.time_ns()
        if len(self.ages) < _SAMPLES:
            self.ages.append((now_ns - tick.ts_received_ns) / 1e9)
        if self.ticks == self._expected:
            self._complete.set()

    async def until(self, expected: int) -> None:
        """Return when so many are there, or none came for 3 s."""
        self._expected = expected
        seen = -1
        while self.ticks < expected and seen < self.ticks:
            seen = self.ticks
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._complete.wait(), _SILENT_S)

    def report(self, cpu_s: float) -> dict[str, Any]:
        return {
            "ticks": self.ticks,
            "last_decoded_ns": self.last_ns,
            "latency": latencies(self.ages),
            "cpu_us": cpu_s * 1e6,
        }


async def count_by_aegis() -> None:
    """By the subscription that every consumer uses, seam and all."""
    transport = await connect()
    count = _Count()
    async with subscribe_ticks(transport, on_tick=count.take):
        await transport.flush()
        cpu_s = time.process_time()
        tell("ready")
        await count.until(int(await asked()))
        tell(count.report(time.process_time() - cpu_s))
    await transport.close()


async def count_plainly() -> None:
    from nats.aio.msg import Msg

    from aegis.cli.bench.plain import connect as connect_plain

    nc = await connect_plain()
    count = _Count()

    async def take(message: Msg) -> None:
        count.take(decode(message.headers or {}, message.data))

    await nc.subscribe("tick.>", cb=take, pending_msgs_limit=10_000_000, pending_bytes_limit=1 << 33)
    await nc.flush()
    cpu_s = time.process_time()
    tell("ready")
    await count.until(int(await asked()))
    tell(count.report(time.process_time() - cpu_s))
    await nc.close()


if __name__ == "__main__":
    run(count_plainly() if sys.argv[1] == "plain" else count_by_aegis())
