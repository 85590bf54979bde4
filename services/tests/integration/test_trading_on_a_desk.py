"""A desk as `aegis up` starts it: the paper venue, two trading instances, commands, and the Python client."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from desk_calls import all_was_told
from desks import Desk as Processes
from desks import trading_desk_in, until

from aegis.accounting.book import trade_key
from aegis.contracts.marketdata import INSTRUMENTS, InstrumentsRequest
from aegis.contracts.orders import Order, OrderReported, TradeReported
from aegis.contracts.paper import ORDERS, Page
from aegis.contracts.trading import OrderRejected, ReconcileReply, VenueUnavailable
from aegis.desk import Desk, Snapshot
from aegis.operations import processes
from aegis_sdk import Client, NatsTransport
from aegis_sdk.errors import NotExecuted, OutcomeUnknown

ACCOUNT = "paper"
SETTLED_S = 30
SOME = 5


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with trading_desk_in(tmp_path_factory.mktemp("trading")) as made:
        yield made


@asynccontextmanager
async def desk_of(house: Processes) -> AsyncIterator[tuple[Desk, NatsTransport]]:
    nats = house.run.nats
    assert nats is not None
    password = Path(nats.password_file).read_text()  # noqa: ASYNC240
    transport = await NatsTransport.connect(nats.urls, user=nats.user, password=password)
    try:
        async with Desk.over(transport, ACCOUNT) as desk:
            yield desk, transport
    finally:
        await transport.close()


async def until_compared(desk: Desk) -> ReconcileReply:
    """The comparison, once the venue is back and the account stands still."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await desk.reconcile()
            except (VenueUnavailable, NotExecuted, OutcomeUnknown):
                await asyncio.sleep(0.1)


async def market(transport: NatsTransport, desk: Desk) -> tuple[str, int, int]:
    """An instrument that ticks, and prices below and above all that happens to it today."""
    asked = InstrumentsRequest(exchange="SHFE", product="rb", kind="future")
    found = (await Client(transport).call(INSTRUMENTS, asked)).instruments[1].instrument
    async with desk.ticks(found) as ticks:
        async for tick in ticks:
            assert tick.last_price
            return found, int(tick.last_price * 0.985), int(tick.last_price * 1.01)
    raise AssertionError


