"""Wishes in the bucket: over a broker in memory, and over a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from aegis.contracts.subscriptions import Scope, WishPart
from aegis.marketdata.adapters.bus import WishStore, wish_store
from aegis.marketdata.domain.wishes import SCOPES, Place, part_of
from aegis_sdk import NatsTransport
from aegis_sdk.kv import KeyValue
from aegis_sdk.testing import NatsAccess
from aegis_sdk.transport import Transport
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

RB, AG = "SHFE.rb2505", "SHFE.ag2506"


class Followed:
    """A store whose table follows the bucket, and a look at it."""

    def __init__(self, transport: Transport, feed: str) -> None:
        self.transport = transport
        self.feed = feed
        self.store = WishStore(transport, feed)
        self._news = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.store.ensure()
        self._following = asyncio.create_task(self.store.follow(self._news.set))
        async with asyncio.timeout(30):
            await self._news.wait()

    async def until(self, consumer: str, *names: str) -> None:
        async with asyncio.timeout(30):
            while self.store.table.of(consumer).names != set(names):
                self._news.clear()
                await self._news.wait()

    async def stop(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})


@pytest.fixture(params=["memory", "nats"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    if request.param == "memory":
        made: Transport = MemoryTransport(MemoryBroker())
    else:
        access: NatsAccess = request.getfixturevalue("nats_access")
        made = await NatsTransport.connect(access.urls, user=access.user, password=access.password)
    yield made
    await made.close()


@pytest.fixture
async def followed(transport: Transport) -> AsyncIterator[Followed]:
    made = Followed(transport, f"f{uuid4().hex[:8]}")
    await made.start()
    yield made
    await made.stop()


async def test_what_one_adds_another_hears_of(followed: Followed) -> None:
    writer = WishStore(followed.transport, followed.feed)
    await writer.add("a", [RB, AG], [Scope(exchange="DCE")], 0)
    await followed.until("a", RB, AG)
    assert followed.store.table.of("a").scopes == (Scope(exchange="DCE"),)
    assert set(followed.store.table.places("a")) == {Place("a", part) for part in (part_of(RB), part_of(AG), SCOPES)}


async def test_who_writes_knows_it_without_following(transport: Transport) -> None:
    store = WishStore(transport, f"f{uuid4().hex[:8]}")
    await store.ensure()
    await store.add("a", [RB], [Scope()], 0)
    assert (store.table.of("a").names, store.table.of("a").scopes) == ({RB}, (Scope(),))


async def test_those_who_change_one_part_at_once_undo_nothing_of_each_other(followed: Followed) -> None:
    writers = [followed.store, WishStore(followed.transport, followed.feed)]
    together = [name for number in range(400) if part_of(name := f"DCE.m{number}") == "0"][:10]
    await asyncio.gather(*(writers[at % 2].add("a", [name], [], 0) for at, name in enumerate(together)))
    await followed.until("a", *together)


async def test_what_is_wanted_again_expires_later(followed: Followed) -> None:
    await followed.store.add("a", [RB], [], 60)
    before = followed.store.table.of("a").expires_ns
    await followed.store.add("a", [RB], [], 60)
    assert followed.store.table.of("a").expires_ns > before


async def test_what_one_wrote_one_knows_at_once(followed: Followed) -> None:
    await followed.store.add("a", [RB, AG], [], 0)
    assert followed.store.table.of("a").names == {RB, AG}
    await followed.store.remove("a", [AG], [])
    assert followed.store.table.of("a").names == {RB}
    await followed.store.forget("a")
    assert followed.store.table.consumers == []
    await followed.store.add("a", [AG], [], 0)
    await followed.until("a", AG)


async def test_a_wish_expires_unless_it_is_renewed_and_watchers_hear_of_it(followed: Followed) -> None:
    await followed.store.add("kept", [RB], [], 1)
    await followed.store.add("dead", [RB, AG], [], 1)
    await followed.store.add("kept", [], [], 60)
    await followed.until("dead")
    assert followed.store.table.of("kept").names == {RB}


async def test_a_wish_without_an_end_takes_the_end_from_all_of_its_parts(followed: Followed) -> None:
    await followed.store.add("a", [RB], [], 60)
    assert followed.store.table.of("a").expires_ns > 0
    await followed.store.add("a", [AG], [], 0)
    assert followed.store.table.of("a").expires_ns == 0


async def test_putting_replaces_all_scopes_and_is_written_once(followed: Followed) -> None:
    bucket = KeyValue(followed.transport, wish_store.BUCKET)
    await followed.store.put("desk", [Scope()])
    first = await bucket.get(f"{followed.feed}.desk.{SCOPES}")
    await followed.store.put("desk", [Scope()])
    assert await bucket.get(f"{followed.feed}.desk.{SCOPES}") == first
    await followed.store.put("desk", [])
    assert followed.store.table.consumers == []


async def test_what_ended_without_a_trace_is_found_out(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wish_store, "_LOOK_AGAIN_S", 0.5)
    followed = Followed(transport, f"f{uuid4().hex[:8]}")
    await followed.start()
    await followed.store.add("alive", [RB], [], 0)
    followed.store.table.apply(Place("ghost", "0"), WishPart(instruments=(RB,)), 1)
    await followed.until("ghost")
    assert followed.store.table.consumers == ["alive"]
    await followed.stop()
