"""Events: published once, read in order by everybody, and shared out among the members of a durable consumer.

Prints:
    read 1: rb2505 opened
    read 2: IF2506 opened
    consumed rb2505, attempt 1
    consumed IF2506, attempt 1
    consumed rb2505, attempt 2
"""

import asyncio

from pydantic import BaseModel

from aegis_sdk import Events, NatsTransport, subjects
from aegis_sdk.testing import nats_server


class SessionOpened(BaseModel):
    symbol: str


async def main() -> None:
    async with nats_server() as server:
        access = {"user": server.credentials.user, "password": server.credentials.password}
        transport = await NatsTransport.connect(server.urls, **access)
        events = Events(transport)
        await events.ensure()
        for symbol in ("rb2505", "IF2506", "IF2506"):
            subject = subjects.event("market", symbol, "opened")
            await events.publish(subject, SessionOpened(symbol=symbol), id=f"{symbol}-20250102")

        async with events.follow("event.market.>", SessionOpened) as stream:
            for _ in range(2):  # the repeated one was stored once
                event = await anext(stream)
                print(f"read {event.sequence}: {event.body.symbol} opened")

        async with events.consume("event.market.>", SessionOpened, durable="strategies") as deliveries:
            failed = await anext(deliveries)
            print(f"consumed {failed.event.body.symbol}, attempt {failed.attempt}")
            await failed.nak(0)  # it comes again, to one of the members
            for _ in range(2):
                delivery = await anext(deliveries)
                await delivery.ack()
                print(f"consumed {delivery.event.body.symbol}, attempt {delivery.attempt}")
        await transport.close()


if __name__ == "__main__":
    asyncio.run(main())
