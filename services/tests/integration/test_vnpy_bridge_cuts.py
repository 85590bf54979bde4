"""What a strategy of vnpy sees when its connection, NATS or an instance of trading ends under its orders."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("vnpy", reason="vnpy comes with CTP, which needs a C++ compiler")

from desks import Desk, trading_desk_in, until
from line import Line, Way
from vnpy.trader.constant import Exchange, Status
from vnpy.trader.event import EVENT_TICK
from vnpy.trader.object import ContractData
from vnpy_terminal import GATEWAY, Terminal, above, below, lots, setting_of, terminal, until_bought

from aegis.contracts.orders import Order
from aegis.contracts.subscriptions import SUBSCRIPTIONS, UNSUBSCRIBE, SubscriptionsRequest, UnsubscribeRequest
from aegis.desk import Desk as Trades
from aegis.operations import processes
from aegis_sdk import Client, NatsTransport

AGAIN_S = 60.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with trading_desk_in(tmp_path_factory.mktemp("cuts")) as made:
        yield made


@pytest.fixture(scope="module")
def line(house: Desk) -> Iterator[Line]:
    nats = house.run.nats
    assert nats is not None
    with Line(int(nats.urls[0].rpartition(":")[2])) as made:
        yield made


@pytest.fixture(autouse=True)
def _whole_again(line: Line) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]  # by pytest
    yield
    line.heal()


@pytest.fixture(scope="module")
def vnpy(house: Desk, line: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with terminal(tmp_path_factory.mktemp("vnpy")) as made:
        connect(made, house, line)
        yield made


def connect(vnpy: Terminal, house: Desk, line: Line) -> None:
    since = len(vnpy.events)
    vnpy.engine.connect(setting_of(house, AEGIS_NATS_URL=f"nats://127.0.0.1:{line.port}"), GATEWAY)
    vnpy.until_logged("account paper (paper)", since)


@pytest.fixture(scope="module")
def rebar(vnpy: Terminal) -> ContractData:
    found = vnpy.contract(Exchange.SHFE, "rb")
    vnpy.subscribe(found)
    vnpy.tick(found)
    return found


def resting(vnpy: Terminal, contract: ContractData) -> str:
    name = vnpy.send(contract, 1, below(vnpy.tick(contract)))
    vnpy.until_status(name, Status.NOTTRADED)
    return name


def is_answered(vnpy: Terminal, name: str) -> bool:
    order = vnpy.engine.get_order(name)
    return order is not None and order.status is not Status.SUBMITTING


def told(house: Desk) -> dict[str, Order]:
    """The desk's orders, by the names that vnpy has for them."""

    async def ask(transport: NatsTransport) -> list[Order]:
        async with Trades.over(transport, "paper") as trades:
            return await trades.orders()

    return {f"{GATEWAY}.{one.client_order_id}": one for one in house.asked(ask)}


def wished(house: Desk) -> set[str]:
    async def ask(transport: NatsTransport) -> set[str]:
        asked = SubscriptionsRequest(consumer="vnpy-paper")
        return {one.instrument for one in (await Client(transport).call(SUBSCRIPTIONS, asked)).subscriptions}

    return house.asked(ask)


def forget_wishes(house: Desk) -> None:
    async def ask(transport: NatsTransport) -> None:
        await Client(transport).call(UNSUBSCRIBE, UnsubscribeRequest(consumer="vnpy-paper", everything=True))

    house.asked(ask)


def until_healed(vnpy: Terminal, contract: ContractData, since: int) -> None:
    """The account is told anew, and ticks go on."""
    vnpy.until_logged("the connection to NATS is back", since, AGAIN_S)
    behind = len(vnpy.events)
    vnpy.until_logged("account paper (paper)", since, AGAIN_S)
    vnpy.until(lambda: [one for one in vnpy.of(EVENT_TICK, behind) if one.vt_symbol == contract.vt_symbol], AGAIN_S)


def bought(vnpy: Terminal, name: str) -> float:
    found = vnpy.trades(name)
    assert len({one.vt_tradeid for one in found}) == len(found), "a trade is told once"
    return sum(one.volume for one in found)


def test_what_happens_behind_a_cut_is_told_once_when_it_is_over(
    house: Desk, line: Line, vnpy: Terminal, rebar: ContractData
) -> None:
    early = until_bought(vnpy, rebar, 2)
    vnpy.until(lambda: bought(vnpy, early) == 2)
    working, ended = resting(vnpy, rebar), resting(vnpy, rebar)
    vnpy.until(lambda: lots(vnpy, rebar) == 2)
    since, price = len(vnpy.events), above(vnpy.tick(rebar))
    line.cut()
    vnpy.until_logged("the connection to NATS is lost", since)
    never_sent = vnpy.send(rebar, 1, price)
    vnpy.until_status(never_sent, Status.REJECTED)
    done = house.aegis("order", "cancel", ended.partition(".")[2])
    assert done.returncode == 0, done.stderr
    done = house.aegis("order", "place", f"SHFE.{rebar.symbol}", "buy", "1", str(price), "--id", "by-hand")
    assert done.returncode == 0, done.stderr
    line.heal()
    until_healed(vnpy, rebar, since)
    vnpy.until_status(ended, Status.CANCELLED)
    vnpy.until_status(f"{GATEWAY}.by-hand", Status.ALLTRADED)
    vnpy.until(lambda: bought(vnpy, f"{GATEWAY}.by-hand") == 1)
    vnpy.until(lambda: lots(vnpy, rebar) == 3)
    assert bought(vnpy, early) == 2
    assert never_sent not in told(house)
    assert vnpy.engine.get_order(working).status is Status.NOTTRADED
    vnpy.cancel(working)
    vnpy.until_status(working, Status.CANCELLED)


