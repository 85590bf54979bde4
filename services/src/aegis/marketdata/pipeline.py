"""From a feed's quotes to published ticks: bridge ring, sequencer, codec, outlet. One task.

The pipeline takes quotes out of the bridge ring only while the outlet has room, so that a slow server fills the ring,
where the newest quotes of each instrument survive. While the outlet is cut off it takes them all the same: then the
outlet keeps the last minute. Feeds that can wait, wait in both cases.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from aegis.contracts.market import InstrumentId, Quote, Tick
from aegis.contracts.tick_codec import TickCodec
from aegis.marketdata.bridge import DEFAULT_SIZE, Bridge, BridgeStats, Drained, StateHandler
from aegis.marketdata.domain.sequencer import Origin, Sequencer
from aegis.marketdata.ports import Outgoing, OutletStats, TickOutlet

__all__ = ["Pipeline", "PipelineStats"]

_log = structlog.get_logger("aegis.pipeline")

_TURN: Final = 1_000
"""Quotes worked on in one turn of the event loop: at most about 5 ms."""
_MAX_TICK_BYTES: Final = 65_536


@dataclass(frozen=True, kw_only=True)
class PipelineStats:
    """The whole way at one moment.

    bridge.drained == outlet.accepted + the sum of unserializable, between two turns.
    """

    bridge: BridgeStats
    outlet: OutletStats
    unserializable: Mapping[InstrumentId, int]
    duplicates: int  # equal to the quote before, published all the same
    stale: int


class Pipeline:
    """Made in the event loop it runs in. `bridge` is the sink for the feed."""

    def __init__(
        self,
        origin: Origin,
        codec: TickCodec,
        outlet: TickOutlet,
        *,
        bridge_size: int = DEFAULT_SIZE,
        on_changed: StateHandler | None = None,
    ) -> None:
        self.bridge = Bridge(bridge_size, room_behind=outlet.space, on_changed=on_changed)
        self._sequencer = Sequencer(origin)
        self._codec = codec
        self._outlet = outlet
        self._latest: dict[str, Tick] = {}
        self._unserializable: Counter[InstrumentId] = Counter()
        self._drain_s = 0.0

    @property
    def latest(self) -> Mapping[str, Tick]:
        """The latest published tick of each instrument, by subject."""
        return self._latest

    def begin(self, origin: Origin) -> None:
        """Quotes offered from now on are of this origin; those that wait are published as of the one before."""
        while self.bridge.stats().depth:
            self._publish(self.bridge.take(_TURN))
        self._sequencer.begin(origin)
        self._outlet.begin(origin)

    async def run(self) -> None:
        """Publish until `stop` is called or the task is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                outlet = group.create_task(self._outlet.run(), name="outlet")
                while await self.bridge.filled():
                    await self._outlet.room()
                    self._publish(self.bridge.take(_TURN))
                    await asyncio.sleep(0)
                await self._outlet.drain(self._drain_s)
                outlet.cancel()
        finally:
            self.bridge.close()

    def stop(self, drain_s: float = 5.0) -> None:
        """Let `run` return when all that was offered is stored, or `drain_s` seconds after it was all sent."""
        self._drain_s = drain_s
        self.bridge.close()

    def stats(self) -> PipelineStats:
        return PipelineStats(
            bridge=self.bridge.stats(),
            outlet=self._outlet.stats(),
            unserializable=dict(self._unserializable),
            duplicates=self._sequencer.duplicates,
            stale=self._sequencer.stale,
        )

    def _publish(self, drained: Drained) -> None:
        self._sequencer.skip(drained.dropped)
        stamp, encode, latest = self._sequencer.stamp, self._codec.encode, self._latest
        ticks: list[Outgoing] = []
        received_ns = drained.quotes[0].ts_received_ns if drained.quotes else 0
        for quote in drained.quotes:
            try:
                subject, tick = stamp(quote)
                payload = encode(tick)
                if len(payload) > _MAX_TICK_BYTES:
                    raise ValueError(f"{len(payload)} bytes are no tick")
            except Exception as error:  # whatever is wrong with one tick, it stops no other
                self._refuse(quote, error)
            else:
                latest[subject] = tick
                ticks.append((subject, payload, tick.sequence))
        self._outlet.publish(ticks, received_ns if ticks else 0)

    def _refuse(self, quote: Quote, error: Exception) -> None:
        instrument = InstrumentId(quote.exchange, quote.symbol)
        self._unserializable[instrument] += 1
        if self._unserializable[instrument] == 1:
            _log.error("tick_unserializable", instrument=str(instrument), error=str(error))
