"""A tab of the console: the live topics that it follows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from management_stage import Browser, understood
from websockets.asyncio.client import ClientConnection, connect

DEADLINE_S = 30.0


class Client:
    """A tab of the console: its tables, by topic."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.tables: dict[str, dict[str, Any]] = {}
        self.places: dict[str, dict[str, Any]] = {}
        self.kinds: list[tuple[str, str]] = []

    async def ask(self, op: str, *topics: dict[str, Any] | str) -> None:
        wanted = [{"topic": one} if isinstance(one, str) else one for one in topics]
        await self.socket.send(json.dumps({"op": op, "topics": wanted}))

    async def take(self) -> dict[str, Any]:
        message = understood(await self.socket.recv())
        if message["type"] in ("snapshot", "delta"):
            topic = message["topic"]
            self.kinds.append((message["type"], topic))
            table = self.tables.setdefault(topic, {})
            if message["type"] == "snapshot":
                table.clear()
            table.update(message["rows"])
            for key in message["gone"]:
                table.pop(key, None)
            self.places[topic] = {"topic": topic, "origin": message["origin"], "sequence": message["sequence"]}
        return message

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                await self.take()

    async def told(self, kind: str, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            while not {"type": kind, **fields}.items() <= (message := await self.take()).items():
                pass
        return message


@asynccontextmanager
async def tab(browser: Browser, **headers: str) -> AsyncIterator[Client]:
    address = str(browser.base_url).rstrip("/")
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    sent = {"Origin": address, "Cookie": cookie, **headers}
    async with connect(address.replace("http", "ws") + "/api/live", additional_headers=sent) as socket:
        yield Client(socket)
