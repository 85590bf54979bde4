"""Ours against the venue's: what was missed is booked, what is strange is adopted, what differs is told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading_desk import MEAL, NEXT_DAY, REBAR, Desk

from aegis.contracts.venue import VenueAccount, VenueOrder, VenuePosition, VenueTrade
from aegis.trading.domain.applying import apply
from aegis.trading.domain.changes import DayRolled
from aegis.trading.domain.reconciliation import adopted_name, catch_up, compare, settled_prices, without_terms
from aegis.trading.domain.views import account_of, positions_of


def state(desk: Desk, **other: Any) -> VenueAccount:
    ours = account_of(desk.book, {}).model_dump(exclude={"env", "mode", "armed"})
    return VenueAccount(**{**ours, **other})


def positions(desk: Desk) -> list[VenuePosition]:
    names = {
        "account",
        "instrument",
        "direction",
        "hedge",
        "today",
        "yesterday",
        "position_cost",
        "open_cost",
        "margin",
    }
    return [VenuePosition(**one.model_dump(include=names)) for one in positions_of(desk.book, {})]


def strange(**other: Any) -> VenueOrder:
    facts: dict[str, Any] = {
        "account": "a",
        "venue_order_id": "        4711",
        "instrument": REBAR,
        "side": "buy",
        "offset": "open",
        "type": "limit",
        "price": Decimal(3000),
        "volume": 2,
        "status": "accepted",
        "filled": 0,
        "trading_day": "20251128",
        "ts_exchange_ns": 5,
    }
    return VenueOrder(**{**facts, **other})


def venue_of(desk: Desk) -> tuple[list[VenueOrder], list[VenueTrade]]:
    """What a venue would tell that knows what we know."""
    orders = [desk.told(order.client_order_id, order.status, order.filled) for order in desk.book.orders.values()]
    trades = [
        VenueTrade(**one.model_dump(exclude={"env", "strategy_id", "commission", "close_profit"}))
        for one in desk.book.trades.values()
    ]
    return orders, trades


def caught_up(desk: Desk, orders: list[VenueOrder], trades: list[VenueTrade]) -> list[str]:
    changes = catch_up(desk.book, orders, trades, 9)
    for change in changes:
        desk.tell(change)
    return [change.kind for change in changes]


def test_where_both_agree_nothing_is_to_be_done() -> None:
    desk = Desk()
    desk.done("buy", 2)
    name = desk.intend("buy", 1)
    desk.report(name, "accepted")
    orders, trades = venue_of(desk)
    assert caught_up(desk, orders, trades) == []
    compared = compare(desk.book, orders, trades, positions(desk), state(desk))
    assert (compared.verdict, compared.differences, compared.open) == ("agreed", [], [])


def test_what_happened_unheard_is_booked_and_then_both_agree() -> None:
    desk, other = Desk(), Desk()
    for each in (desk, other):
        each.intend("buy", 2)
        each.intend("buy", 1, instrument=MEAL)
    other.report("o4", "accepted")
    other.fill("o4", 1, trade_id="t1")
    other.report(list(other.book.orders)[1], "cancelled")
    orders, trades = venue_of(other)
    assert caught_up(desk, orders, trades) == ["order_told", "order_told", "trade_told"]
    assert compare(desk.book, orders, trades, positions(other), state(other)).verdict == "agreed"
    assert desk.book.holdings == other.book.holdings
    assert caught_up(desk, orders, trades) == []


def test_an_order_that_nobody_asked_for_is_adopted_with_its_trades_and_holds_its_money() -> None:
    desk = Desk()
    orders = [strange(filled=1, status="partly_filled")]
    trade = VenueTrade(
        **strange().model_dump(include={"account", "venue_order_id", "instrument", "side", "offset", "trading_day"}),
        trade_id="t",
        price=Decimal(2999),
        volume=1,
        ts_exchange_ns=6,
    )
    assert caught_up(desk, orders, [trade]) == ["adopted", "trade_told"]
    (order,) = desk.book.orders.values()
    assert (order.client_order_id, order.adopted, order.strategy_id) == ("venue-SHFE-4711", True, "")
    assert (order.status, order.filled, order.traded) == ("partly_filled", 1, 1)
    assert desk.book.frozen_margin == 3000
    assert desk.group.tallies[REBAR].orders == 1
    assert caught_up(desk, orders, [trade]) == []  # found by its number from now on


def test_an_order_that_a_report_and_a_comparison_find_at_once_is_adopted_once() -> None:
    desk = Desk()
    changes = catch_up(desk.book, [strange()], [], 9) + catch_up(desk.book, [strange(status="cancelled")], [], 9)
    notes = [note for change in changes for note in apply(desk.group, change).notes]
    (order,) = desk.book.orders.values()
    assert (notes, order.status) == ([], "cancelled")
    other = catch_up(Desk().book, [strange(client_order_id=order.client_order_id, venue_order_id="4712")], [], 9)
    assert [note for change in other for note in apply(desk.group, change).notes] == ["taken_name"]


def test_an_order_under_its_own_name_is_adopted_under_it() -> None:
    desk = Desk()
    caught_up(desk, [strange(client_order_id="mine")], [])
    assert list(desk.book.orders) == ["mine"]
    assert len(adopted_name(strange(venue_order_id="x" * 20))) <= 36


def test_an_order_without_a_name_is_adopted_once_its_exchange_has_given_it_a_number() -> None:
    desk = Desk()
    waiting = strange(venue_order_id="")
    for _ in range(2):
        assert caught_up(desk, [waiting, waiting], []) == []
        compared = compare(desk.book, [waiting], [], [], state(desk, frozen_margin=Decimal(6000)))
        assert compared.differences == [], "what it holds back at the venue is not known here"
    assert caught_up(desk, [strange()], []) == ["adopted"]
    assert list(desk.book.orders) == ["venue-SHFE-4711"]
    assert compare(desk.book, [strange()], [], [], state(desk)).verdict == "agreed"


def test_an_order_without_a_name_that_never_got_a_number_is_none() -> None:
    desk = Desk()
    refused = [strange(venue_order_id="", status=status) for status in ("rejected", "cancelled")]
    for _ in range(2):
        assert caught_up(desk, refused, []) == []
        assert compare(desk.book, refused, [], [], state(desk)).verdict == "agreed"
    told = state(desk, frozen_margin=Decimal(1))
    assert compare(desk.book, refused, [], [], told).verdict == "mismatch", "nothing is on its way"
    traded = strange(venue_order_id="", status="cancelled", filled=1)
    assert compare(desk.book, [traded], [], [], state(desk)).verdict == "mismatch"


def test_an_order_that_the_venue_does_not_know_is_a_mismatch_unless_it_may_be_on_its_way() -> None:
    desk = Desk()
    pending = desk.intend("buy", 1)
    lost = desk.intend("buy", 1)
    desk.answer(lost, "unknown")
    accepted = desk.intend("buy", 1)
    desk.report(accepted, "accepted")
    compared = compare(desk.book, [], [], [])
    assert compared.open == [pending, lost]
    assert [(one.of, one.theirs) for one in compared.differences] == [(accepted, "missing")]
    assert compared.verdict == "mismatch"


def test_what_orders_hold_back_is_not_compared_while_one_may_be_on_its_way() -> None:
    desk = Desk()
    money = state(desk)
    name = desk.intend("buy", 1)
    assert desk.book.frozen_margin
    assert compare(desk.book, [], [], [], money).differences == []
    other = money.model_copy(update={"margin": Decimal(1), "frozen_margin": Decimal(1)})
    assert [one.field for one in compare(desk.book, [], [], [], other).differences] == ["margin"]
    desk.answer(name, "not_sent")
    assert [one.field for one in compare(desk.book, [], [], [], other).differences] == ["margin", "frozen_margin"]


def test_lots_of_yesterday_tell_by_their_cost_at_what_they_were_settled() -> None:
    desk = Desk()
    desk.done("buy", 2)
    assert settled_prices(positions(desk), desk.book.terms) == {}, "their cost is what was paid"
    desk.roll(rb2605="3010.5")
    assert settled_prices(positions(desk), desk.book.terms) == {REBAR: Decimal("3010.5")}
    assert settled_prices(positions(desk), {}) == {}
    (odd,) = positions(desk)
    odd = odd.model_copy(update={"yesterday": 3, "position_cost": Decimal("100001")})
    prices = settled_prices([odd], desk.book.terms)
    rolled = DayRolled(account="a", ts_ns=1, trading_day=NEXT_DAY, settlements=prices)
    assert rolled.settlements == {REBAR: Decimal("3333.366667")}, "a price of any digits ends no comparison"


def test_an_order_that_is_final_here_and_works_there_is_a_mismatch() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    desk.answer(name, "refused")
    orders = [desk.told(name, "accepted")]
    assert caught_up(desk, orders, []) == ["order_told"]  # its number there; the status stays
    (difference,) = compare(desk.book, orders, [], []).differences
    assert (difference.field, difference.ours, difference.theirs) == ("status", "rejected", "accepted")


def test_an_order_that_was_called_not_sent_and_works_there_works_here_too() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    desk.answer(name, "not_sent")
    orders = [desk.told(name, "accepted")]
    assert caught_up(desk, orders, []) == ["order_told"]
    assert compare(desk.book, orders, [], []).differences == []


def test_each_figure_that_differs_is_told_and_a_cent_is_enough() -> None:
    desk = Desk()
    desk.done("buy", 2)
    orders, trades = venue_of(desk)
    (position,) = positions(desk)
    compared = compare(
        desk.book,
        orders,
        [trades[0].model_copy(update={"price": Decimal(3001)})],
        [position.model_copy(update={"today": 1, "yesterday": 1, "position_cost": Decimal("60000.01")})],
        state(desk, commission=desk.book.commission + Decimal("0.01")),
    )
    assert [(one.what, one.field) for one in compared.differences] == [
        ("trade", "price"),
        ("position", "today"),
        ("position", "yesterday"),
        ("position", "position_cost"),
        ("account", "commission"),
    ]
    close = state(desk, commission=desk.book.commission + Decimal("0.001"))
    assert compare(desk.book, orders, trades, [position], close).verdict == "agreed"


def test_positions_and_trades_that_only_one_side_has_are_told() -> None:
    desk = Desk()
    desk.done("buy", 2)
    orders, trades = venue_of(desk)
    assert [(one.what, one.theirs) for one in compare(desk.book, orders, [], []).differences] == [
        ("trade", "missing"),
        ("position", "0"),
    ]
    empty = Desk()
    assert {one.ours for one in compare(empty.book, [], trades, positions(desk)).differences} == {"missing", "0"}
    assert {one.what for one in compare(empty.book, orders, [], []).differences} == {"order"}


def test_money_of_another_day_is_not_compared_figure_by_figure() -> None:
    desk = Desk()
    (difference,) = compare(
        desk.book, [], [], [], state(desk, trading_day="20251201", pre_balance=Decimal(1))
    ).differences
    assert difference.field == "trading_day"


def test_what_cannot_be_booked_yet_for_want_of_terms_is_named() -> None:
    assert without_terms(Desk().book, [strange(), strange(instrument="SHFE.cu2605")]) == {"SHFE.cu2605"}
