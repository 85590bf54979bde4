"""What tests of the services share; lets them import the modules beside this one."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from aegis.contracts.market import InstrumentId, Quote
from aegis.contracts.reasons import Reason, sentence_of
from aegis.marketdata.ports import FeedState

sys.path.insert(0, str(Path(__file__).parent))

from own_time import OwnTime


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test has one loop, be it that of its own time."""
    return {"loop": OwnTime if item.get_closest_marker("own_time") else asyncio.new_event_loop}


class RecordingSink:
    """Keeps all that a feed says, and lets a test wait for it."""

    def __init__(self) -> None:
        self.quotes: list[Quote] = []
        self.states: list[FeedState] = []
        self.quotes_before: list[int] = []  # of each state, how many quotes had come
        self.reasons: list[str] = []
        self.rejections: list[tuple[str, str]] = []
        self.rejected_of: Counter[InstrumentId] = Counter()
        self.has_room = asyncio.Event()
        self.has_room.set()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def offer(self, quote: Quote) -> None:
        self.quotes.append(quote)
        self._notify()

    async def room(self) -> None:
        await self.has_room.wait()

    @property
    def crowded(self) -> bool:
        return not self.has_room.is_set()

    async def uncrowded(self) -> None:
        await self.has_room.wait()

    def changed(self, state: FeedState, why: Sequence[Reason] = ()) -> None:
        self.quotes_before.append(len(self.quotes))
        self.states.append(state)
        self.reasons.append(sentence_of(why))
        self._notify()

    def rejected(self, reason: str, detail: str, count: int = 1, instrument: InstrumentId | None = None) -> None:
        self.rejections += [(reason, detail)] * count
        if instrument is not None:
            self.rejected_of[instrument] += count
        self._notify()

    async def until(self, holds: Callable[[], bool], timeout: float = 30.0) -> None:
        """Return when `holds`; TimeoutError after that many seconds."""
        async with asyncio.timeout(timeout):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def until_quotes(self, count: int) -> list[Quote]:
        """Wait for that many quotes since the beginning; all of them."""
        await self.until(lambda: len(self.quotes) >= count)
        return self.quotes

    def _notify(self) -> None:
        self._loop.call_soon_threadsafe(self._news.set)


@pytest.fixture
async def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture(scope="session", autouse=True)
def _no_counter_is_left() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]  # by pytest
    yield
    if (module := sys.modules.get("ctp_counter")) is not None:
        module.end_shared_counter()
