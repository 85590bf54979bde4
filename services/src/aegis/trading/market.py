"""What accounts know of the market: the latest ticks of the instruments that they need, each by those it may hear.

Market data subscribes what somebody wants, so what is needed here is wanted there, too: as the wish of `trading`.

A live market's clock is this machine's. What is simulated or recorded has a time of its own, which its latest change
in a session tells, and which goes on with this machine's clock from there: over breaks and nights, in which nothing
ticks. What an instrument's phase is then its hours and the calendar say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from typing import Final, NamedTuple

import structlog

from aegis.accounting.exchange_rules import Phase
from aegis.contracts.amounts import Price, quoted
from aegis.contracts.market import Tick
from aegis.contracts.orders import OrderEnv
from aegis.contracts.subscriptions import SUBSCRIBE, WishRequest
from aegis.contracts.trading import SERVICE
from aegis.ticks import TickOptions, TickSubscription
from aegis.trading.domain.phases import phase_at
from aegis.trading.domain.risk import RiskSettings, may_hear
from aegis.trading.domain.situation import MarketPrice
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError
from aegis_sdk.transport import Transport

__all__ = ["Market", "MayHear"]

_log = structlog.get_logger("aegis.trading")

_FIRST_TICK_S: Final = 0.5
"""So long the first order of an instrument waits for a tick of it."""
_MOST: Final = 2_000
"""Instruments that are heard, all accounts of an instance together; a further one has no price before a day ends."""
_WISH_S: Final = 86_400
"""A wish ends when nobody has renewed it for so long."""
_RENEW_S: Final = 3_600.0
_AGAIN_S: Final = 5.0
_TIMELESS: Final = frozenset(("snapshot", "stale", "out_of_session"))
"""Ticks that may be stamped long before they come."""

MayHear = Callable[[str], tuple[OrderEnv, RiskSettings]]
"""By an account: what decides which ticks it may hear, now."""


class _Heard(NamedTuple):
    tick: Tick
    at: float  # `time.monotonic` of when the feed had it


class Market:
    """Latest ticks, for accounts. Without a transport it knows what it is told. `clock` is a live market's, UTC."""

    def __init__(self, transport: Transport | None, may_hear: MayHear, clock: Callable[[], int] = time.time_ns) -> None:
        self._transport = transport
        self._may_hear = may_hear
        self._clock = clock
        self._heard: dict[str, dict[tuple[str, str], _Heard]] = {}  # by instrument, then by env and feed set
        self._clocks: dict[tuple[str, str], _Heard] = {}  # what tells the time, by env and feed set
        self._subscriptions: dict[str, TickSubscription] = {}
        self.wished_at: dict[str, float] = {}
        """When market data has answered for an instrument, by `time.monotonic`."""
        self._is_full = False  # and that was said
        self._needs_more = asyncio.Event()
        self._news = asyncio.Event()

    async def want(self, account: str, instrument: str) -> bool:
        """Hear an instrument from now on; returns with its latest tick, or half a second later without one.

        Whether it was not wanted before.
        """
        if instrument in self._subscriptions or self._transport is None:
            return False
        if len(self._subscriptions) >= _MOST:
            if not self._is_full:
                self._is_full = True
                _log.error(
                    "too_many_instruments",
                    most=_MOST,
                    instrument=instrument,
                    hint="at the day's end idle ones are left",
                )
            return False
        made = TickSubscription(self._transport, [instrument], self.hear, TickOptions())
        self._subscriptions[instrument] = made
        try:
            await made.open()
        except AegisError as error:
            del self._subscriptions[instrument]
            _log.warning("ticks_not_subscribed", instrument=instrument, reason=str(error))
            return False
        self._needs_more.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_TICK_S):
                while self._latest(account, instrument) is None:
                    self._news.clear()
                    await self._news.wait()
        return True

    @property
    def instruments(self) -> Set[str]:
        """Those that are heard."""
        return self._subscriptions.keys()

    async def keep_only(self, instruments: Collection[str]) -> None:
        """Leave all others."""
        for instrument in self.instruments - set(instruments):
            await self.leave(instrument)

    async def leave(self, instrument: str) -> None:
        """Hear it no more; what market data was told of it stays until its day is over."""
        self._is_full = False
        self._heard.pop(instrument, None)
        self.wished_at.pop(instrument, None)
        if (made := self._subscriptions.pop(instrument, None)) is not None:
            await made.close()

    async def keep_wanting(self) -> None:
        """Want at market data what is needed here, while this runs, and again where nobody has heard of it."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_S):
                    await self._needs_more.wait()
            self._needs_more.clear()
            old = time.monotonic() - _RENEW_S
            due = [instrument for instrument in self._subscriptions if self.wished_at.get(instrument, old) <= old]
            if due and self._transport is not None:
                await self._wish(self._transport, due)

    async def _wish(self, transport: Transport, instruments: list[str]) -> None:
        request = WishRequest(consumer=SERVICE, instruments=instruments, ttl_s=_WISH_S)
        try:
            reply = await Client(transport).call(SUBSCRIBE, request)
        except AegisError as error:
            _log.warning("ticks_not_wanted", first=instruments[0], number=len(instruments), reason=str(error))
            return
        self.wished_at |= {one: time.monotonic() for one in instruments if one in self._subscriptions}
        for one in reply.rejected:
            _log.warning("wish_refused", instrument=one.what, reason=str(one.why))

    async def close(self) -> None:
        while self._subscriptions:
            await self._subscriptions.popitem()[1].close()

    def hear(self, tick: Tick) -> None:
        """A tick of any feed. How old it is the clocks of this machine and of the feed's say together."""
        age_s = max(time.time_ns() - tick.ts_received_ns, 0) / 1e9
        feeds = self._heard.setdefault(str(tick.instrument_id), {})
        feed, heard = (tick.env, tick.feed), _Heard(tick, time.monotonic() - age_s)
        feeds[feed] = heard
        before = self._clocks.get(feed)
        if _TIMELESS.isdisjoint(tick.flags) and (before is None or heard.at >= before.at):
            self._clocks[feed] = heard
        self._news.set()

    def price(self, account: str, instrument: str) -> MarketPrice | None:
        """The latest prices that the account may hear."""
        heard = self._latest(account, instrument)
        if heard is None:
            return None
        tick = heard.tick
        return MarketPrice(
            bid=quoted(tick.bids[0].price if tick.bids else None),
            ask=quoted(tick.asks[0].price if tick.asks else None),
            last=quoted(tick.last_price),
            age_s=time.monotonic() - heard.at,
            upper_limit=quoted(tick.upper_limit_price),
            lower_limit=quoted(tick.lower_limit_price),
            pre_settlement=quoted(tick.pre_settlement_price),
            trading_day=tick.trading_day,
        )

    def age_s(self, account: str, instrument: str) -> float | None:
        """Of the latest prices that the account may hear; None: there are none."""
        heard = self._latest(account, instrument)
        return None if heard is None else time.monotonic() - heard.at

    def phase(self, account: str, instrument: str) -> Phase:
        """Of its product, now; trading where nobody knows how late it is, for a close passes then."""
        now_ns = self._now_ns(account)
        return "trading" if now_ns is None else phase_at(instrument, now_ns)

    def _now_ns(self, account: str) -> int | None:
        """By the clock of the market that the account goes by."""
        heard = self._newest(account, self._clocks)
        if self._may_hear(account)[0] == "live" or (heard is not None and heard.tick.env == "live"):
            return self._clock()
        return None if heard is None else heard.tick.ts_exchange_ns + int((time.monotonic() - heard.at) * 1e9)

    def marks(self, account: str) -> Mapping[str, Price]:
        """The last price of each instrument that the account may hear, as it is when it is looked up."""
        return _Marks(self._heard, lambda instrument: self._latest(account, instrument))

    def _latest(self, account: str, instrument: str) -> _Heard | None:
        return self._newest(account, self._heard.get(instrument, {}))

    def _newest(self, account: str, feeds: Mapping[tuple[str, str], _Heard]) -> _Heard | None:
        """Of those that the account may hear."""
        if not feeds:
            return None
        env, settings = self._may_hear(account)
        allowed = [heard for (of, feed), heard in feeds.items() if may_hear(env, settings, of, feed)]
        return max(allowed, key=lambda heard: heard.at, default=None)


class _Marks(Mapping[str, Price]):
    """Works out the prices that are asked for: of all that is heard an account holds little."""

    def __init__(self, heard: Iterable[str], latest: Callable[[str], _Heard | None]) -> None:
        self._instruments = heard
        self._latest = latest

    def __getitem__(self, instrument: str) -> Price:
        heard = self._latest(instrument)
        price = None if heard is None else quoted(heard.tick.last_price)
        if price is None:
            raise KeyError(instrument)
        return price

    def __iter__(self) -> Iterator[str]:
        return (instrument for instrument in self._instruments if self.get(instrument) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
