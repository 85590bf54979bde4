"""A holder of one epoch that answers as it is told to, on plain subscriptions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from aegis_sdk import codec, subjects
from aegis_sdk.client import Client
from aegis_sdk.endpoint import error_reply
from aegis_sdk.errors import RpcError
from aegis_sdk.messages import EPOCH, IDEMPOTENCY_KEY, SEQUENCE, STALE, Message
from aegis_sdk.method import Method
from aegis_sdk.transport import Subscription, Transport

from .network import DEADLINE_S

KEY = "A1"
SOON_S = 0.4
"""A call that has so long, and gets no answer, ends in this test's time."""


class Deposit(BaseModel):
    amount: int


class Balance(BaseModel):
    amount: int


Answering = Callable[["Holder", Message], None]


class Holder:
    """Holds `epoch` of the key once it is begun. `requests` and `questions` are what has arrived."""

    def __init__(self, transport: Transport, service: str, epoch: int, answering: Answering, key: str = KEY) -> None:
        self.transport = transport
        self.service = service
        self.epoch = epoch
        self.key = key
        self.answering = answering
        self.requests: list[Message] = []
        self.questions: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()
        self._serving: Subscription | None = None
        self._telling: Subscription | None = None

    async def begin(self, *, announce: bool = True, tells: bool = True) -> Holder:
        """Listen, tell who asks if it `tells`, and perhaps announce it. Others know of it when this returns."""
        mine = subjects.active(self.service, self.key, self.epoch, subjects.ANY)
        self._serving = await self.transport.subscribe(mine, self._on_request)
        if tells:
            asked = subjects.epoch_asked(self.service)
            self._telling = await self.transport.subscribe(asked, self._on_question)
        await self.transport.flush()
        if announce:
            self.announce()
        return self

    async def end(self) -> None:
        """Listen no more."""
        if self._serving is not None:
            await self._serving.unsubscribe()
        await self.hush()

    async def hush(self) -> None:
        """Tell nobody any more who holds the key."""
        if self._telling is not None:
            await self._telling.unsubscribe()

    def announce(self) -> None:
        held = [["another", 3, "b"], [self.key, self.epoch, "a"]]
        self.transport.publish(subjects.epochs_begun(self.service), codec.encode_json(held))

    async def asked(self, count: int = 1) -> Message:
        """Return when so many requests have arrived; the last of them."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.requests) < count:
                await self._arrived.wait()
                self._arrived.clear()
        return self.requests[count - 1]

    def reply(self, message: Message, amount: int, *, epoch: int = 0, sequence: int = 0, stale: bool = False) -> None:
        headers = {EPOCH: str(epoch or self.epoch), SEQUENCE: str(sequence)} | ({STALE: "1"} if stale else {})
        self.transport.publish(message.reply, codec.encode_model(Balance(amount=amount)), headers)

    def refuse(self, message: Message, error: RpcError) -> None:
        payload, headers = error_reply(error)
        self.transport.publish(message.reply, payload, {**headers, EPOCH: str(self.epoch)})

    @property
    def idempotency_keys(self) -> list[str]:
        return [message.headers[IDEMPOTENCY_KEY] for message in self.requests]

    def _on_request(self, message: Message) -> None:
        self.requests.append(message)
        self._arrived.set()
        self.answering(self, message)

    def _on_question(self, message: Message) -> None:
        question = codec.decode_json(message.payload)
        if question["key"] == self.key:
            self.questions.append(question)
            self.transport.publish(message.reply, codec.encode_json([self.key, self.epoch, "a"]))


def answers(holder: Holder, message: Message) -> None:
    """Twice the amount, at journal sequence 7."""
    holder.reply(message, 2 * codec.decode_json(message.payload)["amount"], sequence=7)


def is_silent(holder: Holder, message: Message) -> None:
    """Nothing."""


def refuses(error: RpcError) -> Answering:
    return lambda holder, message: holder.refuse(message, error)


def in_turn(*answerings: Answering) -> Answering:
    """Each answers one request, the last all further ones."""

    def answering(holder: Holder, message: Message) -> None:
        answerings[min(len(holder.requests), len(answerings)) - 1](holder, message)

    return answering


# Callers

Calling = asyncio.Task[Any]


def begin(client: Client, deposit: Method[Deposit, Balance], **options: Any) -> Calling:
    return asyncio.create_task(client.call_active(deposit, KEY, Deposit(amount=21), **options))


async def learned(client: Client, other: Transport, deposit: Method[Deposit, Balance], epoch: int = 5) -> None:
    """The client has called the key: it knows who holds it. That holder is gone again."""
    holder = await Holder(other, deposit.service, epoch, answers).begin()
    await begin(client, deposit)
    await holder.end()
