"""What a program says of its service before it serves."""

from __future__ import annotations

from aegis_sdk.handler import rpc
from aegis_sdk.method import Empty
from aegis_sdk.program import _definition  # pyright: ignore[reportPrivateUsage]
from aegis_sdk.service import ServiceHost
from aegis_sdk.single_active import ActiveContext, SingleActive, active
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


class Accounts(SingleActive):
    name = "accounts"
    version = "3"

    @rpc
    async def known(self, request: Empty) -> Empty:
        return request

    @active
    async def deposit(self, request: Empty, context: ActiveContext) -> Empty:
        return request


async def test_the_methods_of_the_active_instance_are_part_of_the_definition() -> None:
    transport = MemoryTransport(MemoryBroker())
    host = ServiceHost(transport, Accounts())
    assert _definition(host).methods == ("known", "deposit")
    await transport.close()
