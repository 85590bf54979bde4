"""Events: facts in the past tense, stored in the stream EVENTS, read in order or by durable consumers.

events = Events(transport)
await events.ensure()
await events.publish(subjects.event("market", "SHFE", "opened"), SessionOpened(...))

async with events.follow("event.market.>", SessionOpened) as stream:
    async for event in stream: ...
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, NamedTuple, TypeVar

import structlog
from pydantic import BaseModel

from aegis_sdk import codec
from aegis_sdk.errors import InvalidRequest
from aegis_sdk.messages import EXPECTED_SEQUENCE, MESSAGE_ID, Headers, StoredMessage
from aegis_sdk.transport import Delivery, StreamConfig, Transport

__all__ = ["STREAM", "Event", "EventDelivery", "Events", "NewEvent"]

_log = structlog.get_logger("aegis.events")

STREAM: Final = "EVENTS"
_KEPT_BYTES: Final = 1 << 30
_KEPT_DAYS: Final = 30
_FETCHED_AHEAD: Final = 16

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True)
class Event(Generic[Body]):
    """An event as it is stored. `sequence` is its place in EVENTS, `timestamp_ns` the UTC time of its storage."""

    subject: str
    body: Body
    sequence: int
    timestamp_ns: int


class NewEvent(NamedTuple):
    """An event that is not stored yet, with the id that it is stored once by. `behind`: as for `Events.publish`."""

    subject: str
    body: BaseModel
    id: str
    behind: int | None = None


@dataclass(frozen=True)
class EventDelivery(Generic[Body]):
    """An event of a durable consumer. Acknowledge it once it is dealt with, or it comes again."""

    event: Event[Body]
    attempt: int  # from 1
    ack: Callable[[], Awaitable[None]]
    nak: Callable[[float], Awaitable[None]]  # comes again after that many seconds


class Events:
    """Publishes events and reads them. The stream keeps 30 days, at most 1 GiB."""

    def __init__(self, transport: Transport, *, replicas: int = 1) -> None:
        self._transport = transport
        self._replicas = replicas

    async def ensure(self) -> None:
        """Create the stream where it is missing."""
        await self._transport.ensure_stream(
            StreamConfig(
                name=STREAM,
                subjects=["event.>"],
                replicas=self._replicas,
                max_bytes=_KEPT_BYTES,
                max_age_s=_KEPT_DAYS * 86_400,
                atomic=True,
            )
        )

    async def publish(
        self, subject: str, body: BaseModel, *, id: str = "", behind: int | None = None, timeout: float = 5.0
    ) -> int:
        """Store an event; its sequence. One published again with the same `id` within two minutes is stored once.

        With `behind` only if that is the sequence of its subject's last event, 0 where there must be none: for ever,
        so what two of them publish under this guard is stored once, in one order.

        Raises Unavailable where there is no stream, DeadlineExceeded where it is not known whether it was stored, and
        StreamError 10071 where it does not come behind that one; nothing was stored then. CodecError: it never can be.
        """
        return await self._transport.append(subject, codec.encode_model(body), _headers(id, behind), timeout)

    async def publish_batch(self, events: Sequence[NewEvent], *, timeout: float = 5.0) -> int:
        """Store 1 to 1,000 events, all or none, next to each other; the sequence of the last.

        Of each subject only the first may have `behind`. Raises what `publish` raises, and StreamError where one of the
        ids is stored already: publish them singly then.
        """
        messages = [(one.subject, codec.encode_model(one.body), _headers(one.id, one.behind)) for one in events]
        return await self._transport.append_batch(messages, timeout)

    @asynccontextmanager
    async def follow(
        self, subject: str, model: type[Body], *, after: int = 0
    ) -> AsyncGenerator[AsyncIterator[Event[Body]]]:
        """All events of `subject` behind sequence `after`, then each new one, in order, none left out or repeated.

        What is not a valid `model` is logged and passed over.
        """
        async with self._transport.read(STREAM, subject, after=after) as stored:
            yield _decoded(stored, model)

    @asynccontextmanager
    async def consume(
        self, subject: str, model: type[Body], *, durable: str, ack_wait_s: float = 30, max_deliver: int = -1
    ) -> AsyncGenerator[AsyncIterator[EventDelivery[Body]]]:
        """Events shared by all who name the same `durable`: each goes to one of them, again until acknowledged.

        An event that no handler can deal with comes again for ever: look at its `attempt`, and acknowledge it to give
        it up. With `max_deliver` above zero the server gives it up after so many attempts, which is logged where the
        last of them ends with `nak`, and goes unseen where its handler dies or is late. What is not a valid `model`
        is logged and never comes again.
        """
        batch = _FETCHED_AHEAD if max_deliver <= 0 else 1  # else what no handler saw would spend its attempts
        async with self._transport.consume(
            STREAM, durable, subject, ack_wait_s=ack_wait_s, max_deliver=max_deliver, batch=batch
        ) as deliveries:

            async def decoded() -> AsyncIterator[EventDelivery[Body]]:
                async for delivery in deliveries:
                    event = _event(delivery.message, model)
                    if event is None:
                        await delivery.term()
                    else:
                        last = 0 < max_deliver <= delivery.attempt
                        nak = partial(_given_up, delivery, durable) if last else delivery.nak
                        yield EventDelivery(event, delivery.attempt, delivery.ack, nak)

            yield decoded()


def _headers(id: str, behind: int | None) -> Headers:
    headers = {MESSAGE_ID: id} if id else {}
    return headers if behind is None else {**headers, EXPECTED_SEQUENCE: str(behind)}


async def _given_up(delivery: Delivery, durable: str, delay: float) -> None:
    message = delivery.message
    _log.error(
        "event_given_up", durable=durable, subject=message.subject, sequence=message.sequence, attempts=delivery.attempt
    )
    await delivery.nak(delay)


async def _decoded(stored: AsyncIterator[StoredMessage | None], model: type[Body]) -> AsyncIterator[Event[Body]]:
    async for message in stored:
        event = _event(message, model) if message is not None else None
        if event is not None:
            yield event


def _event(message: StoredMessage, model: type[Body]) -> Event[Body] | None:
    try:
        body = codec.decode_model(model, message.payload)
    except InvalidRequest as error:
        _log.error("malformed_event", subject=message.subject, sequence=message.sequence, problems=error.details)
        return None
    return Event(message.subject, body, message.sequence, message.timestamp_ns)
