"""What vnpy is told of an account, and that it is told neither twice nor backwards."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any, cast

import pytest

pytest.importorskip("vnpy", reason="vnpy comes with CTP, which needs a C++ compiler")

from vnpy.trader.constant import Direction, Exchange, Offset, OrderType, Status
from vnpy.trader.object import AccountData, LogData, OrderData, PositionData, TradeData
from vnpy_samples import REBAR, a_position, a_trade, an_account, an_order

from aegis.bridge.ordering import is_nothing_done
from aegis.bridge.session import Session
from aegis.bridge.settings import BridgeSettings
from aegis.bridge.telling import Teller
from aegis.contracts.orders import (
    AccountReported,
    Order,
    OrderReported,
    Position,
    PositionReported,
    Trade,
    TradeReported,
)
from aegis.contracts.trading import CancelRefused, OrderExpired, OrderRejected
from aegis.desk import Desk, Snapshot


@pytest.fixture
def teller() -> Teller:
    made = Teller("AEGIS")
    made.multipliers[REBAR] = 10
    made.state(snapshot())  # it always comes first
    return made


def snapshot(
    *orders: Order, trades: tuple[Trade, ...] = (), positions: tuple[Position, ...] = (), **account: Any
) -> Snapshot:
    return Snapshot(
        orders=list(orders), trades=list(trades), positions=list(positions), account=an_account(**account), sequence=1
    )


def order_event(order: Order) -> OrderReported:
    return OrderReported(account="a", sequence=2, order=order)


def trade_event(trade: Trade) -> TradeReported:
    return TradeReported(account="a", sequence=2, trade=trade)


def statuses(found: list[Any]) -> list[Status]:
    return [one.status for one in found if isinstance(one, OrderData)]


def test_the_state_comes_in_the_order_that_vnpy_counts_in(teller: Teller) -> None:
    found = teller.state(snapshot(an_order(), trades=(a_trade(),), positions=(a_position(),)))
    assert [type(one) for one in found] == [OrderData, TradeData, PositionData, AccountData]


def test_an_order_has_all_that_vnpy_s_has(teller: Teller) -> None:
    teller.sent("o1", "CtaStrategy_突破")
    (order,) = teller.changed(order_event(an_order(filled=1, status="partly_filled", type="fak", offset="close_today")))
    assert isinstance(order, OrderData)
    assert (order.vt_symbol, order.vt_orderid, order.reference) == ("rb2605.SHFE", "AEGIS.o1", "CtaStrategy_突破")
    assert (order.direction, order.offset, order.type) == (Direction.LONG, Offset.CLOSETODAY, OrderType.FAK)
    assert (order.price, order.volume, order.traded, order.status) == (3000.0, 3, 1, Status.PARTTRADED)
    assert order.datetime is not None
    assert order.datetime.isoformat() == "2025-11-28T10:00:00.123456+08:00"


def test_an_order_of_somebody_else_has_its_strategy_and_at_any_price_0(teller: Teller) -> None:
    (order,) = teller.changed(order_event(an_order("other", price=None, type="market")))
    assert isinstance(order, OrderData)
    assert (order.vt_orderid, order.reference, order.price) == ("AEGIS.other", "s", 0.0)


def test_an_order_never_goes_back(teller: Teller) -> None:
    for status, filled in (("accepted", 0), ("partly_filled", 1), ("filled", 3)):
        assert teller.changed(order_event(an_order(status=status, filled=filled)))
    assert teller.changed(order_event(an_order(status="partly_filled", filled=1))) == []
    assert teller.changed(order_event(an_order(status="accepted", filled=3))) == []
    assert statuses(teller.state(snapshot(an_order(status="accepted")))) == []


def test_an_order_that_was_called_not_sent_and_came_late_works(teller: Teller) -> None:
    assert teller.changed(order_event(an_order(status="not_sent", reason="never_arrived")))
    assert teller.changed(order_event(an_order(status="pending"))) == []
    late = teller.changed(order_event(an_order(status="accepted", reason="came_late")))
    assert statuses(late) == [Status.NOTTRADED]


@pytest.mark.parametrize("status", ["rejected", "not_sent"])
def test_a_refused_order_says_why_once(teller: Teller, status: Any) -> None:
    refused = an_order(status=status, reason="price_tick", text="价格非最小单位倍数")
    order, log = teller.changed(order_event(refused))
    assert isinstance(order, OrderData)
    assert isinstance(log, LogData)
    assert order.status is Status.REJECTED
    assert "o1" in log.msg
    assert "price_tick 价格非最小单位倍数" in log.msg
    assert [type(one) for one in teller.state(snapshot(refused))] == [AccountData]


def test_an_order_is_told_again_only_when_something_became_of_it(teller: Teller) -> None:
    """An algorithm that hears the end of an earlier order again would send its next one beside that which works."""
    filled, working = an_order(status="filled", filled=3), an_order("o2", status="partly_filled", filled=1)
    assert statuses(teller.state(snapshot(filled, working))) == [Status.ALLTRADED, Status.PARTTRADED]
    assert statuses(teller.state(snapshot(filled, working))) == []
    more = working.model_copy(update={"filled": 2})
    assert statuses(teller.state(snapshot(filled, more))) == [Status.PARTTRADED]


def test_a_refusal_that_the_desk_tells_too_is_one_end(teller: Teller) -> None:
    """Whichever comes first, the call's answer or the event."""
    teller.changed(order_event(an_order(status="not_sent")))
    assert teller.ended(of_vnpy("o1"), Status.REJECTED) == []
    assert statuses(teller.ended(of_vnpy("o2"), Status.REJECTED)) == [Status.REJECTED]
    assert statuses(teller.changed(order_event(an_order("o2", status="not_sent")))) == []
    teller.changed(order_event(an_order("o3", status="pending")))
    assert teller.ended(of_vnpy("o3"), Status.REJECTED) == [], "the desk tells its end"