async def test_an_order_s_way_by_commands_alone(house: Processes) -> None:
    async with desk_of(house) as (desk, transport):
        instrument, low, high = await market(transport, desk)

    def said(*arguments: str, code: int = 0) -> Any:
        done = house.aegis(*arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr

    (resting,) = said("order", "place", instrument, "buy", "1", str(low), "--id", "c1", "--hedge", "arbitrage")
    assert (resting["client_order_id"], resting["status"], resting["env"]) == ("c1", "accepted", "paper")
    assert resting["hedge"] == "arbitrage"
    assert "too_many_lots" in said("order", "place", instrument, "buy", "101", str(low), code=1)
    said("order", "place", instrument, "buy", "2", str(high), "--id", "c2")
    until(lambda: said("positions", instrument))
    (position,) = said("positions", instrument)
    assert (position["direction"], position["today"]) == ("long", 2)
    said("order", "cancel", "c1")
    until(lambda: {one["client_order_id"]: one["status"] for one in said("order", "list")}["c1"] == "cancelled")
    for name in ("c3", "c4"):
        said("order", "place", instrument, "buy", "1", str(low), "--id", name)
    asked = said("order", "cancel-all")
    assert (sorted(asked["asked"]), asked["failed"]) == (["c3", "c4"], {})
    until(lambda: said("order", "list", "--working") == [])
    assert said("order", "cancel-all") == {"asked": [], "failed": {}}
    assert said("account")["mode"] == "normal"
    assert said("trading", "kill", "--reason", "test")["failed"] == []
    assert said("trading", "take-books", "--confirm", ACCOUNT)["verdict"] == "agreed"
    assert said("trading", "mode", "normal")["mode"] == "normal"
    assert said("trading", "flatten", "--confirm", ACCOUNT)["refused"] == {}
    until(lambda: [one["today"] for one in said("positions", instrument)] == [0])
    money = said("account")
    assert money["margin"] == "0"
    async with desk_of(house) as (desk, transport):
        assert (await desk.reconcile()).differences == []


async def test_every_answer_is_true_while_instances_are_killed_and_stopped_and_the_venue_too(
    house: Processes,
) -> None:
    answers: dict[str, list[Order] | str] = {}
    async with desk_of(house) as (desk, transport):
        instrument, low, high = await market(transport, desk)
        stop = asyncio.Event()
        lasts: dict[str, Order] = {}
        traded: set[str] = set()
        sequences: list[int] = []

        async def trade(number: int) -> None:
            count = 0
            while not stop.is_set():
                count += 1
                name, price = f"k{number}-{count}", high if count % 2 else low
                async with asyncio.timeout(SETTLED_S):
                    while name not in answers:  # an outcome that is unknown now is known once the venue is there again
                        try:
                            answers[name] = await desk.place(instrument, "buy", 1, price=price, client_order_id=name)
                        except OutcomeUnknown:
                            await asyncio.sleep(0.1)
                        except (NotExecuted, VenueUnavailable):
                            answers[name] = "not executed"
                        except OrderRejected as error:
                            answers[name] = str(error)
                await asyncio.sleep(0.1)

        async def listen() -> None:
            async with desk.follow() as changes:
                async for change in changes:
                    sequences.append(change.sequence)
                    if isinstance(change, Snapshot):
                        lasts.update({one.client_order_id: one for one in change.orders})
                        traded.update(trade_key(one) for one in change.trades)
                    elif isinstance(change, TradeReported):
                        traded.add(trade_key(change.trade))
                    elif isinstance(change, OrderReported):
                        lasts[change.order.client_order_id] = change.order

        def placed() -> int:
            return sum(isinstance(one, list) for one in answers.values())

        async def some_more() -> None:
            """Return when more orders were placed."""
            wanted = placed() + SOME
            async with asyncio.timeout(SETTLED_S):
                while placed() < wanted:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

        listening = asyncio.create_task(listen())
        traders = [asyncio.create_task(trade(number)) for number in range(3)]
        for how in (signal.SIGKILL, signal.SIGSTOP):
            await some_more()
            old = await asyncio.to_thread(house.trader)
            process = house.id_of(old)
            processes.send(process, how)
            await asyncio.to_thread(house.trader, old)
            if how == signal.SIGSTOP:
                processes.send(process, signal.SIGCONT)  # it finds that it is deposed
            else:
                await asyncio.to_thread(house.until_running_anew, old, process)
        venue = house.id_of("paper-1")
        processes.send(venue, signal.SIGKILL)
        await asyncio.to_thread(house.until_running_anew, "paper-1", venue)
        await some_more()
        stop.set()
        await asyncio.gather(*traders)
        reply = await until_compared(desk)
        assert (reply.verdict, reply.differences) == ("agreed", [])
        there = (await Client(transport).call_active(ORDERS, ACCOUNT, Page(account=ACCOUNT, after=0))).value.orders
        at_venue = {one.client_order_id: one for one in there}
        assert len(there) == len(at_venue)
        ours = {one.client_order_id: one for one in await desk.orders()}
        trades = {trade_key(one) for one in await desk.trades()}
        async with asyncio.timeout(30):
            while lasts.keys() < ours.keys() or not trades <= traded:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        listening.cancel()
        await all_was_told(transport, desk)
    for name, answer in answers.items():
        if isinstance(answer, list):
            assert (name in at_venue) == (answer[0].status != "not_sent"), name
        else:
            assert name not in at_venue, (name, answer)
    assert set(at_venue) <= set(ours)
    assert sequences == sorted(set(sequences))
    assert trades
