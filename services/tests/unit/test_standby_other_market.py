"""A standby whose feed is of another market: its turn is a switch of the source, not a continuation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from feed_desk import Desk, quote

from aegis.marketdata.adapters.bus import follower as following
from aegis.marketdata.adapters.bus import ticks_stream
from aegis.marketdata.domain.alignment import Alignment

pytestmark = pytest.mark.own_time


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.close()


async def test_it_publishes_what_came_since_the_others_published_last_and_flags_the_switch(desk: Desk) -> None:
    """What it had before that is older than what is published, whatever its time says."""
    first, second = await desk.instance("p.primary"), await desk.instance("replay:x", market="replay:x 1")
    second.brings(quote(70), quote(71))
    await desk.until(lambda: second.pipeline.stats().held == 2)
    await first.takes_over(1)
    first.brings(quote(1), quote(2))
    await desk.heard(2)
    await desk.until(lambda: second.pipeline.latest["tick.CZCE.a"].volume == 2)
    second.brings(quote(72), quote(5, "b"))
    await desk.until(lambda: second.pipeline.stats().held == 4)
    assert await second.takes_over(2) == 2
    second.brings(quote(73))
    assert await desk.heard(5) == [("a", 1, 1.0), ("a", 2, 1.0), ("a", 72, 1.0), ("b", 5, 1.0), ("a", 73, 1.0)]
    assert await desk.stored() == [("a", 1, 1.0), ("a", 2, 1.0), ("a", 72, 1.0), ("b", 5, 1.0), ("a", 73, 1.0)]
    assert [(tick.epoch, tick.sequence, "reset" in tick.flags, tick.volume_delta) for tick in desk.live] == [
        (1, 1, False, 0),
        (1, 2, False, 1),
        (2, 1, True, 0),
        (2, 1, False, 0),
        (2, 2, False, 1),
    ]


async def test_an_equal_quote_of_another_market_is_another_one(desk: Desk) -> None:
    """Two runs of one recording bring the same: that the other one has published it says nothing."""
    first, second = await desk.instance("replay:x", market="1"), await desk.instance("replay:x", market="2")
    await first.takes_over(1)
    first.brings(quote(1))
    await desk.heard(1)
    await desk.until(lambda: bool(second.pipeline.latest))
    second.brings(quote(1))
    await desk.until(lambda: second.pipeline.stats().held == 1)
    assert await second.takes_over(2) == 1
    assert await desk.heard(2) == [("a", 1, 1.0), ("a", 1, 1.0)]


async def test_who_takes_the_key_back_from_another_market_publishes_nothing_again(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("replay:x", market="replay:x 1")
    await first.takes_over(1)
    first.brings(quote(1))
    await desk.heard(1)
    await first.gives_up()
    await second.takes_over(2)
    second.brings(quote(50))
    await desk.heard(2)
    first.brings(quote(2))
    await desk.until(lambda: first.pipeline.stats().held == 1)
    await second.gives_up()
    assert await first.takes_over(3) == 1
    assert await desk.heard(3) == [("a", 1, 1.0), ("a", 50, 1.0), ("a", 2, 1.0)]
    assert "reset" in desk.live[-1].flags


async def test_a_follower_knows_whose_market_was_the_last_one_before_an_epoch(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("replay:x", market="other")
    await first.takes_over(2)
    first.brings(quote(1))
    await first.gives_up()
    await second.takes_over(5)
    second.brings(quote(2))
    await desk.until(lambda: second.pipeline.stats().outlet.stored == 1)
    told: list[tuple[int, bool]] = []
    follower = following.TickFollower(
        desk.look, ticks_stream(), "main", "p", lambda _, tick, ours, **__: told.append((tick.volume, ours)), after=1
    )
    task = asyncio.create_task(follower.run())
    async with asyncio.timeout(30):
        await follower.reached(await desk.look.last_sequence("TICKS"))
    task.cancel()
    assert [follower.market_before(epoch) for epoch in (2, 3, 5, 6)] == ["", "p", "p", "other"]
    assert told == [(1, True), (2, False)]


def test_what_is_held_since_a_moment_is_in_the_order_of_its_arrival_and_begins_without_a_hole() -> None:
    alignment = Alignment(3)
    for volume, symbol in ((1, "a"), (1, "b"), (2, "a")):
        alignment.hold(quote(volume, symbol))
    since = alignment.arrivals - 2
    assert alignment.held_since(since) == [quote(1, "b"), quote(2, "a")]
    alignment.hold(quote(2, "b"))  # for which the first one is forgotten
    assert alignment.held_since(since) == [quote(1, "b"), quote(2, "a"), quote(2, "b")]
    assert alignment.held_since(alignment.arrivals) == []


async def test_what_it_forgot_while_another_market_was_published_is_no_hole(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("sim", market="sim 1", held_size=2)
    second.brings(*(quote(volume) for volume in range(1, 8)))
    await desk.until(lambda: second.pipeline.stats().forgotten == 5)
    await first.takes_over(1)
    first.brings(quote(900))
    await desk.heard(1)
    await desk.until(lambda: bool(second.pipeline.latest))
    second.brings(quote(8), quote(9))
    await desk.until(lambda: second.pipeline.stats().forgotten == 7)
    assert await second.takes_over(2) == 2
    await desk.heard(3)
    assert [(tick.volume, tick.sequence) for tick in desk.live] == [(900, 1), (8, 1), (9, 2)]
