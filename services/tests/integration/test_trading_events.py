"""Two who hold an account one after the other, and store its events in one stream of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel
from trading_desk import Desk

from aegis.trading.domain.group import Told
from aegis.trading.domain.views import event_of
from aegis.trading.outbox import Outbox, Posting
from aegis_sdk import NatsTransport, codec
from aegis_sdk.events import STREAM, Events, NewEvent
from aegis_sdk.messages import MESSAGE_ID
from aegis_sdk.testing import nats_server
from aegis_sdk.transport import StreamConfig

WINDOW_S = 0.2
"""The stream forgets the ids of messages so soon; two minutes it is on a desk."""
DEADLINE_S = 60.0


class Frozen(Events):
    """Stops right before it sends, as a process may; goes on when it is `released`."""

    def __init__(self, transport: NatsTransport) -> None:
        super().__init__(transport)
        self.is_reached = asyncio.Event()
        self.released = asyncio.Event()

    async def publish(self, subject: str, body: BaseModel, **other: Any) -> int:
        await self._stop()
        return await super().publish(subject, body, **other)

    async def publish_batch(self, events: Sequence[NewEvent], **other: Any) -> int:
        await self._stop()
        return await super().publish_batch(events, **other)

    async def _stop(self) -> None:
        self.is_reached.set()
        await self.released.wait()


class Watched(Posting):
    """Says when it has tried to store what it had taken."""

    def __init__(self, events: Events) -> None:
        super().__init__(events)
        self.has_tried = asyncio.Event()

    async def _store(self, batches: Sequence[tuple[Outbox, Sequence[NewEvent]]]) -> bool:
        is_stored = await super()._store(batches)
        self.has_tried.set()
        return is_stored


class Holder:
    """All that tells of an account in one instance: its events are those of the journal, whoever holds it."""

    def __init__(self, transport: NatsTransport, events: Events, told: Sequence[Told]) -> None:
        book = replace(Desk().book, account="a")
        self.outbox = Outbox("a", lambda one: event_of(book, one, {}), lambda _: None)
        self.outbox.add([*told])
        self._transport = transport
        self.posting = Watched(events)

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[asyncio.Task[None]]:
        """Its process lives; the task is cancelled when the account is held here no more."""
        posting = asyncio.create_task(self.posting.run())
        held = asyncio.create_task(self.outbox.run(self._transport, self.posting, 0))
        try:
            yield held
        finally:
            for task in (held, posting):
                task.cancel()
            await asyncio.wait((held, posting))

    async def until_told(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.outbox:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("knows", [False, True], ids=["it_was_not_told", "it_knows_that_it_was_deposed"])
@pytest.mark.parametrize("count", [3, 40], ids=["singly", "as_a_batch"])
@pytest.mark.parametrize("within", [True, False], ids=["within_the_window", "behind_it"])
@pytest.mark.parametrize("nodes", [1, 3])
async def test_what_a_deposed_holder_sends_when_it_wakes_is_stored_once(
    nodes: int, within: bool, count: int, knows: bool
) -> None:
    """It stopped before it sent its first event. Its follower tells the same ones, and more; then it wakes."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(nats_server(nodes))
        user = server.credentials
        connections = [
            await NatsTransport.connect(server.urls, user=user.user, password=user.password) for _ in range(2)
        ]
        for one in connections:
            stack.push_async_callback(one.close)
        await connections[0].ensure_stream(
            StreamConfig(
                name=STREAM,
                subjects=["event.>"],
                replicas=nodes,
                atomic=True,
                duplicate_window_s=120 if within else WINDOW_S,
            )
        )
        told = things(count + 5)
        frozen = Frozen(connections[0])
        deposed = Holder(connections[0], frozen, told[:count])
        follower = Holder(connections[1], Events(connections[1]), told)
        held = await stack.enter_async_context(deposed.holding())
        await frozen.is_reached.wait()
        await stack.enter_async_context(follower.holding())
        await follower.until_told()
        if not within:
            await until_forgotten(connections[1], f"a.{count + 5}")
        if knows:
            held.cancel()
            await asyncio.wait((held,))
        frozen.released.set()
        async with asyncio.timeout(DEADLINE_S):
            await deposed.posting.has_tried.wait()
        if not knows:
            await deposed.until_told()
        assert await numbers(connections[1]) == list(range(1, count + 6))


def things(count: int) -> list[Told]:
    """An order, the account, and so on: of each subject more than one."""
    order = Desk().order("buy", 1)
    return [Told(number, order if number % 2 else None) for number in range(1, count + 1)]


async def until_forgotten(transport: NatsTransport, id: str) -> None:
    """Return when the stream takes a message of that id again: then it takes those before it, too."""
    async with asyncio.timeout(DEADLINE_S):
        last = await transport.last_sequence(STREAM)
        while await transport.append("event.test.probe", b"", {MESSAGE_ID: id}) <= last:  # noqa: ASYNC110
            await asyncio.sleep(WINDOW_S / 4)


async def numbers(transport: NatsTransport) -> list[int]:
    found: list[int] = []
    async with transport.read(STREAM, "event.trading.a.>") as messages:
        async for message in messages:
            if message is None:
                break
            found.append(codec.decode_json(message.payload)["sequence"])
    return found
