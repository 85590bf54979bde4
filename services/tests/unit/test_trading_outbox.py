"""Events of the trading service on their way: numbered, batched, in order, and again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from trading_desk import Desk

from aegis.trading import outbox as outbox_module
from aegis.trading.domain.changes import write_changes
from aegis.trading.domain.group import Told
from aegis.trading.domain.views import Event, event_of
from aegis.trading.keys import KeyState
from aegis.trading.outbox import Outbox, Posting
from aegis_sdk.errors import CodecError, Unavailable
from aegis_sdk.events import Events
from aegis_sdk.single_active import Committed
from aegis_sdk.transport import Transport
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


@pytest.fixture
async def transport() -> AsyncIterator[MemoryTransport]:
    made = MemoryTransport(MemoryBroker())
    yield made
    await made.close()


def told(desk: Desk, first: int, count: int) -> list[Told]:
    order = desk.order("buy", 1)
    return [Told(first + number, order) for number in range(count)]


def outbox_of(desk: Desk, account: str = "a") -> Outbox:
    book = replace(desk.book, account=account)
    return Outbox(account, lambda one: event_of(book, one, {}), lambda _: None)


async def stored(transport: Transport, account: str = "a") -> list[int]:
    found: list[int] = []
    async with transport.read("EVENTS", f"event.trading.{account}.>") as messages:
        async for message in messages:
            if message is None:
                return found
            found.append(json.loads(message.payload)["sequence"])
    return found


@asynccontextmanager
async def posted(transport: MemoryTransport, stream: Events, known: int, *outboxes: Outbox) -> AsyncIterator[Posting]:
    """As long as their accounts are held."""
    posting = Posting(stream)
    running = [asyncio.create_task(outbox.run(transport, posting, known)) for outbox in outboxes]
    running.append(asyncio.create_task(posting.run()))
    try:
        yield posting
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running)


async def until_empty(outbox: Outbox) -> None:
    async with asyncio.timeout(30):
        while outbox:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_what_was_committed_together_is_told_together_by_each_instance_alike() -> None:
    desk = Desk()
    first, second = desk.intend("buy", 2), desk.intend("buy", 1)
    desk.report(first, "accepted")
    desk.fill(first, 1)
    desk.fill(first, 1)
    desk.report(second, "cancelled")
    entries = [5] * 3 + [6] * 2 + [7] * 4  # opened with its terms; both intents; the rest
    journal = [
        Committed(entry, 1, "result", "", write_changes([change]))
        for entry, change in zip(entries, desk.journal, strict=True)
    ]
    states = [KeyState("a", ["a"], None, lambda account: {}, lambda *_: None) for _ in range(2)]
    for state in states:
        for committed in journal:
            state.apply(committed)
    ours, others = ([*state.accounts["a"].outbox.waiting] for state in states)
    assert ours == others
    kinds = [type(one.what).__name__ for one in ours]
    assert kinds == ["NoneType", "Order", "NoneType", "Order", "Order", "NoneType", "Trade", "str", "Trade", "Order"]
    assert [one.sequence for one in ours] == list(range(1, 11))
    assert states[0].group.books["a"].sequence == 10


async def test_a_new_holder_goes_on_behind_what_is_stored(transport: MemoryTransport) -> None:
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    for first, count in ((1, 3), (1, 5)):  # the second one has replayed all that the first had, and more
        outbox = outbox_of(desk)
        outbox.add(told(desk, first, count))
        async with posted(transport, stream, 5, outbox):
            await until_empty(outbox)
    assert outbox.published == 2
    assert await stored(transport) == [1, 2, 3, 4, 5]


async def test_where_the_last_events_are_lost_the_account_has_their_number_so_that_readers_miss_them(
    transport: MemoryTransport,
) -> None:
    """The journal's snapshot has swallowed 4 and 5: who takes over cannot make them, and perhaps no other one comes."""
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    before = outbox_of(desk)
    before.add(told(desk, 1, 3))
    async with posted(transport, stream, 3, before):
        await until_empty(before)
    outbox = before
    for _ in range(2):  # once, whoever takes over behind that
        outbox = outbox_of(desk)
        async with posted(transport, stream, 5, outbox):
            async with asyncio.timeout(30):
                while outbox._posting is None or outbox:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
        last = await transport.last("EVENTS", "event.trading.a.account")
        assert last is not None
        assert json.loads(last.payload)["sequence"] == 5
    assert outbox.published == 0
    assert await stored(transport) == [1, 2, 3, 5]


