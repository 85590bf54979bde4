"""A service with one typed method, and a caller.

Prints:
    3512.5
    invalid_request: not a valid Order
    insufficient_margin: 100000.0 needed, 5000.0 there
"""

import asyncio

from pydantic import BaseModel, Field

from aegis_sdk import Client, Empty, NatsTransport, Rejected, RpcError, Service, ServiceHost, rpc
from aegis_sdk.testing import nats_server


class Order(BaseModel):
    symbol: str
    volume: int = Field(gt=0)


class Fill(BaseModel):
    price: float


class InsufficientMargin(Rejected):
    code = "insufficient_margin"


class Desk(Service):
    name = "desk"

    @rpc
    async def trade(self, request: Order) -> Fill:
        if request.volume > 10:
            raise InsufficientMargin("100000.0 needed, 5000.0 there", needed=100000.0, there=5000.0)
        return Fill(price=3512.5)

    @rpc(idempotent=True)  # the client may repeat it when an attempt was refused before it began
    async def ready(self, request: Empty) -> Empty:
        return Empty()


async def main() -> None:
    async with nats_server() as server:
        access = {"user": server.credentials.user, "password": server.credentials.password}
        host = ServiceHost(await NatsTransport.connect(server.urls, **access), Desk())
        await host.start()
        transport = await NatsTransport.connect(server.urls, **access)
        client = Client(transport)

        await client.call(Desk.ready, Empty(), timeout=2.0)
        fill = await client.call(Desk.trade, Order(symbol="rb2505", volume=1))
        print(fill.price)
        for order in (Order.model_construct(symbol="rb2505", volume=0), Order(symbol="rb2505", volume=11)):
            try:
                await client.call(Desk.trade, order)
            except RpcError as error:
                print(f"{error.code}: {error}")

        await host.stop()
        await transport.close()


if __name__ == "__main__":
    asyncio.run(main())
