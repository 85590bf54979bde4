"""A connection whose readers are served by a node that is behind the leader of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


class Behind(MemoryTransport):
    """The node has nothing, and calls that the end of the stream, until it `catches_up`."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.paused = asyncio.Event()
        self.catches_up = asyncio.Event()

    @asynccontextmanager
    async def read(self, *args: Any, **options: Any) -> AsyncGenerator[AsyncIterator[StoredMessage | None]]:
        async with super().read(*args, **options) as messages:
            yield self._late(messages)

    async def _late(self, messages: AsyncIterator[StoredMessage | None]) -> AsyncIterator[StoredMessage | None]:
        yield None
        self.paused.set()
        await self.catches_up.wait()
        async for message in messages:
            yield message
