"""Networks that can be taken away and given back, one for each adapter.

Over NATS all connections lead through a relay: an outage is a broken TCP connection, the server goes on.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

from aegis_sdk.messages import Message
from aegis_sdk.testing import NatsAccess
from aegis_sdk.transport import ConnectionState, Transport
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport
from aegis_sdk.transport_nats import NatsTransport

DEADLINE_S = 20


class Network(Protocol):
    async def connect(self) -> Transport:
        """A new connection, closed when the test ends."""
        ...

    async def stop(self) -> None:
        """Break all connections and let none be made."""
        ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class MemoryNetwork:
    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self._transports: list[Transport] = []

    async def connect(self) -> Transport:
        self._transports.append(MemoryTransport(self.broker))
        return self._transports[-1]

    async def stop(self) -> None:
        self.broker.stop()

    async def start(self) -> None:
        self.broker.start()

    async def close(self) -> None:
        for transport in self._transports:
            await transport.close()


class Relay:
    """Forwards TCP connections to a server, for as long as it is open."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                server_reader, server_writer = await asyncio.open_connection(*self._target)
                try:
                    await _until_first(self._copy(reader, server_writer), self._copy(server_reader, writer))
                finally:
                    server_writer.transport.abort()
        finally:
            writer.transport.abort()
            self._connections.discard(task)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()


async def _until_first(*sides: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(side) for side in sides]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class NatsNetwork:
    def __init__(self, access: NatsAccess) -> None:
        url = urlsplit(access.url)
        assert url.hostname
        assert url.port
        self._access = access
        self._relay = Relay(url.hostname, url.port)
        self._transports: list[NatsTransport] = []

    async def connect(self) -> Transport:
        if not self._relay.port:
            await self._relay.open()
        url = f"nats://127.0.0.1:{self._relay.port}"
        transport = await NatsTransport.connect([url], user=self._access.user, password=self._access.password)
        self._transports.append(transport)
        return transport

    async def stop(self) -> None:
        await self._relay.close()

    async def start(self) -> None:
        await self._relay.open()

    async def close(self) -> None:
        for transport in self._transports:
            await transport.close()
        await self._relay.close()


async def reached(transport: Transport, state: ConnectionState) -> None:
    """Return when the connection is in that state."""
    changed = asyncio.Event()
    end_listening = transport.on_state(lambda _: changed.set())
    async with asyncio.timeout(DEADLINE_S):
        while transport.state is not state:
            await changed.wait()
            changed.clear()
    end_listening()


async def interrupt(network: Network, *transports: Transport) -> None:
    """Take the network away and give it back; returns when all connections are live again."""
    await network.stop()
    for transport in transports:
        await reached(transport, ConnectionState.RECONNECTING)
    await network.start()
    for transport in transports:
        await transport.wait_connected(DEADLINE_S)


class Received:
    """A handler that keeps what it is called with."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    def __call__(self, message: Message) -> None:
        self._messages.put_nowait(message)

    async def take(self, count: int = 1) -> list[Message]:
        """The next `count` messages, in order; TimeoutError if they do not come."""
        async with asyncio.timeout(DEADLINE_S):
            return [await self._messages.get() for _ in range(count)]

    async def payloads(self, count: int) -> list[bytes]:
        return [message.payload for message in await self.take(count)]

    def __len__(self) -> int:
        return self._messages.qsize()
