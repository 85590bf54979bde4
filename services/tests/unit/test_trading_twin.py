"""Money of an account against the simulated venue, which counts in doubles and by code of its own."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from trading_desk import DAY, Desk, rates, terms

from aegis.accounting.holdings import holding_key
from aegis.contracts.amounts import exact, is_same_money
from aegis.contracts.market import Level, Quote
from aegis.contracts.venue import CommissionRates, MarginRates
from aegis.exchanges.sessions import Phase
from aegis.trading.domain.views import account_of, position_of
from ctpsim.market.universe import Listing, listed
from ctpsim.venue.accounts import Account
from ctpsim.venue.orders import Direction, NewOrder, Now, Offset, OrderKey, OrderReturned, PriceType, Status
from ctpsim.venue.venue import Refused, Venue


class Twin:
    """A counter's account and ours, told the same orders."""

    def __init__(self) -> None:
        self.listings = {f"{one.exchange}.{one.symbol}": one for one in _LISTINGS}
        self.quotes = {one.symbol: _quote(one, one.base_price, 0) for one in _LISTINGS}
        self.venue = Venue([Account("a", 20_000_000.0)], self.quotes.get)
        self.desk = Desk(
            *(_terms(name, one) for name, one in self.listings.items()),
            money=Decimal(20_000_000),
            closing="average",
            close_holds_commission=False,
        )
        self.orders: list[tuple[str, OrderKey]] = []
        self.seen = self.traded = 0

    def place(self, name: str, side: str, offset: str, volume: int, steps: int) -> None:
        listing = self.listings[name]
        price = listing.base_price + steps * listing.price_tick
        key = OrderKey(1, 1, str(len(self.orders)))
        asked = NewOrder(
            account="a",
            key=key,
            listing=listing,
            direction=Direction.BUY if side == "buy" else Direction.SELL,
            offset=Offset[offset.upper()],
            price_type=PriceType.LIMIT,
            price=price,
            volume=volume,
        )
        try:
            events = self.venue.enter(asked, Phase.TRADING, _NOW)
        except Refused:
            return
        ours = self.desk.intend(side, volume, str(exact(price)), offset, instrument=name)  # type: ignore[arg-type]
        self.orders.append((ours, key))
        self.tell(events)

    def cancel(self, index: int) -> None:
        if self.orders:
            ours, key = self.orders[index % len(self.orders)]
            order = self.venue.orders.get(key)
            if order is not None and order.is_working:
                self.desk.ask_cancel(ours)
                self.tell(self.venue.cancel(order, _NOW))

    def move(self, name: str, steps: int) -> None:
        self.seen += 1
        listing = self.listings[name]
        quote = _quote(listing, listing.base_price + steps * listing.price_tick, self.seen)
        self.quotes[listing.symbol] = quote
        self.tell(self.venue.quote(quote, _NOW))

    def settle(self) -> None:
        day = f"{int(self.desk.book.trading_day) + 1}"
        last = {one.symbol: str(exact(self.venue.last_price(one.symbol) or 0.0)) for one in _LISTINGS}
        self.venue.settle()
        self.desk.roll(day, **last)
        self.orders.clear()

    def tell(self, events: list[Any]) -> None:
        names = {key: ours for ours, key in self.orders}
        for event in events:
            if isinstance(event, OrderReturned):
                status = _STATUS.get(event.order.status)
                if status:
                    self.desk.report(names[event.order.asked.key], status, event.order.traded)
            else:
                self.traded += 1
                trade = event.trade
                offset = {offset: offset.name.lower() for offset in Offset}[trade.offset]
                ours = names[trade.order.asked.key]
                self.desk.fill(ours, trade.volume, trade.price, trade_id=trade.trade_id, offset=offset)

    def check(self) -> None:
        theirs, book = self.venue.accounts["a"], self.desk.book
        prices = {name: exact(self.venue.last_price(one.symbol) or 0.0) for name, one in self.listings.items()}
        account = account_of(book, prices)
        last = self.venue.last_price
        for ours, amount in (
            (account.pre_balance, theirs.pre_balance),
            (account.close_profit, theirs.close_profit),
            (account.commission, theirs.commission),
            (account.frozen_margin, theirs.frozen_margin),
            (account.frozen_commission, theirs.frozen_commission),
            (account.margin, theirs.margin()),
            (account.position_profit, theirs.position_profit(last)),
            (account.balance, theirs.balance(last)),
            (account.available, theirs.available(last)),
        ):
            assert is_same_money(ours, exact(amount)), (account, theirs)
        for (symbol, is_long), position in theirs.positions.items():
            name = f"{position.listing.exchange}.{symbol}"
            shown = position_of(book, holding_key(name, "long" if is_long else "short", "speculation"), prices)
            assert (shown.today, shown.yesterday) == (position.today, position.yesterday)
            assert (shown.frozen_today, shown.frozen_yesterday) == (position.frozen_today, position.frozen_yesterday)
            assert is_same_money(shown.position_cost, exact(position.cost))


_LISTINGS = tuple(listed(DAY, "futures")[symbol] for symbol in ("rb2605", "m2605", "IF2512", "au2602"))
_NOW = Now(DAY, DAY, 36_000)
_STATUS = {
    Status.NOT_TRADED: "accepted",
    Status.PART_TRADED: "partly_filled",
    Status.ALL_TRADED: "filled",
    Status.CANCELLED: "cancelled",
}


def _quote(listing: Listing, bid: float, number: int) -> Quote:
    ask = bid + listing.price_tick
    return Quote(
        *(listing.exchange, listing.symbol, DAY, DAY, number, 0, bid, bid, bid, bid, bid, bid, None),
        *(None, None, 0, 0.0, 0.0, 0.0, (Level(bid, 5),), (Level(ask, 5),)),
    )


def _terms(name: str, listing: Listing) -> Any:
    deposit, fee = rates(str(exact(listing.margin_ratio))), rates("0.0001")
    return terms(
        name,
        multiplier=listing.multiplier,
        price_tick=exact(listing.price_tick),
        margin={"speculation": MarginRates(long=deposit, short=deposit)},
        commission=CommissionRates(open=fee, close=fee, close_today=fee),
    )


def _anything(twin: Twin, chance: Random) -> None:
    """One step; every third order or so closes, and a day has some thirty steps."""
    name, steps = chance.choice(list(twin.listings)), chance.randint(-6, 6)
    match chance.choices(("place", "move", "cancel", "settle"), (50, 30, 17, 3))[0]:
        case "place":
            offset = chance.choice(("open", "open", "close", "close_today", "close_yesterday"))
            twin.place(name, chance.choice(("buy", "sell")), offset, chance.randint(1, 9), steps)
        case "move":
            twin.move(name, steps)
        case "cancel":
            twin.cancel(chance.randint(0, 30))
        case _:
            twin.settle()


@pytest.mark.parametrize("seed", range(6))
def test_every_amount_equals_the_simulated_venue_s_to_the_cent(seed: int) -> None:
    twin, chance = Twin(), Random(seed)
    for _ in range(300):
        _anything(twin, chance)
        twin.check()
    assert twin.traded > 50
