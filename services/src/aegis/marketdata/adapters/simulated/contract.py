"""One simulated contract: a book on the grid of its price tick, and what the day has brought so far.

Prices move in whole ticks within the day's limits. They follow the trend that all contracts of a product share, so
that its months move together. At a limit one side of the book is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from random import Random
from typing import Final

from aegis.contracts.market import Flag, Instrument, Level, Price, Quote
from aegis.exchanges.products import Product
from aegis.marketdata.adapters.simulated.clock import Moment

_DAY_STEPS: Final = 23_400  # of a main contract, two a second
_DAY_RANGE: Final = 0.15  # the standard deviation of a day's move, as a share of the limit
_SHOCK_CHANCE: Final = 0.03  # of a product to open the day at a limit
_SHOCK_FADE: Final = 0.9999
_REVERSION: Final = 5e-6
_TRADE_CHANCE: Final = 0.7


class Trend:
    """How far a product stands from its base price, as a share of it.

    Some days, never the first, open with a shock that fades.
    """

    def __init__(self, limit: float, random: Random) -> None:
        self._random = random.random
        self._limit = limit
        self._stride = _DAY_RANGE * limit * (12 / _DAY_STEPS) ** 0.5  # a uniform step's variance is its square / 12
        self._drift = 0.0
        self._shock = 0.0
        self._day = ""

    def begin_day(self, day: str) -> None:
        """Once for each day, whichever contract comes first."""
        if day == self._day:
            return
        is_first, self._day = not self._day, day
        shock = 1.2 * self._limit if self._random() < _SHOCK_CHANCE and not is_first else 0.0
        self._shock = shock if self._random() < 0.5 else -shock

    def move(self) -> float:
        """One step on; the new distance."""
        self._drift += self._stride * (self._random() - 0.5) - _REVERSION * self._drift
        self._shock *= _SHOCK_FADE
        return self._drift + self._shock


@dataclass(slots=True)
class _Day:
    """What a trading day has brought, from nothing. Limits are in ticks."""

    trading_day: str = ""
    pre_close: float = 0.0
    pre_settlement: float = 0.0
    pre_open_interest: float = 0.0
    upper: int = 0
    lower: int = 0
    upper_price: float = 0.0
    lower_price: float = 0.0
    open: Price = None
    high: Price = None
    low: Price = None
    last: Price = None
    volume: int = 0
    turnover: float = 0.0
    matched: bool = False


class Contract:
    """The state of one contract. `activity` is its chance of a quote in half a second."""

    def __init__(
        self,
        instrument: Instrument,
        product: Product,
        *,
        base_price: float,
        limit: float,
        activity: float,
        levels: int,
        trend: Trend,
        random: Random,
    ) -> None:
        self.instrument = instrument
        self.hours = product.hours
        self._multiplier = product.multiplier
        self.activity = activity
        self._random = random.random
        self._trend = trend
        self._levels = levels
        self._limit = limit
        self._depth = 2 + 150 * activity
        self._spread = 1 if activity > 0.2 else 2 + int(random.random() * 6)
        self._tick = Fraction(str(product.price_tick))
        self._base = self._ticks(base_price)
        self._bid = self._base
        self._open_interest = int(200_000 * activity * (0.5 + random.random()))
        self._bids: tuple[Level, ...] = ()
        self._asks: tuple[Level, ...] = ()
        self._day = _Day(last=self._price(self._base), pre_settlement=self._price(self._base))

    @property
    def trading_day(self) -> str:
        """The day of its counters, "" before the first."""
        return self._day.trading_day

    @property
    def matched(self) -> bool:
        """Whether the day's auction is over."""
        return self._day.matched

    @property
    def expired(self) -> bool:
        return self.trading_day > (self.instrument.expiry_day or self.trading_day)

    def begin_day(self, day: str) -> None:
        """Set the counters back, and the limits by the average price of the day before."""
        before = self._day
        settlement = self._ticks(self._average(before))
        upper, lower = floor(settlement * (1 + self._limit)), ceil(settlement * (1 - self._limit))
        self._day = _Day(
            trading_day=day,
            pre_close=before.pre_close if before.last is None else before.last,
            pre_settlement=self._price(settlement),
            pre_open_interest=float(self._open_interest),
            upper=upper,
            lower=lower,
            upper_price=self._price(upper),
            lower_price=self._price(lower),
        )
        self._bids = self._asks = ()
        self._trend.begin_day(day)

    def match(self) -> None:
        """The day's call auction: one price for all that was entered."""
        self._day.matched = True
        self._move_book()
        self._trade(1 + int(self._depth * (1 + self._random())))

    def move(self) -> None:
        """One step of continuous trading: the book moves, and more often than not there is a trade."""
        self._move_book()
        if self._random() < _TRADE_CHANCE:
            self._trade(1 + int(self._depth * 0.4 * self._random() ** 3))

    def quote(self, moment: Moment, received_ns: int, flags: tuple[Flag, ...] = ()) -> Quote:
        """The state as a quote of that moment."""
        instrument, day = self.instrument, self._day
        return Quote(
            instrument.exchange,
            instrument.symbol,
            moment.trading_day,
            moment.action_day,
            moment.ts_ns,
            received_ns,
            day.last,
            day.open,
            day.high,
            day.low,
            day.pre_close,
            day.pre_settlement,
            None,
            day.upper_price,
            day.lower_price,
            day.volume,
            day.turnover,
            float(self._open_interest),
            day.pre_open_interest,
            self._bids,
            self._asks,
            flags,
        )

    def _move_book(self) -> None:
        gap = self._base * (1 + self._trend.move()) - self._bid
        rise = int(gap + 2 * self._random() - 1)
        if not rise and (self._bids or self._asks):
            self._resize_best()
            return
        day = self._day
        self._bid = bid = min(max(self._bid + rise, day.lower - self._spread), day.upper)
        ask = bid + self._spread
        self._bids = () if ask <= day.lower else self._side(max(bid, day.lower), -1)
        self._asks = () if bid >= day.upper else self._side(min(max(ask, day.lower), day.upper), 1)

    def _side(self, best: int, step: int) -> tuple[Level, ...]:
        """The levels from the best price on, as far as the limits let them go."""
        day, depth, random = self._day, self._depth, self._random
        numerator, denominator = self._tick.numerator, self._tick.denominator
        return tuple(
            [
                Level(ticks * numerator / denominator, 1 + int(depth * random()))
                for ticks in range(best, best + step * self._levels, step)
                if day.lower <= ticks <= day.upper
            ]
        )

    def _resize_best(self) -> None:
        if self._bids:
            self._bids = (Level(self._bids[0].price, 1 + int(self._depth * self._random())), *self._bids[1:])
        if self._asks:
            self._asks = (Level(self._asks[0].price, 1 + int(self._depth * self._random())), *self._asks[1:])

    def _trade(self, lots: int) -> None:
        """Trade at one of the best prices; where one side is empty, at the limit."""
        side = self._asks if not self._bids or (self._asks and self._random() < 0.5) else self._bids
        price = side[0].price
        day = self._day
        if day.open is None or day.high is None or day.low is None:
            day.open = day.high = day.low = price
        elif price > day.high:
            day.high = price
        elif price < day.low:
            day.low = price
        day.last = price
        day.volume += lots
        day.turnover += price * lots * self._multiplier
        self._open_interest = max(0, self._open_interest + int(lots * (self._random() - 0.45)))

    def _average(self, day: _Day) -> float:
        return day.turnover / day.volume / self._multiplier if day.volume else day.pre_settlement

    def _ticks(self, price: float) -> int:
        return max(round(price / float(self._tick)), 1)

    def _price(self, ticks: int) -> float:
        """Divided as whole numbers, so that it is the float nearest to the decimal price."""
        return ticks * self._tick.numerator / self._tick.denominator
