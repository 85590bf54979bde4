"""What a new stream is told, and that one of a cluster takes the very first message."""

import asyncio

from aegis_sdk.testing import nats_server
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_nats import NatsTransport, streams


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


async def test_a_later_first_sequence_is_not_sent_to_the_server() -> None:
    """It would take it without a word, note it in the stream's configuration, and not act on it."""
    async with nats_server() as server, asyncio.timeout(60):
        user = server.credentials
        transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
        for first_sequence, max_per_subject in ((1000, -1), (2000, -1), (3000, 5)):
            config = StreamConfig(
                name="S", subjects=["s.>"], first_sequence=first_sequence, max_per_subject=max_per_subject
            )
            await transport.ensure_stream(config)
        present = (await streams.api(transport, "STREAM.INFO.S"))["config"]
        assert (present["first_seq"], present["max_msgs_per_subject"]) == (1000, 5)
        await transport.close()
