"""Decides at the close of each trading day which contracts lead, and stores it. Runs where the feed is active."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

import structlog

from aegis.contracts.market import Quote, Tick
from aegis.contracts.tick_codec import decode
from aegis.marketdata.adapters.bus import TICKS, RollStore
from aegis.marketdata.domain.closes import Closes
from aegis.resting_ticks import RestingTicks
from aegis_sdk.errors import AegisError, CodecError
from aegis_sdk.transport import Transport

__all__ = ["RollKeeper", "backfill"]

_log = structlog.get_logger("aegis.reference")

_READ_S: Final = 30.0
_YIELD_EVERY: Final = 200


class RollKeeper:
    """Looks at the latest ticks of a feed, once in `look_s` seconds, in small steps: ticks pass between them.

    `latest` are those that were published, by subject; `source` names the feed's source of now. What ticked before the
    service started is read from the stream TICKS when the day is over.
    """

    def __init__(
        self,
        transport: Transport,
        store: RollStore,
        feed: str,
        source: Callable[[], str],
        latest: Callable[[], Mapping[str, Tick]],
        expiry_of: Callable[[str], str | None],
        *,
        look_s: float = 1.0,
    ) -> None:
        self._transport = transport
        self._store = store
        self._feed = feed
        self._source = source
        self._latest = latest
        self._look_s = look_s
        self._expiry_of = expiry_of
        self._closes = Closes(expiry_of)
        self._market = ""
        self._seen: dict[str, Tick] = {}

    async def run(self) -> None:
        """Work until cancelled. A day that cannot be stored is tried again with the next look.

        Of what ticked before, while others may have published, it knows the latest ticks only.
        """
        self._market, failed = "", False
        while True:
            await asyncio.sleep(self._look_s)
            try:
                await self._look()
                failed = False
            except (AegisError, TimeoutError) as error:
                if not failed:
                    _log.warning("mains_not_stored", reason=str(error), hint="it is tried again")
                failed = True
            except Exception:  # ticks are worth more than what is made of them
                if not failed:
                    _log.exception("mains_not_decided", hint="it is tried again")
                failed = True

    async def _look(self) -> None:
        source = self._source()
        if source.partition(".")[0] != self._market:  # another market has days of its own
            self._market = source.partition(".")[0]
            self._closes = Closes(self._expiry_of)
            self._seen.clear()
        for number, (subject, tick) in enumerate(list(self._latest().items())):
            if self._seen.get(subject) is not tick:
                self._seen[subject] = tick
                self._see(tick)
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        for day in self._closes.over(time.time_ns()):
            await self._read_stream(day)
            await _decide(self._store, source, self._closes, day)

    def _see(self, tick: Tick) -> None:
        if tick.feed == self._feed and tick.source.partition(".")[0] == self._market:
            self._closes.see(tick)

    async def _read_stream(self, day: str) -> None:
        """See the last stored tick of each instrument too, if it is not older: up to the end that the leader says.

        And those of the instruments that rest, for what the stream has discarded.

        Raises TimeoutError where who serves the reader is behind that for too long.
        """
        async with asyncio.timeout(_READ_S):
            for part in await RestingTicks(self._transport).parts(self._feed):
                for tick in part.ticks:
                    if tick.trading_day >= day:
                        self._see(tick)
                await asyncio.sleep(0)
        read, last = 0, await self._transport.last(TICKS, "tick.>")
        if last is None:
            return
        async with (
            asyncio.timeout(_READ_S),
            self._transport.read(TICKS, "tick.>", last_per_subject=True) as messages,
        ):
            async for message in messages:
                if message is None:
                    continue
                with suppress(CodecError):
                    tick = decode(message.headers, message.payload)
                    if tick.trading_day >= day:
                        self._see(tick)
                if message.sequence >= last.sequence:
                    return
                read += 1
                if read % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)


async def backfill(store: RollStore, source: str, quotes: Iterable[Quote]) -> list[str]:
    """Decide the days of a recording, in order; the days that it has. Days that were decided already stay as they are.

    A recording must have its days as a whole: each one's last ticks count as its close.
    """
    closes, days = Closes(), list[str]()
    for quote in quotes:
        if days and quote.trading_day > days[-1]:
            await _decide(store, source, closes, days[-1])
        if not days or quote.trading_day > days[-1]:
            days.append(quote.trading_day)
        closes.see(quote)
    if days:
        await _decide(store, source, closes, days[-1])
    return days


async def _decide(store: RollStore, source: str, closes: Closes, day: str) -> None:
    missed = closes.missed(day)
    if missed:
        _log.warning("closes_missed", day=day, source=source, products=len(missed), hint="fill in with a recording")
    for product, of_product in closes.of(day).items():
        if product in missed:
            continue
        rolls = await store.decide(source, product, day, of_product.values())
        if rolls is not None and rolls.rolls[-1].decided_day == day:
            roll = rolls.rolls[-1]
            _log.info(
                "main_contract",
                exchange=product.exchange,
                product=product.code,
                contract=roll.symbol,
                before=roll.old_symbol,
                from_day=roll.from_day,
            )
    closes.forget(day)
    _log.info("mains_decided", day=day, source=source)
