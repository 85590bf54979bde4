"""A venue as a process: it executes each command once, and writes down every one that it gets.

    python -m chaos.venue HISTORY_FILE HOST

It prints its port. One JSON line a question, one an answer: `command` executes unless the idempotency key is known
or voided, `void` tells whether it was executed and, where it was not, sees to it that it never is.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from aegis_sdk import clock

from .history import Commanded, Recorder


class Venue:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._executed: dict[str, bool] = {}  # False: voided

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps({"executed": self.take(json.loads(line))}).encode() + b"\n")
        writer.close()

    def take(self, question: dict[str, Any]) -> bool:
        kind, name = question.pop("do"), question["idempotency_key"]
        if kind == "void":
            return self._executed.setdefault(name, False)
        executed = name not in self._executed
        self._executed.setdefault(name, True)
        self._recorder.write(Commanded(executed=executed, at=clock.now(), **question))
        return executed


class VenueConnection:
    """A client of the venue: one question at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, **question: Any) -> bool:
        """Whether it executed. Raises OSError where the venue is away."""
        async with self._lock:
            try:
                return await self._ask(question)
            except BaseException:  # an answer that comes after all must not be taken for the next one
                if self._streams is not None:
                    self._streams[1].close()
                self._streams = None
                raise

    async def _ask(self, question: dict[str, Any]) -> bool:
        reader, writer = self._streams = self._streams or await asyncio.open_connection(*self._address)
        writer.write(json.dumps(question).encode() + b"\n")
        line = await reader.readline()
        if not line:
            raise ConnectionResetError("the venue has gone")
        return bool(json.loads(line)["executed"])


async def main(path: str, host: str) -> None:
    venue = Venue(Recorder(Path(path)))
    server = await asyncio.start_server(venue.serve, host, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
