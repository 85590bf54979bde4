"""The control port: JSON lines on loopback, from whoever knows the token."""

from __future__ import annotations

import asyncio
import hmac
from contextlib import suppress
from typing import Any, Final

import msgspec

from aegis_sdk.errors import AegisError
from ctpsim.front.commands import Commands

__all__ = ["ControlPort"]

_LINE_BYTES: Final = 1 << 20
_HELLO_S: Final = 5.0


class ControlPort:
    """`port` is known once started."""

    def __init__(self, token: str, commands: Commands) -> None:
        self.port = 0
        self._token = token
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LINE_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if not await self._is_known(reader):
                return
            await _say(writer, {"result": None})
            while line := await reader.readline():
                await _say(writer, await self._answer(line))
        except (OSError, ValueError, TimeoutError):
            pass  # it went, or sent a line that is longer than any of ours
        finally:
            self._writers.discard(writer)
            with suppress(OSError):
                writer.close()

    async def _is_known(self, reader: asyncio.StreamReader) -> bool:
        async with asyncio.timeout(_HELLO_S):
            said = _read(await reader.readline())
        return hmac.compare_digest(str(said.get("token", "")).encode(), self._token.encode())

    async def _answer(self, line: bytes) -> dict[str, Any]:
        said = _read(line)
        try:
            return {"result": await self._commands.do(str(said.get("command", "")), said)}
        except AegisError as error:
            return {"error": str(error)}


def _read(line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


async def _say(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(msgspec.json.encode(answer) + b"\n")
    await writer.drain()
