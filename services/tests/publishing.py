"""Who publishes from the start on: nobody else does."""

from __future__ import annotations

from dataclasses import replace

from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.endpoints import MarketData
from aegis.marketdata.pipeline import Pipeline
from aegis.marketdata.ports import Alone


async def publishing(pipeline: Pipeline, origin: Origin) -> None:
    """Run it, until it is stopped or cancelled."""
    pipeline.open(origin, Alone())
    pipeline.take_over(origin, same_market=True)
    await pipeline.run()


async def its_turn(service: MarketData) -> None:
    """Have a service publish that takes part in no election."""
    origin = service.origin = replace(service.origin, epoch=1)
    service.pipeline.open(origin, Alone())
    service.pipeline.take_over(origin, same_market=True)
