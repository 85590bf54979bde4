"""Queries of the trader port: one at a time in each session, answered record by record, as fast as the client reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from ctpsim.frames import Request
from ctpsim.front.client import Client
from ctpsim.front.counter import Counter
from ctpsim.front.errors import Code
from ctpsim.front.listing_records import instrument_values, matching
from ctpsim.front.sessions import TraderSession
from ctpsim.front.trader_side import TraderSide
from ctpsim.front.users import User
from ctpsim.records import Values

__all__ = ["Ask", "Queries"]

_CHUNK: Final = 200

Ask = Callable[[User, Values], Iterable[Mapping[str, Any]]]
"""Gives the values of each record of an answer."""


class Queries:
    """`answers`: for each request its callback, and who knows the answer."""

    def __init__(self, counter: Counter, side: TraderSide, answers: Mapping[str, tuple[str, Ask]]) -> None:
        self._counter = counter
        self._side = side
        self._answers = {"ReqQryInstrument": ("OnRspQryInstrument", self._instruments), **answers}
        self._running: set[asyncio.Task[None]] = set()
        side.add(dict.fromkeys(self._answers, self._asked))

    def _asked(self, client: Client, session: TraderSession, request: Request, values: Values) -> None:
        interval_s = self._counter.permitted.query_interval_ms / 1000
        code = self._counter.faults.get("T", "query_error")
        callback, ask = self._answers[self._side.answers.name(request)]
        if code or not session.may_query(time.monotonic(), interval_s):
            code = code or Code.QUERY_NOT_READY
            client.send(self._side.answers.frame(callback, code=code, request_id=request.request_id))
            return
        assert session.user is not None
        session.querying = True
        task = asyncio.create_task(self._answer(client, session, request, callback, ask(session.user, values)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(
        self,
        client: Client,
        session: TraderSession,
        request: Request,
        callback: str,
        records: Iterable[Mapping[str, Any]],
    ) -> None:
        try:
            frames = self._frames(callback, records, request.request_id)
            while client.is_open and (chunk := b"".join(islice(frames, _CHUNK))):
                client.send(chunk)
                await client.room()
                await asyncio.sleep(0)
        finally:
            session.querying = False

    def _frames(self, callback: str, records: Iterable[Mapping[str, Any]], request_id: int) -> Iterator[bytes]:
        """The last of them says so; where there is none, one without a record does."""
        waiting: Mapping[str, Any] | None = None
        for values in records:
            if waiting is not None:
                yield self._side.answers.frame(callback, waiting, request_id=request_id, last=False)
            waiting = values
        yield self._side.answers.frame(callback, waiting, request_id=request_id)

    def _instruments(self, _: User, asked: Values) -> Iterator[Mapping[str, Any]]:
        market = self._counter.market
        listings = matching(market.listings(), asked)
        return instrument_values(listings, market.trading_day(), self._counter.faults)

    async def close(self) -> None:
        """End the answers that are under way."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
