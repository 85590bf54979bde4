"""Instances of one feed set, over a broker in memory: who publishes goes on exactly behind whoever did before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace as change
from itertools import islice

import pytest
from feed_desk import OPTIONS, Desk, quote

from aegis.contracts.market import InstrumentId
from aegis.marketdata import pipeline
from aegis.marketdata.adapters.bus import follower as following
from aegis.marketdata.adapters.bus import ticks_stream
from aegis.marketdata.domain.sequencer import Origin

pytestmark = pytest.mark.own_time


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.close()


async def test_one_goes_on_behind_the_last_tick_of_the_other(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await first.takes_over(1)
    for one in (first, second):
        one.brings(quote(1), quote(2))
    await desk.heard(2)
    second.brings(quote(3))
    await desk.until(lambda: second.pipeline.stats().held == 1)
    assert await second.takes_over(2) == 1
    second.brings(quote(4))
    assert await desk.heard(4) == [("a", volume, 1.0) for volume in (1, 2, 3, 4)]
    assert [(tick.epoch, tick.sequence, tick.volume_delta) for tick in desk.live] == [
        (1, 1, 0),
        (1, 2, 1),
        (2, 1, 1),
        (2, 2, 1),
    ]


async def test_who_takes_the_key_back_has_not_forgotten_how_far_its_own_feed_was(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await first.takes_over(1)
    for one in (first, second):
        one.brings(quote(1))
    await desk.heard(1)
    await first.gives_up()
    await second.takes_over(2)
    await second.gives_up()
    first.brings(quote(1, bid=2.0))
    await desk.until(lambda: first.pipeline.stats().held == 1)
    assert await first.takes_over(3) == 1
    assert await desk.heard(2) == [("a", 1, 1.0), ("a", 1, 2.0)]


async def test_a_standby_that_has_just_started_knows_what_is_quiet_since_an_earlier_epoch(desk: Desk) -> None:
    first = await desk.instance("p.primary")
    await first.takes_over(1)
    first.brings(quote(5, "quiet"), quote(1))
    await desk.heard(2)
    await first.gives_up()
    await first.takes_over(2)
    first.brings(quote(2))
    await desk.heard(3)
    second = await desk.instance("p.backup")
    assert {tick.symbol for tick in second.pipeline.latest.values()} == {"quiet", "a"}
    second.brings(quote(5, "quiet", flags=("snapshot",)), quote(2, flags=("snapshot",)))
    await desk.until(lambda: second.pipeline.heard.get(InstrumentId("CZCE", "a")) == 1)
    assert await second.takes_over(3) == 0
    second.brings(quote(7, "quiet"))
    await desk.heard(4)
    assert (desk.live[-1].symbol, desk.live[-1].volume_delta) == ("quiet", 2)


async def test_the_state_that_a_new_session_begins_with_is_no_news_where_it_is_published(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await first.takes_over(1)
    for one in (first, second):
        one.brings(quote(1))
    await desk.heard(1)
    second.brings(quote(1, flags=("snapshot",)))
    await desk.until(lambda: second.pipeline.heard[InstrumentId("CZCE", "a")] == 2)
    assert await second.takes_over(2) == 0
    assert await desk.heard(1) == [("a", 1, 1.0)]


async def test_who_published_itself_since_still_knows_what_another_published_of_a_quiet_instrument(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await first.takes_over(1)
    for one in (first, second):
        one.brings(quote(5, "quiet"))
    await desk.heard(1)
    await desk.until(lambda: second.pipeline.stats().held == 0)
    await first.gives_up()
    await second.takes_over(2)
    await second.gives_up()
    await first.takes_over(3)
    second.brings(quote(5, "quiet", flags=("snapshot",)))
    await desk.until(lambda: second.pipeline.heard[InstrumentId("CZCE", "quiet")] == 2)
    assert await second.takes_over(4) == 0
    assert await desk.heard(1) == [("quiet", 5, 1.0)]


async def test_the_state_that_a_new_session_begins_with_is_published_where_it_is_news(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await first.takes_over(1)
    first.brings(quote(1))
    await desk.heard(1)
    second.brings(quote(2, flags=("snapshot",)))
    await desk.until(lambda: second.pipeline.stats().held == 1)
    assert await second.takes_over(2) == 1
    assert await desk.heard(2) == [("a", 1, 1.0), ("a", 2, 1.0)]


async def test_who_follows_anew_is_told_again_and_forgets_nothing(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await first.takes_over(1)
    for one in (first, second):
        one.brings(quote(1))
    await desk.until(lambda: bool(second.pipeline.latest))
    await desk.until(lambda: second.pipeline.stats().held == 0)
    await second._end_following()
    await second.stands_by()
    second.brings(quote(1, bid=2.0))
    await desk.until(lambda: second.pipeline.stats().held == 1)
    assert await second.takes_over(2) == 1
    assert await desk.heard(2) == [("a", 1, 1.0), ("a", 1, 2.0)]


async def test_ticks_of_an_instance_that_was_replaced_move_nobody(desk: Desk) -> None:
    """It goes on in its old epoch: its licence is not asked here."""
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await first.takes_over(1)
    first.brings(quote(1))
    await desk.heard(1)
    await second.takes_over(2)
    third = await desk.instance("p.third")
    first.brings(quote(2))
    third.brings(quote(2))
    await desk.heard(2)
    await desk.until(lambda: third.pipeline.stats().held == 1)
    assert await third.takes_over(3) == 1


async def test_who_was_replaced_unnoticed_is_not_misled_by_what_it_sent_too_late(desk: Desk) -> None:
    """It was stopped right before it handed a tick over: that is void, and the stream's latest of the instrument."""
    first = await desk.instance("p.primary", options=change(OPTIONS, marker_interval_s=60))
    second = await desk.instance("p.backup")
    await first.takes_over(1)
    second.brings(quote(1), quote(2))
    await desk.until(lambda: second.pipeline.stats().held == 2)
    assert await second.takes_over(2) == 2
    await desk.heard(2)
    first.brings(quote(1))
    await desk.heard(3)
    await first.pipeline.stand_by()
    first.brings(quote(2))
    await desk.until(lambda: first.pipeline.stats().held == 1)
    await first.stands_by()
    assert await first.takes_over(3) == 0
    assert await desk.stored() == [("a", 1, 1.0), ("a", 2, 1.0)]
    assert len(desk.live) == 3


