"""vnpy's own MainEngine on a desk as `aegis up` starts it."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vnpy", reason="vnpy comes with CTP, which needs a C++ compiler")

from desks import Desk, trading_desk_in, until
from vnpy.event import Event
from vnpy.trader.constant import Direction, Exchange, Offset, OrderType, Status
from vnpy.trader.event import EVENT_ACCOUNT, EVENT_CONTRACT, EVENT_ORDER, EVENT_POSITION, EVENT_TICK, EVENT_TRADE
from vnpy.trader.object import (
    AccountData,
    ContractData,
    OrderRequest,
    SubscribeRequest,
    TickData,
    TradeData,
)
from vnpy_terminal import GATEWAY, Terminal, above, below, lots, setting_of, terminal, until_bought

from aegis.bridge import pacing
from aegis.operations import processes


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with trading_desk_in(tmp_path_factory.mktemp("bridge")) as made:
        yield made


@pytest.fixture(scope="module")
def vnpy(house: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Connected to the desk's paper account; the contract is subscribed before anything is there."""
    with terminal(tmp_path_factory.mktemp("vnpy")) as made:
        made.engine.connect(setting_of(house), GATEWAY)
        made.until_logged("account paper (paper)")
        yield made


@pytest.fixture(scope="module")
def rebar(vnpy: Terminal) -> ContractData:
    """A contract whose ticks come."""
    found = vnpy.contract(Exchange.SHFE, "rb")
    vnpy.subscribe(found)
    vnpy.tick(found)
    return found


def has_margin(account: AccountData) -> bool:
    """It is taken off what is available, and is not in what is frozen."""
    return 0 < account.available < account.balance - account.frozen


def test_contracts_come_before_the_account_and_both_before_the_first_tick(vnpy: Terminal, rebar: ContractData) -> None:
    kinds = [kind for kind, _ in vnpy.events]
    assert kinds.index(EVENT_CONTRACT) < kinds.index(EVENT_ACCOUNT)
    assert EVENT_CONTRACT not in kinds[kinds.index(EVENT_TICK) :]
    assert len(vnpy.engine.get_all_contracts()) > 100
    assert vnpy.engine.get_all_exchanges() == [Exchange(one) for one in ("SHFE", "INE", "DCE", "CZCE", "CFFEX", "GFEX")]
    tick = vnpy.tick(rebar)
    assert (tick.name, str(tick.datetime.tzinfo)) == (rebar.name, "Asia/Shanghai")
    assert 0 < tick.limit_down < tick.bid_price_1 < tick.ask_price_1 < tick.limit_up
    assert tick.localtime is not None


def test_an_order_is_submitting_then_filled_with_its_trade_position_and_money(
    vnpy: Terminal, rebar: ContractData
) -> None:
    had = lots(vnpy, rebar)
    name = vnpy.send(rebar, 2, above(vnpy.tick(rebar)), reference="MyStrategy")
    filled = vnpy.until_status(name, Status.ALLTRADED)
    assert vnpy.statuses(name)[0] is Status.SUBMITTING
    assert (filled.traded, filled.reference, filled.offset) == (2, "MyStrategy", Offset.OPEN)
    vnpy.until(lambda: sum(one.volume for one in vnpy.trades(name)) == 2)
    assert {one.direction for one in vnpy.trades(name)} == {Direction.LONG}
    vnpy.until(lambda: lots(vnpy, rebar) == had + 2)
    position = vnpy.engine.get_position(f"{GATEWAY}.{rebar.vt_symbol}.{Direction.LONG.value}")
    assert abs(position.price / vnpy.tick(rebar).last_price - 1) < 0.05
    vnpy.until(lambda: has_margin(vnpy.engine.get_account(f"{GATEWAY}.paper")))


