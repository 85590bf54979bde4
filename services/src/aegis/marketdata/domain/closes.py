"""The last tick of each future on each trading day, and when a day is over by the market's own clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from aegis.contracts.market import Quote, Tick
from aegis.exchanges.products import product_of
from aegis.exchanges.sessions import is_trading_day, to_utc_ns
from aegis.marketdata.domain.instruments import contract_month, expiry_day
from aegis.marketdata.domain.rolls import Close
from aegis.marketdata.domain.universe import kind_of

__all__ = ["Closes", "ProductId"]

CLOSE_S: Final = 16 * 3600
"""The Shanghai second at which a trading day counts as over: recorded ticks of the day come until 15:43."""
_MOST_DAYS: Final = 8


class ProductId(NamedTuple):
    """A product of an exchange."""

    exchange: str
    code: str


class _Facts(NamedTuple):
    product: ProductId
    month: str
    expiry_day: str


class Closes:
    """Is shown ticks, of which it keeps those of futures. `expiry_of` gives the last trading day of a name, if known.

    It keeps the newest 8 days.
    """

    def __init__(self, expiry_of: Callable[[str], str | None] = lambda _: None) -> None:
        self._expiry_of = expiry_of
        self._days: dict[str, dict[ProductId, dict[str, Close]]] = {}
        self._done = ""  # the last day that was forgotten
        self._exchange_ns = self._received_ns = 0  # of the newest tick
        self._watched_from_ns = 0  # the market's clock when it was asked first which days are over
        self._facts: dict[tuple[str, str], _Facts | None] = {}

    def see(self, tick: Tick | Quote) -> None:
        """Keep a tick, if it is not older than what is known. Those of a day that is done are ignored."""
        day = tick.trading_day
        if "stale" in tick.flags or day <= self._done or not (day in self._days or _is_trading_day(day)):
            return
        facts = self._facts_of(tick.exchange, tick.symbol, day)
        if facts is None:
            return
        if tick.ts_exchange_ns > self._exchange_ns:
            self._exchange_ns, self._received_ns = tick.ts_exchange_ns, tick.ts_received_ns
        close = Close(
            symbol=tick.symbol,
            month=facts.month,
            expiry_day=facts.expiry_day,
            open_interest=tick.open_interest,
            volume=tick.volume,
            price=tick.last_price,
        )
        known = self._day(day)[facts.product]
        before = known.get(tick.symbol)
        if before is None or close.volume >= before.volume:
            known[tick.symbol] = close

    def over(self, now_ns: int) -> list[str]:
        """The days that are over, in order; `now_ns` is the time of the clock that stamps the receipt of ticks.

        The market's clock is that of its newest tick, going on since its receipt. So it is the real time for a live
        market, and its own for a replay.
        """
        market_ns = self._exchange_ns + max(0, now_ns - self._received_ns)
        if self._exchange_ns and not self._watched_from_ns:
            self._watched_from_ns = market_ns
        return sorted(day for day in self._days if market_ns >= to_utc_ns(day, CLOSE_S))

    def of(self, day: str) -> Mapping[ProductId, Mapping[str, Close]]:
        """The closes of a day, by product and symbol."""
        return self._days.get(day, {})

    def missed(self, day: str) -> frozenset[ProductId]:
        """The products of which nobody saw how the day ended: watching began later, and they ticked on a later one.

        Of a contract that has, only the latest tick was there to be seen, and that is no close.
        """
        if self._watched_from_ns < to_utc_ns(day, CLOSE_S):
            return frozenset()
        return frozenset(product for later, known in self._days.items() if later > day for product in known)

    def forget(self, day: str) -> None:
        """That day and those before are done: no tick of them is kept any more. Expiries are asked for anew."""
        self._done = max(self._done, day)
        self._facts.clear()
        for done in [one for one in self._days if one <= self._done]:
            del self._days[done]

    def _day(self, day: str) -> dict[ProductId, dict[str, Close]]:
        if day not in self._days:
            self._days[day] = defaultdict(dict)
            if len(self._days) > _MOST_DAYS:
                del self._days[min(self._days)]
        return self._days[day]

    def _facts_of(self, exchange: str, symbol: str, day: str) -> _Facts | None:
        key = (exchange, symbol)
        if key not in self._facts:
            self._facts[key] = self._found(exchange, symbol, day)
        return self._facts[key]

    def _found(self, exchange: str, symbol: str, day: str) -> _Facts | None:
        """None for what is no future of a delivery month, or of a product that nobody knows."""
        product = product_of(exchange, symbol)
        if product is None or kind_of(symbol) != "future" or not symbol[-1].isdecimal():
            return None
        month = contract_month(symbol, day)
        if month is None:
            return None
        expiry = self._expiry_of(f"{exchange}.{symbol}") or expiry_day(product, month)
        return _Facts(ProductId(exchange, product.code), month, expiry)


def _is_trading_day(day: str) -> bool:
    """Whether the exchanges opened; False too for what is no day at all."""
    try:
        return len(day) == 8 and is_trading_day(day)
    except ValueError:
        return False