async def test_who_takes_the_key_back_counts_equal_quotes_that_another_has_published(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await first.takes_over(1)
    await first.pipeline.stand_by()
    for one in (first, second):
        one.brings(quote(1), quote(1))
        await desk.until(lambda one=one: one.pipeline.stats().held == 2)
    assert await second.takes_over(2) == 2
    await desk.heard(2)
    await first.stands_by()
    assert await first.takes_over(3) == 0


@pytest.mark.parametrize(
    ("after", "behind", "told"),
    [(1, 50_000, [1, 2, 3]), (0, 50_000, [3]), (1, 1, [3]), (10_000, 50_000, [3])],
    ids=["known", "unknown", "too far back", "the stream is a new one"],
)
async def test_who_follows_goes_on_where_it_knows_the_stream_or_begins_with_the_latest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, after: int, behind: int, told: list[int]
) -> None:
    monkeypatch.setattr(following, "_BEHIND", behind)
    first = await desk.instance("p.primary")
    await first.takes_over(1)
    first.brings(quote(1), quote(2), quote(3))
    await desk.until(lambda: first.pipeline.stats().outlet.stored == 3)
    volumes: list[int] = []
    follower = following.TickFollower(
        desk.look, ticks_stream(), "main", "p", lambda _, tick, **__: volumes.append(tick.volume), after=after
    )
    task = asyncio.create_task(follower.run())
    async with asyncio.timeout(30):
        await follower.reached(await desk.look.last_sequence("TICKS"))
    task.cancel()
    assert volumes == told


async def test_what_a_standby_had_no_room_for_leaves_a_hole_when_it_takes_over(desk: Desk) -> None:
    second = await desk.instance("p.backup", held_size=3)
    second.brings(*(quote(volume) for volume in range(1, 8)))
    await desk.until(lambda: second.pipeline.stats().forgotten == 4)
    assert await second.takes_over(1) == 3
    await desk.heard(3)
    assert [(tick.volume, tick.sequence) for tick in desk.live] == [(5, 5), (6, 6), (7, 7)]


async def test_what_it_had_no_room_for_of_an_instrument_of_which_it_holds_nothing_is_told_by_the_next_tick(
    desk: Desk,
) -> None:
    second = await desk.instance("p.backup", held_size=1)
    second.brings(quote(1, "slow"), quote(1))
    await desk.until(lambda: second.pipeline.stats().forgotten == 1)
    assert await second.takes_over(1) == 1
    second.brings(quote(2, "slow"))
    await desk.heard(2)
    assert [(tick.symbol, tick.sequence) for tick in desk.live] == [("a", 1), ("slow", 2)]


async def test_what_the_bridge_drops_behind_what_was_held_leaves_its_hole_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_TURN", 1)
    second = await desk.instance("p.backup")
    second.brings(quote(1), quote(2))
    await desk.until(lambda: second.pipeline.stats().held == 2)
    assert await second.takes_over(1) == 2
    second.brings(quote(3), *(quote(volume, "b") for volume in range(99)), quote(1, "c"), quote(4))
    await desk.heard(102)
    assert [(tick.volume, tick.sequence) for tick in desk.live if tick.symbol == "a"] == [(1, 1), (2, 2), (4, 4)]


