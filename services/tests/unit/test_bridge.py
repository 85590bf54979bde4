"""The bridge ring, with real threads."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest
from msgspec.structs import replace
from samples import QUOTE
from structlog.testing import capture_logs

from aegis.contracts.market import InstrumentId, Quote
from aegis.marketdata.bridge import Bridge
from aegis.marketdata.ports import FeedState

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


def quote(symbol: str, number: int) -> Quote:
    """`volume` is the number of the offer of its instrument, from 1."""
    return replace(QUOTE, symbol=symbol, volume=number)


def offer(bridge: Bridge, *symbols: str) -> None:
    numbers: Counter[str] = Counter()
    for symbol in symbols:
        numbers[symbol] += 1
        bridge.offer(quote(symbol, numbers[symbol]))


def taken(bridge: Bridge, limit: int = 100) -> list[tuple[str, int]]:
    return [(each.symbol, each.volume) for each in bridge.take(limit)]


async def test_quotes_come_out_in_their_order() -> None:
    bridge = Bridge(10)
    offer(bridge, "a", "b", "a")
    assert taken(bridge, 2) == [("a", 1), ("b", 1)]
    assert taken(bridge, 2) == [("a", 2)]


async def test_a_full_ring_drops_the_oldest_of_the_same_instrument() -> None:
    bridge = Bridge(4)
    offer(bridge, "b", "a", "c", "a", "a", "a")
    assert [(each.symbol, each.volume, each.skipped) for each in bridge.take(100)] == [
        ("b", 1, 0),
        ("c", 1, 0),
        ("a", 3, 2),
        ("a", 4, 0),
    ]


async def test_a_full_ring_without_that_instrument_drops_the_oldest_of_all() -> None:
    bridge = Bridge(3)
    offer(bridge, "a", "b", "b", "c", "d")
    assert [(each.symbol, each.volume, each.skipped) for each in bridge.take(100)] == [
        ("b", 2, 1),
        ("c", 1, 0),
        ("d", 1, 0),
    ]
    offer(bridge, "a")
    assert [each.skipped for each in bridge.take(100)] == [1], "the next one tells, whenever it comes"


async def test_quotes_that_a_feed_has_dropped_are_counted_once_and_told_with_whatever_drops_next() -> None:
    bridge = Bridge(1)
    bridge.offer(replace(QUOTE, symbol="a", skipped=3))
    assert bridge.stats().conflated == {InstrumentId("SHFE", "a"): 3}
    bridge.offer(replace(QUOTE, symbol="a", skipped=1))
    taken, stats = bridge.take(100), bridge.stats()
    assert [each.skipped for each in taken] == [5]
    assert stats.conflated == {InstrumentId("SHFE", "a"): 5}
    assert stats.offered == 6 == stats.drained + stats.depth + sum(stats.conflated.values())


async def test_a_ring_that_was_full_works_on_as_before() -> None:
    bridge = Bridge(3)
    for _ in range(3):
        offer(bridge, "a", "b", "a", "a")
        assert taken(bridge, 2) == [("b", 1), ("a", 2)]
        assert taken(bridge) == [("a", 3)]
        offer(bridge, "x", "y")
        assert taken(bridge) == [("x", 1), ("y", 1)]
    assert bridge.stats().conflated == {InstrumentId("SHFE", "a"): 3}


async def test_what_is_dropped_is_told_once_and_kept_in_the_figures() -> None:
    bridge = Bridge(1)
    offer(bridge, "a", "a")
    assert [each.skipped for each in bridge.take(1)] == [1]
    offer(bridge, "a")
    assert [each.skipped for each in bridge.take(1)] == [0]
    figures = bridge.stats()
    assert (figures.offered, figures.drained, figures.depth) == (3, 2, 0)
    assert figures.conflated == {InstrumentId("SHFE", "a"): 1}


async def test_conflation_is_logged_once_until_the_ring_is_empty_again() -> None:
    bridge = Bridge(2)
    with capture_logs() as logs:
        for _ in range(2):
            offer(bridge, "a", "a", "a", "a", "b", "c")
            bridge.take(1)
            offer(bridge, "d", "d")
            bridge.take(1)
            bridge.take(1)
    assert [entry["event"] for entry in logs] == ["quotes_conflated"] * 2
    first = logs[0]
    assert (first["instrument"], first["instruments"], first["dropped"]) == ("SHFE.a", 1, 4)


async def test_a_dropped_quote_is_told_by_the_next_of_its_instrument_and_by_none_before() -> None:
    """Only some are taken: what was dropped lay behind these."""
    bridge = Bridge(3)
    offer(bridge, "b", "a", "a", "a")
    assert [(each.symbol, each.skipped) for each in bridge.take(1)] == [("b", 0)]
    assert [(each.symbol, each.volume, each.skipped) for each in bridge.take(2)] == [("a", 2, 1), ("a", 3, 0)]


@pytest.mark.parametrize("size", [1, 64, 5_000])
async def test_threads_that_overrun_the_ring_lose_only_what_is_counted(size: int) -> None:
    """The bound holds at each moment; of each instrument, what arrives and what that stands for give the offers."""
    bridge = Bridge(size)
    symbols, rounds = [f"i{i}" for i in range(8)], 2_000
    start = threading.Barrier(len(symbols))

    def feed(symbol: str) -> None:
        start.wait()
        for number in range(1, rounds + 1):
            bridge.offer(quote(symbol, number))

    threads = [threading.Thread(target=feed, args=(symbol,)) for symbol in symbols]
    for thread in threads:
        thread.start()
    seen: dict[str, int] = dict.fromkeys(symbols, 0)
    arrived = 0

    def drain() -> int:
        drained = bridge.take(7)
        for each in drained:
            seen[each.symbol] += 1 + each.skipped
            assert each.volume == seen[each.symbol], "a hole is in the wrong place"
        return len(drained)

    async with asyncio.timeout(30):
        while any(thread.is_alive() for thread in threads):
            arrived += drain()
            assert bridge.stats().depth <= size
            await asyncio.sleep(0)
        while bridge.stats().depth:
            arrived += drain()
        for symbol in symbols:  # what was dropped and followed by none its next quote tells
            bridge.offer(quote(symbol, rounds + 1))
            arrived += drain()
    figures = bridge.stats()
    assert seen == dict.fromkeys(symbols, rounds + 1)
    assert figures.offered == arrived + sum(figures.conflated.values()) == (rounds + 1) * len(symbols)
    assert figures.drained == arrived


async def test_an_offer_from_a_thread_wakes_a_sleeping_loop() -> None:
    bridge = Bridge()
    waiting = asyncio.create_task(bridge.filled())
    await asyncio.sleep(0)
    threading.Thread(target=offer, args=(bridge, "a")).start()
    async with asyncio.timeout(30):
        assert await waiting
    assert taken(bridge) == [("a", 1)]


async def test_many_offers_wake_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge()
    wakes: list[object] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_soon_threadsafe", wakes.append)
    thread = threading.Thread(target=offer, args=(bridge, *"abcabcabc"))
    thread.start()
    thread.join()
    assert len(wakes) == 1


async def test_an_offer_from_the_loop_itself_wakes_it_without_a_detour(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge()
    waiting = asyncio.create_task(bridge.filled())
    await asyncio.sleep(0)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio.get_running_loop(), "call_soon_threadsafe", None)
        offer(bridge, "a")
    async with asyncio.timeout(30):
        assert await waiting


async def test_room_comes_back_when_half_of_the_ring_is_free() -> None:
    bridge = Bridge(10)
    offer(bridge, *"abcdefgh")
    waiting = asyncio.create_task(bridge.room())
    await asyncio.sleep(0)
    bridge.take(2)
    await asyncio.sleep(0)
    assert not waiting.done()
    bridge.take(1)
    async with asyncio.timeout(30):
        await waiting


async def test_room_waits_also_for_what_is_behind_the_ring() -> None:
    free = asyncio.Event()

    async def room_behind() -> None:
        await free.wait()

    waiting = asyncio.create_task(Bridge(10, room_behind=room_behind).room())
    await asyncio.sleep(0)
    assert not waiting.done()
    free.set()
    async with asyncio.timeout(30):
        await waiting


async def test_a_closed_ring_is_emptied_and_takes_nothing_more() -> None:
    bridge = Bridge(10)
    offer(bridge, "a")
    bridge.close()
    offer(bridge, "b")
    assert await bridge.filled()
    assert taken(bridge) == [("a", 1)]
    assert not await bridge.filled()
    assert bridge.stats().late == 1
    await bridge.room()


async def test_close_wakes_everybody_who_waits() -> None:
    bridge = Bridge(2)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(bridge.filled())
        await asyncio.sleep(0)
        threading.Thread(target=bridge.close).start()


async def test_changes_of_the_feed_are_told_in_the_loop() -> None:
    told: asyncio.Queue[tuple[FeedState, str, int]] = asyncio.Queue()
    bridge = Bridge(on_changed=lambda state, reason: told.put_nowait((state, reason, threading.get_ident())))
    threading.Thread(target=bridge.changed, args=(FeedState.ENDED, "end of file")).start()
    async with asyncio.timeout(30):
        assert await told.get() == (FeedState.ENDED, "end of file", threading.get_ident())


async def test_rejected_input_is_counted_by_reason() -> None:
    bridge = Bridge()
    for reason in ("malformed_row", "unknown_exchange", "malformed_row"):
        bridge.rejected(reason, "ticks.csv:17")
    one = InstrumentId("SHFE", "rb2505")
    bridge.rejected("malformed_row", "Volume is -5", 3, one)
    assert bridge.stats().rejected == {"malformed_row": 5, "unknown_exchange": 1}
    assert bridge.stats().rejected_of == {one: 3}


async def test_rejected_input_is_logged_a_hundred_times_of_each_reason() -> None:
    bridge = Bridge()
    with capture_logs() as logs:
        for number in range(150):
            bridge.rejected("malformed_row", f"ticks.csv:{number}")
        bridge.rejected("no_state", "ticks.csv:150")
    told = [(entry["reason"], entry["detail"]) for entry in logs if entry["event"] == "input_rejected"]
    assert told == [*(("malformed_row", f"ticks.csv:{number}") for number in range(100)), ("no_state", "ticks.csv:150")]
    assert [entry["reason"] for entry in logs if entry["event"] == "input_rejections_only_counted"] == ["malformed_row"]
