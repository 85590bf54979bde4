"""The loop that other tests run on, in which nobody waits."""

from __future__ import annotations

import asyncio
import time

import pytest
from own_time import stand_still

from aegis_sdk import clock

pytestmark = pytest.mark.own_time


def clocks() -> list[float]:
    return [asyncio.get_running_loop().time(), time.monotonic(), time.monotonic_ns() / 1e9, clock.now()]


async def test_an_hour_passes_at_once_and_by_all_clocks() -> None:
    before, wall_ns = clocks(), time.time_ns()
    await asyncio.sleep(3600)
    assert [later - sooner for sooner, later in zip(before, clocks(), strict=True)] == pytest.approx(
        [3600] * 4, abs=0.01
    )
    assert time.time_ns() - wall_ns == pytest.approx(3600e9, rel=1e-5)


async def test_who_only_asks_again_and_again_gets_older_too() -> None:
    ends = time.monotonic() + 0.01
    while time.monotonic() < ends:  # noqa: ASYNC110 (it is what is tested)
        await asyncio.sleep(0)


async def test_a_thread_that_works_has_as_much_time_as_it_needs() -> None:
    async with asyncio.timeout(0.001):
        await asyncio.to_thread(time.sleep, 0.02)


async def test_what_is_due_while_it_stands_still_comes_afterwards() -> None:
    came: list[str] = []
    loop = asyncio.get_running_loop()
    loop.call_later(5, came.append, "late")
    stand_still(10)
    loop.call_soon(came.append, "soon")
    await asyncio.sleep(0.001)
    assert came == ["soon", "late"]
