"""Tabs of the console for `aegis bench console`: they take what comes as fast as they can, and look how old it is.

Started with one JSON object on standard input; says how many have a snapshot of every topic, up to all of them, and at
the end of its input what was seen since.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

import msgspec
import uvloop

from aegis.cli.bench.figures import latencies_ms

__all__ = ["Crowd"]

_RECEIVED: Final = re.compile(rb'"ts_received_ns":(\d+)')
_LIMIT: Final = 1 << 18
_UNREAD_BYTES: Final = 262_144
_TEXT: Final = 1
_CLOSE: Final = 8
_PONG: Final = 10
_AT_A_TIME: Final = 10
_AGAIN_S: Final = 0.5
_TOLD: Final = 50
_MOST_REFUSED: Final = 500


class Crowd(msgspec.Struct):
    """`topics` has those of each tab, whose users take turns. The first `deaf` take nothing after they subscribed."""

    address: str
    tokens: Sequence[str]
    topics: Sequence[Sequence[str]]
    deaf: int = 0


class _Seen:
    def __init__(self, tabs: int) -> None:
        self.is_measured = False
        self.ages_s = [list[float]() for _ in range(tabs)]
        self.refused = 0  # tries to connect
        self.messages = 0
        self.bytes = 0

    def take(self, tab: int, payload: bytes) -> None:
        """A message's age is that of the first tick in it, which waited longest."""
        if self.is_measured:
            self.messages += 1
            self.bytes += len(payload)
            if payload.startswith(b'{"type":"delta"') and (found := _RECEIVED.search(payload)):
                self.ages_s[tab].append(time.time() - int(found[1]) / 1e9)


class _Tab:
    """Just enough of a WebSocket client to take much: the server sends whole messages, and masks nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, crowd: Crowd, number: int) -> _Tab:
        host, _, port = crowd.address.removeprefix("http://").rpartition(":")
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UNREAD_BYTES)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=connection, limit=_LIMIT)
        token = crowd.tokens[number % len(crowd.tokens)]
        head = (
            f"GET /api/live HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: YWVnaXMgYmVuY2ggdGFicw==\r\n\r\n"
        )
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer:
            writer.close()
            raise ConnectionError(answer.decode(errors="replace"))
        tab = cls(reader, writer)
        tab.send({"op": "subscribe", "topics": [{"topic": one} for one in crowd.topics[number]]})
        return tab

    def send(self, message: Any) -> None:
        self._write(_TEXT, json.dumps(message).encode())

    def _write(self, kind: int, payload: bytes) -> None:
        """Masked with zeros."""
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self.writer.write(bytes((0x80 | kind,)) + length + bytes(4) + payload)

    async def receive(self) -> bytes:
        while True:
            kind, payload = await self._frame()
            if kind == _CLOSE:
                raise ConnectionError(f"closed: {payload[:100]!r}")
            if kind == _TEXT:
                return payload
            self._write(_PONG, payload)

    async def _frame(self) -> tuple[int, bytes]:
        first, length = await self.reader.readexactly(2)
        if length == 126:
            length = int.from_bytes(await self.reader.readexactly(2), "big")
        elif length == 127:
            length = int.from_bytes(await self.reader.readexactly(8), "big")
        return first & 0x0F, await self.reader.readexactly(length)


async def _opened(crowd: Crowd, number: int, seen: _Seen, opening: asyncio.Semaphore) -> _Tab:
    """Some at a time, and again where the service is too busy, as the console does."""
    async with opening:
        while True:
            try:
                return await _Tab.open(crowd, number)
            except ConnectionError:
                seen.refused += 1
                if seen.refused > _MOST_REFUSED:
                    raise
                await asyncio.sleep(_AGAIN_S)


async def _follow(crowd: Crowd, number: int, seen: _Seen, opening: asyncio.Semaphore, is_ready: asyncio.Event) -> None:
    tab, missing = await _opened(crowd, number, seen, opening), set(crowd.topics[number])
    while True:
        payload = await tab.receive()
        seen.take(number, payload)
        if missing:
            message = json.loads(payload)
            if message["type"] == "snapshot" and message["part"] == message["parts"] - 1:
                missing.discard(message["topic"])
            if not missing:
                is_ready.set()


async def _main() -> None:
    crowd = msgspec.json.decode(sys.stdin.buffer.readline(), type=Crowd)
    seen, deaf, opening = _Seen(len(crowd.topics)), list[_Tab](), asyncio.Semaphore(_AT_A_TIME)
    ready = [asyncio.Event() for _ in crowd.topics]
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[None]] = []
        for number in range(len(crowd.topics)):
            if number < crowd.deaf:
                tab = await _opened(crowd, number, seen, opening)
                tab.writer.transport.pause_reading()  # type: ignore[attr-defined]
                deaf.append(tab)
                ready[number].set()
            else:
                tasks.append(group.create_task(_follow(crowd, number, seen, opening, ready[number])))
        for count, one in enumerate(ready, 1):
            await one.wait()
            if count % _TOLD == 0 or count == len(ready):
                print(count, flush=True)
        seen.is_measured = True
        began, cpu_s = time.monotonic(), time.process_time()
        await asyncio.to_thread(sys.stdin.buffer.read)
        seconds = time.monotonic() - began
        for task in tasks:
            task.cancel()
    ages = [one for one in seen.ages_s[crowd.deaf :] if one]
    figures = {
        **(latencies_ms([age for one in ages for age in one]) if ages else {}),
        "worst_tab_p50_ms": max((median(one) for one in ages), default=0.0) * 1e3,
        "silent_tabs": len(crowd.topics) - crowd.deaf - len(ages),
        "messages_per_s": seen.messages / seconds,
        "mb_per_s": seen.bytes / seconds / 1e6,
        "refused": seen.refused,
        "clients_cpu": (time.process_time() - cpu_s) / seconds,
    }
    print(json.dumps(figures), flush=True)
    os._exit(0)  # connections that nobody reads have no end


if __name__ == "__main__":
    uvloop.run(_main())
