"""An account group without a service: it is told changes, as a journal would tell them."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any, Final

from aegis.accounting.book import Book
from aegis.accounting.rules import Rules
from aegis.contracts.amounts import exact
from aegis.contracts.orders import Order, Side
from aegis.contracts.venue import (
    CommissionRates,
    InstrumentTerms,
    MarginRates,
    Rates,
    Submitted,
    VenueOrder,
    VenueTrade,
)
from aegis.trading.domain.applying import Applied, apply
from aegis.trading.domain.changes import (
    AccountOpened,
    Answered,
    CancelAsked,
    Change,
    DayRolled,
    Intended,
    OrdersIntended,
    OrderTold,
    TermsLearned,
    TradeTold,
)
from aegis.trading.domain.group import Group

DAY, NEXT_DAY = "20251128", "20251201"
REBAR, MEAL, INDEX = "SHFE.rb2605", "DCE.m2605", "CFFEX.IF2512"
MONEY: Final = Decimal(1_000_000)


def rates(by_money: str = "0", by_volume: str = "0") -> Rates:
    return Rates(by_money=Decimal(by_money), by_volume=Decimal(by_volume))


def terms(instrument: str = REBAR, **other: Any) -> InstrumentTerms:
    """By default 10 units a lot, a tick of 1, margin 10 %, commission 0.01 %."""
    fee, deposit = rates("0.0001"), rates("0.1")
    facts: dict[str, Any] = {
        "instrument": instrument,
        "product": instrument.partition(".")[2].rstrip("0123456789"),
        "kind": "future",
        "multiplier": 10,
        "price_tick": Decimal(1),
        "max_limit_volume": 500,
        "max_market_volume": 50,
        "expiry_day": "20260515",
        "delivery_month": "202605",
        "pre_settlement_price": Decimal(3000),
        "upper_limit_price": Decimal(3300),
        "lower_limit_price": Decimal(2700),
        "margin": {"speculation": MarginRates(long=deposit, short=deposit)},
        "commission": CommissionRates(open=fee, close=fee, close_today=fee),
    }
    return InstrumentTerms(**{**facts, **other})


class Desk:
    """One account `a`, told step by step; each step's changes are kept in `journal`."""

    def __init__(self, *known: InstrumentTerms, money: Decimal = MONEY, env: str = "sim", **rules: Any) -> None:
        self.group = Group()
        self.journal: list[Change] = []
        self._numbers = count(1)
        self._trades = count(1)
        self.tell(AccountOpened(**self._now(), env=env, trading_day=DAY, pre_balance=money, rules=Rules(**rules)))
        for each in known or (terms(), terms(MEAL)):
            self.tell(TermsLearned(**self._now(), terms=each))

    @property
    def book(self) -> Book:
        return self.group.books["a"]

    def tell(self, change: Change) -> Applied:
        self.journal.append(change)
        return apply(self.group, change)

    def order(self, side: Side, volume: int, price: str | None = "3000", offset: str = "open", **other: Any) -> Order:
        number = next(self._numbers)
        facts: dict[str, Any] = {
            "account": "a",
            "env": self.book.env,
            "client_order_id": f"o{number}",
            "request_id": f"o{number}",
            "strategy_id": "s",
            "instrument": REBAR,
            "side": side,
            "offset": offset,
            "hedge": "speculation",
            "type": "limit",
            "price": None if price is None else Decimal(price),
            "volume": volume,
            "status": "pending",
            "trading_day": self.book.trading_day,
            "ts_created_ns": number,
            "ts_updated_ns": number,
        }
        return Order(**{**facts, **other})

    def intend(self, side: Side, volume: int, price: str = "3000", offset: str = "open", **other: Any) -> str:
        order = self.order(side, volume, price, offset, **other)
        one = Intended(order=order, hold_price=Decimal(price))
        self.tell(OrdersIntended(**self._now(), orders=[one]))
        return order.client_order_id

    def answer(self, name: str, outcome: str, **other: Any) -> Applied:
        answer = Submitted(outcome=outcome, **other)
        return self.tell(Answered(**self._now(), client_order_id=name, answer=answer))

    def report(self, name: str, status: str, filled: int = 0, **other: Any) -> Applied:
        return self.tell(
            OrderTold(**self._now(), client_order_id=name, report=self.told(name, status, filled, **other))
        )

    def told(self, name: str, status: str, filled: int = 0, **other: Any) -> VenueOrder:
        order = self.book.orders[name]
        facts: dict[str, Any] = {
            **{key: getattr(order, key) for key in ("account", "instrument", "side", "offset", "hedge", "type")},
            **{key: getattr(order, key) for key in ("client_order_id", "price", "volume", "trading_day")},
            "venue_order_id": f"v{name}",
            "status": status,
            "filled": filled,
            "ts_exchange_ns": next(self._numbers),
        }
        return VenueOrder(**{**facts, **other})

    def fill(self, name: str, lots: int, price: str | float | None = None, **other: Any) -> Applied:
        return self.tell(TradeTold(**self._now(), client_order_id=name, report=self.trade(name, lots, price, **other)))

    def trade(self, name: str, lots: int, price: str | float | None = None, **other: Any) -> VenueTrade:
        order = self.book.orders[name]
        at = order.price if price is None else exact(price) if isinstance(price, float) else Decimal(price)
        facts: dict[str, Any] = {
            **{key: getattr(order, key) for key in ("account", "instrument", "side", "offset", "hedge")},
            **{key: getattr(order, key) for key in ("client_order_id", "trading_day")},
            "venue_order_id": f"v{name}",
            "trade_id": str(next(self._trades)),
            "price": at,
            "volume": lots,
            "ts_exchange_ns": next(self._numbers),
        }
        return VenueTrade(**{**facts, **other})

    def done(self, side: Side, volume: int, price: str = "3000", offset: str = "open", **other: Any) -> Applied:
        """An order that is filled at once."""
        name = self.intend(side, volume, price, offset, **other)
        return self.fill(name, volume, price)

    def ask_cancel(self, name: str) -> Applied:
        return self.tell(CancelAsked(**self._now(), client_order_id=name))

    def roll(self, day: str = NEXT_DAY, **settlements: str) -> Applied:
        """`roll(rb2605="3010")` settles that symbol, whatever its exchange."""
        prices = {
            name: Decimal(price)
            for symbol, price in settlements.items()
            for name in self.book.terms
            if name.endswith(f".{symbol}")
        }
        known = dict(self.book.terms)
        applied = self.tell(DayRolled(**self._now(), trading_day=day, settlements=prices))
        for name in known.keys() - self.book.terms.keys():  # as soon as somebody wants to trade it
            self.tell(TermsLearned(**self._now(), terms=known[name]))
        return applied

    def _now(self) -> dict[str, Any]:
        return {"account": "a", "ts_ns": next(self._numbers)}
