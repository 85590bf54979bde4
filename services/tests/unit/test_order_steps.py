"""What deciding, applying and telling of one order costs beside many that work; `-s` prints it in processor time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from decimal import Decimal
from types import FrameType
from typing import Any, Final

import pytest
from order_situations import situation
from paper_desk import PaperDesk
from trading_desk import REBAR, Desk

from aegis.contracts.venue import Submitted
from aegis.trading.domain.applying import apply
from aegis.trading.domain.changes import Answered, Change, Intended, OrdersIntended, OrderTold
from aegis.trading.domain.checking import check
from aegis.trading.domain.foreseen import Foreseen
from aegis.trading.domain.group import Told
from aegis.trading.domain.views import event_of

MONEY: Final = Decimal(10**12)
SETTINGS: Final[dict[str, Any]] = {"max_position_lots": 1_000_000, "orders_per_s": 1000}
OPENS: Final[dict[str, Any]] = {"price": "2990"}
CLOSES: Final[dict[str, Any]] = {"side": "sell", "offset": "close_today", "price": "3000"}
ROUNDS: Final = 50


def working(number: int) -> list[tuple[Any, int]]:
    return [("buy", 2900 + at % 90) if at % 2 else ("sell", 3010 + at % 90) for at in range(number)]


def trading(number: int, **asked: Any) -> Callable[[], None]:
    """An order of the trading service that is taken and ends at once, beside so many that work."""
    desk = Desk(money=MONEY)
    desk.done("buy", 100_000)
    for side, price in working(number):
        desk.report(desk.intend(side, 1, str(price)), "accepted")

    def step() -> None:
        seen = situation(desk, SETTINGS, **asked)
        intended, name = Intended(order=seen.order, hold_price=seen.hold_price), seen.order.client_order_id
        foreseen = Foreseen()
        with foreseen.of(desk.group):
            assert check(seen) is None
        foreseen.add([intended])
        who: dict[str, Any] = {"account": "a", "ts_ns": 1}
        tell(desk, OrdersIntended(**who, orders=[intended]))
        tell(desk, OrderTold(**who, client_order_id=name, report=desk.told(name, "cancelled")))
        tell(desk, Answered(**who, client_order_id=name, answer=Submitted(outcome="accepted")))

    return step


def tell(desk: Desk, change: Change) -> None:
    applied = apply(desk.group, change)
    for what in (*applied.orders, *applied.holdings, None):
        event_of(desk.book, Told(1, what), {REBAR: Decimal(3000)})


def paper(number: int) -> Callable[[], None]:
    """The same at the paper venue, behind a tick that it has not looked at yet."""
    desk = PaperDesk()
    desk.account.opened.book.pre_balance = MONEY
    desk.quote((2999, 10), (3001, 10))
    for side, price in working(number):
        desk.send(side, 1, price)

    def step() -> None:
        desk.quote((2999, 10), (3001, 10))
        desk.send("buy", 1, 2990, type="fak")

    return step


def together(number: int) -> Callable[[], None]:
    """An order that is decided behind so many others of the same turn, of which none is stored."""
    desk, foreseen = Desk(money=MONEY), Foreseen()
    for at in range(number):
        order = desk.order("buy", 1, str(2900 + at % 90))
        foreseen.add([Intended(order=order, hold_price=Decimal(3000))])

    def step() -> None:
        seen = situation(desk, SETTINGS, **OPENS)
        with foreseen.of(desk.group):
            assert check(seen) is None

    return step


def filled(layers: int) -> Callable[[], None]:
    """Two orders of one request at the paper venue, filled at once, on top of lots of so many prices."""
    desk = PaperDesk()
    desk.account.opened.book.pre_balance = MONEY
    for at in range(layers):
        desk.quote((2900, 10), (2910 + at % 2, 10))
        desk.send("buy", 1, 2911)

    def step() -> None:
        for price in (3100, 3000):  # what was taken of a price is whole again when it was away
            desk.quote((2900, 10), (price, 10))
        orders = desk.send_together(desk.ask("buy", 1, 3000), desk.ask("buy", 1, 3000))
        assert [order.status for order in orders] == ["filled", "filled"]

    return step


KINDS: Final[dict[str, Callable[[int], Callable[[], None]]]] = {
    "open": lambda number: trading(number, **OPENS),
    "close": lambda number: trading(number, **CLOSES),
    "paper": paper,
}


def instructions(step: Callable[[], None]) -> int:
    """How many of Python's own it takes: the same on any machine."""
    counted = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal counted
        frame.f_trace_opcodes = True
        counted += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        step()
    finally:
        sys.settrace(before)
    return counted


def processor_ms(step: Callable[[], None]) -> float:
    began = time.process_time()
    for _ in range(ROUNDS):
        step()
    return (time.process_time() - began) / ROUNDS * 1e3


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_takes_no_look_at_those_that_work(kind: str) -> None:
    steps = {number: KINDS[kind](number) for number in (0, 100, 1_000, 5_000)}
    took = {number: processor_ms(step) for number, step in steps.items()}
    print(kind, {number: f"{ms:.3f} ms" for number, ms in took.items()})
    assert instructions(steps[5_000]) <= instructions(steps[0]) * 1.1


def test_an_order_takes_hardly_a_look_at_those_that_are_decided_with_it() -> None:
    """An instance handles 256 requests at a time."""
    steps = {number: together(number) for number in (0, 7, 63, 255)}
    took = {number: processor_ms(step) for number, step in steps.items()}
    print("together", {number: f"{ms:.3f} ms" for number, ms in took.items()})
    assert instructions(steps[255]) <= instructions(steps[7]) * 2


def test_lots_of_many_prices_cost_nothing_where_orders_of_one_request_are_filled() -> None:
    steps = {number: filled(number) for number in (1, 100, 1_000)}
    took = {number: processor_ms(step) for number, step in steps.items()}
    print("filled", {number: f"{ms:.3f} ms" for number, ms in took.items()})
    assert instructions(steps[1_000]) <= instructions(steps[1]) * 1.1