def of_vnpy(name: str) -> OrderData:
    return OrderData("AEGIS", "rb2605", Exchange.SHFE, name, direction=Direction.LONG, volume=3)


def test_a_trade_is_told_once_though_the_desk_tells_it_again(teller: Teller) -> None:
    (trade,) = teller.changed(trade_event(a_trade(trade_id="  7 ")))
    assert isinstance(trade, TradeData)
    assert (trade.vt_orderid, trade.price, trade.volume) == ("AEGIS.o1", 3001.0, 1)
    again = teller.state(snapshot(trades=(a_trade(trade_id="  7 "), a_trade(trade_id="8"))))
    assert [one.tradeid[-2:] for one in again if isinstance(one, TradeData)] == [":8"]


def test_trades_whose_numbers_recur_are_told_apart(teller: Teller) -> None:
    told = [
        *teller.changed(trade_event(a_trade("1", "o1"))),
        *teller.changed(trade_event(a_trade("1", "o2"))),
        *teller.changed(trade_event(a_trade("1", "o1", trading_day="20251201"))),
    ]
    assert len({one.vt_tradeid for one in told if isinstance(one, TradeData)}) == 3


def test_positions_of_all_hedge_flags_are_one(teller: Teller) -> None:
    hedged = a_position(1, 0, hedge="hedge", position_cost=Decimal(31_000), frozen_today=1)
    (position, _) = teller.state(snapshot(positions=(a_position(2, 1), hedged)))
    assert isinstance(position, PositionData)
    assert (position.vt_symbol, position.direction) == ("rb2605.SHFE", Direction.LONG)
    assert (position.volume, position.yd_volume) == (4, 1)
    assert (position.frozen, position.pnl, position.price) == (1, 200.0, 3025.0)


def test_a_position_that_is_gone_is_told_with_no_lots(teller: Teller) -> None:
    teller.state(snapshot(positions=(a_position(),)))
    (position, _) = teller.state(snapshot())
    assert isinstance(position, PositionData)
    assert (position.volume, position.yd_volume, position.pnl, position.price) == (0, 0, 0.0, 0.0)
    assert [type(one) for one in teller.state(snapshot())] == [AccountData]


