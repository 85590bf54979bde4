"""What a publisher of ticks stores, and in which order, whatever gets lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace as change

import pytest
from publisher_desk import OPTIONS, ORIGIN, A, B, Desk, at_once, running
from structlog.testing import capture_logs

from aegis.contracts.market import InstrumentId
from aegis.marketdata.adapters.bus import PublisherOptions, ticks_stream
from aegis_sdk.errors import ConfigurationError

pytestmark = pytest.mark.own_time


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


async def test_a_marker_that_is_nearly_due_goes_with_the_next_ticks() -> None:
    """So where ticks come evenly nobody wakes up for a marker alone."""
    async with running(Desk(change(OPTIONS, marker_interval_s=60))) as desk:
        desk.publish(3)
        await desk.until(lambda: desk.publisher.stats().handed_over == 3)
        desk.publisher._batch_began -= 40
        desk.publish(1)
        assert not desk.transport.markers
        desk.publisher._batch_began -= 3
        desk.publish(1)
        assert [marker["ticks"] for marker in desk.transport.markers] == [5]
        await desk.until(lambda: desk.publisher.stats().stored == 5)


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


async def test_a_node_that_is_behind_the_leader_is_waited_for(desk: Desk) -> None:
    """It calls its end the end of the stream. What it lacks is stored all the same, and not sent again."""
    desk.publish(5)
    await desk.until(lambda: desk.publisher.stats().stored == 5)
    desk.transport.is_behind = True
    desk.transport.loses_acks = 1
    desk.publish(3)
    await desk.settled()
    assert await desk.numbers() == list(range(1, 9))
    assert (desk.publisher.stats().repairs, desk.publisher.stats().republished) == (1, 0)


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
    desk.publisher.begin(change(ORIGIN, session="s2"))
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
