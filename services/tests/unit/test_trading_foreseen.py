"""Orders that are decided together: each by an account as it will be with those before it, which may not be stored."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from book_walk import as_walked, looks
from hypothesis import given, settings
from hypothesis import strategies as st
from order_situations import reason, situation
from trading_desk import DAY, MEAL, REBAR, Desk, terms

from aegis.contracts.orders import Order
from aegis.trading.domain.changes import AccountOpened, Intended, OrdersIntended, TermsLearned
from aegis.trading.domain.foreseen import Foreseen
from aegis.trading.domain.group import restore, snapshot


def intended(order: Order) -> Intended:
    return Intended(order=order, hold_price=order.price or Decimal(3300))


def decide(desk: Desk, foreseen: Foreseen, order: Order) -> list[object]:
    """What the order was held against."""
    with foreseen.of(desk.group):
        seen = looks(desk.book)
    foreseen.add([intended(order)])
    return seen


_ORDERS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 6),
        st.sampled_from([None, "2990", "3000.5"]),
        st.sampled_from(["open", "close", "close_today"]),
        st.sampled_from([REBAR, MEAL, "SHFE.unknown"]),
        st.sampled_from(["stored", "late", "given up"]),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(_ORDERS)
def test_each_is_decided_by_the_account_as_it_is_with_those_before_it_entered(orders: list[Any]) -> None:
    """Stored before the next one is decided, or behind all of them, or never: the account is then as it was."""
    desk = Desk()
    desk.done("buy", 4)
    desk.done("sell", 4, instrument=MEAL)
    entered = restore(snapshot(desk.group)).books["a"]
    foreseen, late = Foreseen(), list[Intended]()
    for side, volume, price, offset, instrument, fate in orders:
        order = desk.order(side, volume, price, offset, instrument=instrument)
        assert decide(desk, foreseen, order) == looks(entered)
        entered.enter(order, order.price or Decimal(3300))
        if fate == "stored":
            desk.tell(OrdersIntended(account="a", ts_ns=0, orders=[intended(order)]))
        elif fate == "late":
            late.append(intended(order))
        as_walked(desk.book)
    with foreseen.of(desk.group):
        assert looks(desk.book) == looks(entered)
    before = snapshot(desk.group)
    for one in late:
        desk.tell(OrdersIntended(account="a", ts_ns=0, orders=[one]))
    with foreseen.of(desk.group):
        assert looks(desk.book) == looks(entered)
    assert late or snapshot(desk.group) == before
    as_walked(desk.book)


def test_a_decision_that_fails_leaves_the_account_as_it_was() -> None:
    desk, foreseen = Desk(), Foreseen()
    decide(desk, foreseen, desk.order("buy", 1))
    before = snapshot(desk.group), looks(desk.book)
    try:
        with foreseen.of(desk.group):
            raise ValueError("refused")
    except ValueError:
        pass
    assert (snapshot(desk.group), looks(desk.book)) == before


def test_what_another_account_of_the_group_has_decided_is_not_traded_with() -> None:
    desk, foreseen = Desk(), Foreseen()
    desk.tell(AccountOpened(account="b", ts_ns=0, env="sim", trading_day=DAY, pre_balance=Decimal(10**6)))
    desk.tell(TermsLearned(account="b", ts_ns=0, terms=terms()))
    foreseen.add([intended(desk.order("buy", 1, "2990"))])
    foreseen.add([intended(desk.order("sell", 1, "3000", account="b"))])
    mine = situation(desk, price="3000")
    assert reason(mine) is None
    with foreseen.of(desk.group):
        assert reason(mine) == "self_trade"
    assert reason(mine) is None
