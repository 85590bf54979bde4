"""Many registered instances in one process, without work: `many_registrations.py SERVICE COUNT`; settings in the
environment.

Each has a record, beats as often as any instance does, and writes its samples.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import UTC, datetime

import uvloop

from aegis_sdk import subjects
from aegis_sdk.config import Settings
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.messages import Message
from aegis_sdk.registry import Registration
from aegis_sdk.samples import Sample, written
from aegis_sdk.telemetry import configure_logging
from aegis_sdk.transport_nats import NatsTransport

AT_ONCE = 32
EVERY_S = 2.0


async def main(service: str, count: int) -> None:
    settings = Settings.from_environment(os.environ)
    password = settings.nats_password.get_secret_value()
    transport = await NatsTransport.connect(settings.nats_url, user=settings.nats_user, password=password)

    def answer(message: Message) -> None:
        transport.publish(message.reply, b"{}")

    await transport.subscribe(subjects.direct(service, subjects.ANY, "ping"), answer)
    starting = asyncio.Semaphore(AT_ONCE)

    async def register(number: int) -> Registration:
        registration = Registration(transport, InstanceRecord(service=service, instance=f"o{number}"))
        async with starting:
            await registration.start()
        registration.set_status(InstanceStatus.ACTIVE)
        return registration

    registrations = await asyncio.gather(*map(register, range(count)))
    while True:
        for one in registrations:
            transport.publish(subjects.metric(service, one.record.instance), written(_sample(one.record)))
        await asyncio.sleep(EVERY_S)


def _sample(record: InstanceRecord) -> Sample:
    return Sample(
        service=record.service,
        instance=record.instance,
        incarnation=record.incarnation,
        at=datetime.now(UTC),
        seconds=EVERY_S,
        cpu=0.0031,
        memory_bytes=58_212_352,
        loop_lag_p99_ms=1.218,
    )


if __name__ == "__main__":
    configure_logging(level=logging.WARNING)
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