def test_today_s_lots_are_closed_by_the_offset_that_vnpy_s_converter_finds(vnpy: Terminal, rebar: ContractData) -> None:
    had = lots(vnpy, rebar) + 1
    until_bought(vnpy, rebar)
    vnpy.until(lambda: lots(vnpy, rebar) == had)
    price = int(vnpy.tick(rebar).last_price * 0.99)
    asked = OrderRequest(rebar.symbol, rebar.exchange, Direction.SHORT, OrderType.LIMIT, 1, price, Offset.CLOSE)
    (converted,) = vnpy.engine.convert_order_request(asked, GATEWAY, False)
    assert converted.offset is Offset.CLOSETODAY
    name = vnpy.engine.send_order(converted, GATEWAY)
    vnpy.until_status(name, Status.ALLTRADED)
    vnpy.until(lambda: lots(vnpy, rebar) == had - 1)


def test_a_resting_order_is_cancelled_also_when_that_follows_at_once(vnpy: Terminal, rebar: ContractData) -> None:
    resting = vnpy.send(rebar, 1, below(vnpy.tick(rebar)))
    vnpy.until_status(resting, Status.NOTTRADED)
    vnpy.cancel(resting)
    vnpy.until_status(resting, Status.CANCELLED)
    assert vnpy.statuses(resting) == [Status.SUBMITTING, Status.NOTTRADED, Status.CANCELLED]
    gateway = vnpy.engine.get_gateway(GATEWAY)
    at_once = vnpy.send(rebar, 1, below(vnpy.tick(rebar)))
    _, _, orderid = at_once.partition(".")
    gateway.cancel_order(vnpy_cancel(rebar, orderid))
    vnpy.until_status(at_once, Status.CANCELLED)


def vnpy_cancel(contract: ContractData, orderid: str) -> Any:
    from vnpy.trader.object import CancelRequest

    return CancelRequest(orderid=orderid, symbol=contract.symbol, exchange=contract.exchange)


def test_a_refused_order_is_rejected_and_the_log_says_why(vnpy: Terminal, rebar: ContractData) -> None:
    name = vnpy.send(rebar, 101, below(vnpy.tick(rebar)))
    vnpy.until_status(name, Status.REJECTED)
    assert "too_many_lots" in vnpy.until_logged(name.partition(".")[2])
    assert vnpy.send(rebar, 1, 3000, type=OrderType.STOP) == ""
    vnpy.until_logged("order type STOP is not possible")
    assert vnpy.send(rebar, 1, 3000, direction=Direction.NET) == ""
    vnpy.cancel(name)  # it is of no use, and does no harm
    vnpy.until_logged(f"the cancel of {name.partition('.')[2]} failed")
    vnpy.subscribe(ContractData(GATEWAY, "600000", Exchange.SSE, "", rebar.product, 1, 1))
    vnpy.until_logged("SSE is no exchange of Aegis")
    vnpy.subscribe(ContractData(GATEWAY, "rb9901", Exchange.SHFE, "", rebar.product, 1, 1))
    vnpy.until_logged("no ticks of SHFE.rb9901")


def test_an_order_of_somebody_else_appears_and_can_be_cancelled(
    house: Desk, vnpy: Terminal, rebar: ContractData
) -> None:
    price = str(int(below(vnpy.tick(rebar))))
    done = house.aegis("order", "place", f"SHFE.{rebar.symbol}", "buy", "1", price, "--id", "by-hand")
    assert done.returncode == 0, done.stderr
    order = vnpy.until_status(f"{GATEWAY}.by-hand", Status.NOTTRADED)
    assert order.price == float(price)
    vnpy.cancel(order.vt_orderid)
    vnpy.until_status(order.vt_orderid, Status.CANCELLED)


class Breakout:
    """A strategy as people write them: it knows MainEngine and nothing of Aegis."""

    def __init__(self, engine: Any, contract: ContractData) -> None:
        self.engine, self.contract = engine, contract
        self.name = ""
        self.position = 0.0
        engine.event_engine.register(EVENT_TICK + contract.vt_symbol, self.on_tick)
        engine.event_engine.register(EVENT_TRADE + contract.vt_symbol, self.on_trade)
        engine.subscribe(SubscribeRequest(contract.symbol, contract.exchange), GATEWAY)

    def on_tick(self, event: Event) -> None:
        tick: TickData = event.data
        if not self.name:
            request = OrderRequest(
                symbol=self.contract.symbol,
                exchange=self.contract.exchange,
                direction=Direction.LONG,
                type=OrderType.FAK,
                volume=1,
                price=tick.ask_price_1 + 5 * self.contract.pricetick,
                offset=Offset.OPEN,
                reference="Breakout",
            )
            self.name = self.engine.send_order(request, GATEWAY)

    def on_trade(self, event: Event) -> None:
        trade: TradeData = event.data
        if trade.vt_orderid == self.name:
            self.position += trade.volume


