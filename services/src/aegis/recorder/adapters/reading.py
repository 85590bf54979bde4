"""The stream TICKS, read from where the recording ends, and the proof that it is still the same stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aegis.recorder.domain.intake import Intake, StreamChanged
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["STREAM", "read"]

STREAM: Final = "TICKS"
_CHUNK: Final = 1_024
_PAUSE_S: Final = 0.05
_MINUTE_NS: Final = 60_000_000_000


async def read(transport: Transport, intake: Intake, filled: Callable[[], Awaitable[None]]) -> None:
    """Add all messages to the intake, until the connection breaks: the stream may be another one afterwards.

    It asks for what is there, some hundred messages at a time, so that a backlog never stands before the pongs of the
    connection. `filled` is awaited whenever the intake has some 1,000 ticks to be taken.

    Raises StreamChanged, what `Transport.read` raises, and StreamError 10059 where there is no stream.
    """
    broken = False

    def on_state(state: ConnectionState) -> None:
        nonlocal broken
        broken = broken or state is not ConnectionState.CONNECTED

    end_listening = transport.on_state(on_state)
    try:
        known = newest = (intake.last, intake.stored_ns)
        await _compare(transport, *known)
        async with transport.read(STREAM, after=intake.last, pause=_pause) as messages:
            async for message in messages:
                if broken:
                    return
                if message is None:  # the reader has caught up, maybe with another stream: it would not say so
                    await _compare(transport, *known)
                    continue
                intake.add(message)
                if message.timestamp_ns - newest[1] > _MINUTE_NS:
                    seen = (intake.last, intake.stored_ns)
                    known, newest = newest if newest[1] else seen, seen
                if intake.waiting >= _CHUNK:
                    await filled()
    finally:
        end_listening()


async def _pause() -> None:
    """Before it asks again, when nothing was there."""
    await asyncio.sleep(_PAUSE_S)


async def _compare(transport: Transport, sequence: int, stored_ns: int) -> None:
    """Look whether a message that was read is still what it was. One that is gone for its age proves nothing."""
    if not stored_ns:
        return
    async with transport.read(STREAM, after=sequence - 1) as messages:
        first = await anext(messages, None)
    if first is None:
        if await transport.last_sequence(STREAM) < sequence:
            raise StreamChanged(f"the stream ends before sequence {sequence}")
    elif first.sequence == sequence and first.timestamp_ns != stored_ns:
        raise StreamChanged(f"the stream has another message of sequence {sequence}")
