"""The paper venue is killed at random moments while orders flow against a live market: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final
from uuid import uuid4

from paper_stage import PaperHouse, connect, instruments, paper_house, ready
from venue_stage import DEADLINE_S, Heard, Statement

from aegis.contracts.amounts import exact, is_same_money
from aegis.contracts.market import Tick
from aegis.contracts.paper import SUBMIT, SubmitRequest
from aegis.contracts.venue import Cancel, InstrumentTerms, Submit, Submitted
from aegis.ticks import subscribe_ticks
from aegis.trading.adapters.paper import PaperVenue
from aegis_sdk import Client
from aegis_sdk.testing import nats_server_thread
from aegis_sdk.transport import Transport

SEED: Final = 20251201
KILLS: Final = 3
WORKING: Final = frozenset(("accepted", "partly_filled"))


class Flow:
    """Orders of one account, one after the other, with what each was answered."""

    def __init__(self, venue: PaperVenue, account: str, terms: list[InstrumentTerms], random: Random) -> None:
        self.answers: dict[str, tuple[Submit, Submitted]] = {}
        self.cancels: dict[str, Submitted] = {}
        self.answered = asyncio.Event()
        self._venue = venue
        self._account = account
        self._terms = terms
        self._random = random
        self._name = uuid4().hex[:8]

    async def run(self, last: dict[str, float], stop: asyncio.Event) -> None:
        while not stop.is_set():
            order = self._next(last)
            self.answers[order.client_order_id] = (order, await self._venue.submit(order))
            self.answered.set()
            if self._random.random() < 0.3:
                name = self._random.choice(list(self.answers))
                asked = Cancel(account=self._account, instrument=order.instrument, client_order_id=name)
                self.cancels[name] = await self._venue.cancel(asked)

    def _next(self, last: dict[str, float]) -> Submit:
        """Around the market, so that some trade at once, some wait and some are refused."""
        random = self._random
        terms = random.choice(self._terms)
        tick, middle = terms.price_tick, exact(last[terms.instrument])
        apart = terms.instrument.startswith("SHFE")
        return Submit(
            account=self._account,
            client_order_id=f"{self._name}-{len(self.answers)}",
            instrument=terms.instrument,
            side=random.choice(["buy", "sell"]),
            offset=random.choice(["open", "open", "close_today" if apart else "close"]),
            hedge="speculation",
            type=random.choice(["limit", "limit", "fak", "fok"]),
            price=middle - middle % tick + random.randint(-4, 4) * tick,
            volume=random.randint(1, 4),
        )


async def test_nothing_is_lost_or_doubled_when_the_venue_dies() -> None:
    """AEGIS_PAPER_KILLS makes it longer than it is in the suite."""
    random = Random(SEED)
    rounds = int(os.environ.get("AEGIS_PAPER_KILLS", KILLS))
    with (
        nats_server_thread() as access,
        paper_house(access, accounts=2, AEGIS_UNIVERSE="core", AEGIS_SEED="1", AEGIS_RATE="200") as house,
    ):
        transport = await connect(access)
        accounts = house.accounts
        products = (("SHFE", "rb"), ("DCE", "m"))
        named = [(await instruments(transport, *product))[1] for product in products]
        venue, heard = PaperVenue(transport, accounts), Heard()
        async with market(transport, named) as last:
            for account in accounts:
                await ready(transport, account)
            await venue.open(heard)
            terms = await known(venue, accounts[0], named)
            flows = [Flow(venue, account, terms, Random(random.random())) for account in accounts]
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for flow in flows:
                    group.create_task(flow.run(last, stop))
                for _ in range(rounds):
                    await some_orders(flows, random.randint(20, 60))
                    await asyncio.sleep(random.random() * 0.05)
                    await restarted(house, transport)
                await some_orders(flows, 20)
                stop.set()
            for account, flow in zip(accounts, flows, strict=True):
                await check(venue, heard, account, flow, terms, transport)
            assert [report.sequence for report in heard.reports] == list(range(1, len(heard.reports) + 1))
            assert {report.session for report in heard.reports} == {venue.session}
        await venue.close()
        await transport.close()


async def check(
    venue: PaperVenue, heard: Heard, account: str, flow: Flow, terms: list[InstrumentTerms], transport: Transport
) -> None:
    """The venue's record against what callers were answered, what was reported, and a count of the money."""
    for order in await venue.orders(account):
        if order.status in WORKING:  # so that nothing moves while it is looked at
            await venue.cancel(
                Cancel(account=account, instrument=order.instrument, client_order_id=order.client_order_id)
            )
    orders = {order.client_order_id: order for order in await venue.orders(account)}
    assert len(orders) == len(await venue.orders(account))
    for name, (_, answer) in flow.answers.items():
        found = orders.get(name)
        match answer.outcome:
            case "accepted":
                assert found is not None, name
                assert (found.venue_order_id, found.status == "rejected") == (answer.venue_order_id, False)
            case "refused":
                assert found is None or found.status == "rejected", name
            case "not_sent":
                assert found is None, name
            case _:
                pass
    assert orders.keys() <= flow.answers.keys()
    assert sum(answer.outcome == "accepted" for _, answer in flow.answers.values()) > 20
    for name, answer in flow.cancels.items():
        if answer.outcome == "accepted":
            assert orders[name].status in ("cancelled", "filled"), name

    trades = await venue.trades(account)
    assert trades, "somebody traded"
    assert len({trade.trade_id for trade in trades}) == len(trades)
    lots = Counter[str]()
    for trade in trades:
        lots[trade.client_order_id] += trade.volume
    assert {name: order.filled for name, order in orders.items() if order.filled} == dict(lots)

    def caught_up() -> bool:
        last = {name: heard.order(name) for name in orders}
        told = {one.trade_id for one in heard.trades() if one.account == account}
        return told == {trade.trade_id for trade in trades} and last == orders

    await heard.until(caught_up)

    statement = Statement({one.instrument: one for one in terms})
    for trade in trades:
        statement.book(trade)
    money = await venue.account(account)
    assert is_same_money(money.close_profit, statement.close_profit)
    assert is_same_money(money.commission, statement.commission)
    assert is_same_money(money.margin, statement.margin())
    assert (money.frozen_margin, money.frozen_commission) == (0, 0)
    settled = money.pre_balance + statement.close_profit - statement.commission
    assert is_same_money(money.balance, settled + money.position_profit)
    assert {(one.instrument, one.direction): one.today for one in await venue.positions(account)} == {
        key: len(held) for key, held in statement.lots.items()
    }
    first = SubmitRequest(orders=[next(iter(flow.answers.values()))[0]])
    again = await Client(transport).call_active(SUBMIT, account, first)
    assert len(await venue.orders(account)) == len(orders), again


