"""Where reports on a feed set come from: its health agent, or, where none is asked or answers, a look of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Self

from aegis.contracts.health import REPORT, SERVICE, HealthReport
from aegis.marketdata.health.reports import report_of
from aegis.marketdata.health.watch import LOOK_S, Watch
from aegis_sdk.client import Client
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import Unavailable
from aegis_sdk.method import Empty
from aegis_sdk.transport import Transport

__all__ = ["Source"]

_REGISTRY_S: Final = 5.0
_CONFIRM_S: Final = 1.0
_ANSWER_S: Final = 3.0


class Source:
    """Reports, from whoever gives them. Made by `open`."""

    def __init__(self, client: Client, feed: str) -> None:
        self._client = client
        self._feed = feed
        self._watch: Watch | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, transport: Transport, feed: str, read_only: bool, look_s: float) -> AsyncGenerator[Self]:
        """Returns when there can be a report: at once with an agent, else when we have looked for `look_s` seconds."""
        source = cls(Client(transport), feed)
        async with AsyncExitStack() as stack:
            if read_only or not await _has_agent(transport, feed):
                source._watch = await stack.enter_async_context(Watch.open(transport, source._client, feed))
                await source._watch.asked()
                await source._look(source._watch, look_s)
            yield source

    async def report(self) -> HealthReport:
        """How it is now. Raises RpcError where the agent does not say it."""
        if self._watch is not None:
            return report_of(self._watch, self._feed)
        answer = await self._client.call_active(REPORT, self._feed, Empty(), timeout=_ANSWER_S)
        return answer.value

    async def _look(self, watch: Watch, look_s: float) -> None:
        """Silence is noticed by looking: all the while, and not only at the end."""
        loop = asyncio.get_running_loop()
        end = loop.time() + look_s
        while loop.time() < end:
            watch.look()
            await asyncio.sleep(LOOK_S)


async def _has_agent(transport: Transport, feed: str) -> bool:
    """Whether an agent of the feed set is alive."""
    try:
        async with Directory.open(transport, service=SERVICE, timeout=_REGISTRY_S) as directory:
            try:
                await directory.wait_for(lambda found: _holds(found, feed), timeout=_CONFIRM_S)
            except TimeoutError:
                return False
            return True
    except TimeoutError:
        raise Unavailable(f"the registry cannot be read within {_REGISTRY_S:g} s") from None


def _holds(directory: Directory, feed: str) -> bool:
    return any(feed in one.record.keys for one in directory.instances(SERVICE))
