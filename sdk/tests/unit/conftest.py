"""A holding, its ledger and its clock."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator

import pytest

from aegis_sdk import clock

from .scripted_ledger import Clock, Scene


@pytest.fixture
def fake_clock(leaping: AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(clock, "now", fake.now)
    return fake


@pytest.fixture
async def scene(fake_clock: Clock) -> AsyncIterator[Scene]:
    scene = Scene(fake_clock)
    yield scene
    await scene.close()
