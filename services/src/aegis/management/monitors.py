"""The monitoring pages of the NATS servers, asked once for all who look."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, JsonValue

__all__ = ["Monitors", "ServerPage"]

_TIMEOUT_S: Final = 2.0
_KEPT_S: Final = 1.0
_AT_ONCE: Final = 2
_MOST_BYTES: Final = 4 << 20


class ServerPage(BaseModel):
    """A monitoring page of a server that AEGIS_MANAGEMENT_NATS_MONITORS names, as NATS writes it, if it answers."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"address": "http://127.0.0.1:8222", "answers": False, "page": {}}]}
    )

    address: str
    answers: bool
    page: dict[str, JsonValue]


class _Asked(NamedTuple):
    at: float
    answer: asyncio.Task[list[ServerPage]]


class Monitors:
    """An answer is shared by all who ask for the same page until it is a second old.

    Two threads of its own ask: a server that hangs, two seconds each time, takes none that passwords and files need.
    """

    def __init__(self, addresses: Sequence[str], now: Callable[[], float] = monotonic) -> None:
        self._addresses = addresses
        self._now = now
        self._threads = ThreadPoolExecutor(_AT_ONCE, "monitors")
        self._asked: dict[str, _Asked] = {}  # by path

    async def pages(self, path: str) -> list[ServerPage]:
        """The page of each server, which answers or not."""
        asked = self._asked.get(path)
        if asked is None or (asked.answer.done() and self._now() - asked.at >= _KEPT_S):
            asked = self._asked[path] = _Asked(self._now(), asyncio.create_task(self._read(path)))
        return await asyncio.shield(asked.answer)

    async def _read(self, path: str) -> list[ServerPage]:
        return await asyncio.gather(*(self._page(address, path) for address in self._addresses))

    async def _page(self, address: str, path: str) -> ServerPage:
        loop = asyncio.get_running_loop()
        try:
            page = await loop.run_in_executor(self._threads, _fetched, address + path)
        except (OSError, ValueError):
            return ServerPage(address=address, answers=False, page={})
        return ServerPage(address=address, answers=True, page=page)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _fetched(url: str) -> dict[str, Any]:
    """Raises OSError, or ValueError for what is not JSON or too long."""
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 (http or https: the settings see to it)
        return json.loads(answer.read(_MOST_BYTES))
