"""The paper venue beyond what all venues do: lost reports, a standby, other people's ticks, and the end of a day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from decimal import Decimal

import pytest
from paper_stage import DAY, PaperHouse, PaperStage, paper_house, paper_stage, ready, tick
from venue_stage import DEADLINE_S, Trader

from aegis.contracts.amounts import is_same_money
from aegis.contracts.orders import InstrumentName
from aegis.contracts.paper import SUBMIT, SubmitRequest
from aegis.contracts.venue import Cancel
from aegis.trading.adapters.paper import venue
from aegis.trading.adapters.paper.reports import Reports
from aegis_sdk import Client
from aegis_sdk.errors import InvalidRequest
from aegis_sdk.ledger.records import Result, decode_entry
from aegis_sdk.messages import Message, StoredMessage
from aegis_sdk.testing import nats_server_thread

NEXT_DAY = "20251202"


@pytest.fixture(scope="module")
def house() -> Generator[PaperHouse]:
    with nats_server_thread() as access, paper_house(access, accounts=10) as opened:
        yield opened


async def test_reports_that_were_lost_on_the_way_are_asked_for(
    house: PaperHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with paper_stage(house) as stage:
        trader = Trader(stage)
        await stage.quote(stage.rebar, (2999, 10), (3001, 10))
        first, _ = await trader.send("buy", 1, 2990)
        await stage.heard.until_order(first, "accepted")
        with monkeypatch.context() as patch:
            lose_orders(patch)
            lost, _ = await trader.send("buy", 1, 3001)
            await stage.heard.until_order(lost, "filled", 1)  # the beat tells that there was more
        numbers = [report.sequence for report in stage.heard.reports]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len({report.session for report in stage.heard.reports}) == 1
        assert len([report for report in stage.heard.reports if report.trade is not None]) == 1


def lose_orders(patch: pytest.MonkeyPatch) -> None:
    """All reports but the beats are lost between the venue and whoever listens."""
    hear = Reports._on_message

    def on_message(self: Reports, account: str, message: Message) -> None:
        if b'"order":{' not in message.payload and b'"trade":{' not in message.payload:
            hear(self, account, message)

    patch.setattr(Reports, "_on_message", on_message)


async def test_where_reports_are_gone_for_good_a_new_session_begins(house: PaperHouse) -> None:
    """As after the restoration of an older ledger: the venue's numbers are below those that were heard."""
    async with paper_stage(house) as stage:
        before = stage.venue.session
        stage.venue._reports._seen[stage.account] = 10_000
        stage.venue._reports._fell_behind(stage.account)
        await stage.heard.until(lambda: stage.heard.reports[-1].session != before)
        report = stage.heard.reports[-1]
        assert (report.session, report.sequence, report.state) == (stage.venue.session, 1, "ready")


async def test_orders_that_come_together_are_each_taken_once_and_share_the_writes(house: PaperHouse) -> None:
    async with paper_stage(house) as stage:
        trader = Trader(stage)
        await stage.quote(stage.rebar, (2999, 10), (3001, 10))
        await trader.send("buy", 1, 2990)
        asks = [trader.order("buy", 1, 3001 if number % 4 == 0 else 2990) for number in range(16)]
        answers = await asyncio.gather(*(stage.venue.submit(ask) for ask in (*asks, *asks[:4])))
        assert {answer.outcome for answer in answers} == {"accepted"}
        numbers = [answer.venue_order_id for answer in answers]
        assert numbers[16:] == numbers[:4]
        known = {order.client_order_id: order.venue_order_id for order in await stage.venue.orders(stage.account)}
        assert [known[ask.client_order_id] for ask in asks] == numbers[:16]
        assert len(set(known.values())) == len(known) == 17
        assert len(await stage.venue.trades(stage.account)) == 4
        journal = f"ledger.0.paper.{stage.account}.journal"
        async with stage._transport.read("LEDGER_0", journal) as messages:
            entries = [decode_entry(one.payload) async for one in stored_so_far(messages)]
        taken = [
            bytes(record.data).count(b'"entered"')
            for entry in entries
            for record in entry.records
            if isinstance(record, Result)
        ]
        assert max(taken) == 16


async def stored_so_far(messages: AsyncIterator[StoredMessage | None]) -> AsyncIterator[StoredMessage]:
    """Those that were stored when the reading began."""
    async for message in messages:
        if message is None:
            return
        yield message


async def test_an_order_that_was_cancelled_before_it_came_never_trades(house: PaperHouse) -> None:
    """So whoever is in doubt about an order on its way cancels it, and knows."""
    async with paper_stage(house) as stage:
        late = Trader(stage).order("buy", 1, 3001)
        cancel = Cancel(account=stage.account, instrument=stage.rebar, client_order_id=late.client_order_id)
        assert (await stage.venue.cancel(cancel)).reason == "unknown_order"
        answer = await stage.venue.submit(late)
        assert (answer.outcome, answer.reason) == ("refused", "void_name")
        assert await stage.venue.orders(stage.account) == []