def test_a_strategy_of_vnpy_runs_as_it_is(vnpy: Terminal) -> None:
    strategy = Breakout(vnpy.engine, vnpy.contract(Exchange.DCE, "m"))
    vnpy.until(lambda: strategy.position == 1)
    vnpy.until(lambda: lots(vnpy, strategy.contract) == 1)


def test_an_order_at_the_day_s_limit_means_any_price_as_a_stop_order_that_is_triggered(
    vnpy: Terminal, rebar: ContractData
) -> None:
    """So vnpy's CtaEngine sends it, far beyond the collar. A price short of the limit is refused there as ever."""
    tick = vnpy.tick(rebar)
    had = lots(vnpy, rebar)
    bought = vnpy.until_status(vnpy.send(rebar, 1, tick.limit_up), Status.ALLTRADED)
    assert tick.last_price < bought.price < tick.limit_up - rebar.pricetick
    vnpy.until(lambda: lots(vnpy, rebar) == had + 1)
    closing = {"direction": Direction.SHORT, "offset": Offset.CLOSETODAY}
    sold = vnpy.until_status(vnpy.send(rebar, 1, tick.limit_down, **closing), Status.ALLTRADED)
    assert tick.limit_down + rebar.pricetick < sold.price < tick.last_price
    slip = vnpy.send(rebar, 1, tick.limit_up - rebar.pricetick)
    vnpy.until_status(slip, Status.REJECTED)
    assert "collar" in vnpy.until_logged(f"order {slip.partition('.')[2]} of")


def test_queries_tell_the_account_and_its_positions(vnpy: Terminal, rebar: ContractData) -> None:
    gateway = vnpy.engine.get_gateway(GATEWAY)
    until_bought(vnpy, rebar)
    since = len(vnpy.events)
    gateway.query_account()
    gateway.query_position()
    vnpy.until(lambda: vnpy.of(EVENT_ACCOUNT, since) and vnpy.of(EVENT_POSITION, since))
    assert gateway.query_history(None) == []