def test_ticks_are_wished_for_again_when_the_connection_is_back(
    house: Desk, line: Line, vnpy: Terminal, rebar: ContractData
) -> None:
    since, name = len(vnpy.events), f"SHFE.{rebar.symbol}"
    until(lambda: name in wished(house))
    line.cut()
    vnpy.until_logged("the connection to NATS is lost", since)
    forget_wishes(house)
    until(lambda: name not in wished(house))
    line.heal()
    until(lambda: name in wished(house), AGAIN_S)
    until_healed(vnpy, rebar, since)


def test_an_order_whose_answer_is_lost_is_what_the_desk_says(
    house: Desk, line: Line, vnpy: Terminal, rebar: ContractData
) -> None:
    since, price = len(vnpy.events), above(vnpy.tick(rebar))
    line.lose("back")
    name = vnpy.send(rebar, 3, price)
    until(lambda: name in (there := told(house)) and there[name].status == "filled")
    vnpy.until_logged("nobody knows what became of it", since)
    assert vnpy.engine.get_order(name).status is Status.SUBMITTING
    line.heal()
    vnpy.until_status(name, Status.ALLTRADED, AGAIN_S)
    vnpy.until(lambda: bought(vnpy, name) == 3)
    assert vnpy.statuses(name) == [Status.SUBMITTING, Status.ALLTRADED]
    until_healed(vnpy, rebar, since)


def test_an_order_that_is_lost_itself_is_rejected_when_that_is_certain(
    house: Desk, line: Line, vnpy: Terminal, rebar: ContractData
) -> None:
    since, price = len(vnpy.events), above(vnpy.tick(rebar))
    line.lose("forth")
    name = vnpy.send(rebar, 1, price)
    vnpy.until_logged("nobody knows what became of it", since)
    line.heal()
    vnpy.until_status(name, Status.REJECTED, AGAIN_S)
    assert "it never came to the desk" in vnpy.until_logged("is in doubt no more", since)
    assert name not in told(house)
    until_healed(vnpy, rebar, since)


@pytest.mark.parametrize("killed", ["nats", "trading"])
def test_orders_on_their_way_come_to_their_true_end_when_a_process_is_killed(
    house: Desk, vnpy: Terminal, rebar: ContractData, killed: str
) -> None:
    early = until_bought(vnpy, rebar)
    price = below(vnpy.tick(rebar))
    names = [resting(vnpy, rebar)]
    process = house.id_of(house.trader() if killed == "trading" else killed)
    since = len(vnpy.events)
    names += [vnpy.send(rebar, 1, price) for _ in range(8)]
    processes.send(process, signal.SIGKILL)
    names += [vnpy.send(rebar, 1, price) for _ in range(8)]
    assert all(names)
    vnpy.until(lambda: all(is_answered(vnpy, one) for one in names), AGAIN_S)
    if killed == "nats":
        until_healed(vnpy, rebar, since)
    until(lambda: told(house))
    works = {name for name, order in told(house).items() if order.status == "accepted"}
    assert works & set(names) == {one for one in names if vnpy.engine.get_order(one).status is Status.NOTTRADED}
    assert names[0] in works
    assert bought(vnpy, early) == 1
    until_bought(vnpy, rebar)
    for one in works & set(names):
        vnpy.cancel(one)
    vnpy.until(lambda: not works & {one.vt_orderid for one in vnpy.engine.get_all_active_orders()}, AGAIN_S)


@pytest.mark.parametrize("ways", [(), ("back",), ("forth", "back")])
def test_a_gateway_is_closed_in_a_cut_and_tells_all_when_it_is_connected_again(
    house: Desk, line: Line, vnpy: Terminal, rebar: ContractData, ways: tuple[Way, ...]
) -> None:
    early = until_bought(vnpy, rebar)
    vnpy.until(lambda: bought(vnpy, early) == 1)
    since, price = len(vnpy.events), above(vnpy.tick(rebar))
    if ways:
        line.lose(*ways)
    else:
        line.cut()
        vnpy.until_logged("the connection to NATS is lost", since)
    name = vnpy.send(rebar, 1, price)
    vnpy.engine.get_gateway(GATEWAY).close()
    assert not [one for one in threading.enumerate() if one.name.startswith("bridge ")]
    assert not [one for one in vnpy.logs(since) if "does not end" in one or "mistake" in one]
    line.heal()
    connect(vnpy, house, line)
    vnpy.until(lambda: is_answered(vnpy, name), AGAIN_S)
    assert (vnpy.statuses(name)[-1] is Status.ALLTRADED) == (name in told(house))
    assert bought(vnpy, early) == 1
    until_bought(vnpy, rebar)
