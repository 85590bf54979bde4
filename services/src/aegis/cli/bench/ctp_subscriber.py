"""A benchmark process: decodes every tick that comes, and says how old each was, by instrument and in all."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from typing import Any

from aegis.cli.bench.figures import latencies
from aegis.cli.bench.workers import asked, connect, run, tell
from aegis.contracts.market import Tick
from aegis.ticks import subscribe_ticks

_SAMPLES = 2_000_000


class _Seen:
    """Since the last `begin`."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.counts: Counter[str] = Counter()
        self._received = array("d")  # seconds from the callback of the API
        self._sent = array("d")  # seconds from the front's sending
        self._cpu_s = time.process_time()

    def take(self, tick: Tick) -> None:
        self.counts[tick.symbol] += 1
        if len(self._received) < _SAMPLES:
            self._received.append((time.time_ns() - tick.ts_received_ns) / 1e9)
            if tick.turnover:  # else it is the state at the time of a subscription, which was not sent at any time
                self._sent.append(time.monotonic_ns() / 1e9 - tick.turnover / 1e6)

    def report(self) -> dict[str, Any]:
        return {
            "counts": self.counts,
            "received": latencies(self._received) if self._received else {},
            "sent": latencies(self._sent) if self._sent else {},
            "cpu_us": (time.process_time() - self._cpu_s) * 1e6,
        }


async def _main() -> None:
    transport = await connect()
    seen = _Seen()
    async with subscribe_ticks(transport, on_tick=seen.take):
        await transport.flush()
        tell("ready")
        while (word := await asked()) != "":
            if word == "begin":
                seen.begin()
            tell(sum(seen.counts.values()) if word == "count" else seen.report() if word == "report" else word)
    await transport.close()


if __name__ == "__main__":
    run(_main())
