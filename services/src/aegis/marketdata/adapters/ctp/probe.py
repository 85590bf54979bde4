"""One login, to see whether it works: every step of it, and no session that stays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aegis.contracts.market import Instrument, InstrumentId, Quote
from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Failure
from aegis.marketdata.adapters.ctp.frames import Start
from aegis.marketdata.adapters.ctp.watched import Limits, OnStep, WatchedSession
from aegis.marketdata.ports import FeedState

__all__ = ["probe"]


async def probe(start: Start, limits: Limits, on_step: OnStep) -> Failure | int:
    """Log in at both fronts and leave: why that failed, or how many instruments the counter knows."""
    known: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def ready(instruments: Sequence[Instrument]) -> None:
        known.set_result(len(instruments))

    session = WatchedSession(_Deaf(), limits, on_ready=ready, on_step=on_step, is_expected=lambda *_: False)
    running = asyncio.create_task(session.run(start))
    try:
        await asyncio.wait({running, known}, return_when=asyncio.FIRST_COMPLETED)
        return known.result() if known.done() else running.result()
    finally:
        running.cancel()
        await asyncio.wait({running})


class _Deaf:
    """A sink for a session that is asked for no ticks."""

    crowded = False

    def offer(self, quote: Quote) -> None: ...
    def changed(self, state: FeedState, why: Sequence[Reason] = ()) -> None: ...
    def rejected(self, reason: str, detail: str, count: int = 1, instrument: InstrumentId | None = None) -> None: ...
    async def room(self) -> None: ...
    async def uncrowded(self) -> None: ...
