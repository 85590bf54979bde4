"""The disk of NATS is full in the middle of an order: the ledger's stream refuses writes, until there is room again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from desk_calls import DEADLINE_S, compared
from samples import TICK
from trading_desk import REBAR
from trading_stage import OPEN_NS
from trading_venue import ACCOUNT, Connection, Fate, ScriptedVenue

from aegis.contracts.market import Level
from aegis.contracts.orders import Order
from aegis.contracts.trading import VenueUnavailable
from aegis.contracts.venue import Submit, Submitted
from aegis.desk import Desk
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.endpoints import Parts, Trading
from aegis.trading.market import Market
from aegis.trading.settings import AccountSettings, TradingSettings
from aegis.trading.stores import ConfigStore, StatementStore
from aegis_sdk import NatsTransport
from aegis_sdk.config import Settings
from aegis_sdk.errors import AegisError, NotExecuted, OutcomeUnknown
from aegis_sdk.events import Events
from aegis_sdk.program import serve
from aegis_sdk.testing import NatsAccess, nats_server_thread
from aegis_sdk.transport_nats import streams

LEDGER = "LEDGER_0"


class Disk:
    """Of the ledger's stream, at its bound from `fill` to `free`: nothing more is stored."""

    def __init__(self, transport: NatsTransport) -> None:
        self._transport = transport

    async def fill(self) -> None:
        before = await streams.configuration(self._transport, LEDGER)
        await self._transport.ensure_stream(replace(before, max_bytes=1, discard_new=True))

    async def free(self) -> None:
        before = await streams.configuration(self._transport, LEDGER)
        await self._transport.ensure_stream(replace(before, max_bytes=-1, discard_new=False))


class Hooked(Connection):
    """A venue at which something happens when an order comes, and when it was taken."""

    arriving: Callable[[], Awaitable[None]] | None = None
    taken: Callable[[], Awaitable[None]] | None = None

    async def submit(self, order: Submit) -> Submitted:
        if self.arriving is not None:
            await self.arriving()
        answer = await super().submit(order)
        if self.taken is not None:
            await self.taken()
        return answer


@dataclass
class House:
    """One instance on a real server, at a venue that counts what it is sent."""

    venue: ScriptedVenue
    connection: Hooked
    disk: Disk
    desk: Desk
    service: Trading

    async def quote(self) -> None:
        """Keep its market fresh, until cancelled."""
        while True:
            one = msgspec.structs.replace(
                TICK,
                exchange="SHFE",
                symbol=REBAR.partition(".")[2],
                env="sim",
                bids=(Level(2999.0, 10),),
                asks=(Level(3001.0, 10),),
                last_price=3000.0,
                trading_day=self.venue.book.trading_day,
                ts_exchange_ns=OPEN_NS,
                ts_received_ns=time.time_ns(),
                flags=(),
            )
            if hasattr(self.service, "acting"):
                self.service.acting.market.hear(one)
            await asyncio.sleep(0.1)

    async def place(self, name: str) -> Order:
        (order,) = await self.desk.place(REBAR, "buy", 1, price=2990, client_order_id=name)
        return order

    async def until_answered(self, name: str) -> Order:
        """Ask by the same name for as long as nobody knows."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    return await self.place(name)
                except (OutcomeUnknown, NotExecuted, VenueUnavailable):
                    await asyncio.sleep(0.05)


@asynccontextmanager
async def trading(access: NatsAccess) -> AsyncIterator[House]:
    venue = ScriptedVenue()
    connection = Hooked(venue, Fate())
    account = AccountSettings(env="sim", venue="scripted", risk=RiskSettings())

    def parts(transport: Any) -> Parts:
        return Parts(
            venues={"scripted": connection},
            market=lambda may_hear: Market(None, may_hear, lambda: OPEN_NS),
            config=ConfigStore(transport, {ACCOUNT: account.risk}),
            statements=StatementStore(transport),
            events=Events(transport),
        )

    service, stop = Trading(TradingSettings(accounts={ACCOUNT: account}, settle_s=0), parts), asyncio.Event()
    settings = Settings.from_environment(
        {"AEGIS_NATS_URL": access.url, "AEGIS_NATS_USER": access.user, "AEGIS_NATS_PASSWORD": access.password}
    )
    transport = await NatsTransport.connect(access.urls, user=access.user, password=access.password)
    async with Desk.over(transport, ACCOUNT, timeout_s=2, key=ACCOUNT) as desk:
        house = House(venue, connection, Disk(transport), desk, service)
        running = [asyncio.create_task(serve(service, settings, stop)), asyncio.create_task(house.quote())]
        try:
            assert (await compared(desk)).differences == []
            yield house
        finally:
            stop.set()
            await running[0]
            running[1].cancel()
            await transport.close()


@pytest.fixture
def access() -> Any:
    with nats_server_thread() as made:
        yield made


async def works_again(house: House) -> None:
    assert (await house.until_answered("behind")).status == "accepted"
    assert (await compared(house.desk)).differences == []
    assert (await house.desk.account()).mode == "normal"


async def test_an_order_that_cannot_be_journaled_is_not_sent(access: NatsAccess) -> None:
    async with trading(access) as house:
        await house.place("before")
        await house.disk.fill()
        with pytest.raises((NotExecuted, OutcomeUnknown)):
            await house.place("full")
        assert house.venue.submits == {"before": 1}
        await house.disk.free()
        await works_again(house)
        assert house.venue.submits == {"before": 1, "behind": 1}
        assert [one.status for one in await house.desk.orders() if one.client_order_id == "full"] in ([], ["not_sent"])


@pytest.mark.parametrize("when", ["arriving", "taken"])
async def test_an_order_that_was_journaled_before_there_was_no_room_is_sent_once_and_found_again(
    access: NatsAccess, when: str
) -> None:
    async with trading(access) as house:
        setattr(house.connection, when, house.disk.fill)
        with pytest.raises(OutcomeUnknown):
            await house.place("full")
        setattr(house.connection, when, None)
        assert house.venue.submits == {"full": 1}
        with pytest.raises(AegisError):
            await house.place("other")
        assert house.venue.submits == {"full": 1}
        await house.disk.free()
        assert (await house.until_answered("full")).status == "accepted"
        await works_again(house)
        assert house.venue.submits == {"full": 1, "behind": 1}
