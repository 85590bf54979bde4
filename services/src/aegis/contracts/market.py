"""What market data is, to whoever sends or receives it.

Prices are in yuan, None where the exchange gave none (never a false 0). Times are UTC nanoseconds since 1970; days are
those of the exchange, as `YYYYMMDD`. Volumes and open interest count lots. Turnover is in yuan on every exchange.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, NamedTuple

import msgspec

__all__ = ["Env", "Exchange", "Flag", "Instrument", "InstrumentId", "Level", "Quote", "Tick", "market_of"]

Env = Literal["sim", "live"]
Price = float | None


class Exchange(StrEnum):
    """The six futures exchanges, by the names CTP gives them."""

    SHFE = "SHFE"
    INE = "INE"
    DCE = "DCE"
    CZCE = "CZCE"
    CFFEX = "CFFEX"
    GFEX = "GFEX"


Flag = Literal["snapshot", "auction", "out_of_session", "stale", "reset"]
"""What is unusual about a tick.

snapshot: the state at the time of subscription, not a change. auction: formed in a call auction. out_of_session:
stamped outside of the instrument's trading hours. stale: its exchange time is older than that of a tick before it.
reset: the day's cumulative volume began anew, or went back.
"""


def market_of(source: str) -> str:
    """What the sources of the same quotes have in common: the profile, of the logins of one profile."""
    return source.removesuffix(".primary").removesuffix(".backup")


_OF_A_TICK: Final = ("stale", "reset")
"""Flags that tell of a tick beside those before it; the others are the feed's."""


class InstrumentId(NamedTuple):
    """An instrument of an exchange; written `SHFE.rb2505`."""

    exchange: str
    symbol: str

    def __str__(self) -> str:
        return f"{self.exchange}.{self.symbol}"


class Level(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One level of a book. On the wire an array of both."""

    price: float
    size: int


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a tradable contract that market data needs.

    Of a contract whose product nobody knows there is only its name: `product` is empty, `name` the symbol.
    """

    exchange: str
    symbol: str
    product: str  # the exchange's code: rb, IF, SR
    name: str
    multiplier: int | None  # units of the good in one lot
    price_tick: float | None  # the smallest step of a price
    listed_day: str | None = None
    expiry_day: str | None = None

    @property
    def id(self) -> InstrumentId:
        return InstrumentId(self.exchange, self.symbol)


class Quote(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One depth snapshot as a feed saw it, its habits and quirks already set right by the feed's adapter.

    Books are best level first, at most five levels, () where a side is empty. `volume` and `turnover` are those of the
    trading day so far.
    """

    exchange: str
    symbol: str
    trading_day: str
    action_day: str  # the natural day of ts_exchange_ns, in Shanghai
    ts_exchange_ns: int
    ts_received_ns: int
    last_price: Price
    open_price: Price
    high_price: Price
    low_price: Price
    pre_close_price: Price
    pre_settlement_price: Price
    settlement_price: Price
    upper_limit_price: Price
    lower_limit_price: Price
    volume: int
    turnover: float
    open_interest: float
    pre_open_interest: float | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    flags: tuple[Flag, ...] = ()  # those that the feed itself knows: snapshot, auction, out_of_session
    skipped: int = 0  # so many of its instrument came right before it and were dropped for it


class Tick(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A quote as published: with its origin, its place in the sequence and what changed since the one before.

    In `msgpack` it is an array in this order, so fields are only ever added at the end. In `json` it is an object with
    these names.
    """

    env: Env
    feed: str  # the feed set's name
    source: str  # the login, file or market behind it
    session: str  # the login session; a new one begins at each login
    epoch: int  # of the publishing feed; a consumer drops ticks of an epoch lower than it has seen
    sequence: int  # per instrument within the epoch, from 1, assigned before conflation: a hole is a dropped tick
    exchange: str
    symbol: str
    trading_day: str
    action_day: str
    ts_exchange_ns: int
    ts_received_ns: int
    last_price: Price
    open_price: Price
    high_price: Price
    low_price: Price
    pre_close_price: Price
    pre_settlement_price: Price
    settlement_price: Price
    upper_limit_price: Price
    lower_limit_price: Price
    volume: int
    turnover: float
    volume_delta: int  # since the tick published before; of the first one and after a reset: 0
    turnover_delta: float
    open_interest: float
    pre_open_interest: float | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    flags: tuple[Flag, ...] = ()

    @property
    def instrument_id(self) -> InstrumentId:
        return InstrumentId(self.exchange, self.symbol)

    @property
    def quote(self) -> Quote:
        """What the feed saw, without the flags that it was given as a tick."""
        return Quote(
            self.exchange,
            self.symbol,
            self.trading_day,
            self.action_day,
            self.ts_exchange_ns,
            self.ts_received_ns,
            self.last_price,
            self.open_price,
            self.high_price,
            self.low_price,
            self.pre_close_price,
            self.pre_settlement_price,
            self.settlement_price,
            self.upper_limit_price,
            self.lower_limit_price,
            self.volume,
            self.turnover,
            self.open_interest,
            self.pre_open_interest,
            self.bids,
            self.asks,
            tuple(flag for flag in self.flags if flag not in _OF_A_TICK),
        )
