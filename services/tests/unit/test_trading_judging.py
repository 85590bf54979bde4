"""The judge of the rounds sees what must not be."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from trading_desk import Desk
from trading_rounds.flow import Told
from trading_rounds.judging import wrong_figures, wrong_orders, wrong_trades

from aegis.contracts.orders import Order
from aegis.contracts.venue import VenueAccount, VenueOrder, VenuePosition, VenueTrade
from aegis.trading.domain.views import account_of, positions_of


class Case:
    """An order that was filled, and one that was refused: all of it told truly, until a test spoils something."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.desk.done("buy", 2)
        self.name = next(iter(self.desk.book.orders))
        self.ours: list[Order] = list(self.desk.book.orders.values())
        self.theirs: list[VenueOrder] = [self.desk.told(self.name, "filled", 2)]
        asked = {"instrument": self.ours[0].instrument, "side": "buy", "volume": 2, "price": self.ours[0].price}
        self.told = Told(
            asked={self.name: asked}, orders={self.name: self.ours[0]}, refused={"other": "order_rejected"}
        )

    def wrong(self) -> list[str]:
        return list(wrong_orders(self.told, self.ours, self.theirs))


def twice(case: Case) -> None:
    case.theirs *= 2


def nameless(case: Case) -> None:
    case.theirs.append(case.theirs[0].model_copy(update={"client_order_id": ""}))


def lost(case: Case) -> None:
    case.theirs = []


def sent_though_refused(case: Case) -> None:
    case.told.refused[case.name] = "order_rejected"


def sent_though_called_not_sent(case: Case) -> None:
    case.told.orders[case.name] = case.ours[0].model_copy(update={"status": "not_sent"})


def never_told(case: Case) -> None:
    case.told.unknown.add("third")


def not_journaled(case: Case) -> None:
    case.ours = []


def known_otherwise(case: Case) -> None:
    case.theirs = [case.theirs[0].model_copy(update={"status": "partly_filled", "filled": 1})]


def works_though_cancelled(case: Case) -> None:
    known_otherwise(case)
    case.told.cancelled.add(case.name)


def told_as(case: Case, **what: Any) -> None:
    case.told.orders[case.name] = case.ours[0].model_copy(update=what)


def told_as_another_order(case: Case) -> None:
    told_as(case, side="sell")


def told_too_many_lots(case: Case) -> None:
    case.ours = [case.ours[0].model_copy(update={"status": "partly_filled", "filled": 1})]
    case.theirs = [case.theirs[0].model_copy(update={"status": "partly_filled", "filled": 1})]
    told_as(case, status="partly_filled", filled=2)


def told_another_end(case: Case) -> None:
    told_as(case, status="cancelled", filled=1)


def leg_sent_though_refused(case: Case) -> None:
    case.ours.append(case.ours[0].model_copy(update={"client_order_id": "other-2"}))
    case.theirs.append(case.theirs[0].model_copy(update={"client_order_id": "other-2"}))


def split_into_too_few_lots(case: Case) -> None:
    case.told.split[case.name] = 3


SPOILED = (twice, nameless, lost, sent_though_refused, sent_though_called_not_sent, never_told, not_journaled,
           known_otherwise, works_though_cancelled, told_as_another_order, told_too_many_lots,
           told_another_end, leg_sent_though_refused, split_into_too_few_lots)  # fmt: skip


def test_what_is_right_is_not_called_wrong() -> None:
    assert Case().wrong() == []


@pytest.mark.parametrize("spoil", SPOILED)
def test_what_is_wrong_with_an_order_is_seen(spoil: Callable[[Case], None]) -> None:
    case = Case()
    spoil(case)
    assert case.wrong()


def test_trades_positions_and_money_are_compared() -> None:
    case = Case()
    book = case.desk.book
    trades = list(book.trades.values())
    told = [VenueTrade(**one.model_dump(include=set(VenueTrade.model_fields))) for one in trades]
    assert not list(wrong_trades(trades, told))
    assert len(list(wrong_trades(trades, [*told, *told]))) == len(list(wrong_trades(trades, []))) == 1
    ours = positions_of(book, {}), account_of(book, {})
    positions = [VenuePosition(**one.model_dump(include=set(VenuePosition.model_fields))) for one in ours[0]]
    money = VenueAccount(**ours[1].model_dump(include=set(VenueAccount.model_fields)))
    assert not list(wrong_figures(ours, (positions, money)))
    assert len(list(wrong_figures(ours, ([], money)))) == 1
    assert len(list(wrong_figures(ours, (positions, money.model_copy(update={"margin": Decimal(1)}))))) == 1
