"""Who holds which key, told to callers on core NATS: new epochs of their own accord, all others when asked.

It is but a hint where to send a call: whoever is asked wrongly refuses, or is not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec
import structlog

from aegis_sdk import codec, subjects
from aegis_sdk.errors import AegisError
from aegis_sdk.messages import Message
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.transport import Subscription, Transport

__all__ = ["Announcements", "Asked"]

_log = structlog.get_logger("aegis.active")


class Asked(msgspec.Struct):
    """A caller looks for the holder of a key; nobody answered in the epoch `missed`, if that is not 0."""

    key: str
    missed: int = 0


_asked = msgspec.json.Decoder(Asked)


class Announcements:
    """`begun` tells of an epoch as soon as its subscription is known to the server, and questions are answered then.

    Who is told earlier finds nobody, and looks elsewhere.
    """

    def __init__(
        self,
        transport: Transport,
        service: str,
        instance: str,
        held: Mapping[str, Holding],
        on_missed: Callable[[str, int], None],
    ) -> None:
        self._transport = transport
        self._instance = instance
        self._held = held
        self._on_missed = on_missed
        self._begun_subject = subjects.epochs_begun(service)
        self._asked_subject = subjects.epoch_asked(service)
        self._waiting: list[tuple[str, int]] = []
        self._begun: dict[str, int] = {}  # epochs that may be told of, by key
        self._telling: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        self._subscription = await self._transport.subscribe(self._asked_subject, self._on_asked)

    async def stop(self) -> None:
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])

    def begun(self, key: str, epoch: int) -> None:
        """Announce an epoch; those of one moment go into one message."""
        self._waiting.append((key, epoch))
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(), name="announcements")

    def again(self) -> None:
        """Announce all epochs: what was sent into a connection that broke is lost, and callers are to ask anew."""
        for holding in self._held.values():
            if self._begun.get(holding.key) == holding.epoch:
                self.begun(holding.key, holding.epoch)

    async def _tell(self) -> None:
        while self._waiting:
            with suppress(AegisError):  # without a connection callers ask, once there is one
                await self._transport.flush()
            begun, self._waiting = self._waiting, []
            self._begun.update(begun)
            try:
                said = [[key, epoch, self._instance] for key, epoch in begun]
                self._transport.publish(self._begun_subject, codec.encode_json(said))
            except AegisError as error:
                _log.warning("not_announced", epochs=len(begun), reason=str(error))

    def _on_asked(self, message: Message) -> None:
        try:
            asked = _asked.decode(message.payload)
        except msgspec.MsgspecError:
            return
        holding = self._held.get(asked.key)
        if holding is None:
            if asked.missed:
                self._on_missed(asked.key, asked.missed)
        elif self._begun.get(asked.key) != holding.epoch:
            return
        elif not holding.is_ended and not holding.releasing and message.reply:
            try:
                said = codec.encode_json([asked.key, holding.epoch, self._instance])
                self._transport.publish(message.reply, said)
            except AegisError as error:
                _log.warning("not_told", key=asked.key, reason=str(error))
