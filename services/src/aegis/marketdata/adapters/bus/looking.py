"""What of some ticks is in their stream."""

from __future__ import annotations

import asyncio
from typing import Final

from aegis_sdk.transport import Transport

__all__ = ["find", "where_to_look"]

_READ_S: Final = 10.0


def where_to_look(begin: int, end: int, length: int) -> tuple[int, int]:
    """Behind which sequence, and up to which one: what is sought is behind `begin`, and is `length` ticks at most."""
    if 0 < begin < end:
        return begin, min(end, begin + length)
    return max(0, end - length), end  # it is not known, or the stream was made anew


async def find(transport: Transport, stream: str, wanted: set[bytes], after: int, until: int) -> None:
    """Take out of `wanted` the payloads that the stream has, up to a sequence that it has reached.

    A reader may be served by a node that is behind the leader, and that calls its end the end of the stream. Raises
    TimeoutError where the stream cannot be read so far in time.
    """
    if not wanted:
        return
    async with asyncio.timeout(_READ_S), transport.read(stream, after=after) as messages:
        async for message in messages:
            if message is None:
                continue
            wanted.discard(message.payload)
            if not wanted or message.sequence >= until:
                return
