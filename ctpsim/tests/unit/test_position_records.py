"""Positions as a query answers them."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.contracts.market import Instrument, Level, Quote
from aegis.exchanges.sessions import Phase
from ctpsim.front.order_records import position_values
from ctpsim.front.users import User
from ctpsim.market.universe import Listing, listings_of
from ctpsim.venue.accounts import Account
from ctpsim.venue.orders import Direction, NewOrder, Now, Offset, OrderKey, PriceType
from ctpsim.venue.venue import Venue

USER = User(broker_id="9999", user_id="100001", password="", app_id="", auth_code="")
SHOWN = ("PositionDate", "Position", "TodayPosition", "YdPosition")


DAY = "20251128"
NOW = Now(DAY, DAY, 10 * 3600)


def listing(exchange: str, symbol: str) -> Listing:
    instrument = Instrument(exchange=exchange, symbol=symbol, product="", name="", multiplier=10, price_tick=1.0)
    return listings_of([instrument], DAY)[symbol]


REBAR = listing("SHFE", "rb2605")
MEAL = listing("DCE", "m2605")


def quote(of: Listing) -> Quote:
    """Enough lots on both sides at 3,000."""
    side = (Level(3000.0, 99),)
    prices = (3000.0, None, None, None, None, None, None, 3200.0, 2800.0)
    return Quote(of.exchange, of.symbol, DAY, DAY, 0, 0, *prices, 100, 0.0, 0.0, 0.0, side, side)


class Desk:
    """One contract, one account, and orders at 3,000 that trade at once."""

    def __init__(self, of: Listing) -> None:
        self._of = of
        self._account = Account(USER.user_id, 1_000_000.0)
        self._orders = 0
        self.venue = Venue([self._account], {of.symbol: quote(of)}.get)

    def open(self, lots: int) -> None:
        self._trade(lots, Direction.BUY, Offset.OPEN)

    def close(self, lots: int, offset: Offset) -> None:
        self._trade(lots, Direction.SELL, offset)

    def _trade(self, lots: int, direction: Direction, offset: Offset) -> None:
        self._orders += 1
        asked = NewOrder(
            account=USER.user_id,
            key=OrderKey(1, 1, str(self._orders)),
            listing=self._of,
            direction=direction,
            offset=offset,
            price_type=PriceType.LIMIT,
            price=3000.0,
            volume=lots,
        )
        self.venue.enter(asked, Phase.TRADING, NOW)

    def records(self) -> list[tuple[Any, ...]]:
        position = self._account.position(self._of, True)
        values = position_values(position, USER, self.venue.last_price, DAY)
        return [tuple(record[name] for name in SHOWN) for record in values]


@pytest.mark.parametrize(
    ("of", "expected"),
    [(REBAR, [("1", 3, 3, 0), ("2", 1, 0, 2)]), (MEAL, [("1", 4, 3, 2)])],
    ids=["two records on SHFE", "one on DCE"],
)
def test_yesterdays_lots_are_those_of_the_mornings_whatever_was_closed(of: Listing, expected: list[Any]) -> None:
    desk = Desk(of)
    desk.open(2)
    desk.venue.settle()
    desk.open(3)
    desk.close(1, Offset.CLOSE)
    assert desk.records() == expected


def test_a_closed_position_is_listed_until_the_day_ends() -> None:
    desk = Desk(REBAR)
    desk.open(1)
    desk.close(1, Offset.CLOSE_TODAY)
    assert desk.records() == [("1", 0, 0, 0)]
    desk.venue.settle()
    assert desk.records() == []