async def test_an_account_is_asked_for_under_its_own_key_only(house: PaperHouse) -> None:
    async with paper_stage(house) as stage:
        order = Trader(stage).order("buy", 1, 3001).model_copy(update={"account": "P7"})
        with pytest.raises(InvalidRequest):
            await Client(stage._transport).call_active(SUBMIT, stage.account, SubmitRequest(orders=[order]))


async def test_a_second_process_stands_by_and_goes_on_where_the_first_one_died(house: PaperHouse) -> None:
    async with paper_stage(house) as stage:
        trader = Trader(stage)
        await stage.quote(stage.rebar, (2999, 10), (3001, 10))
        name, _ = await trader.send("buy", 2, 2998)
        first = house.venue
        house.start_venue()
        house.venue, second = first, house.venue
        house.kill_venue()
        house.venue = second
        await ready(stage._transport, stage.account)
        assert [one.client_order_id for one in await stage.venue.orders(stage.account)] == [name]
        await stage.quote(stage.rebar, (2990, 10), (2996, 10), 2996, traded=2)
        await stage.heard.until_order(name, "filled", 2)


async def test_a_venue_that_is_gone_is_down_and_ready_when_it_is_back(
    house: PaperHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue, "_QUIET_S", 1.5)  # its beat comes every second
    async with paper_stage(house) as stage:
        house.kill_venue()
        await stage.heard.until(lambda: stage.heard.reports[-1].state == "down")
        house.start_venue()
        await stage.heard.until(lambda: stage.heard.reports[-1].state == "ready")
        assert [report.sequence for report in stage.heard.reports] == [1, 2, 3]
        await ready(stage._transport, stage.account)
        await stage.quote(stage.rebar, (2999, 10), (3001, 10))
        await Trader(stage).send("buy", 1, 2990)


async def test_a_live_market_moves_no_orders_of_a_venue_for_the_simulated_one(house: PaperHouse) -> None:
    async with paper_stage(house) as stage:
        trader = Trader(stage)
        await stage.quote(stage.rebar, (2999, 10), (3001, 10))
        name, _ = await trader.send("buy", 1, 2998)
        stage.publish(tick(stage.rebar, (2990, 10), (2996, 10), 2996, 9999, env="live"))
        stage.publish(tick(stage.rebar, (2990, 10), (2996, 10), 2996, 9999, feed="another"))
        after, _ = await trader.send("buy", 1, 2997)
        await stage.heard.until_order(after, "accepted")
        assert {one.status for one in await stage.venue.orders(stage.account)} == {"accepted"}
        assert name != after


async def test_a_day_ends_with_its_settlement_prices(house: PaperHouse) -> None:
    """The last test of the module: no other has a market of this day after it."""
    async with paper_stage(house) as stage:
        trader = Trader(stage)
        await stage.quote(stage.rebar, (2999, 10), (3001, 10))
        held, _ = await trader.send("buy", 2, 3001)
        waits, _ = await trader.send("buy", 1, 2990)
        await stage.heard.until_order(held, "filled", 2)
        before = await stage.venue.account(stage.account)
        begin_next_day(stage, stage.meal)
        flat = house.accounts[house.used]  # holds nothing that has to be settled first
        house.used += 1
        async with asyncio.timeout(DEADLINE_S):
            while await stage.venue.trading_day(flat) == DAY:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await stage.venue.trading_day(stage.account) == DAY, "what it holds has not ticked"
        begin_next_day(stage, stage.rebar)
        await stage.heard.until_order(waits, "expired")
        await stage.heard.until(lambda: stage.heard.reports[-1].trading_day == NEXT_DAY)
        after = await stage.venue.account(stage.account)
        multiplier = (await stage.venue.terms(stage.account, [stage.rebar]))[0].multiplier
        assert (before.trading_day, after.trading_day) == (DAY, NEXT_DAY)
        settled = before.pre_balance - before.commission + 2 * (3010 - 3001) * multiplier
        assert is_same_money(after.pre_balance, settled)
        assert (after.commission, after.close_profit, await stage.venue.orders(stage.account)) == (0, 0, [])
        (position,) = await stage.venue.positions(stage.account)
        assert (position.today, position.yesterday) == (0, 2)
        assert position.position_cost == 2 * Decimal(3010) * multiplier
        closing, _ = await trader.send("sell", 2, 3009, offset="close")
        await stage.heard.until_order(closing, "filled", 2)
        assert is_same_money((await stage.venue.account(stage.account)).margin, Decimal(0))


def begin_next_day(stage: PaperStage, instrument: InstrumentName) -> None:
    other = {"trading_day": NEXT_DAY, "action_day": NEXT_DAY, "pre_settlement_price": 3010.0}
    stage.publish(tick(instrument, (3009, 10), (3011, 10), 3010, 5, **other))
