"""Publishing over a transport in memory that loses, delays and disturbs on demand."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace as change
from typing import Any

import pytest
from structlog.testing import capture_logs

from aegis.contracts.market import InstrumentId
from aegis.marketdata.adapters.bus import PublisherOptions, StreamPublisher, ticks_stream
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.ports import Alone, Outgoing
from aegis_sdk.errors import ConfigurationError, DeadlineExceeded
from aegis_sdk.messages import NO_HEADERS, Headers, Message, StoredMessage
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

ORIGIN = Origin(env="sim", feed="main", source="test", session="s1", epoch=3)
OPTIONS = PublisherOptions(ring=100, batch=10, marker_interval_s=0.005, ack_timeout_s=0.3)
A, B = "tick.SHFE.a", "tick.SHFE.b"


class Disturbed(MemoryTransport):
    """Loses each payload in `loses` once, and as many acknowledgements as `loses_acks` says."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.loses: set[bytes] = set()
        self.loses_acks = 0
        self.markers: list[dict[str, object]] = []

    def publish_many(self, messages: Iterable[tuple[str, bytes]], headers: Headers = NO_HEADERS) -> None:
        sent = [message for message in messages if message[1] not in self.loses]
        self.loses.difference_update([payload for _, payload in messages])
        super().publish_many(sent, headers)

    def append_now(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> asyncio.Future[int]:
        self.markers.append(json.loads(payload))
        ack = super().append_now(subject, payload, headers, timeout)
        if not self.loses_acks:
            return ack
        self.loses_acks -= 1
        lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lost.get_loop().call_later(timeout, lost.set_exception, DeadlineExceeded("no answer"))
        return lost


class Desk:
    """A broker, a publisher on it, and a look into the stream."""

    def __init__(self, options: PublisherOptions = OPTIONS, transport: type[Disturbed] = Disturbed) -> None:
        self.broker = MemoryBroker()
        self.transport: Any = transport(self.broker)
        self.other = MemoryTransport(self.broker)
        self.publisher = StreamPublisher(self.transport, {"Aegis-Codec": "msgpack"}, options)
        self.publisher.open(ORIGIN, Alone())
        self.sequences: Counter[str] = Counter()

    def publish(self, count: int, *names: str) -> None:
        for _ in range(count):
            ticks: list[Outgoing] = []
            for subject in names or (A,):
                self.sequences[subject] += 1
                number = self.sequences[subject]
                ticks.append((subject, f"{subject} {number}".encode(), number))
            self.publisher.publish(ticks)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def settled(self) -> None:
        await self.publisher.drain(5)
        stats = self.publisher.stats()
        assert stats.accepted == stats.stored + stats.left + sum(stats.lost.values())

    async def stored(self, subject: str = "tick.>") -> list[StoredMessage]:
        found: list[StoredMessage] = []
        async with asyncio.timeout(5), self.other.read("TICKS", subject) as messages:
            async for message in messages:
                if message is None:
                    break
                found.append(message)
        return found

    async def numbers(self, subject: str = A) -> list[int]:
        return [int(message.payload.split()[1]) for message in await self.stored(subject)]


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Desk]:
    task = asyncio.create_task(desk.publisher.run())
    try:
        yield desk
    finally:
        task.cancel()
        await asyncio.wait([task])
        await desk.transport.close()
        await desk.other.close()
        if not task.cancelled():
            task.result()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with running(Desk()) as desk:
        yield desk


async def test_what_is_stored_is_as_old_as_its_receipt_is_long_ago(desk: Desk) -> None:
    desk.publish(5)
    desk.publisher.publish([(A, b"timed", 6), (A, b"not timed", 7)], time.time_ns() - 2_000_000_000)
    await desk.settled()
    latency = desk.publisher.stats().latency
    assert latency.count == 1
    assert 2.0 <= latency.total < 5.0


async def test_ticks_are_stored_in_order_with_their_headers(desk: Desk) -> None:
    desk.publish(35)
    await desk.settled()
    assert await desk.numbers() == list(range(1, 36))
    assert (await desk.stored())[0].headers == {"Aegis-Codec": "msgpack"}
    stats = desk.publisher.stats()
    assert (stats.stored, stats.republished, stats.repairs) == (35, 0, 0)
    assert stats.last_stored_ns > 0


