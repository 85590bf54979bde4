"""Live ticks in a program: the latest of each contract first, then every one as it comes.

It runs a market of its own. With a desk that is up, connect as `aegis env` says and leave out the service.

Prints:
    20 ticks of gold, each above the one before
    the last one has a book
"""

import asyncio

from aegis.marketdata.bootstrap import build
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
        last: dict[str, tuple[int, int]] = {}
        async with subscribe_ticks(transport, "SHFE.*") as ticks:
            count = 0
            async for tick in ticks:
                if not tick.symbol.startswith("au"):
                    continue
                place = (tick.epoch, tick.sequence)
                assert place > last.get(tick.symbol, (0, 0))
                last[tick.symbol] = place
                count += 1
                if count == 20:
                    break
        print(f"{count} ticks of gold, each above the one before")
        print("the last one has a book" if tick.bids and tick.asks else "no book")
        await transport.close()
        stop.set()


if __name__ == "__main__":
    asyncio.run(main())
