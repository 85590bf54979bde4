"""What `aegis bench universe` makes of the service's figures."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aegis.cli.bench import universe
from aegis.cli.bench.universe import bench_universe
from aegis.contracts.marketdata import STATUS, FeedStatus


class Served:
    """In place of a service: of two contracts, all subscribed and proved at once, until they are given up."""

    def __init__(self, lost: int, conflated: int) -> None:
        self._counts = {"lost": lost, "conflated": conflated}
        self._calls: list[str] = []

    async def call(self, method: Any, request: object, timeout: float) -> FeedStatus | None:
        if method is not STATUS:
            self._calls.append(method.name)
            return None
        wanted = 2 if len(self._calls) == 1 else 0
        known: dict[str, Any] = {"instruments": 2, "state": "ready", "subscribed": wanted, "ticking": wanted}
        return FeedStatus.model_construct(None, **known, **self._counts)


@pytest.mark.parametrize(
    ("lost", "conflated", "beyond"),
    [
        (0, 0, []),
        (1, 0, ["futures: lost is 1, its bar 0"]),
        (0, 7, ["futures: conflated is 7, its bar 0"]),
    ],
)
async def test_what_is_lost_and_what_is_left_out_are_two_counts_with_a_bar_each(
    monkeypatch: pytest.MonkeyPatch, lost: int, conflated: int, beyond: list[str]
) -> None:
    @asynccontextmanager
    async def service(*_: object, **__: object) -> AsyncIterator[Any]:
        yield universe._Measured(Served(lost, conflated), os.getpid(), 0.0)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(universe, "_service", service)
    nowhere: Any = None
    report = await bench_universe(nowhere, universes=["futures"])
    assert report.beyond() == beyond
