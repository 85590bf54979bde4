"""How often an instance looks at the journals of its service, and what it does where it is told nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from aegis_sdk.election_events import Claim
from aegis_sdk.ledger.ledger import JournalRead, Ledger
from aegis_sdk.ledger.records import Result, Verdict, encode_entry
from aegis_sdk.messages import StoredMessage
from aegis_sdk.single_active import tails
from aegis_sdk.single_active.tails import Tails
from aegis_sdk.transport import Transport
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


async def test_where_nothing_is_written_it_looks_ever_more_seldom_until_something_is_or_somebody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    def at_once(pause_s: float) -> asyncio.Timeout:
        pauses.append(pause_s)
        return asyncio.timeout(0)

    ledger: Any = SimpleNamespace(shards=2, shard=lambda key: int(key))
    read = Tails(SimpleNamespace(), ledger, lambda _: None, lambda *_: None)  # pyright: ignore[reportArgumentType]
    read._contradictions["1"] = Exception()  # pyright: ignore[reportArgumentType]  # what is read of it is not folded
    monkeypatch.setattr(tails, "asyncio", SimpleNamespace(timeout=at_once))
    for _ in range(6):
        await read._pause(1)
    assert pauses == [0.025, 0.05, 0.1, 0.2, 0.25, 0.25]
    entry: Any = None
    read._told(JournalRead("1", entry, 7))
    await read._pause(1)
    read._arrivals["0"] = asyncio.Event()
    await read._pause(1)
    assert pauses[-2:] == [0.025, 0.002]


class Deaf(MemoryTransport):
    """Once the node has died that serves its readers, these bring nothing, and there are no others."""

    has_died = False
    asked = 0  # so many questions for the leader of a shard

    @asynccontextmanager
    async def read(self, *args: Any, **options: Any) -> AsyncGenerator[AsyncIterator[StoredMessage | None]]:
        async with super().read(*args, **options) as messages:
            yield self._served(messages)

    async def _served(self, messages: AsyncIterator[StoredMessage | None]) -> AsyncIterator[StoredMessage | None]:
        async for message in messages:
            if self.has_died:
                await asyncio.get_running_loop().create_future()
            yield message

    async def next(self, stream: str, subject: str, after: int) -> StoredMessage | None:
        self.asked += 1
        return await super().next(stream, subject, after)


@asynccontextmanager
async def following(transport: Transport) -> AsyncGenerator[tuple[Ledger, Tails]]:
    ledger = await Ledger.open(transport, "s")
    followed = Tails(transport, ledger, lambda _: None, lambda *_: None)
    running = asyncio.create_task(followed.run())
    try:
        async with asyncio.timeout(5):
            await followed.caught_up()
            yield ledger, followed
    finally:
        running.cancel()
        await asyncio.wait([running])
        await transport.close()


async def claimed(ledger: Ledger, expected: int) -> int:
    claims = [Claim("k", expected, 0, 75)]
    outcome = (await ledger.claim(claims, holder="a-1", incarnation="i", attempt="t", timeout=1.0))["k"]
    assert isinstance(outcome, int)
    return outcome


async def test_a_key_is_taken_over_though_the_node_has_died_that_serves_the_tails() -> None:
    """The leader of its shard has taken the claim: it tells what the journal holds."""
    transport = Deaf(MemoryBroker())
    async with following(transport) as (ledger, followed):
        first = await claimed(ledger, 0)
        assert (await followed.journal("k", first)).epoch == first
        transport.has_died = True
        written = Result("call-1", Verdict.OK, msgspec.Raw(b"1"))
        await ledger.epoch("k", first).commit(encode_entry(first, 1, [written]), 1.0)
        second = await claimed(ledger, first)
        journal = await followed.journal("k", second)
    assert (journal.epoch, [*journal.outcomes]) == (second, ["call-1"])


async def test_without_a_connection_no_leader_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "_DEAF_S", 0.0)
    broker = MemoryBroker()
    transport = Deaf(broker)
    async with following(transport) as (ledger, followed):
        epoch = await claimed(ledger, 0)
        transport.has_died = True
        broker.stop()
        waiting = asyncio.create_task(followed.journal("k", epoch))
        for _ in range(20):  # turns in which it would ask
            await asyncio.sleep(0)
        assert transport.asked == 0
        broker.start()
        assert (await waiting).epoch == epoch
        assert transport.asked > 0


async def test_for_who_does_not_wait_any_more_nothing_is_looked_at() -> None:
    async with following(MemoryTransport(MemoryBroker())) as (_, followed):
        waiting = asyncio.create_task(followed.journal("k", 1))
        await asyncio.sleep(0)
        assert followed._arrivals
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not followed._arrivals
