"""The fronts' listening sockets: a market data and a trader port each, which can go down and come up again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aegis_sdk.errors import AegisError
from ctpsim.access import FrontAddress
from ctpsim.frames import Side
from ctpsim.front.client import Client
from ctpsim.front.counter import Counter

__all__ = ["FrontPorts"]

Make = Callable[[int], Client]
"""Called with the number of the front."""


@dataclass(slots=True)
class _Port:
    make: Make
    front: int
    number: int = 0
    server: asyncio.Server | None = None
    clients: list[Client] = field(default_factory=list[Client])


class FrontPorts:
    """`makes`: what makes the client of a connection, by side. `numbers` are those of its ports, 0 for a free one."""

    def __init__(self, counter: Counter, numbers: Sequence[tuple[int, int]], makes: dict[Side, Make]) -> None:
        self._counter = counter
        self._ports: list[dict[Side, _Port]] = [
            {"M": _Port(makes["M"], front, market), "T": _Port(makes["T"], front, trader)}
            for front, (market, trader) in enumerate(numbers)
        ]

    async def start(self) -> None:
        for front in self._ports:
            for port in front.values():
                await _listen(port)

    @property
    def addresses(self) -> tuple[FrontAddress, ...]:
        return tuple(
            FrontAddress(market=f"tcp://127.0.0.1:{front['M'].number}", trader=f"tcp://127.0.0.1:{front['T'].number}")
            for front in self._ports
        )

    async def down(self, number: int) -> None:
        """Refuse connections, and end those that there are. Raises AegisError where there is no such front."""
        for port in self._front(number).values():
            if port.server is not None:
                port.server.close()
                port.server = None
            for client in port.clients:
                client.abort()
            port.clients.clear()

    async def up(self, number: int) -> None:
        for port in self._front(number).values():
            if port.server is None:
                await _listen(port)

    async def close(self) -> None:
        for number in range(len(self._ports)):
            await self.down(number)

    def _front(self, number: int) -> dict[Side, _Port]:
        if not 0 <= number < len(self._ports):
            raise AegisError(f"there is no front {number}; they are counted from 0")
        return self._ports[number]


async def _listen(port: _Port) -> None:
    def make() -> Client:
        port.clients = [client for client in port.clients if client.is_open]
        port.clients.append(client := port.make(port.front))
        return client

    loop = asyncio.get_running_loop()
    port.server = await loop.create_server(make, "127.0.0.1", port.number)
    port.number = port.server.sockets[0].getsockname()[1]
