"""What trading relies on, whichever venue is behind the port. Each venue is the real one, in processes of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from decimal import Decimal
from typing import Final

import pytest
from paper_stage import paper_house, paper_stage
from venue_stage import Stage, Statement, Trader

from aegis.contracts.amounts import is_same_money
from aegis.contracts.venue import VenueOrder, VenueTrade
from aegis_sdk.testing import nats_server_thread

OpenStage = Callable[[], AbstractAsyncContextManager[Stage]]


@contextmanager
def paper() -> Generator[OpenStage]:
    with nats_server_thread() as access, paper_house(access, accounts=30) as house:
        yield lambda: paper_stage(house)


VENUES: Final = {"paper": paper}


@pytest.fixture(scope="module", params=VENUES)
def open_stage(request: pytest.FixtureRequest) -> Generator[OpenStage]:
    with VENUES[request.param]() as opened:
        yield opened


@pytest.fixture
async def stage(open_stage: OpenStage) -> AsyncIterator[Stage]:
    async with open_stage() as opened:
        yield opened


@pytest.fixture
def trader(stage: Stage) -> Trader:
    return Trader(stage)


async def test_an_order_is_taken_reported_and_found(stage: Stage, trader: Trader) -> None:
    await stage.quote(stage.rebar, (2999, 10), (3001, 10))
    name, answer = await trader.send("buy", 2, 2990)
    assert answer.outcome == "accepted"
    order = await stage.heard.until_order(name, "accepted")
    assert order.venue_order_id
    assert (order.price, order.volume, order.offset, order.type) == (2990, 2, "open", "limit")
    assert [one.client_order_id for one in await stage.venue.orders(stage.account)] == [name]


async def test_an_order_that_crosses_is_filled_at_the_price_of_the_book(stage: Stage, trader: Trader) -> None:
    await stage.quote(stage.rebar, (2999, 10), (3001, 10))
    name, _ = await trader.send("buy", 3, 3005)
    await stage.heard.until_order(name, "filled", 3)
    assert {trade.price for trade in stage.heard.trades(name)} == {Decimal(3001)}


async def test_an_order_that_waits_is_filled_at_its_own_price_as_far_as_the_market_goes(
    stage: Stage, trader: Trader
) -> None:
    await stage.quote(stage.rebar, (2999, 10), (3001, 10))
    name, _ = await trader.send("buy", 5, 2998)
    await stage.heard.until_order(name, "accepted")
    await stage.quote(stage.rebar, (2996, 10), (2998, 2), 2998, traded=2)
    await stage.heard.until_order(name, "partly_filled", 2)
    await stage.quote(stage.rebar, (2995, 10), (2997, 9), 2997, traded=20)
    await stage.heard.until_order(name, "filled", 5)
    assert {trade.price for trade in stage.heard.trades(name)} == {Decimal(2998)}


async def test_what_is_left_of_an_order_can_be_cancelled_once(stage: Stage, trader: Trader) -> None:
    await stage.quote(stage.rebar, (2999, 10), (3001, 2))
    name, _ = await trader.send("buy", 5, 3001)
    await stage.heard.until_order(name, "partly_filled", 2)
    assert (await trader.cancel(name)).outcome == "accepted"
    await stage.heard.until_order(name, "cancelled", 2)
    assert (await trader.cancel(name)).outcome == "refused"


async def test_a_cancel_of_what_the_venue_never_saw_is_refused(stage: Stage, trader: Trader) -> None:
    assert (await trader.cancel("never-sent")).outcome == "refused"


@pytest.mark.parametrize(
    ("side", "volume", "price", "other"),
    [
        pytest.param("buy", 1, 4000, {}, id="above the day's limit"),
        pytest.param("sell", 1, 2000, {}, id="below the day's limit"),
        pytest.param("buy", 400, 3000, {}, id="more than the money"),
        pytest.param("sell", 1, 3000, {"offset": "close"}, id="no lots to close"),
        pytest.param("buy", 1, 3000, {"instrument": "SHFE.zz2605"}, id="no such instrument"),
    ],
)
async def test_what_cannot_be_is_refused_and_costs_nothing(
    stage: Stage, trader: Trader, side: str, volume: int, price: int, other: dict[str, str]
) -> None:
    await stage.quote(stage.rebar, (2999, 10), (3001, 10))
    before = await stage.venue.account(stage.account)
    name, answer = await trader.send(side, volume, price, **other)
    if answer.outcome == "accepted":  # a venue may take it first, and have its exchange reject it
        await stage.heard.until_order(name, "rejected")
    else:
        assert answer.outcome == "refused"
    after = await stage.venue.account(stage.account)
    assert (after.balance, after.available) == (before.balance, before.available)


async def test_a_market_order_takes_what_there_is_and_the_rest_is_cancelled(stage: Stage, trader: Trader) -> None:
    await stage.quote(stage.meal, (2999, 4), (3001, 4))
    name, _ = await trader.send("buy", 6, None, type="market", instrument=stage.meal)
    await stage.heard.until_order(name, "cancelled", 4)
    assert {trade.price for trade in stage.heard.trades(name)} == {Decimal(3001)}


async def test_fill_and_kill_takes_what_there_is_at_its_limit(stage: Stage, trader: Trader) -> None:
    await stage.quote(stage.rebar, (2999, 10), (3001, 4))
    some, _ = await trader.send("buy", 6, 3001, type="fak")
    none, _ = await trader.send("buy", 6, 3000, type="fak")
    await stage.heard.until_order(some, "cancelled", 4)
    await stage.heard.until_order(none, "cancelled", 0)


async def test_fill_or_kill_takes_all_or_nothing(stage: Stage, trader: Trader) -> None:
    await stage.quote(stage.rebar, (2999, 10), (3001, 4))
    none, _ = await trader.send("buy", 5, 3001, type="fok")
    await stage.heard.until_order(none, "cancelled", 0)
    all_of_it, _ = await trader.send("buy", 4, 3001, type="fok")
    await stage.heard.until_order(all_of_it, "filled", 4)


async def test_a_name_used_twice_makes_one_order(stage: Stage, trader: Trader) -> None:
    await stage.quote(stage.rebar, (2999, 10), (3001, 10))
    order = trader.order("buy", 1, 2990)
    assert (await stage.venue.submit(order)).outcome == "accepted"
    await stage.venue.submit(order)
    await stage.venue.submit(order.model_copy(update={"volume": 2}))
    assert [one.volume for one in await stage.venue.orders(stage.account)] == [1]


async def test_what_was_reported_is_what_is_queried(stage: Stage, trader: Trader) -> None:
    await stage.quote(stage.rebar, (2999, 4), (3001, 4))
    names = [(await trader.send("buy", lots, price))[0] for lots, price in ((2, 3001), (3, 3001), (1, 2990))]
    await stage.heard.until_order(names[2], "accepted")
    await stage.heard.until_order(names[1], "partly_filled", 2)
    await trader.cancel(names[1])
    await stage.heard.until_order(names[1], "cancelled", 2)
    orders = {one.client_order_id: one for one in await stage.venue.orders(stage.account)}
    assert orders.keys() == set(names)
    for name, order in orders.items():
        assert _facts(order) == _facts(stage.heard.order(name))
    assert {_key(one) for one in await stage.venue.trades(stage.account)} == {_key(one) for one in stage.heard.trades()}
    assert _is_without_holes(stage)


async def test_money_and_positions_are_what_the_trades_add_up_to(stage: Stage, trader: Trader) -> None:
    """A day of both exchanges and both directions, by a count that shares no line with the venue."""
    before = await stage.venue.account(stage.account)
    both = (stage.rebar, stage.meal)
    await stage.quote(stage.rebar, (2999, 50), (3001, 50))
    await stage.quote(stage.meal, (2999, 50), (3001, 50))
    sent = [
        await trader.send("buy", 7, 3001),
        await trader.send("sell", 4, 2999, instrument=stage.meal),
        await trader.send("sell", 2, 2999),
        await trader.send("sell", 3, 2999, offset="close_today"),
        await trader.send("buy", 1, 3001, offset="close", instrument=stage.meal),
        await trader.send("buy", 1, 3001, offset="close_today"),
    ]
    for (name, _), lots in zip(sent, (7, 4, 2, 3, 1, 1), strict=True):
        await stage.heard.until_order(name, "filled", lots)
    for instrument in both:
        await stage.quote(instrument, (3009, 10), (3011, 10), 3010)
    terms = {one.instrument: one for one in await stage.venue.terms(stage.account, both)}
    statement = Statement(terms)
    for trade in await stage.venue.trades(stage.account):
        statement.book(trade)
    profit = statement.profit(dict.fromkeys(both, Decimal(3010)))
    account = await stage.venue.account(stage.account)
    assert is_same_money(account.close_profit, statement.close_profit)
    assert is_same_money(account.commission, statement.commission)
    assert is_same_money(account.margin, statement.margin())
    assert is_same_money(account.position_profit, profit)
    balance = before.pre_balance + statement.close_profit + profit - statement.commission
    assert is_same_money(account.balance, balance)
    assert is_same_money(account.available, balance - statement.margin())
    positions = await stage.venue.positions(stage.account)
    assert {(one.instrument, one.direction): one.today for one in positions} == {
        key: len(lots) for key, lots in statement.lots.items()
    }


async def test_an_order_outlives_the_loss_of_its_venue(stage: Stage, trader: Trader) -> None:
    await stage.quote(stage.rebar, (2999, 10), (3001, 10))
    waits, _ = await trader.send("buy", 2, 2998)
    done, _ = await trader.send("buy", 1, 3001)
    await stage.heard.until_order(done, "filled", 1)
    await stage.interrupt()
    assert {one.client_order_id: one.status for one in await stage.venue.orders(stage.account)} == {
        waits: "accepted",
        done: "filled",
    }
    await stage.quote(stage.rebar, (2996, 10), (2998, 10), 2998, traded=1)
    await stage.heard.until_order(waits, "filled", 2)
    assert len(await stage.venue.trades(stage.account)) == 2


async def test_a_closed_venue_reports_nothing_more_and_closes_twice(stage: Stage, trader: Trader) -> None:
    await stage.venue.close()
    await stage.venue.close()
    assert stage.venue.session == ""
    before = len(stage.heard.reports)
    await asyncio.sleep(0)
    assert len(stage.heard.reports) == before


def _facts(order: VenueOrder | None) -> tuple[object, ...]:
    assert order is not None
    return (order.venue_order_id, order.status, order.filled, order.price, order.volume, order.side, order.offset)


def _key(trade: VenueTrade) -> tuple[object, ...]:
    return (trade.venue_order_id, trade.trade_id, trade.side, trade.price, trade.volume, trade.offset)


def _is_without_holes(stage: Stage) -> bool:
    """Numbered from 1 in each session."""
    sessions: dict[str, list[int]] = {}
    for report in stage.heard.reports:
        sessions.setdefault(report.session, []).append(report.sequence)
    return all(numbers == list(range(1, len(numbers) + 1)) for numbers in sessions.values())
