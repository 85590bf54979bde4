"""How often an instance looks at the journals of its service."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from aegis_sdk.ledger.ledger import JournalRead
from aegis_sdk.single_active import tails
from aegis_sdk.single_active.tails import Tails


async def test_where_nothing_is_written_it_looks_ever_more_seldom_until_something_is_or_somebody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    def at_once(pause_s: float) -> asyncio.Timeout:
        pauses.append(pause_s)
        return asyncio.timeout(0)

    ledger: Any = SimpleNamespace(shards=2, shard=lambda key: int(key))
    read = Tails(SimpleNamespace(), ledger, lambda _: None, lambda *_: None)  # pyright: ignore[reportArgumentType]
    read._looks = {0: asyncio.Event(), 1: asyncio.Event()}
    read._contradictions["1"] = Exception()  # pyright: ignore[reportArgumentType]  # what is read of it is not folded
    monkeypatch.setattr(tails, "asyncio", SimpleNamespace(timeout=at_once))
    for _ in range(6):
        await read._pause(1)
    assert pauses == [0.025, 0.05, 0.1, 0.2, 0.25, 0.25]
    entry: Any = None
    read._fold(JournalRead("1", entry, 7))
    await read._pause(1)
    read._waiting["0"] = []
    await read._pause(1)
    assert pauses[-2:] == [0.025, 0.002]
