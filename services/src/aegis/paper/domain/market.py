"""The market as the venue sees it: the latest tick of each instrument, and whether orders may trade against it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from aegis.contracts.amounts import Price, quoted
from aegis.contracts.market import Env, Flag, Level, Tick

__all__ = ["Market", "Shown", "shown"]

_LONGEST_HOLIDAY: Final = timedelta(days=15)
_NOT_TRADING: Final[frozenset[Flag]] = frozenset(("snapshot", "auction", "out_of_session", "stale"))
"""What such a tick shows is no offer that an order could take: a late, a past, or a not yet formed book."""


class Shown(NamedTuple):
    """A tick in decimal numbers. Levels are best first. `volume` counts the lots of the day so far."""

    instrument: str
    trading_day: str
    ts_exchange_ns: int
    ts_received_ns: int
    trades: bool  # of a time in which orders meet
    last: Price | None
    bids: tuple[tuple[Price, int], ...]
    asks: tuple[tuple[Price, int], ...]
    volume: int
    upper_limit: Price | None
    lower_limit: Price | None
    pre_settlement: Price | None
    settlement: Price | None

    def is_fresh(self, now_ns: int, stale_after_ns: int) -> bool:
        """Whether an order may trade against it."""
        return self.trades and now_ns - self.ts_received_ns <= stale_after_ns


def shown(tick: Tick) -> Shown:
    return Shown(
        f"{tick.exchange}.{tick.symbol}",
        tick.trading_day,
        tick.ts_exchange_ns,
        tick.ts_received_ns,
        _NOT_TRADING.isdisjoint(tick.flags),
        quoted(tick.last_price),
        _levels(tick.bids),
        _levels(tick.asks),
        tick.volume,
        quoted(tick.upper_limit_price),
        quoted(tick.lower_limit_price),
        quoted(tick.pre_settlement_price),
        quoted(tick.settlement_price),
    )


class Market:
    """Ticks of one env and feed set; others are counted, and play no part.

    `trading_day` is the latest that a tick was of. A tick of an earlier day than its instrument's latest is dropped; so
    is one whose trading day is not near its natural day, since an account's day never goes back.
    """

    def __init__(self, env: Env, feed: str) -> None:
        self._env = env
        self._feed = feed
        self._latest: dict[str, Tick] = {}
        self._shown: dict[str, Shown] = {}
        self.trading_day = ""
        self.day_began_ns = 0  # when its first tick was received
        self.foreign = 0  # ticks of another env or feed set
        self.implausible = 0  # ticks of a trading day that cannot be

    def show(self, tick: Tick, now_ns: int) -> str:
        """Take a tick in; its instrument, or an empty text where it plays no part."""
        if tick.env != self._env or tick.feed != self._feed:
            self.foreign += 1
            return ""
        if tick.trading_day > self.trading_day and not _is_plausible(tick):
            self.implausible += 1
            return ""
        instrument = f"{tick.exchange}.{tick.symbol}"
        before = self._latest.get(instrument)
        if before is not None and tick.trading_day < before.trading_day:
            return ""
        self._latest[instrument] = tick
        self._shown.pop(instrument, None)
        if tick.trading_day > self.trading_day:
            self.trading_day, self.day_began_ns = tick.trading_day, now_ns
        return instrument

    def latest(self, instrument: str, trading_day: str = "") -> Shown | None:
        """The latest tick of an instrument; with a day, only if it is of that day."""
        tick = self._latest.get(instrument)
        if tick is None or (trading_day and tick.trading_day != trading_day):
            return None
        if instrument not in self._shown:
            self._shown[instrument] = shown(tick)
        return self._shown[instrument]

    def prices(self, instruments: Iterable[str], trading_day: str) -> dict[str, Decimal]:
        """At which positions are valued: the day's last price, before the first the settlement price before it."""
        found: dict[str, Decimal] = {}
        for instrument in instruments:
            one = self.latest(instrument, trading_day)
            if one is not None and (price := one.last if one.last is not None else one.pre_settlement) is not None:
                found[instrument] = price
        return found

    def settlements(self, instruments: Iterable[str], ended: str, patient: bool) -> dict[str, Price] | None:
        """The settlement prices of a day that ended; None while some are still waited for.

        The next day's first tick tells it for certain. Out of patience, the ended day's own settlement or last price
        stands for it; what has neither is left out, and keeps its cost.
        """
        found: dict[str, Price] = {}
        for instrument in instruments:
            one = self.latest(instrument)
            price = None
            if one is not None and one.trading_day > ended:
                price = one.pre_settlement
            elif patient:
                return None
            if price is None and one is not None and one.trading_day == ended:
                price = one.settlement if one.settlement is not None else one.last
            if price is not None:
                found[instrument] = price
        return found


def _is_plausible(tick: Tick) -> bool:
    """Whether its trading day begins at most so long after the natural day as the longest holiday lasts."""
    try:
        ahead = date.fromisoformat(tick.trading_day) - date.fromisoformat(tick.action_day)
    except ValueError:
        return False
    return timedelta(0) <= ahead <= _LONGEST_HOLIDAY


def _levels(levels: tuple[Level, ...]) -> tuple[tuple[Price, int], ...]:
    found = ((quoted(level.price), level.size) for level in levels if level.size > 0)
    return tuple((price, size) for price, size in found if price is not None)
