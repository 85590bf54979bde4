"""Orders of an account of the paper venue that are decided together: of one request, and of several."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from book_walk import as_walked
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_desk import PaperDesk
from trading_desk import MEAL, REBAR

from aegis.contracts.orders import Order
from aegis.paper.domain.account import snapshot
from aegis.paper.domain.foresight import is_apart


@pytest.fixture
def desk() -> PaperDesk:
    desk = PaperDesk()
    desk.quote((2999, 10), (3001, 10))
    desk.quote((2999, 10), (3001, 10), instrument=MEAL)
    return desk


def ended(together: bool, orders: list[tuple[str, int, int, dict[str, Any]]]) -> tuple[list[Order], Any, list[Any]]:
    """The orders, the account, and what was reported in the end."""
    desk = PaperDesk()
    desk.quote((2999, 10), (3001, 10))
    desk.quote((2999, 10), (3001, 10), instrument=MEAL)
    desk.send("buy", 4, 3001)
    asks = [desk.ask(side, volume, price, **other) for side, volume, price, other in orders]
    if together:
        desk.send_together(*asks)
    else:
        for ask in asks:
            desk.submit(ask)
    as_walked(desk.account.opened.book)
    return [desk.order(ask.client_order_id) for ask in asks], json.loads(snapshot(desk.account)), desk.reports


def test_orders_that_are_decided_together_end_as_one_after_the_other() -> None:
    """The second buy is one too many for the money, a FAK that gets nothing holds nothing back."""
    orders: list[tuple[str, int, int, dict[str, Any]]] = [
        ("buy", 300, 2990, {"type": "fak"}),
        ("buy", 320, 2990, {}),
        ("buy", 20, 2990, {}),
        ("sell", 3, 3010, {"offset": "close_today"}),
        ("sell", 2, 3010, {"offset": "close_today"}),
    ]
    assert ended(True, orders) == ended(False, orders)
    found = ended(True, orders)[0]
    assert [order.status for order in found] == ["cancelled", "accepted", "rejected", "accepted", "rejected"]
    assert [order.reason for order in found][2::2] == ["no_money", "too_few_to_close"]


def test_what_one_order_opens_the_next_one_of_its_request_may_close() -> None:
    orders: list[tuple[str, int, int, dict[str, Any]]] = [
        ("buy", 3, 3001, {}),
        ("sell", 7, 2999, {"offset": "close_today"}),
        ("sell", 1, 2999, {"offset": "close_today"}),
    ]
    assert ended(True, orders) == ended(False, orders)
    assert [order.status for order in ended(True, orders)[0]] == ["filled", "filled", "rejected"]


def test_what_is_left_of_a_fak_of_the_same_request_holds_nothing_back() -> None:
    """A lot holds some 3,000 of the million: with what the first did not get the second would be too dear."""
    orders: list[tuple[str, int, int, dict[str, Any]]] = [("buy", 300, 3001, {"type": "fak"}), ("buy", 250, 2990, {})]
    assert ended(True, orders) == ended(False, orders)
    assert [order.status for order in ended(True, orders)[0]] == ["cancelled", "accepted"]


def test_fees_of_the_same_request_are_paid_by_what_is_left(desk: PaperDesk) -> None:
    known = desk.known[REBAR]
    fee = known.commission.model_copy(update={"order_fee": Decimal(400_000)})
    desk.known[REBAR] = known.model_copy(update={"commission": fee})
    desk.send("buy", 1, 2990, type="fak")
    orders = desk.send_together(*(desk.ask("buy", 1, 2990, type="fak") for _ in range(2)))
    assert [order.status for order in orders] == ["cancelled", "rejected"]
    assert orders[1].reason == "no_money"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["buy", "sell"]),
            st.sampled_from([1, 4, 12, 150]),
            st.sampled_from([2990, 2999, 3001, 3010]),
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["limit", "fak"]),
                    "offset": st.sampled_from(["open", "close_today"]),
                    "instrument": st.sampled_from([REBAR, MEAL]),
                }
            ),
        ),
        min_size=2,
        max_size=8,
    )
)
def test_any_orders_of_a_request_end_as_one_after_the_other(orders: list[tuple[str, int, int, dict[str, Any]]]) -> None:
    assert ended(True, orders) == ended(False, orders)


def test_what_is_foreseen_leaves_no_trace(desk: PaperDesk) -> None:
    desk.send("buy", 1, 2990)
    before = snapshot(desk.account)
    desk.together = True
    desk.submit(desk.ask("buy", 2, 2990))
    desk.submit(desk.ask("buy", 2, 3001))
    desk.submit(desk.ask("sell", 1, 2999, offset="close_today"))
    desk.submit(desk.ask("buy", 1, 3001, instrument=MEAL))
    desk.submit(desk.ask("buy", 2, 2990))
    assert len(desk.decided) == 5
    assert snapshot(desk.account) == before
    as_walked(desk.account.opened.book)


def test_an_order_waits_for_those_of_other_requests_that_trade_that_bring_terms_and_that_have_its_name(
    desk: PaperDesk,
) -> None:
    """What others have decided may be given up: lots that came of it could have been closed then."""
    desk.send("buy", 1, 2990)
    desk.together = True
    same = desk.ask("buy", 1, 2990)
    desk.submit(same)
    assert not is_apart(desk.decided, same)
    assert is_apart(desk.decided, desk.ask("buy", 1, 2990))
    desk.submit(desk.ask("buy", 1, 3001))
    assert desk.decided[-1].entered.fills
    assert not is_apart(desk.decided, desk.ask("buy", 1, 2990))
    desk.decided.clear()
    desk.quote((2999, 10), (3001, 10), instrument=MEAL)
    desk.submit(desk.ask("buy", 1, 2990, instrument=MEAL))
    assert not is_apart(desk.decided, desk.ask("buy", 1, 2990))


def test_numbers_are_never_given_twice_though_an_order_was_not_stored(desk: PaperDesk) -> None:
    desk.send("buy", 1, 2990)
    desk.together = True
    asks = [desk.ask("buy", 1, 2990) for _ in range(2)]
    for ask in asks:
        desk.submit(ask)
    desk.tell(desk.decided[1].entered)
    desk.together = False
    desk.decided.clear()
    last = desk.send("buy", 1, 2990)
    numbers = [order.venue_order_id.partition("-")[2] for order in (desk.order(asks[1].client_order_id), last)]
    assert numbers == ["3", "4"]
