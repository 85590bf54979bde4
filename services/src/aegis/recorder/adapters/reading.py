"""The stream TICKS, read from where the recording ends, and the proof that it is still the same stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aegis.recorder.domain.intake import Intake, StreamChanged
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["STREAM", "read"]

STREAM: Final = "TICKS"
_CHUNK: Final = 1_024


async def read(transport: Transport, intake: Intake, filled: Callable[[], Awaitable[None]]) -> None:
    """Add all messages to the intake, until the connection breaks: the stream may be another one afterwards.

    `filled` is awaited whenever the intake has some 1,000 ticks to be taken; meanwhile the server sends no more than
    its flow control allows. Raises StreamChanged, what `Transport.read` raises, and StreamError 10059 where there is
    no stream.
    """
    broken = False

    def on_state(state: ConnectionState) -> None:
        nonlocal broken
        broken = broken or state is not ConnectionState.CONNECTED

    end_listening = transport.on_state(on_state)
    try:
        is_known = intake.stored_ns > 0
        async with transport.read(STREAM, after=intake.last - is_known) as messages:
            if is_known:
                await _compare(transport, messages, intake)
            async for message in messages:
                if broken:
                    return
                if message is not None:
                    intake.add(message)
                    if intake.waiting >= _CHUNK:
                        await filled()
    finally:
        end_listening()


async def _compare(transport: Transport, messages: AsyncIterator[StoredMessage | None], intake: Intake) -> None:
    """Look whether the last message of the intake is still what it was. One that is gone for its age proves nothing."""
    first = await anext(messages, None)
    if first is None:
        if await transport.last_sequence(STREAM) < intake.last:
            raise StreamChanged(f"the stream ends before sequence {intake.last}")
    elif first.sequence != intake.last:
        intake.add(first)
    elif first.timestamp_ns != intake.stored_ns:
        raise StreamChanged(f"the stream has another message of sequence {intake.last}")
