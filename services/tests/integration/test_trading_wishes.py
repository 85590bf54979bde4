"""An order for a contract that nobody has subscribed: the service has it subscribed, and then takes the order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from desk_calls import DEADLINE_S, compared, serving
from paper_stage import connect, instruments, paper_house, ready

from aegis.contracts.market import Tick
from aegis.contracts.subscriptions import SUBSCRIBE, SUBSCRIPTIONS, SubscriptionsRequest, WishRequest
from aegis.contracts.trading import OrderRejected
from aegis.desk import Desk
from aegis.ticks import subscribe_ticks
from aegis_sdk import Client
from aegis_sdk.testing import nats_server_thread

QUIET = {"AEGIS_WANTED": "nothing", "AEGIS_UNIVERSE": "core", "AEGIS_SEED": "1", "AEGIS_RATE": "200"}


async def test_what_an_account_trades_is_subscribed_though_nobody_else_wants_it(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.toml"
    accounts.write_text("accounts.P0 = { env = 'paper', risk = { tick_feeds = ['sim/main'] } }")
    with nats_server_thread() as access, paper_house(access, **QUIET) as house:
        house.start("aegis.trading", AEGIS_ACCOUNTS=str(accounts))
        transport = await connect(access)
        other, traded = (await instruments(transport, "SHFE", "rb"))[:2]
        client = Client(transport)
        await client.call(SUBSCRIBE, WishRequest(consumer="somebody", instruments=[other]))
        await ready(transport, "P0")  # its day has begun
        await serving(transport)
        heard: list[Tick] = []
        async with (
            Desk.over(transport, "P0") as desk,
            subscribe_ticks(transport, traded, on_tick=heard.append),
            asyncio.timeout(DEADLINE_S),
        ):
            await compared(desk)
            with suppress(OrderRejected):  # by one tick it is taken at once, or where that is late, refused
                await desk.place(traded, "buy", 1, price=3000)
            while not (prices := [one.last_price for one in heard if one.last_price]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            (order,) = await desk.place(traded, "buy", 1, price=int(prices[-1]))
            assert order.status == "accepted"
            wanted = (await client.call(SUBSCRIPTIONS, SubscriptionsRequest(consumer="trading"))).subscriptions
            assert [(one.instrument, one.state) for one in wanted] == [(traded, "ticking")]
        await transport.close()
