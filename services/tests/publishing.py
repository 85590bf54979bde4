"""A pipeline that publishes from its start on: nobody else does."""

from __future__ import annotations

from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.pipeline import Pipeline
from aegis.marketdata.ports import Alone


async def publishing(pipeline: Pipeline, origin: Origin) -> None:
    """Run it, until it is stopped or cancelled."""
    pipeline.open(origin, Alone())
    await pipeline.take_over(origin, same_market=True)
    await pipeline.run()
