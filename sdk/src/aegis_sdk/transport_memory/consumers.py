"""How connections take messages out of memory streams: an ordered reader and durable consumers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from aegis_sdk.errors import ConnectionUnavailable
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import ConnectionState, Delivery, Transport
from aegis_sdk.transport_memory.stream import MemoryStream

_MAX_UNACKNOWLEDGED: Final = 1000


class _Waiter:
    """Waits for news of a stream or of the connection, one of them at a time."""

    def __init__(self, transport: Transport, stream: MemoryStream) -> None:
        self._transport = transport
        self._stream = stream
        self._news = asyncio.Event()
        self._end_listening = transport.on_state(self._on_state)
        self.was_cut = False
        stream.wakers.add(self._news.set)

    def _on_state(self, state: ConnectionState) -> None:
        self.was_cut = True
        self._news.set()

    @property
    def connected(self) -> bool:
        """Whether messages come; StopAsyncIteration when they never will again."""
        if self._transport.state is ConnectionState.CLOSED:
            raise StopAsyncIteration
        return self._transport.state is ConnectionState.CONNECTED

    async def wait(self, timeout: float | None) -> None:
        """Return at the next news since the last call, or after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    def close(self) -> None:
        self._end_listening()
        self._stream.wakers.discard(self._news.set)


class MemoryReader:
    """See `Transport.read`."""

    def __init__(
        self,
        transport: Transport,
        stream: MemoryStream,
        subject: str | Sequence[str],
        after: int,
        last_per_subject: bool,
        pause: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._pause = pause
        self._stream = stream
        self._subjects = (subject,) if isinstance(subject, str) else tuple(subject)
        self._waiter = _Waiter(transport, stream)
        self._seen = after
        self._snapshot = sorted(stream.last_of_each(*self._subjects), reverse=True) if last_per_subject else []
        self._caught_up_at: int | None = stream.last_sequence

    def __aiter__(self) -> AsyncIterator[StoredMessage | None]:
        return self

    async def __anext__(self) -> StoredMessage | None:
        await asyncio.sleep(0)  # a full stream does not keep the loop to itself
        while True:
            if self._waiter.connected:
                if self._waiter.was_cut:
                    self._waiter.was_cut = False
                    self._caught_up_at = self._stream.last_sequence
                message = self._next()
                if self._caught_up_at is not None and (message is None or message.sequence > self._caught_up_at):
                    self._caught_up_at = None
                    return None
                if message is not None:
                    self._seen = message.sequence
                    return message
            await self._waiter.wait(None)
            if self._pause is not None:
                await self._pause()

    def _next(self) -> StoredMessage | None:
        while self._snapshot:
            message = self._stream.get(self._snapshot[-1])
            if message is not None and message.sequence > self._seen:
                return message
            self._snapshot.pop()
        message = self._stream.after(self._seen, *self._subjects)
        if message is None:
            self._seen = self._stream.last_sequence
        return message

    def close(self) -> None:
        self._waiter.close()


@dataclass
class _Pending:
    """A message that was delivered and is not settled yet."""

    attempt: int
    due: float  # when it is delivered again


class _Taken(NamedTuple):
    message: StoredMessage
    attempt: int


class DurableConsumer:
    """What the broker remembers of a durable name. Time is an argument."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self.subject = ">"
        self.ack_wait_s = 30.0
        self.max_deliver = -1
        self._position = 0
        self._pending: dict[int, _Pending] = {}

    def take(self, now: float) -> _Taken | None:
        """The next message to deliver: first what is due again, then what is new."""
        for sequence, pending in tuple(self._pending.items()):
            if pending.due > now:
                continue
            message = self.stream.get(sequence)
            if message is None or 0 < self.max_deliver <= pending.attempt:
                del self._pending[sequence]
                continue
            pending.attempt += 1
            pending.due = now + self.ack_wait_s
            return _Taken(message, pending.attempt)
        if len(self._pending) >= _MAX_UNACKNOWLEDGED:
            return None
        message = self.stream.after(self._position, self.subject)
        if message is None:
            self._position = self.stream.last_sequence
            return None
        self._position = message.sequence
        self._pending[message.sequence] = _Pending(1, now + self.ack_wait_s)
        return _Taken(message, 1)

    def settle(self, sequence: int) -> None:
        """It is done with: never deliver it again."""
        if self._pending.pop(sequence, None) is not None and self.stream.config.work_queue:
            self.stream.remove(sequence)
        self._wake()

    def deliver_again(self, sequence: int, due: float) -> None:
        pending = self._pending.get(sequence)
        if pending is not None:
            pending.due = due
        self._wake()

    def _wake(self) -> None:
        for wake in tuple(self.stream.wakers):
            wake()

    @property
    def next_due(self) -> float | None:
        return min((pending.due for pending in self._pending.values()), default=None)


class MemoryConsumption:
    """See `Transport.consume`: one of those who share a durable consumer."""

    def __init__(self, transport: Transport, consumer: DurableConsumer, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._consumer = consumer
        self._clock = clock
        self._waiter = _Waiter(transport, consumer.stream)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        await asyncio.sleep(0)
        while True:
            due = None
            if self._waiter.connected:
                taken = self._consumer.take(self._clock())
                if taken is not None:
                    return self._delivery(*taken)
                due = self._consumer.next_due
            await self._waiter.wait(None if due is None else due - self._clock())

    def _delivery(self, message: StoredMessage, attempt: int) -> Delivery:
        async def settle() -> None:
            self._check_connected()
            self._consumer.settle(message.sequence)

        async def deliver_again(delay: float) -> None:
            self._check_connected()
            self._consumer.deliver_again(message.sequence, self._clock() + delay)

        return Delivery(message=message, attempt=attempt, ack=settle, nak=deliver_again, term=settle)

    def _check_connected(self) -> None:
        if self._transport.state is not ConnectionState.CONNECTED:
            raise ConnectionUnavailable("not connected to the broker")

    def close(self) -> None:
        self._waiter.close()