async def some_orders(flows: list[Flow], more: int) -> None:
    """Return when so many more orders were taken."""

    def taken() -> int:
        return sum(answer.outcome == "accepted" for flow in flows for _, answer in flow.answers.values())

    until = taken() + more
    async with asyncio.timeout(DEADLINE_S):
        while taken() < until:
            waits = [asyncio.ensure_future(flow.answered.wait()) for flow in flows]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for flow, wait in zip(flows, waits, strict=True):
                wait.cancel()
                flow.answered.clear()


async def restarted(house: PaperHouse, transport: Transport) -> None:
    house.kill_venue()
    house.start_venue("main")
    for account in house.accounts:
        await ready(transport, account)


@asynccontextmanager
async def market(transport: Transport, named: list[str]) -> AsyncIterator[dict[str, float]]:
    """The last price of each instrument, once all have one."""
    last: dict[str, float] = {}
    complete = asyncio.Event()

    def show(tick: Tick) -> None:
        if tick.last_price is not None:
            last[str(tick.instrument_id)] = tick.last_price
        if last.keys() >= set(named):
            complete.set()

    async with subscribe_ticks(transport, *named, on_tick=show), asyncio.timeout(DEADLINE_S) as limit:
        await complete.wait()
        limit.reschedule(None)
        yield last


async def known(venue: PaperVenue, account: str, named: list[str]) -> list[InstrumentTerms]:
    """The terms of all, as soon as the venue knows them."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            terms = await venue.terms(account, named)
            if len(terms) == len(named):
                return list(terms)
            await asyncio.sleep(0.05)