async def test_what_could_not_be_stored_is_sent_again_in_order(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_AGAIN_S", 0.001)
    stream = Events(transport)
    await stream.ensure()
    publish, failures = stream.publish, [3, 3, 4]

    async def failing(subject: str, body: Any, **other: Any) -> int:
        if failures and body.sequence == failures[0]:
            failures.pop(0)
            raise Unavailable("gone")
        return await publish(subject, body, **other)

    monkeypatch.setattr(stream, "publish", failing)
    outbox = outbox_of(Desk())
    outbox.add(told(Desk(), 1, 5))
    async with posted(transport, stream, 5, outbox):
        await until_empty(outbox)
    assert await stored(transport) == [1, 2, 3, 4, 5]
    assert outbox.published == 5


async def test_many_events_of_several_accounts_are_stored_as_one_batch(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Events(transport)
    await stream.ensure()
    singly: list[str] = []
    publish = stream.publish

    async def seen(subject: str, body: Any, *, id: str = "", **other: Any) -> int:
        singly.append(id)
        return await publish(subject, body, id=id, **other)

    monkeypatch.setattr(stream, "publish", seen)
    desk = Desk()
    outboxes = [outbox_of(desk), outbox_of(desk, "b")]
    for outbox in outboxes:
        outbox.add(told(desk, 1, 20))
    async with posted(transport, stream, 20, *outboxes):
        for outbox in outboxes:
            await until_empty(outbox)
        assert await stored(transport) == await stored(transport, "b") == [*range(1, 21)]
        assert singly == []
        outboxes[0].add(told(desk, 21, 1))
        await until_empty(outboxes[0])
        assert singly == ["a.21"]


async def test_more_than_a_batch_takes_is_stored_in_turns_of_all_accounts(transport: MemoryTransport) -> None:
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    outboxes = [outbox_of(desk, f"a{number}") for number in range(12)]
    for outbox in outboxes:
        outbox.add(told(desk, 1, 130))
    async with posted(transport, stream, 130, *outboxes):
        for outbox in outboxes:
            await until_empty(outbox)
    for number in range(12):
        assert await stored(transport, f"a{number}") == [*range(1, 131)]


@pytest.mark.parametrize("count", [3, 20])
async def test_what_somebody_else_stores_meanwhile_is_stored_once(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Whoever had the account before, when the last stored event has been looked up."""
    monkeypatch.setattr(outbox_module, "_AGAIN_S", 0.001)
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    outbox, before = outbox_of(desk), outbox_of(desk)
    for one in (outbox, before):
        one.add(told(desk, 1, count))
    async with posted(transport, stream, count, outbox) as posting:
        async with asyncio.timeout(5):
            while not posting._outboxes:  # noqa: ASYNC110
                await asyncio.sleep(0)
        for event in before.next()[:2]:
            await stream.publish(event.subject, event.body, id=event.id)
        await until_empty(outbox)
    assert await stored(transport) == list(range(1, count + 1))
    assert outbox.published == count - 2


async def test_events_go_on_where_the_stream_has_forgotten_those_before(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 30 days, or a gibibyte."""
    monkeypatch.setattr(outbox_module, "_AGAIN_S", 0.001)
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    outbox = outbox_of(desk)
    outbox.add(told(desk, 1, 2))
    async with posted(transport, stream, 2, outbox):
        await until_empty(outbox)
        await transport.purge("EVENTS", "event.>", 1000)
        outbox.add(told(desk, 3, 2))
        await until_empty(outbox)
    assert await stored(transport) == [3, 4]


async def test_trades_are_told_before_what_can_wait(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_REST_S", (0.0, 60.0))
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    name = desk.intend("buy", 1)
    outbox = outbox_of(desk)
    outbox.add(told(desk, 1, 3))
    async with posted(transport, stream, 3, outbox) as posting:
        async with asyncio.timeout(5):
            while not posting._outboxes:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert len(outbox) == 3
        outbox.add([Told(4, desk.fill(name, 1).trades[0])])
        await until_empty(outbox)


@pytest.mark.parametrize("count", [3, 20])
@pytest.mark.parametrize("where", ["first", "last"])
async def test_an_event_that_cannot_be_made_is_left_out_and_harms_no_other(
    transport: MemoryTransport, count: int, where: str
) -> None:
    stream = Events(transport)
    await stream.ensure()
    desk, failed = Desk(), list[Exception]()
    bad, book = 1 if where == "first" else count, Desk().book

    def made(one: Told) -> Event:
        if one.sequence == bad:
            raise ValueError("no amount")
        return event_of(book, one, {})

    outbox = Outbox("a", made, failed.append)
    other = outbox_of(desk, "b")
    for one in (outbox, other):
        one.add(told(desk, 1, count))
    async with posted(transport, stream, count, outbox, other):
        await until_empty(outbox)
        await until_empty(other)
    assert await stored(transport) == [number for number in range(1, count + 1) if number != bad]
    assert await stored(transport, "b") == [*range(1, count + 1)]
    assert (outbox.dropped, len(failed)) == (1, 1)


@pytest.mark.parametrize("count", [3, 20])
@pytest.mark.parametrize("text", ["\ud800", "x" * 2**20], ids=["no Unicode, so no JSON", "more than a message holds"])
async def test_an_event_that_nats_can_never_take_is_left_out_and_those_behind_it_go_on(
    transport: MemoryTransport, text: str, count: int
) -> None:
    stream = Events(transport)
    await stream.ensure()
    desk, failed = Desk(), list[Exception]()
    book = Desk().book
    outbox = Outbox("a", lambda one: event_of(book, one, {}), failed.append)
    events = told(desk, 1, count)
    events[1] = Told(2, desk.order("buy", 1).model_copy(update={"text": text}))
    outbox.add(events)
    async with posted(transport, stream, count, outbox):
        await until_empty(outbox)
    assert await stored(transport) == [number for number in range(1, count + 1) if number != 2]
    assert [type(error) for error in failed] == [CodecError]


async def test_an_event_that_cannot_be_published_is_an_error_of_the_service(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Events(transport)
    await stream.ensure()
    monkeypatch.setattr(stream, "publish", lambda *_, **__: 1 / 0)
    desk, posting = Desk(), Posting(stream)
    outbox = outbox_of(desk)
    outbox.add(told(desk, 1, 1))
    running = asyncio.create_task(outbox.run(transport, posting, 1))
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(posting.run(), 5)
    running.cancel()


async def test_a_long_outage_pushes_the_oldest_events_out_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "_MOST", 3)
    outbox = outbox_of(Desk())
    outbox.add(told(Desk(), 1, 5))
    assert (len(outbox), outbox.dropped) == (3, 2)
