"""What streams hold: read once, up to the end that they have now, forwards or back from a moment."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, NamedTuple, TypeVar

from aegis_sdk import codec
from aegis_sdk.errors import STREAM_NOT_FOUND, StreamError, Unavailable
from aegis_sdk.messages import STATUS, StoredMessage
from aegis_sdk.transport import Transport

__all__ = ["Page", "Place", "first_since", "pages_back", "read_all"]

T = TypeVar("T")

_NONE_FOUND: Final = "404"
_BATCH: Final = 1_000
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Place(NamedTuple):
    """Where a stream has a message, and when it was stored."""

    sequence: int
    at: datetime


class Page(NamedTuple, Generic[T]):
    """What was made of the messages of a page, and how many they were."""

    looked: int
    found: list[T]


async def first_since(transport: Transport, stream: str, subject: str, moment: datetime) -> Place | None:
    """The first message of a subject that was stored at this moment or later.

    None where there is none, or no stream. Any replica answers (ADR-31).
    """
    asked = codec.encode_json({"next_by_subj": subject, "start_time": moment.isoformat()})
    try:
        found = await transport.request(f"$JS.API.DIRECT.GET.{stream}", asked)
    except Unavailable:
        try:
            await transport.last_sequence(stream)
        except StreamError as error:
            if error.code == STREAM_NOT_FOUND:
                return None
            raise
        raise
    if found.headers.get(STATUS) == _NONE_FOUND:
        return None
    return Place(int(found.headers["Nats-Sequence"]), datetime.fromisoformat(found.headers["Nats-Time-Stamp"]))


async def read_all(
    transport: Transport, stream: str, subject: str, *, after: int = 0, last_per_subject: bool = False
) -> AsyncGenerator[StoredMessage]:
    """The messages behind a sequence, or the last one of each subject; of a stream that is not there, none.

    Close it where it is not read to its end.
    """
    try:
        async with transport.read(stream, subject, after=after, last_per_subject=last_per_subject) as messages:
            async for message in messages:
                if message is None:
                    return
                yield message
    except StreamError as error:
        if error.code != STREAM_NOT_FOUND:
            raise


async def pages_back(
    transport: Transport,
    stream: str,
    subject: str,
    before: datetime | Place,
    window: timedelta,
    most: int,
    made: Callable[[StoredMessage], T | None],
) -> AsyncGenerator[Page[T]]:
    """What was stored of a subject before a moment or a place, in pages: the latest first, each in the stream's order.

    A page is what was stored within `window`, and the next one twice that; of one that has more than `most` messages
    the latest ones, and then it ends. Of each message there is what is `made` of it, in a thread, None is left out; of
    the messages themselves a thousand at a time. Close it where it is not read to its end.
    """
    first = await first_since(transport, stream, subject, _EVER)
    if first is None:
        return
    end, before = before if isinstance(before, Place) else await _end(transport, stream, subject, before)
    while end > first.sequence:
        before = max(first.at, before - window)
        window *= 2
        begin = first if before == first.at else await first_since(transport, stream, subject, before)
        if begin is None or begin.sequence >= end:
            continue
        page = deque[T | None](maxlen=most)
        count = 0
        async with aclosing(_batches(transport, stream, subject, begin.sequence, end)) as batches:
            async for batch in batches:
                page += await asyncio.to_thread(_all_made, batch, made)
                count += len(batch)
        yield Page(len(page), [one for one in page if one is not None])
        if count > most:
            return
        end = begin.sequence


async def _end(transport: Transport, stream: str, subject: str, before: datetime) -> Place:
    """Behind the last message of a subject that was stored before a moment."""
    behind = await first_since(transport, stream, subject, before)
    return Place(behind.sequence if behind is not None else await transport.last_sequence(stream) + 1, before)


async def _batches(
    transport: Transport, stream: str, subject: str, begin: int, end: int
) -> AsyncGenerator[list[StoredMessage]]:
    """The messages of [begin, end), a thousand at a time."""
    batch: list[StoredMessage] = []
    async with aclosing(read_all(transport, stream, subject, after=begin - 1)) as messages:
        async for message in messages:
            if message.sequence >= end:
                break
            batch.append(message)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _all_made(batch: list[StoredMessage], made: Callable[[StoredMessage], T | None]) -> list[T | None]:
    return [made(message) for message in batch]
