"""The venue: what orders become, and what they leave in accounts."""

from __future__ import annotations

from contextlib import suppress
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aegis.contracts.market import Level, Quote
from aegis.exchanges.sessions import Phase
from ctpsim.front.errors import Code
from ctpsim.market.universe import Listing, listed
from ctpsim.venue.accounts import Account
from ctpsim.venue.orders import (
    Direction,
    Event,
    NewOrder,
    Now,
    Offset,
    OrderKey,
    OrderReturned,
    PriceType,
    Status,
    Traded,
)
from ctpsim.venue.venue import Refused, Venue

DAY = "20251128"
NOW = Now(DAY, DAY, 9 * 3600 + 3600)
REBAR, MEAL = listed(DAY, "futures")["rb2605"], listed(DAY, "futures")["m2605"]
CALL = listed(DAY, "all")["m2605-C-3000"]
MONEY = 1_000_000.0
_refs = count(1)


def quote(listing: Listing, bid: float, ask: float, size: int = 10, ts_ns: int = 1) -> Quote:
    return Quote(
        *(listing.exchange, listing.symbol, DAY, DAY, ts_ns, 0, bid, bid, bid, bid, bid, bid, None),
        *(round(bid * 1.1), round(bid * 0.9), 0, 0.0, 0.0, 0.0),
        (Level(bid, size), Level(bid - listing.price_tick, 2 * size)),
        (Level(ask, size), Level(ask + listing.price_tick, 2 * size)),
    )


class Market:
    """A venue with one account, and the quotes that it sees."""

    def __init__(self, *quotes: Quote) -> None:
        self.quotes = {each.symbol: each for each in quotes}
        self.venue = Venue([Account("a", MONEY)], self.quotes.get)
        self.account = self.venue.accounts["a"]

    def enter(self, listing: Listing, volume: int, price: float | None = None, **other: object) -> list[Event]:
        asked = {
            "account": "a",
            "key": OrderKey(1, 1, str(next(_refs))),
            "listing": listing,
            "direction": Direction.BUY,
            "offset": Offset.OPEN,
            "price_type": PriceType.MARKET if price is None else PriceType.LIMIT,
            "price": price or 0.0,
            "volume": volume,
            **other,
        }
        return self.venue.enter(NewOrder(**asked), Phase.TRADING, NOW)  # type: ignore[arg-type]

    def move(self, moved: Quote) -> list[Event]:
        self.quotes[moved.symbol] = moved
        return self.venue.quote(moved, NOW)

    def available(self) -> float:
        return self.account.available(self.venue.last_price)


def told(events: list[Event]) -> list[object]:
    """Statuses of orders, and (price, lots) of trades."""
    return [
        event.order.status if isinstance(event, OrderReturned) else (event.trade.price, event.trade.volume)
        for event in events
    ]


def test_an_order_takes_the_book_level_by_level_and_waits_with_the_rest() -> None:
    market = Market(quote(REBAR, 3079, 3081))
    unknown, waiting, part = Status.UNKNOWN, Status.NOT_TRADED, Status.PART_TRADED
    assert told(market.enter(REBAR, 40, 3082)) == [unknown, waiting, part, (3081, 10), part, (3082, 20)]
    assert told(market.move(quote(REBAR, 3080, 3082, 10, 2))) == [Status.ALL_TRADED, (3082, 10)]


def test_what_one_order_took_the_next_one_does_not_get_until_the_book_changes() -> None:
    market = Market(quote(REBAR, 3079, 3081))
    market.enter(REBAR, 10, 3081)
    assert told(market.enter(REBAR, 10, 3081)) == [Status.UNKNOWN, Status.NOT_TRADED]
    assert told(market.move(quote(REBAR, 3079, 3081, 10, 2)))[-1] == (3081, 10)


def test_waiting_orders_fill_at_their_own_price_the_best_first_then_the_oldest() -> None:
    market = Market(quote(REBAR, 3079, 3081))
    for price in (3070, 3075, 3075):
        market.enter(REBAR, 8, price)
    fills = told(market.move(quote(REBAR, 3060, 3065, 5, 2)))
    assert [fill for fill in fills if isinstance(fill, tuple)] == [(3075, 8), (3075, 7)]