def test_a_query_refreshes_profits_and_leaves_lots_to_events(teller: Teller) -> None:
    teller.state(snapshot(positions=(a_position(2, 1),)))
    (position,) = teller.asked_positions([a_position(2, 1, position_profit=Decimal(500))])
    assert isinstance(position, PositionData)
    assert (position.volume, position.pnl) == (3, 500.0)
    (position,) = teller.asked_positions([a_position(5, 1, position_profit=Decimal(900))])
    assert isinstance(position, PositionData)
    assert (position.volume, position.pnl) == (3, 500.0)
    change = PositionReported(account="a", sequence=3, position=a_position(5, 1))
    (position,) = teller.changed(change)
    assert isinstance(position, PositionData)
    assert position.volume == 6


def test_money_is_the_desk_s(teller: Teller) -> None:
    (account,) = teller.changed(AccountReported(account="a", sequence=2, state=an_account()))
    assert isinstance(account, AccountData)
    assert (account.vt_accountid, account.balance, account.frozen) == ("AEGIS.a", 999_999.0, 3000.5)
    assert account.available == 987_998.5  # margin of positions is taken off, too


def test_a_new_day_forgets_what_was_done(teller: Teller) -> None:
    teller.state(snapshot(an_order(status="filled", filled=3), an_order("o2"), trades=(a_trade(),)))
    teller.changed(AccountReported(account="a", sequence=2, state=an_account(trading_day="20251201")))
    assert teller.trading_day == "20251201"
    teller.changed(AccountReported(account="a", sequence=3, state=an_account(trading_day="20251202")))
    assert not teller.knows("o1")
    assert teller.knows("o2")


def test_a_state_of_orders_and_trades_before_and_money_behind_the_day_s_roll_repeats_nothing(teller: Teller) -> None:
    done = an_order(status="filled", filled=1)
    teller.state(snapshot(done, trades=(a_trade(),)))
    found = teller.state(snapshot(done, trades=(a_trade(), a_trade("2")), trading_day="20251201"))
    assert [one.tradeid[-2:] for one in found if isinstance(one, TradeData)] == [":2"]
    assert statuses(found) == []


def test_an_order_whose_day_ended_while_nothing_was_heard_ends(teller: Teller) -> None:
    """Its end was told to nobody: the new day's state has no orders of the old one."""
    teller.changed(order_event(an_order(status="partly_filled", filled=1)))
    order, log, _ = teller.state(snapshot(trading_day="20251201"))
    assert isinstance(order, OrderData)
    assert isinstance(log, LogData)
    assert (order.status, order.traded) == (Status.CANCELLED, 1)
    assert "the venue's statement" in log.msg
    assert [type(one) for one in teller.state(snapshot(trading_day="20251201"))] == [AccountData], "told once"


def test_an_order_that_a_state_still_has_is_ended_by_its_event(teller: Teller) -> None:
    """The day may roll while the state is asked for."""
    working = an_order()
    assert statuses(teller.state(snapshot(working, trading_day="20251201"))) == [Status.NOTTRADED]
    assert statuses(teller.changed(order_event(an_order(status="expired")))) == [Status.CANCELLED]


def test_what_is_of_no_exchange_of_vnpy_is_left_out(teller: Teller) -> None:
    assert teller.changed(order_event(an_order(instrument="XXX.m2605"))) == []
    assert teller.changed(trade_event(a_trade(instrument="XXX.m2605"))) == []
    position = PositionReported(account="a", sequence=3, position=a_position(instrument="XXX.m2605"))
    assert teller.changed(position) == []


def test_an_order_whose_day_ended_unheard_is_not_called_refused() -> None:
    assert is_nothing_done(OrderRejected("halted"))
    assert not is_nothing_done(OrderExpired("its day has ended"))


async def test_a_cancel_that_came_to_nothing_is_in_the_log_with_its_reason() -> None:
    heard: list[Any] = []

    class Failing:
        async def cancel(self, _: str) -> None:
            raise CancelRefused("the venue refuses to cancel one: order_is_done")

    settings = BridgeSettings.model_construct(account="a")
    session = Session("AEGIS", settings, Teller("AEGIS"), heard.append, lambda: None)
    session._desk = cast(Desk, Failing())  # pyright: ignore[reportPrivateUsage]
    session.cancel("one")
    async with asyncio.timeout(5):
        while not heard:  # noqa: ASYNC110 - a test's own poll of pure state
            await asyncio.sleep(0)
    assert [one.msg for one in heard] == ["the cancel of one failed: the venue refuses to cancel one: order_is_done"]
