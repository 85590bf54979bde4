"""What live subscribers have of a publisher while the stream is away, and under which licence it sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace as change

import pytest
from own_time import stand_still
from publisher_desk import OPTIONS, ORIGIN, A, Away, B, Desk, at_once, listening, running

from aegis.marketdata.ports import Alone

pytestmark = pytest.mark.own_time


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with running(Desk()) as desk:
        yield desk


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


async def test_live_subscribers_have_the_next_batch_when_the_server_has_processed_the_one_before(
    away: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What else this connection has to say, a heartbeat or a proof, waits for one batch at most."""
    asked = asyncio.Event()
    processed: asyncio.Queue[None] = asyncio.Queue()

    async def flush(timeout: float) -> None:
        asked.set()
        await processed.get()

    async with listening(away) as live:
        monkeypatch.setattr(away.transport, "flush", flush)
        away.transport.is_away = True
        away.publish(3 * OPTIONS.batch + 5)  # the first of them to the stream, which does not answer
        for batches in (2, 3):
            await asyncio.wait_for(asked.wait(), 5)
            asked.clear()
            away.publish(1)
            await away.until(lambda batches=batches: len(live.numbers) == batches * OPTIONS.batch)
            processed.put_nowait(None)
        await away.until(lambda: live.numbers == list(range(1, 3 * OPTIONS.batch + 8)))


async def test_who_begins_while_the_stream_is_away_does_not_wait_for_it_with_live_subscribers() -> None:
    desk = Desk(change(OPTIONS, live_after_s=0.02, ack_timeout_s=60), transport=Away)
    desk.transport.is_away = True
    async with running(desk), listening(desk) as live:
        desk.publish(5)
        await desk.until(lambda: live.numbers == [1, 2, 3, 4, 5])


async def test_a_market_that_is_quiet_when_it_begins_does_not_part_live_subscribers_from_the_stream(away: Desk) -> None:
    await away.until(lambda: bool(away.transport.markers))
    await asyncio.sleep(0.04)  # longer than the stream may take
    away.publish(1)
    await away.settled()
    assert [message.headers for message in await away.stored()] == [{"Aegis-Codec": "msgpack"}]


async def test_where_the_stream_may_go_on_any_moment_a_full_ring_waits_for_it(away: Desk) -> None:
    """Live subscribers wait with it, until it is known that the stream is away."""
    await away.until(lambda: away.publisher.stats().in_flight == 0)
    away.transport.is_away = True
    away.publish(90)
    await away.until(lambda: away.publisher._live.is_first)  # pyright: ignore[reportPrivateUsage]
    assert await at_once(away.publisher.room)
    away.publish(10)
    assert not await at_once(away.publisher.room)
    async with asyncio.timeout(30):
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
    stand_still(0.01)  # longer than a marker may take
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
        await away.until(lambda: away.publisher._live.is_first)  # pyright: ignore[reportPrivateUsage]
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

    async def trusted(self) -> None:
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
    async with asyncio.timeout(30):
        sequence = await begun
    [border] = [one for one in await away.stored("tickmark.main") if one.sequence == sequence]
    assert json.loads(border.payload)["epoch"] == 9