@pytest.mark.parametrize(("minimum", "fills"), [(0, [(3081, 10)]), (10, [(3081, 10)]), (11, []), (25, [])])
def test_an_immediate_order_is_cancelled_for_what_it_does_not_get(minimum: int, fills: list[object]) -> None:
    market = Market(quote(REBAR, 3079, 3081))
    events = told(market.enter(REBAR, 25, 3081, immediate=True, minimum=minimum))
    assert [event for event in events if isinstance(event, tuple)] == fills
    assert events[-1] is Status.CANCELLED
    assert market.account.frozen_margin == 0


def test_a_market_order_is_for_exchanges_that_have_it() -> None:
    market = Market(quote(MEAL, 3040, 3041), quote(REBAR, 3079, 3081))
    assert told(market.enter(MEAL, 5, immediate=True))[-1] == (3041, 5)
    with pytest.raises(Refused) as refused:
        market.enter(REBAR, 5, immediate=True)
    assert refused.value.code is Code.PRICE_TYPE


def test_margin_is_held_while_an_order_waits_and_given_back_when_it_is_cancelled() -> None:
    market = Market(quote(REBAR, 3079, 3081))
    market.enter(REBAR, 10, 3000)
    order = next(iter(market.venue.orders.values()))
    assert market.account.frozen_margin == pytest.approx(3000 * 10 * 10 * REBAR.margin_ratio)
    assert market.available() < MONEY
    assert told(market.venue.cancel(order, NOW)) == [Status.CANCELLED]
    assert market.available() == pytest.approx(MONEY)
    with pytest.raises(Refused) as refused:
        market.venue.cancel(order, NOW)
    assert refused.value.code is Code.ORDER_IS_DONE


def test_without_money_an_order_is_refused_and_nothing_is_held() -> None:
    market = Market(quote(REBAR, 3079, 3081))
    with pytest.raises(Refused) as refused:
        market.enter(REBAR, 400, 3081)
    assert refused.value.code is Code.NO_MONEY
    assert market.available() == MONEY


def test_what_was_made_and_paid_is_in_the_balance() -> None:
    market = Market(quote(REBAR, 3079, 3081))
    market.enter(REBAR, 10, 3081)
    market.move(quote(REBAR, 3101, 3103, 10, 2))
    assert market.account.position_profit(market.venue.last_price) == pytest.approx(20 * 10 * 10)
    market.enter(REBAR, 10, 3101, direction=Direction.SELL, offset=Offset.CLOSE_TODAY)
    assert market.account.close_profit == pytest.approx(20 * 10 * 10)
    assert market.account.commission == pytest.approx((3081 + 3101) * 10 * 10 * 0.0001)
    assert market.account.margin() == 0
    assert market.available() == pytest.approx(MONEY + market.account.close_profit - market.account.commission)


def test_shfe_wants_to_be_told_which_days_lots_are_closed() -> None:
    market = Market(quote(REBAR, 3079, 3081))
    sell = {"direction": Direction.SELL}
    market.enter(REBAR, 5, 3081)
    assert refusal(market, REBAR, **sell, offset=Offset.CLOSE) is Code.OVER_CLOSE_YESTERDAY
    market.venue.settle()
    assert refusal(market, REBAR, **sell, offset=Offset.CLOSE_TODAY) is Code.OVER_CLOSE_TODAY
    events = market.enter(REBAR, 5, 3079, **sell, offset=Offset.CLOSE)
    assert [event.trade.offset for event in events if isinstance(event, Traded)] == [Offset.CLOSE_YESTERDAY]


def test_elsewhere_the_older_lots_go_first() -> None:
    market = Market(quote(MEAL, 3040, 3041))
    sell = {"direction": Direction.SELL}
    market.enter(MEAL, 2, 3041)
    market.venue.settle()
    market.move(quote(MEAL, 3040, 3041, 10, 2))
    market.enter(MEAL, 3, 3041)
    assert refusal(market, MEAL, 6, **sell, offset=Offset.CLOSE) is Code.OVER_CLOSE
    market.enter(MEAL, 3, 3040, **sell, offset=Offset.CLOSE)
    position = market.account.position(MEAL, is_long=True)
    assert (position.yesterday, position.today) == (0, 2)


