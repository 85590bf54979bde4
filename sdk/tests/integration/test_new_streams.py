"""What a new stream is told, and that those of a new cluster can be used by all who come for them at once."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import SecretStr

from aegis_sdk.config import Settings
from aegis_sdk.errors import DeadlineExceeded
from aegis_sdk.messages import Headers, Message
from aegis_sdk.program import serve
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.single_active import SingleActive
from aegis_sdk.testing import nats_server
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_nats import NatsTransport, streams

START_S = 60
ANSWER_S = 4.5
"""Less than a request waits that is sent to a stream without a leader."""


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


class Accounts(SingleActive):
    name = "accounts"

    def __init__(self) -> None:
        self.up = asyncio.Event()

    def keys(self) -> Iterable[str]:
        return ("A1",)

    async def on_standby(self, key: str) -> None:
        """Called when the instance is registered and has read the ledger."""
        self.up.set()


async def all_up(server: EmbeddedServer, instances: Iterable[str]) -> None:
    """Start the instances at the same moment; return when all are up. Raises what ends one of them."""
    user, stop = server.credentials, asyncio.Event()
    async with asyncio.TaskGroup() as group:
        services: list[Accounts] = []
        for instance in instances:
            services.append(service := Accounts())
            settings = Settings(
                nats_url=tuple(server.urls),
                nats_user=user.user,
                nats_password=SecretStr(user.password),
                nats_replicas=3,
                instance=instance,
            )
            group.create_task(serve(service, settings, stop))
        async with asyncio.timeout(START_S):
            for service in services:
                await service.up.wait()
        stop.set()


@pytest.mark.parametrize("_", range(2))
async def test_instances_started_at_once_on_a_new_cluster_are_all_up(_: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finds buckets and shards that another has made a moment ago, and that answer nothing yet."""
    unanswered: list[float] = []  # how long each of them was waited for
    ask = NatsTransport._ask

    def asked(self: NatsTransport, subject: str, payload: bytes, headers: Headers, timeout: float, **how: Any) -> Any:
        answer = ask(self, subject, payload, headers, timeout, **how)

        def note(done: asyncio.Future[Message]) -> None:
            if not done.cancelled() and isinstance(done.exception(), DeadlineExceeded):
                unanswered.append(timeout)

        answer.add_done_callback(note)
        return answer

    monkeypatch.setattr(NatsTransport, "_ask", asked)
    async with nats_server(nodes=3) as server:
        await all_up(server, ("a", "b", "c"))
    assert max(unanswered, default=0.0) < ANSWER_S
