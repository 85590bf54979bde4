"""What one instance has sent to live subscribers only is stored by whoever takes over: once, in order, as it was.

Over a broker in memory, whose stream can be away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace as change
from math import nan

import pytest
from feed_desk import OPTIONS, Desk, Instance, quote
from msgspec.structs import replace
from samples import TICK

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import MSGPACK
from aegis.marketdata.adapters.bus import PublisherOptions
from aegis_sdk.messages import Message

pytestmark = pytest.mark.own_time


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.close()


def numbered(*volumes: int) -> list[tuple[str, int, float]]:
    return [("a", volume, 1.0) for volume in volumes]


async def publishing(desk: Desk, *instances: Instance) -> None:
    """The first of them publishes, and a tick is stored."""
    await instances[0].takes_over(1)
    for one in instances:
        one.brings(quote(1))
    await desk.until(lambda: instances[0].pipeline.stats().outlet.stored == 1)
    for one in instances[1:]:
        await desk.until(lambda one=one: one.pipeline.stats().held == 0)


async def heard_only(desk: Desk, instances: Sequence[Instance], *volumes: int) -> None:
    """The stream is away for who publishes; live subscribers and the standbys have these, the next ones."""
    instances[0].transport.is_away = True
    for one in instances:
        one.brings(*(quote(volume) for volume in volumes))
    await desk.heard(volumes[-1])
    for one in instances[1:]:
        await desk.until(lambda one=one: one.pipeline.stats().held == 0)


async def test_what_live_subscribers_had_while_the_stream_was_away_is_stored_and_not_published_again(
    desk: Desk,
) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await publishing(desk, first, second)
    await heard_only(desk, (first, second), 2, 3)
    await first.dies()
    second.brings(quote(4))
    await desk.until(lambda: second.pipeline.stats().held == 1)
    assert await second.takes_over(2) == 1
    assert await desk.heard(4) == await desk.stored() == numbered(1, 2, 3, 4)
    assert [(tick.epoch, tick.sequence) for tick in desk.live] == [(1, 1), (1, 2), (1, 3), (2, 1)]


async def test_who_takes_the_key_back_stores_what_live_subscribers_had_and_publishes_it_to_nobody(desk: Desk) -> None:
    first = await desk.instance("p.primary")
    await publishing(desk, first)
    await heard_only(desk, (first,), 2, 3)
    await first.stands_by()
    first.transport.is_away = False
    assert await first.takes_over(2) == 0
    first.brings(quote(4))
    assert await desk.heard(4) == await desk.stored() == numbered(1, 2, 3, 4)
    outlet = first.pipeline.stats().outlet
    assert (outlet.accepted, outlet.adopted, outlet.left, outlet.stored) == (6, 2, 2, 4)


async def test_what_nobody_had_goes_on_behind_what_live_subscribers_had(desk: Desk) -> None:
    first = await desk.instance("p.primary", options=change(OPTIONS, live_after_s=60))
    await publishing(desk, first)
    await heard_only(desk, (first,), 2)
    first.brings(quote(3))
    await desk.until(lambda: first.pipeline.stats().outlet.waiting == 1)
    await first.stands_by()
    first.transport.is_away = False
    assert await first.takes_over(2) == 1
    assert await desk.heard(3) == await desk.stored() == numbered(1, 2, 3)
    assert desk.live[-1].volume_delta == 1


async def test_what_nobody_had_is_published_by_who_takes_the_key_back_however_much_it_is(desk: Desk) -> None:
    options = PublisherOptions(ring=4_000, batch=500, marker_interval_s=0.005, live_after_s=0.02)
    first = await desk.instance("p.primary", held_size=4_000, options=options)
    await publishing(desk, first)
    desk.broker.disconnect(first.transport)
    for begin in range(2, 1_502, 500):
        first.brings(*(quote(volume) for volume in range(begin, begin + 500)))
        await desk.until(lambda: first.pipeline.stats().bridge.depth == 0)
    await first.pipeline.stand_by()
    desk.broker.reconnect(first.transport)
    await first.stands_by()
    assert await first.takes_over(2) == 1_500
    assert await desk.heard(1_501) == await desk.stored() == numbered(*range(1, 1_502))


async def test_who_takes_over_while_the_stream_is_away_stores_what_it_lacks_once_it_is_back(desk: Desk) -> None:
    """Of what the other one sent last the stream has some, and nobody can know before."""
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await publishing(desk, first, second)
    second.stops_reading()
    first.brings(quote(2))
    second.brings(quote(2))
    await desk.until(lambda: first.pipeline.stats().outlet.stored == 2)
    await heard_only(desk, (first, second), 3, 4)
    await first.dies()
    second.transport.is_away = True
    await second.takes_over_without_the_stream(2)
    second.brings(quote(5))
    assert await desk.heard(5) == numbered(1, 2, 3, 4, 5)
    second.transport.is_away = False
    assert await desk.stored() == numbered(1, 2, 3, 4, 5)


async def test_what_the_stream_could_not_be_asked_about_in_time_is_looked_for(desk: Desk) -> None:
    """It has taken the first marker, but could not be read up to it."""
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await publishing(desk, first, second)
    second.stops_reading()
    first.brings(quote(2))
    second.brings(quote(2))
    await desk.until(lambda: first.pipeline.stats().outlet.stored == 2)
    await heard_only(desk, (first, second), 3)
    await first.dies()
    await second.takes_over_without_the_stream(2, border=True)
    second.brings(quote(4))
    assert await desk.heard(4) == await desk.stored() == numbered(1, 2, 3, 4)


async def test_a_connection_that_breaks_meanwhile_makes_nothing_void(desk: Desk) -> None:
    """What was adopted goes to the stream only, whatever becomes of the connection."""
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup")
    await publishing(desk, first, second)
    await heard_only(desk, (first, second), 2, 3)
    await first.dies()
    second.transport.is_away = True
    await second.takes_over_without_the_stream(2)
    second.brings(quote(4))
    await desk.heard(4)
    desk.broker.disconnect(second.transport)
    second.transport.is_away = False
    desk.broker.reconnect(second.transport)
    assert await desk.stored() == numbered(1, 2, 3, 4)
    assert {(tick.epoch, tick.sequence) for tick in desk.live} == {(1, 1), (1, 2), (1, 3), (2, 1)}


async def test_the_next_standby_knows_what_was_stored_for_another_as_published(desk: Desk) -> None:
    """Also one that was cut off while live subscribers had it."""
    first, second, third = [await desk.instance(f"p.{name}") for name in ("primary", "backup", "third")]
    await publishing(desk, first, second, third)
    desk.broker.disconnect(third.transport)
    await heard_only(desk, (first, second), 2)
    desk.broker.reconnect(third.transport)
    await first.dies()
    await second.takes_over(2)
    await desk.stored()
    await third.follower.reached(await desk.look.last_sequence("TICKS"))
    third.brings(quote(2), quote(3))
    await desk.until(lambda: third.pipeline.stats().held == 1)
    assert await third.takes_over(3) == 1
    assert await desk.heard(3) == await desk.stored() == numbered(1, 2, 3)


async def test_what_a_standby_has_no_room_for_is_counted(desk: Desk) -> None:
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup", held_size=3)
    await publishing(desk, first, second)
    await heard_only(desk, (first, second), 2, 3)
    await heard_only(desk, (first, second), 4, 5)
    assert second.pipeline.stats().forgotten == 1
    await first.dies()
    await second.takes_over(2)
    assert await desk.stored() == numbered(1, 3, 4, 5)


async def test_another_codec_is_written_anew(desk: Desk) -> None:
    """The codec of the feed set is being changed, one instance after the other."""
    first, second = await desk.instance("p.primary"), await desk.instance("p.backup", codec="json")
    await publishing(desk, first, second)
    await heard_only(desk, (first, second), 2)
    await first.dies()
    await second.takes_over(2)
    assert await desk.stored() == numbered(1, 2)


@pytest.mark.parametrize("tick", [replace(TICK, last_price=nan), replace(TICK, trading_day="x" * 70_000)])
async def test_what_it_could_not_publish_itself_it_does_not_keep_for_another(desk: Desk, tick: Tick) -> None:
    one = await desk.instance("p.backup", codec="json")
    subject = "tick.SHFE.rb2505"
    one.pipeline.seen(subject, tick, live=True, ours=True, heard=Message(subject, b"x", MSGPACK.headers))
    await one.takes_over(2)
    assert one.pipeline.stats().outlet.adopted == 0