def test_lots_that_an_order_may_close_are_not_there_for_another() -> None:
    market = Market(quote(MEAL, 3040, 3041))
    market.enter(MEAL, 3, 3041)
    market.enter(MEAL, 2, 3200, direction=Direction.SELL, offset=Offset.CLOSE)
    assert refusal(market, MEAL, 2, direction=Direction.SELL, offset=Offset.CLOSE) is Code.OVER_CLOSE


def refusal(market: Market, listing: Listing, volume: int = 5, **other: object) -> Code:
    with pytest.raises(Refused) as refused:
        market.enter(listing, volume, 3040, **other)
    return refused.value.code


def test_who_buys_an_option_pays_its_premium_and_who_sells_one_puts_up_margin() -> None:
    market = Market(quote(CALL, 90, 91))
    market.enter(CALL, 2, 91)
    assert market.account.premium == -91 * 2 * 10
    assert market.account.margin() == 0
    market.enter(CALL, 1, 90, direction=Direction.SELL)
    assert market.account.premium == -91 * 2 * 10 + 90 * 10
    assert market.account.margin() == pytest.approx(3000 * 10 * CALL.margin_ratio)


def test_a_closed_exchange_ends_the_order_that_it_was_sent() -> None:
    market = Market(quote(REBAR, 3079, 3081))
    asked = NewOrder(
        account="a",
        key=OrderKey(1, 1, "closed"),
        listing=REBAR,
        direction=Direction.BUY,
        offset=Offset.OPEN,
        price_type=PriceType.LIMIT,
        price=3081,
        volume=1,
    )
    events = market.venue.enter(asked, Phase.BREAK, NOW)
    assert told(events) == [Status.UNKNOWN, Status.CANCELLED]
    assert market.available() == MONEY


def test_a_new_day_begins_numbers_anew_and_takes_orders_away() -> None:
    market = Market(quote(REBAR, 3079, 3081))
    first = market.enter(REBAR, 1, 3081)[-1]
    market.enter(REBAR, 5, 3000)
    market.venue.settle()
    assert market.account.frozen_margin == 0
    assert not market.venue.orders
    market.quotes[REBAR.symbol] = replace(market.quotes[REBAR.symbol], ts_exchange_ns=2)
    second = market.enter(REBAR, 1, 3081)[-1]
    assert isinstance(first, Traded)
    assert isinstance(second, Traded)
    assert first.trade.trade_id == second.trade.trade_id == f"{1:>12}"


orders = st.lists(
    st.tuples(
        st.sampled_from(list(Direction)),
        st.sampled_from([Offset.OPEN, Offset.CLOSE, Offset.CLOSE_TODAY]),
        st.integers(3070, 3090),
        st.integers(1, 30),
        st.booleans(),
    ),
    max_size=30,
)


@given(orders=orders, moves=st.lists(st.integers(3065, 3095), max_size=10), listing=st.sampled_from([REBAR, MEAL]))
def test_nothing_stays_frozen_and_no_lots_appear_from_nowhere(
    orders: list[tuple[Direction, Offset, int, int, bool]], moves: list[int], listing: Listing
) -> None:
    market = Market(quote(listing, 3079, 3081))
    events: list[Event] = []
    for number, (direction, offset, price, volume, immediate) in enumerate(orders):
        with suppress(Refused):
            events += market.enter(listing, volume, price, direction=direction, offset=offset, immediate=immediate)
        if number < len(moves):
            events += market.move(quote(listing, moves[number], moves[number] + 1, 7, number + 2))
    for order in list(market.venue.orders.values()):
        if order.is_working:
            market.venue.cancel(order, NOW)
    account = market.account
    assert account.frozen_margin == pytest.approx(0, abs=1e-6)
    assert account.frozen_commission == pytest.approx(0, abs=1e-6)
    for position in account.positions.values():
        assert position.frozen_today == position.frozen_yesterday == 0
        assert position.today >= 0
        assert position.lots == position.open_volume - position.close_volume
        assert position.cost == pytest.approx(0, abs=1e-6) or position.lots > 0
    traded = sum(event.trade.volume for event in events if isinstance(event, Traded))
    assert traded == sum(order.traded for order in market.venue.orders.values())
