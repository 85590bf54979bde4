"""Each recorded file, replayed whole, against an independent reading of it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta, timezone
from itertools import zip_longest
from pathlib import Path

import pytest
import recorded_ticks

from aegis.contracts.market import Instrument, InstrumentId, Quote
from aegis.contracts.reasons import Reason, sentence_of
from aegis.marketdata.adapters.replay import ReplayFeed, ReplayOptions
from aegis.marketdata.ports import FeedState

pytestmark = pytest.mark.slow

DEADLINE_S = 60
SHANGHAI = timezone(timedelta(hours=8))


class RecordingSink:
    """Keeps what a feed offers, and says when it ended."""

    def __init__(self) -> None:
        self.quotes: list[Quote] = []
        self.rejections: list[tuple[str, str]] = []
        self.reason = ""
        self.ended = asyncio.Event()

    def offer(self, quote: Quote) -> None:
        self.quotes.append(quote)

    async def room(self) -> None:
        pass

    def changed(self, state: FeedState, why: Sequence[Reason] = ()) -> None:
        if state in {FeedState.ENDED, FeedState.FAILED}:
            self.reason = sentence_of(why)
            self.ended.set()

    def rejected(self, reason: str, detail: str, count: int = 1, instrument: InstrumentId | None = None) -> None:
        self.rejections += [(reason, detail)] * count


@pytest.fixture(params=recorded_ticks.files() or [None], ids=lambda path: path.name if path else "none")
def recorded_file(request: pytest.FixtureRequest) -> Path:
    if request.param is None:
        pytest.skip(recorded_ticks.ABSENT)
    return request.param


async def replayed(path: Path) -> tuple[RecordingSink, Sequence[Instrument]]:
    feed, sink = ReplayFeed(ReplayOptions(path=path, speed=0)), RecordingSink()
    await feed.open(sink)
    try:
        instruments = await feed.instruments()
        assert await feed.subscribe([instrument.id for instrument in instruments]) == {}
        async with asyncio.timeout(DEADLINE_S):
            await sink.ended.wait()
    finally:
        await feed.close()
    return sink, instruments


async def test_a_recorded_file_is_replayed_row_by_row(recorded_file: Path):
    sink, instruments = await replayed(recorded_file)
    for quote, row in zip_longest(sink.quotes, recorded_ticks.expected(recorded_file)):
        assert recorded_ticks.as_row(row.line, quote) == row
    assert [reason for reason, _ in sink.rejections] == ["no_state"] * recorded_ticks.stateless(recorded_file)
    assert sink.reason == f"{len(sink.quotes)} quotes, {len(sink.rejections)} rows rejected"
    volume_never_goes_back_within_a_trading_day(sink.quotes)
    turnover_is_in_yuan(sink.quotes, instruments)


def volume_never_goes_back_within_a_trading_day(quotes: list[Quote]) -> None:
    volumes: dict[tuple[str, str, str], int] = {}
    for quote in quotes:
        key = (quote.exchange, quote.symbol, quote.trading_day)
        assert quote.volume >= volumes.get(key, 0)
        volumes[key] = quote.volume


def turnover_is_in_yuan(quotes: list[Quote], instruments: Sequence[Instrument]) -> None:
    """Over volume and multiplier it is the day's average price; with a wrong multiplier it would be far from it."""
    multipliers = {instrument.id: instrument.multiplier for instrument in instruments}
    for quote in quotes:
        if quote.volume and quote.last_price:
            average = quote.turnover / quote.volume / multipliers[InstrumentId(quote.exchange, quote.symbol)]
            assert 0.8 < average / quote.last_price < 1.25