async def test_each_batch_ends_with_a_marker_that_tells_what_is_in_it(desk: Desk) -> None:
    desk.publish(2, A, B)
    desk.publish(1, A)
    await desk.settled()
    markers = [json.loads(message.payload) for message in await desk.stored("tickmark.main")]
    assert markers[-1] == {
        "feed": "main",
        "epoch": 3,
        "market": "",
        "session": "s1",
        "marker": 2,
        "ticks": 5,
        "instruments": {"SHFE.a": [3, 3], "SHFE.b": [2, 2]},
    }


async def test_a_marker_follows_after_a_full_batch_and_after_its_interval(desk: Desk) -> None:
    desk.publish(12)
    await desk.until(lambda: desk.publisher.stats().stored == 12)
    assert [marker["ticks"] for marker in desk.transport.markers] == [10, 2]


async def test_ticks_that_the_server_lost_are_sent_again(desk: Desk) -> None:
    """The last ones of a batch are lost, its marker is not: the sequence of the marker tells."""
    desk.transport.loses = {b"tick.SHFE.a 9", b"tick.SHFE.a 10"}
    desk.publish(10)
    await desk.until(lambda: desk.publisher.stats().stored == 10)
    desk.publish(15)
    await desk.settled()
    assert await desk.numbers() == list(range(1, 26))
    stats = desk.publisher.stats()
    assert (stats.republished, stats.repairs, stats.lost) == (2, 1, {})


async def test_a_lost_tick_whose_successor_is_stored_is_counted_and_not_sent_late(desk: Desk) -> None:
    desk.transport.loses = {b"tick.SHFE.a 4"}
    desk.publish(10)
    await desk.settled()
    assert await desk.numbers() == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert desk.publisher.stats().lost == {InstrumentId("SHFE", "a"): 1}


async def test_a_lost_acknowledgement_repeats_nothing(desk: Desk) -> None:
    desk.transport.loses_acks = 2
    desk.publish(25, A, B)
    await desk.settled()
    for subject in (A, B):
        assert await desk.numbers(subject) == list(range(1, 26))
    stats = desk.publisher.stats()
    assert stats.repairs >= 1
    assert stats.republished == 0


async def test_another_writer_in_the_stream_disturbs_nothing(desk: Desk) -> None:
    done = False

    async def write() -> None:
        while not done:
            desk.other.publish("tick.SHFE.other", b"of another feed")
            await asyncio.sleep(0)

    writing = asyncio.create_task(write())
    for _ in range(20):
        await desk.publisher.room()
        desk.publish(7, A, B)
        await asyncio.sleep(0.002)
    await desk.settled()
    done = True
    await writing
    assert await desk.numbers() == list(range(1, 141))
    stats = desk.publisher.stats()
    assert (stats.stored, stats.republished, stats.repairs) == (280, 0, 0)


async def test_a_loss_beside_another_writer_is_found(desk: Desk) -> None:
    desk.publish(1)
    await desk.settled()
    desk.transport.loses = {b"tick.SHFE.a 9", b"tick.SHFE.a 10"}
    desk.publish(5)
    for _ in range(5):
        desk.other.publish("tick.SHFE.other", b"of another feed")
    desk.publish(4)
    await desk.settled()
    assert await desk.numbers() == list(range(1, 11))
    assert desk.publisher.stats().republished == 2


async def test_an_outage_costs_nothing_and_repeats_nothing(desk: Desk) -> None:
    for step in range(60):
        desk.publish(1, A, B)
        if step % 20 == 5:
            desk.broker.stop()
        if step % 20 == 12:
            desk.broker.start()
        await asyncio.sleep(0.003)
    await desk.settled()
    for subject in (A, B):
        assert await desk.numbers(subject) == list(range(1, 61))
    assert desk.publisher.stats().lost == {}


async def test_after_an_outage_nothing_is_sent_before_what_it_swallowed(desk: Desk) -> None:
    """However short it is: sent the other way round, the older ticks would be lost."""
    desk.publish(1)
    await desk.settled()
    desk.transport.loses = {b"tick.SHFE.a 2", b"tick.SHFE.a 3"}
    desk.publish(2)
    desk.broker.stop()
    desk.broker.start()
    desk.publish(2)
    await desk.settled()
    assert await desk.numbers() == [1, 2, 3, 4, 5]


