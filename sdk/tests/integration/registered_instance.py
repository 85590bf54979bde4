"""A process that is an instance: `registered_instance.py SERVICE INSTANCE URL...`; credentials in the environment.

It beats every HEARTBEAT_S, prints "ready" when it is registered and ends orderly on SIGTERM.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress

import uvloop

from aegis_sdk import subjects
from aegis_sdk.errors import ConnectionUnavailable
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.messages import Message
from aegis_sdk.registry import Registration
from aegis_sdk.transport_nats import NatsTransport


async def main(service: str, instance: str, *urls: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    transport = await NatsTransport.connect(urls, user=os.environ["NATS_USER"], password=os.environ["NATS_PASSWORD"])

    def answer(message: Message) -> None:
        with suppress(ConnectionUnavailable):  # it reconnects, and the request was there before it was
            transport.publish(message.reply, b"{}")

    await transport.subscribe(subjects.direct(service, instance, "ping"), answer)
    record = InstanceRecord(service=service, instance=instance)
    interval_s, replicas = float(os.environ["HEARTBEAT_S"]), int(os.environ["REPLICAS"])
    registration = Registration(transport, record, interval_s, replicas)
    await registration.start()
    registration.set_status(InstanceStatus.ACTIVE)
    print("ready", flush=True)
    await stop.wait()
    await registration.stop()
    await transport.close()


uvloop.run(main(*sys.argv[1:]))