async def test_what_comes_before_all_that_was_held_is_published_waits_behind_it_and_not_in_the_bridge(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bridge has room for a hundred; the stream is busy with what was held for longer than that takes to come."""
    monkeypatch.setattr(pipeline, "_TURN", 50)
    has_room = asyncio.Event()
    second = await desk.instance("p.backup")
    second.brings(*(quote(volume) for volume in range(100)))
    await desk.until(lambda: second.pipeline.stats().held == 100)
    room = second.pipeline._outlet.room

    async def no_room_yet() -> None:
        await has_room.wait()
        await room()

    monkeypatch.setattr(second.pipeline._outlet, "room", no_room_yet)
    assert await second.takes_over(1) == 100
    for first in (100, 200):
        second.brings(*(quote(volume) for volume in range(first, first + 100)))
        await desk.until(lambda first=first: second.pipeline.stats().held == first + 100)
    has_room.set()
    await desk.heard(300)
    assert [(tick.volume, tick.sequence) for tick in desk.live] == [(number, number + 1) for number in range(300)]


async def test_what_the_bridge_of_a_standby_dropped_leaves_a_hole_when_it_takes_over(desk: Desk) -> None:
    second = await desk.instance("p.backup")
    second.brings(*(quote(volume) for volume in range(1, 104)))  # it holds a hundred
    await desk.until(lambda: second.pipeline.stats().held == 100)
    await second.takes_over(1)
    await desk.heard(100)
    assert (desk.live[0].volume, desk.live[0].sequence) == (4, 4)


async def test_what_the_bridge_drops_while_nobody_publishes_leaves_a_hole(desk: Desk) -> None:
    first = await desk.instance("p.primary")
    await first.takes_over(1)
    first.brings(quote(1))
    await desk.heard(1)
    await first.pipeline.leave(1.0)
    first.brings(*(quote(volume) for volume in range(2, 105)))  # it holds a hundred
    await desk.until(lambda: first.pipeline.stats().bridge.depth == 0)
    await first.stands_by()
    await first.takes_over(2)
    await desk.heard(101)
    assert (desk.live[1].volume, desk.live[1].sequence) == (5, 4)


async def test_a_session_that_begins_while_somebody_takes_over_waits_its_turn(desk: Desk) -> None:
    second = await desk.instance("p.backup")
    second.brings(*(quote(volume) for volume in range(1, 51)))
    await desk.until(lambda: second.pipeline.stats().held == 50)
    taking = asyncio.create_task(second.takes_over(1))
    await desk.until(lambda: second.pipeline.is_publishing)
    second.brings(quote(51))
    second.pipeline.begin(Origin(**{**vars(second.origin), "epoch": 1, "session": "s2"}))
    second.brings(quote(52))
    assert await taking == 50
    await desk.heard(52)
    assert [tick.volume for tick in desk.live] == list(range(1, 53))
    assert [tick.session for tick in desk.live] == ["s1"] * 51 + ["s2"]


async def test_a_takeover_does_not_wait_until_all_that_was_held_is_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a front that was silent for seconds it may take some, and whoever takes over has few."""
    second, has_room = await desk.instance("p.backup"), asyncio.Event()
    second.brings(*(quote(volume) for volume in range(1, 51)))
    await desk.until(lambda: second.pipeline.stats().held == 50)
    room = second.pipeline._outlet.room

    async def no_room_yet() -> None:
        await has_room.wait()
        await room()

    monkeypatch.setattr(second.pipeline._outlet, "room", no_room_yet)
    assert await second.takes_over(1) == 50
    assert second.pipeline.stats().held == 50
    has_room.set()
    assert len(await desk.heard(50)) == 50


async def test_what_comes_while_what_was_held_is_published_is_not_dropped_for_want_of_room(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bridge holds a hundred, two hundred were held, and for each that is published another one comes."""
    second, volumes = await desk.instance("p.backup"), iter(range(201, 401))
    for begin in (1, 101):
        second.brings(*(quote(volume) for volume in range(begin, begin + 100)))
        await desk.until(lambda begin=begin: second.pipeline.stats().held == begin + 99)
    monkeypatch.setattr("aegis.marketdata.pipeline._TURN", 10)
    room = second.pipeline._outlet.room

    async def room_for_ten() -> None:
        await room()
        second.brings(*(quote(volume) for volume in islice(volumes, 10)))

    monkeypatch.setattr(second.pipeline._outlet, "room", room_for_ten)
    assert await second.takes_over(1) == 200
    await desk.heard(400)
    assert [(tick.volume, tick.sequence) for tick in desk.live] == [(number, number) for number in range(1, 401)]