async def test_what_a_long_outage_pushes_out_is_counted_by_instrument(desk: Desk) -> None:
    desk.publish(5, A, B)
    await desk.until(lambda: desk.publisher.stats().stored == 10)
    desk.broker.stop()
    desk.publish(80, A)
    desk.publish(30, B)
    stats = desk.publisher.stats()
    assert (stats.waiting, stats.in_flight) == (100, 10), "what was stored just now is in doubt too"
    assert stats.lost == {InstrumentId("SHFE", "a"): 10}
    desk.publish(60, B)
    desk.broker.start()
    await desk.settled()
    stats = desk.publisher.stats()
    assert (stats.accepted, stats.stored, stats.handed_over) == (180, 110, 110)
    assert stats.lost == {InstrumentId("SHFE", "a"): 70}
    assert await desk.numbers(A) == [*range(1, 6), *range(76, 86)]
    assert await desk.numbers(B) == list(range(1, 96))


async def test_an_outage_its_loss_and_its_end_are_each_logged_once_with_counts(desk: Desk) -> None:
    desk.publish(5)
    await desk.until(lambda: desk.publisher.stats().stored == 5)
    with capture_logs() as logs:
        desk.broker.stop()
        desk.publish(60, A)
        desk.publish(60, B)
        desk.publish(1, B)
        desk.broker.start()
        await desk.settled()
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("publishing_interrupted", "warning"),
        ("ticks_lost", "error"),
        ("publishing_resumed", "error"),
    ]
    lost = desk.publisher.stats().lost[InstrumentId("SHFE", "a")]
    assert lost > 0
    assert (logs[-1]["lost"], logs[-1]["most_lost"], logs[-1]["republished"]) == (lost, {A: lost}, 0)


async def test_an_outage_without_loss_ends_as_information(desk: Desk) -> None:
    desk.publish(1)
    await desk.settled()
    desk.transport.loses = {b"tick.SHFE.a 2"}
    with capture_logs() as logs:
        desk.publish(1)
        desk.broker.stop()
        desk.broker.start()
        await desk.settled()
    [resumed] = [entry for entry in logs if entry["event"] == "publishing_resumed"]
    assert (resumed["log_level"], resumed["lost"], resumed["republished"]) == ("info", 0, 1)


async def test_no_more_than_a_batch_is_sent_without_an_answer() -> None:
    async with running(Desk()) as desk:
        desk.publish(1)
        await desk.settled()
        desk.transport.loses_acks = 1_000
        desk.publish(90)
        assert (desk.publisher.stats().in_flight, desk.publisher.stats().waiting) == (10, 80)
        for wait in (desk.publisher.room, desk.publisher.space):
            assert not await at_once(wait)
        desk.transport.loses_acks = 0
        await desk.settled()
        for wait in (desk.publisher.room, desk.publisher.space):
            assert await at_once(wait)
        assert await desk.numbers() == list(range(1, 92))


async def at_once(wait: Callable[[], Awaitable[None]]) -> bool:
    """Whether waiting ends within one turn of the loop."""
    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    done = task.done()
    task.cancel()
    return done


async def test_cut_off_it_takes_more_but_those_who_can_wait_wait(desk: Desk) -> None:
    desk.publish(1)
    await desk.settled()
    desk.broker.stop()
    desk.publish(20)
    assert await at_once(desk.publisher.room)
    assert not await at_once(desk.publisher.space)


async def test_it_waits_for_nats_to_begin() -> None:
    desk = Desk()
    desk.broker.stop()
    async with running(desk):
        desk.publish(5)
        await asyncio.sleep(0)
        desk.broker.start()
        await desk.settled()
        assert await desk.numbers() == [1, 2, 3, 4, 5]


async def test_what_is_not_stored_when_the_time_to_stop_is_over_is_lost_and_counted(desk: Desk) -> None:
    desk.publish(3)
    await desk.settled()
    desk.broker.stop()
    desk.publish(4)
    await desk.publisher.drain(0.01)
    stats = desk.publisher.stats()
    assert (stats.stored, stats.lost) == (3, {InstrumentId("SHFE", "a"): 4})


