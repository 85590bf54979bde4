"""Requests of one connection that wait for their first reply."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import NamedTuple

from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, DeadlineExceeded, Unavailable
from aegis_sdk.messages import NO_RESPONDERS, STATUS, Message


class _Asked(NamedTuple):
    future: asyncio.Future[Message]
    expiry: asyncio.TimerHandle
    subject: str
    of_session: bool


class Replies:
    """Who waits, by the inbox that the reply comes to. One subscription, of `subject`, serves them all."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._prefix = subjects.inbox(f"{random.getrandbits(96):024x}") + "."
        self._tokens = itertools.count(1)
        self._waiting: dict[str, _Asked] = {}

    @property
    def subject(self) -> str:
        return self._prefix + "*"

    def new_inbox(self) -> str:
        return f"{self._prefix}{next(self._tokens):x}"

    def expect(self, inbox: str, subject: str, timeout: float, *, of_session: bool = False) -> asyncio.Future[Message]:
        """The first message to `inbox`; Unavailable where nobody serves `subject`, DeadlineExceeded in `timeout` s.

        What is `of_session` ends with the session too.
        """
        future: asyncio.Future[Message] = self._loop.create_future()
        expiry = self._loop.call_later(timeout, self._expire, inbox, timeout)
        self._waiting[inbox] = _Asked(future, expiry, subject, of_session)
        return future

    def _expire(self, inbox: str, timeout: float) -> None:
        future, _, subject, _ = self._waiting.pop(inbox)
        if not future.done():
            future.set_exception(DeadlineExceeded(f"no answer from {subject} within {timeout * 1000:.0f} ms"))

    def take(self, message: Message) -> None:
        """Give a message that has arrived to who waits for it."""
        asked = self._waiting.pop(message.subject, None)
        if asked is None:
            return
        asked.expiry.cancel()
        if asked.future.done():
            return
        if message.headers.get(STATUS) == NO_RESPONDERS and not message.payload:
            asked.future.set_exception(Unavailable("nobody serves this subject"))
        else:
            asked.future.set_result(message)

    def end_session(self) -> None:
        """The session has ended: a server drops what it has to say to somebody who is gone."""
        for inbox, asked in tuple(self._waiting.items()):
            if asked.of_session:
                del self._waiting[inbox]
                self._fail(asked, DeadlineExceeded(f"the connection broke before {asked.subject} answered"))

    def end(self, error: AegisError) -> None:
        """Nothing will come any more."""
        for asked in self._waiting.values():
            self._fail(asked, error)
        self._waiting.clear()

    def _fail(self, asked: _Asked, error: AegisError) -> None:
        asked.expiry.cancel()
        if not asked.future.done():
            asked.future.set_exception(error)
