"""A new stream of a cluster takes the very first message."""

import asyncio

from aegis_sdk.testing import nats_server
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_nats import NatsTransport


async def test_a_replicated_stream_stores_right_after_its_creation() -> None:
    """Without the wait for its interest to spread, some of the first messages met no responders."""
    async with nats_server(nodes=3) as server, asyncio.timeout(60):
        user = server.credentials
        transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
        for number in range(30):
            config = StreamConfig(name=f"S{number}", subjects=[f"s{number}.>"], replicas=3)
            await transport.ensure_stream(config)
            assert await transport.append(f"s{number}.first", b"") == 1
        await transport.close()
