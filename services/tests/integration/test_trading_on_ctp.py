"""The trading service at a simulated CTP counter: two instances, of which the one that trades is killed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from ctp_counter import trading_at
from desk_calls import compared, serving, until_orders
from paper_stage import FEED, PaperHouse, connect, tick
from trading_rounds.house import start_trading
from trading_rounds.struck import PACE
from venue_stage import Heard

from aegis.contracts.amounts import is_same_money
from aegis.contracts.tick_codec import tick_codec
from aegis.desk import Desk
from aegis.operations.counter import is_built
from aegis.profiles.writing import write_profile
from aegis.trading.adapters.ctp import CtpVenue
from aegis_sdk import NatsTransport, subjects
from aegis_sdk.kv import KeyValue
from aegis_sdk.testing import NatsAccess, nats_server_thread
from ctpsim.testing import RunningFront, front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

DAY = "20251128"
REBAR = "SHFE.rb2605"  # its book at the counter: bids from 3079 down, offers from 3081 up, 10, 20, ... lots


def accounts_of(running: RunningFront, directory: Path) -> Path:
    """The counter's first user, by its profile; its habits are those of the simulated counter."""
    profile, accounts = directory / "counter.toml", directory / "accounts.toml"
    write_profile(profile, running.libraries, running.access.login())
    accounts.write_text(f"""
    [accounts.{running.user.user_id}]
    env = "sim"
    venue = "ctp"
    profile = "{profile}"
    rules = {{ closing = "average", close_holds_commission = false }}
    risk = {{ tick_feeds = ["sim/{FEED}"] }}
    """)
    return accounts


@contextmanager
def trading_alone(access: NatsAccess) -> Iterator[PaperHouse]:
    """Instances that trade, without a paper venue."""
    house = PaperHouse(access, [])
    try:
        yield house
    finally:
        house.end()


@asynccontextmanager
async def ticking(transport: NatsTransport) -> AsyncIterator[None]:
    """The counter's market as its feed would tell it."""
    codec = tick_codec("json")

    async def publish() -> None:
        while True:
            one = tick(REBAR, (3079, 10), (3081, 10), 3080, 1)
            transport.publish(subjects.tick(one.exchange, one.symbol), codec.encode(one), codec.headers)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        task.cancel()


async def test_an_order_at_a_counter_outlives_the_instance_that_sent_it(tmp_path: Path) -> None:
    async with front(market="load", day=DAY, limits={"query_interval_ms": 20}) as running:
        account, accounts = running.user.user_id, accounts_of(running, tmp_path)
        await running.control.fault("order_fee@trader=3")  # three cents for each order and each cancel
        with nats_server_thread() as access, trading_alone(access) as house:
            transport = await connect(access)
            first = start_trading(house, accounts, "first")
            await serving(transport)
            async with ticking(transport), Desk.over(transport, account, timeout_s=10) as desk:
                assert (await compared(desk)).differences == []
                start_trading(house, accounts, "second")
                await serving(transport, 2)
                number = await an_order_that_works(desk)
                first.kill()
                first.wait()
                await it_is_found_and_cancelled(desk, number)
                await is_the_counters(running, desk)
            statement = await KeyValue(transport, "aegis_statements").get(f"{account}.{DAY}")
            assert statement is not None
            assert f"客户号 {account}" in statement.value.decode()
            await transport.close()


async def an_order_that_works(desk: Desk) -> str:
    """Beside one that was filled; its number at the exchange."""
    await desk.place(REBAR, "buy", 5, price=3081, client_order_id="fills")
    await until_orders(desk, {"fills": "filled"})
    (works,) = await desk.place(REBAR, "buy", 3, price=3000, client_order_id="works")
    assert (works.status, works.env) == ("accepted", "sim"), "the day is confirmed: error 42 else"
    return works.venue_order_id


async def it_is_found_and_cancelled(desk: Desk, number: str) -> None:
    """By whoever has taken the account over, who trades on."""
    taken = await compared(desk)
    assert (taken.differences, taken.adopted) == ([], [])
    orders = {one.client_order_id: one for one in await desk.orders()}
    assert {name: one.status for name, one in orders.items()} == {"fills": "filled", "works": "accepted"}
    assert orders["works"].venue_order_id == number
    await desk.cancel("works")
    await desk.place(REBAR, "sell", 2, price=3079, offset="close_today", client_order_id="closes")
    await until_orders(desk, {"closes": "filled"})
    assert (await compared(desk)).differences == []


async def is_the_counters(running: RunningFront, desk: Desk) -> None:
    """Orders, positions and money, against a session of our own that has no journal."""
    venue, account = CtpVenue(trading_at(running.access), PACE, known=tuple), running.user.user_id
    await venue.open(Heard())
    try:
        assert [(one.status, one.filled) for one in await venue.orders(account)] == [
            ("filled", 5),
            ("cancelled", 0),
            ("filled", 2),
        ]
        (theirs,), (ours,) = await venue.positions(account), await desk.positions()
        assert (ours.direction, ours.today, ours.yesterday) == (theirs.direction, theirs.today, theirs.yesterday)
        assert ours.today == 3
        money, known = await venue.account(account), await desk.account()
        for name in ("pre_balance", "close_profit", "commission", "margin", "frozen_margin", "frozen_commission"):
            assert is_same_money(getattr(known, name), getattr(money, name)), name
        assert known.margin > Decimal(0)
    finally:
        await venue.close()
