"""A counter that starts again where one ran before: its market goes on, and never back."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from ctpsim.market.clock import Always
from ctpsim.market.kept_time import keep_time, resumed

HOUR_NS: Final = 3_600 * 10**9
TODAY: Final = "20251126"


async def ran(directory: Path, clock: Always) -> int:
    """What is kept of it; its running time at the end."""
    keeping = asyncio.create_task(keep_time(directory, clock))
    await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.wait({keeping})
    return clock.running_ns()


def again(directory: Path, day: str = "", today: str = TODAY) -> Always:
    return resumed(directory, day=day, today=today, speed=1.0)


@pytest.mark.parametrize("day", ["", "20251103"])
async def test_it_goes_on_behind_all_that_was_told(tmp_path: Path, day: str) -> None:
    first = Always(day or TODAY, begin_ns=HOUR_NS)
    ended_ns = await ran(tmp_path, first)
    after = again(tmp_path, day)
    assert after.start_day == first.start_day
    assert ended_ns < after.running_ns() < ended_ns + 2 * 10**9
    assert after.moment().ts_ns > first.market.at(ended_ns).ts_ns


async def test_days_that_it_was_ahead_are_not_lived_again(tmp_path: Path) -> None:
    await ran(tmp_path, Always("20251120", begin_ns=100 * HOUR_NS))
    assert again(tmp_path).moment().trading_day > TODAY


@pytest.mark.parametrize(("day", "begins"), [("", TODAY), ("20251028", "20251028")])
async def test_it_begins_anew_where_today_is_later_or_another_day_is_asked_for(
    tmp_path: Path, day: str, begins: str
) -> None:
    await ran(tmp_path, Always("20251103", begin_ns=HOUR_NS))
    assert again(tmp_path, day).moment().trading_day == begins


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"start_day": 1}'])
def test_where_nothing_was_kept_it_begins(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "time.json").write_bytes(content)
    assert again(tmp_path).running_ns() < HOUR_NS
