"""Requests of one connection that wait for their first reply."""

from __future__ import annotations

import asyncio
import itertools
import random

from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, DeadlineExceeded, Unavailable
from aegis_sdk.messages import NO_RESPONDERS, STATUS, Message


class Replies:
    """Who waits, by the inbox that the reply comes to. One subscription, of `subject`, serves them all."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._prefix = subjects.inbox(f"{random.getrandbits(96):024x}") + "."
        self._tokens = itertools.count(1)
        self._waiting: dict[str, tuple[asyncio.Future[Message], asyncio.TimerHandle]] = {}

    @property
    def subject(self) -> str:
        return self._prefix + "*"

    def new_inbox(self) -> str:
        return f"{self._prefix}{next(self._tokens):x}"

    def expect(self, inbox: str, subject: str, timeout: float) -> asyncio.Future[Message]:
        """The first message to `inbox`; Unavailable where nobody serves `subject`, DeadlineExceeded in `timeout` s."""
        future: asyncio.Future[Message] = self._loop.create_future()
        self._waiting[inbox] = future, self._loop.call_later(timeout, self._expire, inbox, subject, timeout)
        return future

    def _expire(self, inbox: str, subject: str, timeout: float) -> None:
        future, _ = self._waiting.pop(inbox)
        if not future.done():
            future.set_exception(DeadlineExceeded(f"no answer from {subject} within {timeout * 1000:.0f} ms"))

    def take(self, message: Message) -> None:
        """Give a message that has arrived to who waits for it."""
        asked = self._waiting.pop(message.subject, None)
        if asked is None:
            return
        future, expiry = asked
        expiry.cancel()
        if future.done():
            return
        if message.headers.get(STATUS) == NO_RESPONDERS and not message.payload:
            future.set_exception(Unavailable("nobody serves this subject"))
        else:
            future.set_result(message)

    def end(self, error: AegisError) -> None:
        """Nothing will come any more."""
        for future, expiry in self._waiting.values():
            expiry.cancel()
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()
