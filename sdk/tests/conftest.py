"""The clock of the SDK's tests."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from aegis_sdk import clock, service

from .steady_loop import SteadyLoop

STEADY = ("contract", "integration", "unit")


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Any]:
    return {"steady": SteadyLoop} if item.path.parent.name in STEADY else {"plain": asyncio.SelectorEventLoop}


@pytest.fixture
async def steady(monkeypatch: pytest.MonkeyPatch) -> SteadyLoop:
    """The test's loop, by whose clock all of the SDK goes."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteadyLoop)
    monkeypatch.setattr(clock, "now", loop.time)
    monkeypatch.setattr(service, "time", SimpleNamespace(monotonic=loop.time))
    return loop


@pytest.fixture
def leaping(steady: SteadyLoop) -> SteadyLoop:
    """For a test that nothing outside of its loop takes part in: nobody waits."""
    steady.leap()
    return steady
