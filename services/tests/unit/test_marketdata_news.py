"""What the market data service does when it cannot tell of a change."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel
from structlog.testing import capture_logs

from aegis.marketdata.endpoints.news import News
from aegis_sdk.errors import ConnectionUnavailable


class Change(BaseModel):
    number: int


class Stream:
    """Refuses the first event for a number of times; `at_end` once the event of number 9 is stored."""

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.stored: list[tuple[str, int]] = []
        self.at_end = asyncio.Event()

    async def publish(self, name: str, body: BaseModel) -> None:
        assert isinstance(body, Change)
        if self.refuses:
            self.refuses -= 1
            raise ConnectionUnavailable("not connected to NATS")
        self.stored.append((name, body.number))
        if body.number == 9:
            self.at_end.set()


async def told(stream: Stream, *events: tuple[str, int]) -> News:
    """All of them, until the stream has the last."""
    news = News(stream.publish, retry_s=0.001)
    telling = asyncio.create_task(news.run())
    for name, number in events:
        news.tell(name, Change(number=number))
    async with asyncio.timeout(30):
        await stream.at_end.wait()
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    return news


async def test_events_are_told_in_their_order() -> None:
    events = [("changed", 1), ("universe", 2), ("changed", 3), ("changed", 9)]
    news = await told(stream := Stream(), *events)
    assert stream.stored == events
    assert news.untold == 0


async def test_of_what_cannot_be_stored_the_latest_of_each_name_is_tried_until_it_is() -> None:
    with capture_logs() as logs:
        news = await told(stream := Stream(refuses=3), ("universe", 1), ("changed", 2), ("changed", 3), ("changed", 9))
    assert stream.stored == [("universe", 1), ("changed", 9)]
    assert news.untold == 2
    assert [entry["event"] for entry in logs] == ["event_not_stored"] * 3


async def test_however_many_wait_the_latest_is_told_and_the_others_are_counted() -> None:
    many = [("changed", 1)] * 5_000
    news = await told(stream := Stream(), ("universe", 2), *many, ("changed", 9))
    assert stream.stored[0] == ("universe", 2)
    assert stream.stored[-1] == ("changed", 9)
    assert len(stream.stored) + news.untold == 5_002
