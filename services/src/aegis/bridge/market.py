"""Contracts and ticks as vnpy has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from vnpy.trader.constant import Product  # pyright: ignore[reportMissingImports]  # where CTP is not built
from vnpy.trader.object import ContractData, TickData  # pyright: ignore[reportMissingImports]

from aegis.bridge.words import EXCHANGES, moment, number_of, split_instrument
from aegis.contracts.market import Level, Tick
from aegis.contracts.marketdata import InstrumentView
from aegis.contracts.subscriptions import Kind

__all__ = ["contract_of", "tick_of"]

_PRODUCTS: Final[Mapping[Kind, Product]] = {
    "future": Product.FUTURES,
    "option": Product.OPTION,
    "combination": Product.SPREAD,
}
_BIDS: Final = [(f"bid_price_{level}", f"bid_volume_{level}") for level in range(1, 6)]
_ASKS: Final = [(f"ask_price_{level}", f"ask_volume_{level}") for level in range(1, 6)]


def contract_of(view: InstrumentView, gateway_name: str) -> ContractData | None:
    """None where vnpy cannot have it: its exchange, kind, multiplier or price tick is not known.

    An option has no strike and no underlying here: market data does not tell them.
    """
    product = _PRODUCTS.get(view.kind)
    if view.multiplier is None or view.price_tick is None or product is None:
        return None
    if view.instrument.partition(".")[0] not in EXCHANGES:
        return None
    symbol, exchange = split_instrument(view.instrument)
    return ContractData(
        symbol=symbol,
        exchange=exchange,
        name=view.name,
        product=product,
        size=view.multiplier,
        pricetick=view.price_tick,
        gateway_name=gateway_name,
    )


def tick_of(tick: Tick, name: str, gateway_name: str) -> TickData:
    """`name` is the contract's. `last_volume` counts the lots since the tick before, `localtime` is of its arrival."""
    return TickData(
        symbol=tick.symbol,
        exchange=EXCHANGES[tick.exchange],
        datetime=moment(tick.ts_exchange_ns),
        name=name,
        volume=tick.volume,
        turnover=tick.turnover,
        open_interest=tick.open_interest,
        last_price=number_of(tick.last_price),
        last_volume=tick.volume_delta,
        limit_up=number_of(tick.upper_limit_price),
        limit_down=number_of(tick.lower_limit_price),
        open_price=number_of(tick.open_price),
        high_price=number_of(tick.high_price),
        low_price=number_of(tick.low_price),
        pre_close=number_of(tick.pre_close_price),
        localtime=moment(tick.ts_received_ns),
        gateway_name=gateway_name,
        **_levels(_BIDS, tick.bids),
        **_levels(_ASKS, tick.asks),
    )


def _levels(names: Sequence[tuple[str, str]], levels: Sequence[Level]) -> dict[str, float]:
    found: dict[str, float] = {}
    for (price, size), level in zip(names, levels, strict=False):
        found[price] = level.price
        found[size] = level.size
    return found
