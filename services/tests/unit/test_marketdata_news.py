"""What the market data service does when it cannot tell of a change."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from aegis.contracts.marketdata import FeedChanged
from aegis.marketdata.endpoints import MarketData
from aegis.marketdata.settings import MarketDataSettings
from aegis_sdk.errors import ConnectionUnavailable


class Events:
    """Refuses the first event."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.both = asyncio.Event()

    async def publish(self, subject: str, _body: Any) -> None:
        self.told.append(subject)
        if len(self.told) == 1:
            raise ConnectionUnavailable("not connected to NATS")
        self.both.set()


async def test_an_event_that_cannot_be_stored_is_logged_and_ends_nothing() -> None:
    service: Any = MarketData(MarketDataSettings(), lambda _: None)  # type: ignore[arg-type,return-value]
    service._parts = SimpleNamespace(events=(events := Events()))
    body = FeedChanged(feed="main", instance="i", source="x", session="s", epoch=1, state="ready", reason="")
    for name in ("changed", "universe"):
        service._tell(name, body)
    with capture_logs() as logs:
        telling = asyncio.create_task(service._tell_news())
        async with asyncio.timeout(5):
            await asyncio.wait([telling, asyncio.create_task(events.both.wait())], return_when="FIRST_COMPLETED")
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    assert events.told == ["event.market.main.changed", "event.market.main.universe"]
    assert [(entry["event"], entry["name"]) for entry in logs] == [("event_not_stored", "changed")]
