"""Steps of the tests of streams."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import StreamConfig, Transport

from .network import DEADLINE_S


async def make(transport: Transport, name: str, **settings: Any) -> None:
    """A stream `name` that captures `name.>`."""
    await transport.ensure_stream(StreamConfig(name=name, subjects=[f"{name}.>"], storage="memory", **settings))


async def take(messages: AsyncIterator[Any], count: int) -> list[Any]:
    async with asyncio.timeout(DEADLINE_S):
        return [await anext(messages) for _ in range(count)]


async def stored(transport: Transport, stream: str, subject: str = ">") -> list[StoredMessage]:
    """All that a stream holds now."""
    found: list[StoredMessage] = []
    async with asyncio.timeout(DEADLINE_S), transport.read(stream, subject) as messages:
        async for message in messages:
            if message is None:
                break
            found.append(message)
    return found


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():  # noqa: ASYNC110 - the server tells nobody when this changes
            await asyncio.sleep(0.02)


def payloads(messages: Sequence[StoredMessage | None]) -> list[bytes | None]:
    return [message and message.payload for message in messages]
