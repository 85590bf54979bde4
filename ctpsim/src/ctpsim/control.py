"""Telling a running counter what to do, from another process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import msgspec

from aegis_sdk.errors import AegisError
from ctpsim.access import Access, read_access

__all__ = ["Control", "ControlRefused"]

_LINE_BYTES: Final = 16 << 20
_ANSWER_S: Final = 10.0


class ControlRefused(AegisError):
    """The counter did not do what it was told."""


class Control:
    """One connection to a counter's control port; a context manager. Commands are methods of `send`."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._turn = asyncio.Lock()

    @classmethod
    def at(cls, path: Path) -> Control:
        """By a counter's access file, or the directory that has it. Raises AegisError."""
        return cls(read_access(path))

    async def __aenter__(self) -> Control:
        address = ("127.0.0.1", self._access.control_port)
        try:
            self._reader, self._writer = await asyncio.open_connection(*address, limit=_LINE_BYTES)
        except OSError as error:
            raise AegisError(f"the counter of process {self._access.pid} does not answer: {error}") from error
        await self.send("hello", token=self._access.token)
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    async def send(self, command: str, /, **arguments: Any) -> Any:
        """The command's result. Raises ControlRefused with the counter's reason, TimeoutError after 10 s."""
        if self._reader is None or self._writer is None:
            raise AegisError("this control is not connected")
        async with self._turn, asyncio.timeout(_ANSWER_S):
            self._writer.write(msgspec.json.encode({"command": command, **arguments}) + b"\n")
            await self._writer.drain()
            line = await self._reader.readline()
        if not line:
            raise AegisError("the counter has closed the connection")
        answer = msgspec.json.decode(line)
        if "error" in answer:
            raise ControlRefused(answer["error"])
        return answer["result"]

    # The commands that tests and drills use most

    async def fault(self, written: str) -> None:
        """Let something go wrong from now on; see `ctpsim.front.faults`."""
        await self.send("fault", fault=written)

    async def clear(self, written: str = "") -> None:
        """Let it go right again: this, or everything."""
        await self.send("clear", fault=written)

    async def sent(self) -> dict[str, int]:
        """Ticks that left for clients, by symbol."""
        return (await self.send("sent"))["sent"]

    async def unsent(self) -> dict[str, int]:
        """Ticks that clients had no room for, by symbol."""
        return (await self.send("sent"))["unsent"]

    async def status(self) -> dict[str, Any]:
        return await self.send("status")
