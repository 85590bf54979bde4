"""A recording behaves as a feed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from recordings import record, tick

from aegis.contracts.market import InstrumentId, Quote
from aegis.marketdata.adapters.replay import RecordingUnreadable, ReplayFeed, ReplayOptions
from aegis.marketdata.ports import FeedState
from aegis_sdk.errors import AegisError, ConfigurationError

pytestmark = pytest.mark.own_time

DEADLINE_S = 30
HEADER = "TradingDay,InstrumentID,ExchangeID,LastPrice,Volume,OpenInterest,UpdateTime,UpdateMillisec"
REBAR = InstrumentId("SHFE", "rb2310")
COIL = InstrumentId("SHFE", "hc2310")


def row(symbol: str, volume: int, clock: str = "10:00:00") -> str:
    return f"20230615,{symbol},SHFE,3700,{volume},2000000,{clock},0"


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


@asynccontextmanager
async def opened(path: Path, sink: Any, speed: float = 0) -> AsyncIterator[ReplayFeed]:
    feed = ReplayFeed(ReplayOptions(path=path, speed=speed))
    await feed.open(sink)
    try:
        yield feed
    finally:
        await feed.close()


def has_ended(sink: Any) -> Callable[[], bool]:
    return lambda: sink.states[-1] is FeedState.ENDED


async def test_a_whole_file_is_offered_in_order_and_ends(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", *(row("rb2310", volume) for volume in range(1000)))
    async with opened(path, sink) as feed:
        assert await feed.subscribe([REBAR]) == {}
        await sink.until(has_ended(sink))
    assert [quote.volume for quote in sink.quotes] == list(range(1000))
    assert sink.states == [
        FeedState.CONNECTING, FeedState.READY, FeedState.ENDED, FeedState.CLOSED,
    ]  # fmt: skip
    assert sink.reasons[2] == "1000 quotes, 0 rows rejected"


async def test_its_origin_names_the_file_and_each_session_anew(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1))
    async with opened(path, sink) as feed:
        first = feed.session
        assert (feed.source, feed.env) == ("replay:day.csv", "sim")
        await feed.close()
        await feed.open(sink)
        assert feed.session not in {"", first}


async def test_nothing_is_lost_before_the_first_subscription(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1), row("rb2310", 2))
    async with opened(path, sink) as feed:
        await feed.subscribe([InstrumentId("SHFE", "unknown")])
        with pytest.raises(TimeoutError):
            await sink.until(has_ended(sink), timeout=0.05)
        await feed.subscribe([REBAR])
        await sink.until(has_ended(sink))
    assert len(sink.quotes) == 2


async def test_only_what_is_subscribed_is_offered(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1), row("hc2310", 1), row("rb2310", 2))
    async with opened(path, sink) as feed:
        await feed.subscribe([COIL, REBAR])
        await feed.unsubscribe([REBAR])
        await sink.until(has_ended(sink))
    assert [quote.symbol for quote in sink.quotes] == ["hc2310"]


async def test_what_is_not_in_the_file_is_returned_by_subscribe(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1))
    async with opened(path, sink) as feed:
        assert list(await feed.subscribe([COIL, REBAR])) == [COIL]


async def test_the_instruments_are_those_of_the_file_with_the_facts_of_the_table(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1), "20230615,AP310,,8600,1,1,10:00:00,0", row("zz2310", 1))
    async with opened(path, sink) as feed:
        instruments = await feed.instruments()
        assert [(str(known.id), known.product, known.multiplier) for known in instruments] == [
            ("CZCE.AP310", "AP", 10),
            ("SHFE.rb2310", "rb", 10),
            ("SHFE.zz2310", "", None),
        ]
        assert (instruments[2].name, instruments[2].price_tick) == ("zz2310", None)
        assert [known.expiry_day for known in instruments] == ["20231020", "20231016", None]


async def test_subscribing_to_all_instruments_leaves_no_quote_out(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1), row("zz2310", 1), row("", 1), row("rb2310C4000", 1))
    async with opened(path, sink) as feed:
        await feed.subscribe([instrument.id for instrument in await feed.instruments()])
        await sink.until(has_ended(sink))
    assert [quote.symbol for quote in sink.quotes] == ["rb2310", "zz2310", "rb2310C4000"]
    assert sink.rejections == [("malformed_row", "day.csv:4: InstrumentID is empty")]


async def test_quotes_are_received_when_they_are_offered(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1))
    before = time.time_ns()
    async with opened(path, sink) as feed:
        await feed.subscribe([REBAR])
        await sink.until(has_ended(sink))
    assert before <= sink.quotes[0].ts_received_ns <= time.time_ns()
    assert sink.quotes[0].ts_exchange_ns < before


def watch_for_a_full_sink(sink: Any) -> asyncio.Event:
    """Set once the feed asks for room and there is none."""
    asked, room = asyncio.Event(), sink.room

    async def watched() -> None:
        if not sink.has_room.is_set():
            asked.set()
        await room()

    sink.room = watched
    return asked


def fill_at_each_quote(sink: Any) -> None:
    offer = sink.offer

    def fill(quote: Quote) -> None:
        sink.has_room.clear()
        offer(quote)

    sink.offer = fill


async def test_it_waits_while_the_sink_has_no_room(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", *(row("rb2310", volume) for volume in range(1000)))
    async with opened(path, sink) as feed, asyncio.timeout(DEADLINE_S):
        asked = watch_for_a_full_sink(sink)
        sink.has_room.clear()
        await feed.subscribe([REBAR])
        await asked.wait()
        assert sink.quotes == []
        sink.has_room.set()
        await sink.until(has_ended(sink))
    assert len(sink.quotes) == 1000


async def test_it_waits_for_room_between_quotes_that_are_apart(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1, "10:00:00"), row("rb2310", 2, "10:00:02"))
    async with opened(path, sink, speed=100) as feed, asyncio.timeout(DEADLINE_S):
        asked = watch_for_a_full_sink(sink)
        fill_at_each_quote(sink)
        await feed.subscribe([REBAR])
        await asked.wait()
        assert len(sink.quotes) == 1
        sink.has_room.set()
        await sink.until_quotes(2)


async def test_the_end_is_reported_after_the_sink_has_room_again(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1))
    async with opened(path, sink) as feed, asyncio.timeout(DEADLINE_S):
        asked = watch_for_a_full_sink(sink)
        fill_at_each_quote(sink)
        await feed.subscribe([REBAR])
        await asked.wait()
        assert len(sink.quotes) == 1
        assert sink.states[-1] is FeedState.READY
        sink.has_room.set()
        await sink.until(has_ended(sink))


async def test_the_recorded_distances_are_kept_at_the_chosen_speed(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1, "10:00:00"), row("rb2310", 2, "10:00:04"))
    async with opened(path, sink, speed=20) as feed:
        started = time.monotonic()
        await feed.subscribe([REBAR])
        await sink.until(lambda: len(sink.quotes) == 2)
        assert 0.2 <= time.monotonic() - started < 0.21


async def test_bad_rows_are_reported_and_counted_and_the_first_ones_kept(tmp_path: Path, sink: Any):
    bad = [row("rb2310", 1, "soon")] * 1000
    path = write(tmp_path / "day.csv", row("rb2310", 1), *bad, row("rb2310", 2))
    async with opened(path, sink) as feed:
        await feed.subscribe([REBAR])
        await sink.until(has_ended(sink))
        assert len(sink.rejections) == feed.rejections.count == 1000
        assert sink.rejections[999] == ("malformed_row", "day.csv:1002: UpdateTime is 'soon'")
        assert len(feed.rejections.details) == 100
    assert [quote.volume for quote in sink.quotes] == [1, 2]


async def test_a_long_run_of_bad_rows_is_reported_on_the_way(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1), *[row("rb2310", 1, "soon")] * 1000)
    loop, at_once, most = asyncio.get_running_loop(), 0, 0

    def rejected(reason: str, detail: str, count: int = 1) -> None:
        nonlocal at_once, most
        if at_once == 0:
            loop.call_soon(begin_anew)
        at_once += 1
        most = max(most, at_once)

    def begin_anew() -> None:
        nonlocal at_once
        at_once = 0

    sink.rejected = rejected
    async with opened(path, sink) as feed:
        await feed.subscribe([REBAR])
        await sink.until(has_ended(sink))
        assert feed.rejections.count == 1000
    assert most <= 256


async def test_close_in_the_middle_of_reading_waits_for_the_reader(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", row("rb2310", 1), *[row("rb2310", 1, "soon")] * 20_000)
    async with opened(path, sink) as feed:
        await feed.subscribe([REBAR])
        await sink.until(lambda: len(sink.rejections) > 0)
    assert sink.states[-1] is FeedState.CLOSED
    assert FeedState.FAILED not in sink.states


async def test_a_path_that_cannot_be_read_is_one_clear_error(tmp_path: Path, sink: Any):
    feed = ReplayFeed(ReplayOptions(path=tmp_path / "nowhere.csv"))
    with pytest.raises(RecordingUnreadable, match=r"nowhere\.csv"):
        await feed.open(sink)
    assert sink.states[-1] is FeedState.FAILED
    await feed.close()


async def test_a_failed_open_can_be_repeated(tmp_path: Path, sink: Any):
    feed = ReplayFeed(ReplayOptions(path=tmp_path / "day.csv", speed=0))
    with pytest.raises(RecordingUnreadable):
        await feed.open(sink)
    write(tmp_path / "day.csv", row("rb2310", 1))
    await feed.open(sink)
    await feed.subscribe([REBAR])
    await sink.until(has_ended(sink))
    await feed.close()


async def test_a_second_session_at_the_same_time_is_refused(tmp_path: Path, sink: Any):
    async with opened(write(tmp_path / "day.csv", row("rb2310", 1)), sink) as feed:
        with pytest.raises(AegisError, match="open already"):
            await feed.open(sink)


async def test_nothing_is_offered_after_close(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", *(row("rb2310", volume) for volume in range(5000)))
    async with opened(path, sink) as feed:
        await feed.subscribe([REBAR])
        await sink.until(lambda: len(sink.quotes) > 0)
        await feed.close()
        offered = len(sink.quotes)
        await feed.close()
        await asyncio.to_thread(lambda: None)
        assert len(sink.quotes) == offered < 5000
        assert sink.states.count(FeedState.CLOSED) == 1


async def test_a_sink_that_fails_is_reported_as_failed(tmp_path: Path, sink: Any):
    async with opened(write(tmp_path / "day.csv", row("rb2310", 1)), sink) as feed:

        def refuse(quote: Quote) -> None:
            raise RuntimeError("the sink is gone")

        sink.offer = refuse
        await feed.subscribe([REBAR])
        await sink.until(lambda: sink.states[-1] is FeedState.FAILED)
        assert sink.reasons[-1] == "RuntimeError: the sink is gone"


async def test_the_event_loop_is_not_blocked_by_reading(tmp_path: Path, sink: Any):
    path = write(tmp_path / "day.csv", *(row("rb2310", volume) for volume in range(30_000)))
    longest = 0.0
    async with opened(path, sink) as feed:
        await feed.subscribe([REBAR])
        while sink.states[-1] is not FeedState.ENDED:
            before = time.thread_time()  # CPU of this thread: what the loop itself did, on a busy machine too
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)
    assert len(sink.quotes) == 30_000
    assert longest < 0.1


@pytest.mark.parametrize("speed", [-1, float("nan"), float("inf")])
def test_a_speed_that_makes_no_sense_is_refused(speed: float):
    with pytest.raises(ConfigurationError, match=r"replay\.speed"):
        ReplayOptions(path=Path("day.csv"), speed=speed)


async def test_what_the_recorder_wrote_is_a_recording_too(tmp_path: Path, sink: Any) -> None:
    ticks = [tick(n, symbol, ts_received_ns=n) for n in (1, 2) for symbol in ("rb2505", "ag2506")]
    record(tmp_path, ticks[:3], ticks[3:])
    async with opened(tmp_path, sink) as feed:
        known = {instrument.id: instrument.multiplier for instrument in await feed.instruments()}
        assert known == {InstrumentId("SHFE", "rb2505"): 10, InstrumentId("SHFE", "ag2506"): 15}
        await feed.subscribe([*known])
        await sink.until(lambda: FeedState.ENDED in sink.states)
    assert [(quote.symbol, quote.bids) for quote in sink.quotes] == [(one.symbol, one.bids) for one in ticks]


async def test_a_recording_that_is_damaged_is_refused(tmp_path: Path, sink: Any) -> None:
    (tmp_path / "recording.json").write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be understood"):
        async with opened(tmp_path, sink):
            pass
