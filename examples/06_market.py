"""The whole market in one call and the stream behind it, and a consumer that comes back and has missed nothing.

It runs a market of its own. With a desk that is up, connect as `aegis env` says and leave out the service.

Prints:
    the snapshot has the market in it
    200 ticks behind it, none missing, none twice
    back again: the next tick of each is the one after its last
"""

import asyncio

from aegis.marketdata.bootstrap import build
from aegis.tick_history import TickHistory, follow_ticks
from aegis.ticks import subscribe_ticks
from aegis_sdk import NatsTransport, Settings, serve
from aegis_sdk.testing import nats_server


async def main() -> None:
    async with nats_server() as server, asyncio.TaskGroup() as group:
        user, password = server.credentials.user, server.credentials.password
        environment = {
            "AEGIS_NATS_URL": server.urls[0],
            "AEGIS_NATS_USER": user,
            "AEGIS_NATS_PASSWORD": password,
            "AEGIS_RATE": "1000",
        }
        stop = asyncio.Event()
        group.create_task(serve(build(environment), Settings.from_environment(environment), stop))
        transport = await NatsTransport.connect(server.urls, user=user, password=password)
        await follow_the_market(transport)
        await come_back(transport)
        await transport.close()
        stop.set()


async def follow_the_market(transport: NatsTransport) -> None:
    async with subscribe_ticks(transport, "SHFE.*") as ticks:
        async for _ in ticks:
            break  # the market has opened: now somebody joins late
    async with subscribe_ticks(transport, "SHFE.*") as ticks:
        market = await ticks.snapshot()
        print("the snapshot has the market in it" if market else "no contract has ticked yet")
        last = {instrument: tick.sequence for instrument, tick in market.items()}
        for _ in range(200):
            tick = await anext(ticks)
            before = last.get(tick.instrument_id, tick.sequence - 1)  # one that ticks only now begins now
            assert tick.sequence == before + 1, "a hole would be a dropped tick"
            last[tick.instrument_id] = tick.sequence
        print("200 ticks behind it, none missing, none twice")


async def come_back(transport: NatsTransport) -> None:
    """`last` and `position` are what a program keeps while it is away."""
    last: dict[str, int] = {}
    async with follow_ticks(transport, "SHFE.*", after=0) as ticks:
        position = await read(ticks, 200, last)
    await asyncio.sleep(0.2)  # away; the market goes on
    async with follow_ticks(transport, "SHFE.*", after=position) as ticks:
        await read(ticks, 200, last)
    print("back again: the next tick of each is the one after its last")


async def read(ticks: TickHistory, count: int, last: dict[str, int]) -> int:
    """Check that nothing is missing; the position behind it all."""
    position = 0
    for _ in range(count):
        position, tick = await anext(ticks)
        assert tick.sequence == last.get(tick.symbol, 0) + 1
        last[tick.symbol] = tick.sequence
    return position


if __name__ == "__main__":
    asyncio.run(main())