async def test_a_new_session_ends_the_batch_of_the_one_before(desk: Desk) -> None:
    desk.publish(1)
    await desk.settled()
    desk.publish(2)
    desk.publisher.begin(Origin(env="sim", feed="main", source="test", session="s2", epoch=3))
    desk.publish(1)
    await desk.settled()
    assert [(marker["session"], marker["ticks"]) for marker in desk.transport.markers] == [
        ("s1", 1),
        ("s1", 2),
        ("s2", 1),
    ]


def test_a_ring_that_cannot_hold_four_batches_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ring"):
        PublisherOptions(ring=3_999, batch=1_000)


def test_the_stream_is_acknowledged_before_it_is_synced_on_one_node_only() -> None:
    assert ticks_stream().persist_async
    assert not ticks_stream(replicas=3).persist_async


# Live subscribers


class Listener:
    """Who listens to ticks, and to nothing else."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, message: Message) -> None:
        self.numbers.append(int(message.payload.split()[1]))


@asynccontextmanager
async def listening(desk: Desk) -> AsyncIterator[Listener]:
    listener = Listener()
    subscription = await desk.other.subscribe("tick.>", listener)
    yield listener
    await subscription.unsubscribe()


class Away(Disturbed):
    """A stream that does not answer, as while its leader is replaced: what it should store is gone."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.is_away = False

    def publish_many(self, messages: Iterable[tuple[str, bytes]], headers: Headers = NO_HEADERS) -> None:
        gone = {"Nats-Expected-Stream": "_"} if self.is_away else {}
        super().publish_many(messages, {**headers, **gone})

    def append_now(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> asyncio.Future[int]:
        if not self.is_away:
            return super().append_now(subject, payload, headers, timeout)
        lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lost.get_loop().call_later(timeout, lost.set_exception, DeadlineExceeded("no answer"))
        return lost

    async def append(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0) -> int:
        return await self.append_now(subject, payload, headers, timeout)


@pytest.fixture
async def away() -> AsyncIterator[Desk]:
    desk = Desk(change(OPTIONS, live_after_s=0.02), transport=Away)
    async with running(desk):
        yield desk


async def test_live_subscribers_have_ticks_while_the_stream_is_away_and_it_has_them_afterwards(away: Desk) -> None:
    async with listening(away) as live:
        away.publish(5)
        await away.until(lambda: away.publisher.stats().stored == 5)
        away.transport.is_away = True
        for _ in range(8):
            away.publish(5)
            await asyncio.sleep(0.01)
        await away.until(lambda: live.numbers == list(range(1, 46)))
        assert away.publisher.stats().stored == 5
        away.transport.is_away = False
        away.publish(5)
        await away.settled()
        away.publish(5)
        await away.settled()
        assert live.numbers == list(range(1, 56))
        assert await away.numbers() == list(range(1, 56))
        assert away.publisher.stats().handed_over == 55


async def test_a_stall_longer_than_a_batch_keeps_nothing_from_live_subscribers(away: Desk) -> None:
    """Without an answer nothing more is sent to the stream."""
    async with listening(away) as live:
        away.transport.is_away = True
        away.publish(90)
        await away.until(lambda: len(live.numbers) == 90)
        away.transport.is_away = False
        await away.settled()
        assert (live.numbers, await away.numbers()) == (list(range(1, 91)), list(range(1, 91)))


async def test_where_the_stream_may_go_on_any_moment_a_full_ring_waits_for_it(away: Desk) -> None:
    """Live subscribers wait with it, until it is known that the stream is away."""
    await away.until(lambda: away.publisher.stats().in_flight == 0)
    away.transport.is_away = True
    away.publish(90)
    await away.until(lambda: away.publisher._live)  # pyright: ignore[reportPrivateUsage]
    assert await at_once(away.publisher.room)
    away.publish(10)
    assert not await at_once(away.publisher.room)
    async with asyncio.timeout(5):
        await away.publisher.room()  # no acknowledgement comes
    assert away.publisher.stats().lost == {}


async def test_a_stream_that_hears_nothing_for_a_moment_has_all_ticks_afterwards(away: Desk) -> None:
    """Its leader steps down: nobody's connection breaks, and the next one may be there before a marker is missed."""
    async with listening(away) as live:
        for step in range(30):
            away.transport.is_away = 10 <= step < 12
            away.publish(1, A, B)
            await asyncio.sleep(0.007)
        await away.settled()
        assert live.numbers[:2] == [1, 1]
        for subject in (A, B):
            assert await away.numbers(subject) == list(range(1, 31))
        assert away.publisher.stats().lost == {}


async def test_a_loop_that_was_held_up_sends_nothing_into_a_batch_that_is_overdue(desk: Desk) -> None:
    """The stream may have missed some of it meanwhile."""
    desk.publish(1)
    await desk.until(lambda: desk.publisher.stats().stored == 1)
    desk.publish(1)
    time.sleep(0.01)  # noqa: ASYNC251 (longer than a marker may take)
    desk.publish(1)
    assert desk.transport.markers[-1]["instruments"] == {"SHFE.a": [1, 2]}  # one, and its number
    await desk.settled()
    assert await desk.numbers() == [1, 2, 3]


async def test_what_broke_off_with_the_connection_reaches_live_subscribers(desk: Desk) -> None:
    async with listening(desk) as live:
        desk.publish(3)
        await desk.settled()
        desk.transport.loses.add(b"tick.SHFE.a 4")
        desk.publish(1)
        desk.broker.disconnect(desk.transport)
        desk.publish(2)
        desk.broker.reconnect(desk.transport)
        await desk.settled()
        assert live.numbers == list(range(1, 7))
        assert await desk.numbers() == list(range(1, 7))


async def test_what_live_subscribers_were_sent_by_a_connection_that_broke_they_are_sent_again(away: Desk) -> None:
    async with listening(away) as live:
        away.transport.is_away = True
        away.transport.loses.add(b"tick.SHFE.a 2")
        away.publish(1)
        await away.until(lambda: live.numbers == [1])
        await away.until(lambda: away.publisher._live)  # pyright: ignore[reportPrivateUsage]
        away.publish(1)
        away.broker.disconnect(away.transport)
        away.transport.is_away = False
        away.broker.reconnect(away.transport)
        await away.settled()
        assert set(live.numbers) == {1, 2}
        assert await away.numbers() == [1, 2]


# The licence


class Doubtful:
    """A licence that is not trusted before it is proved."""

    def __init__(self) -> None:
        self.is_trusted = False
        self.proves = asyncio.Event()

    async def prove(self) -> None:
        await self.proves.wait()
        self.is_trusted = True


async def test_nothing_is_sent_under_a_licence_that_is_not_trusted(desk: Desk) -> None:
    async with listening(desk) as live:
        desk.publish(2)
        await desk.settled()
        licence = Doubtful()
        desk.publisher.open(ORIGIN, licence)
        desk.publish(3)
        await asyncio.sleep(0.05)
        assert live.numbers == [1, 2]
        licence.proves.set()
        await desk.settled()
        assert live.numbers == await desk.numbers() == [1, 2, 3, 4, 5]


async def test_who_has_left_sends_nothing_and_who_comes_back_begins_with_a_marker(desk: Desk) -> None:
    desk.publish(2)
    await desk.settled()
    desk.publisher.open(ORIGIN, Doubtful())
    desk.publish(3)
    desk.publisher.leave()
    await asyncio.sleep(0.05)
    assert await desk.numbers() == [1, 2]
    stats = desk.publisher.stats()
    assert (stats.accepted, stats.stored, stats.left) == (5, 2, 3)
    begun = desk.publisher.open(change(ORIGIN, epoch=9), Alone())
    sequence = await begun
    [border] = [one for one in await desk.stored("tickmark.main") if one.sequence == sequence]
    assert json.loads(border.payload)["epoch"] == 9
    desk.publish(1)
    await desk.settled()
    assert await desk.numbers() == [1, 2, 6]


async def test_who_comes_back_while_doubts_are_settled_begins_with_a_marker_of_its_own(away: Desk) -> None:
    away.publish(1)
    await away.settled()
    away.publisher.leave()
    away.transport.is_away = True
    away.publisher.open(ORIGIN, Alone())
    await asyncio.sleep(0.02)  # its first marker is under way, and has no answer
    away.publisher.leave()
    begun = away.publisher.open(change(ORIGIN, epoch=9), Alone())
    away.transport.is_away = False
    async with asyncio.timeout(5):
        sequence = await begun
    [border] = [one for one in await away.stored("tickmark.main") if one.sequence == sequence]
    assert json.loads(border.payload)["epoch"] == 9
