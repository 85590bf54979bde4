"""Who is there: the registry's table, and the discovery protocol that every NATS service answers (ADR-32)."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from aegis_sdk import codec, subjects
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import CodecError

if TYPE_CHECKING:
    from aegis_sdk.instances import Instance, ServiceDefinition
    from aegis_sdk.messages import Message
    from aegis_sdk.transport import Transport

__all__ = ["ask_all", "registered"]

_FIRST_S: Final = 0.4
_QUIET_S: Final = 0.15
_CONFIRM_S: Final = 1.5
_READ_S: Final = 5.0


async def ask_all(transport: Transport, verb: str, service: str = "") -> list[dict[str, Any]]:
    """Everybody's answer to `$SRV.<verb>`, until no more come for a moment."""
    answers: list[dict[str, Any]] = []
    came = asyncio.Event()

    def take(message: Message) -> None:
        with suppress(CodecError):
            answer = codec.decode_json(message.payload)
            if isinstance(answer, dict):
                answers.append(answer)
        came.set()

    inbox = subjects.inbox(secrets.token_hex(12))
    subscription = await transport.subscribe(inbox, take)
    try:
        transport.publish(subjects.srv(verb, service), b"", reply=inbox)
        pause = _FIRST_S
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(pause):
                    await came.wait()
                came.clear()
                pause = _QUIET_S
    finally:
        await subscription.unsubscribe()
    return sorted(answers, key=lambda one: (str(one.get("name")), str(one.get("id"))))


async def registered(transport: Transport) -> tuple[list[Instance], list[ServiceDefinition]]:
    """The living instances of the registry and the services that it defines, each in order."""
    async with Directory.open(transport, timeout=_READ_S) as directory:
        with suppress(TimeoutError):
            await directory.wait_for(_all_confirmed, timeout=_CONFIRM_S)
        instances = sorted(directory.instances(), key=lambda one: (one.record.service, one.record.instance))
        return instances, sorted(directory.services(), key=lambda one: one.name)


def _all_confirmed(directory: Directory) -> bool:
    return all(one.confirmed for one in directory.instances(unconfirmed=True))
