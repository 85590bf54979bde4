"""The ordered reader for who has time: it asks for what has come, instead of being sent each message as it comes.

To take fifty messages at once costs little more than to take one. It heals itself as the pushed reader does: a hole in
the consumer's numbers, an error or no answer means that the consumer is given up and another one is made.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aegis_sdk import codec
from aegis_sdk.errors import ConnectionUnavailable
from aegis_sdk.messages import STATUS, Message, StoredMessage
from aegis_sdk.transport import Transport
from aegis_sdk.transport_nats.consumers import Reader, origin

__all__ = ["poll"]

_BATCH: Final = 512
_ANSWER_S: Final = 1.0
_MORE_S: Final = 0.005
"""The server sends what was there when it was asked; it does not say how many that were if others came since."""
_NOTHING: Final = ("404", "408")
"""No messages; the request has ended."""


class _PollingReader(Reader):
    def __init__(
        self,
        transport: Transport,
        stream: str,
        subject: str | Sequence[str],
        after: int,
        last_per_subject: bool,
        pause: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(transport, stream, subject, after, last_per_subject, idle_s=_ANSWER_S)
        self._pause = pause
        self._asked = 0  # messages that may still come for what was asked last
        self._is_at_end = False
        self._has_answered = False

    async def __anext__(self) -> StoredMessage | None:
        while True:
            if not self._consumer:
                await self._begin_again()
            if self._until_caught_up == 0:
                self._until_caught_up = None
                return None
            if not self._asked and not self._arrivals.waiting and not await self._ask():
                continue
            message = await self._arrivals.take(_MORE_S if self._has_answered else _ANSWER_S)
            if message is None:
                self._no_more()
            elif STATUS in message.headers:
                self._end_of_answer(message)
            else:
                self._count(message)
                stored = self._next(message)
                if stored is not None:
                    return stored

    async def _attempt(self, timeout: float) -> None:
        self._asked = 0
        await super()._attempt(timeout)

    def _delivery(self) -> dict[str, Any]:
        """They are asked for."""
        return {}

    async def _ask(self) -> bool:
        if self._is_at_end:
            self._is_at_end = False
            await self._pause()
        verb = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        try:
            self._transport.publish(verb, codec.encode_json({"batch": _BATCH, "no_wait": True}), {}, self._inbox)
        except ConnectionUnavailable:
            self._consumer = ""
            return False
        self._asked, self._has_answered = _BATCH, False
        return True

    def _no_more(self) -> None:
        self._asked = 0
        if not self._has_answered or self._arrivals.broken:
            self._give_up_consumer()

    def _count(self, message: Message) -> None:
        """Behind a message with nothing pending seldom another comes for what was asked, and is taken all the same."""
        self._has_answered = True
        self._is_at_end = origin(message.reply).pending == 0
        self._asked = 0 if self._is_at_end else self._asked - 1

    def _end_of_answer(self, message: Message) -> None:
        self._asked = 0
        self._is_at_end = message.headers[STATUS] in _NOTHING
        if not self._is_at_end:
            self._consumer = ""


@asynccontextmanager
async def poll(
    transport: Transport,
    stream: str,
    subject: str | Sequence[str],
    after: int,
    last_per_subject: bool,
    pause: Callable[[], Awaitable[None]],
) -> AsyncGenerator[AsyncIterator[StoredMessage | None]]:
    """`Transport.read` with a pause, over JetStream."""
    reader = _PollingReader(transport, stream, subject, after, last_per_subject, pause)
    try:
        await reader.begin()
        yield reader
    finally:
        await reader.close()