def test_a_late_event_engine_gets_the_latest_ticks_and_no_endless_queue(
    vnpy: Terminal, rebar: ContractData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole market, and a window of as many ticks as there are between two marks, so that it is soon full."""
    monkeypatch.setattr(pacing, "WINDOW", 100)
    vnpy.subscribe(*vnpy.engine.get_all_contracts())
    vnpy.until(lambda: len(vnpy.engine.get_all_ticks()) > 2 * 100)  # of some the first tick may be far
    entered, resume = threading.Event(), threading.Event()

    def block(event: Event) -> None:
        entered.set()
        resume.wait(60)

    engine = vnpy.engine.event_engine
    pacer = vnpy.engine.get_gateway(GATEWAY)._bridge._session._pacer
    engine.register(EVENT_TICK + rebar.vt_symbol, block)
    entered.wait(30)
    conflated = pacer.conflated
    until(lambda: pacer.conflated > conflated + 100, 60)
    assert engine._queue.qsize() < 2 * 100 + 50  # two events for each tick; profits, marks and the timer beside them
    engine.unregister(EVENT_TICK + rebar.vt_symbol, block)
    since = len(vnpy.events)
    resume.set()
    vnpy.until_logged("ticks left out for later ones of their contract", since)
    vnpy.until(lambda: pacer.waiting == 0)  # the market goes on: a few may wait again, and are soon gone


def test_an_order_in_doubt_ends_when_it_is_certain_and_all_goes_on_with_another_instance(
    house: Desk, vnpy: Terminal, rebar: ContractData
) -> None:
    """Both instances hang while an order is on its way; then the one that holds the account is killed."""
    old = house.trader()
    other = next(one for one in ("trading-1", "trading-2") if one != old)
    held, standby = house.id_of(old), house.id_of(other)
    price = below(vnpy.tick(rebar))
    for each in (standby, held):
        processes.send(each, signal.SIGSTOP)
    since = len(vnpy.events)
    name = vnpy.send(rebar, 1, price)
    orderid = name.partition(".")[2]
    vnpy.until_logged(f"order {orderid} of {rebar.vt_symbol}: nobody knows what became of it", since)
    processes.send(held, signal.SIGKILL)
    processes.send(standby, signal.SIGCONT)
    house.trader(but=old)
    until_bought(vnpy, rebar)
    there = json.loads(house.aegis("order", "list", "--json").stdout)
    assert orderid not in {one["client_order_id"] for one in there}, "it was sent again"
    vnpy.until_status(name, Status.REJECTED)
    assert "it never came to the desk" in vnpy.until_logged(f"order {orderid} of {rebar.vt_symbol} is in doubt", since)
    assert vnpy.statuses(name) == [Status.SUBMITTING, Status.REJECTED]


def test_when_nats_comes_back_the_log_and_the_state_say_so(house: Desk, vnpy: Terminal, rebar: ContractData) -> None:
    resting = vnpy.send(rebar, 1, below(vnpy.tick(rebar)))
    vnpy.until_status(resting, Status.NOTTRADED)
    bought = until_bought(vnpy, rebar)
    vnpy.until(lambda: vnpy.trades(bought))
    nats = house.id_of("nats")
    since = len(vnpy.events)
    processes.send(nats, signal.SIGKILL)
    vnpy.until_logged("the connection to NATS is lost", since)
    vnpy.until_logged("the connection to NATS is back", since)
    vnpy.until_logged("account paper (paper)", since, 40)
    assert not {resting, bought} & {one.vt_orderid for one in vnpy.of(EVENT_ORDER, since)}, "nothing became of them"
    assert vnpy.of(EVENT_POSITION, since)
    assert not [one for one in vnpy.of(EVENT_TRADE, since) if one.vt_orderid == bought], "a trade is told once"
    behind = len(vnpy.events)
    vnpy.until(lambda: [one for one in vnpy.of(EVENT_TICK, behind) if one.vt_symbol == rebar.vt_symbol], 40)
    vnpy.until(lambda: vnpy.cancel(resting) or vnpy.statuses(resting)[-1] is Status.CANCELLED, 40)
    until_bought(vnpy, rebar)


def test_a_gateway_that_is_connected_stays_so_and_its_secret_is_nowhere(house: Desk, vnpy: Terminal) -> None:
    since = len(vnpy.events)
    vnpy.engine.connect(setting_of(house), GATEWAY)
    vnpy.until_logged("connected already", since)
    vnpy.engine.connect({"AEGIS_ACCOUNT": "a.b"}, GATEWAY)
    vnpy.until_logged("AEGIS_ACCOUNT", since)
    nats = house.run.nats
    assert nats is not None
    password = Path(nats.password_file).read_text().strip()
    assert password
    assert password not in repr(vnpy.events)
    assert password not in repr(vnpy.engine.get_default_setting(GATEWAY))


def test_close_leaves_no_thread_and_refuses_what_comes_later(house: Desk, vnpy: Terminal, rebar: ContractData) -> None:
    gateway = vnpy.engine.get_gateway(GATEWAY)
    (thread,) = [one for one in threading.enumerate() if one.name == f"bridge {GATEWAY}"]
    gateway.close()
    assert not thread.is_alive()
    assert vnpy.send(rebar, 1, 3000) == ""
    vnpy.until_logged("not sent: the account is not known yet: not connected")
    gateway.close()  # again
    since = len(vnpy.events)
    vnpy.engine.connect(setting_of(house), GATEWAY)  # and a new life: what was subscribed still is
    vnpy.until(lambda: [one for one in vnpy.of(EVENT_TICK, since) if one.vt_symbol == rebar.vt_symbol])
    vnpy.until(lambda: vnpy.of(EVENT_POSITION, since))
    assert not vnpy.of(EVENT_TRADE, since), "a trade is told once, whatever the connection"
    gateway.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("bridge ")]
