"""A benchmark process: decodes every tick that comes, counts those of a feed set, and says how old each was.

`begin` and a JSON list of symbols begin what is measured, `end` ends the look at the newest tick of each; ticks that
come later are still counted, and their ages taken.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

import msgspec

from aegis.cli.bench.ctp_ages import Ages, Newest, Oldest
from aegis.cli.bench.workers import asked, connect, run, tell
from aegis.contracts.market import Tick
from aegis.ticks import subscribe_ticks


class _Seen:
    """`counts` from the start on, all else since the last `begin`."""

    def __init__(self, feed: str) -> None:
        self.counts: Counter[str] = Counter()
        self._feed = feed
        self._oldest = Oldest("", 0.0)
        self._newest: Newest | None = None  # while the market sends the time of its sending
        self._has_times = False
        self._reset()

    def _reset(self) -> None:
        self._received = Ages()  # from the callback of the API
        self._sent = Ages()  # from the front's sending
        self._before = self.counts.total()
        self._cpu_s = time.process_time()

    def begin(self, symbols: list[str]) -> None:
        self._reset()
        self._newest, self._has_times = Newest(symbols, time.monotonic()), True

    def end(self) -> None:
        if self._newest is not None:
            self._oldest, self._newest = self._newest.end(time.monotonic()), None

    def take(self, tick: Tick) -> None:
        if tick.feed != self._feed:  # of another case: the stream still has them
            return
        self.counts[tick.symbol] += 1
        self._received.take((time.time_ns() - tick.ts_received_ns) / 1e9)
        if self._has_times and tick.turnover:  # else it is the state at the time of a subscription
            now, sent = time.monotonic(), tick.turnover / 1e6
            self._sent.take(now - sent)
            if self._newest is not None:
                self._newest.take(tick.symbol, sent, now)

    def report(self) -> dict[str, Any]:
        return {
            "counts": self.counts,
            "measured": self.counts.total() - self._before,
            "received": self._received.figures(),
            "sent": self._sent.figures(),
            "oldest": self._oldest,
            "cpu_us": (time.process_time() - self._cpu_s) * 1e6,
        }


async def _main(feed: str) -> None:
    transport = await connect()
    seen = _Seen(feed)
    async with subscribe_ticks(transport, on_tick=seen.take):
        await transport.flush()
        tell("ready")
        while asking := await asked():
            word, _, rest = asking.partition(" ")
            if word == "begin":
                seen.begin(msgspec.json.decode(rest, type=list[str]))
            elif word == "end":
                seen.end()
            tell(seen.counts.total() if word == "count" else seen.report() if word == "report" else word)
    await transport.close()


if __name__ == "__main__":
    run(_main(sys.argv[1]))
