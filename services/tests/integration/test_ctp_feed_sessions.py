"""Sessions of the CTP feed that die, hang, are dropped or end: replaced where they were lost, and nothing is left."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ctp_counter import quiet_counter
from ctp_feed_stage import HUNG, QUICK, STALLED, all_of, counter, figure, is_running, open_feed, until_ready_again

from aegis.cli.bench.ctp_parts import children_of
from aegis.contracts.market import InstrumentId
from aegis.marketdata.ports import FeedState
from aegis.operations.counter import is_built
from ctpsim.testing import front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

CYCLES = int(os.environ.get("AEGIS_CTP_CYCLES", "6"))


@pytest.fixture
def sessions_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories of sessions that no other test makes."""
    (tmp_path / "sessions").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "sessions"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "sessions"))


def directories_of_sessions() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("aegis-ctp-*"))


# Sessions that are lost


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
async def test_a_session_that_dies_or_hangs_is_replaced_by_itself(sink: Any, number: signal.Signals) -> None:
    options = HUNG if number == signal.SIGSTOP else QUICK
    async with quiet_counter() as running, open_feed(running, sink, options) as feed:
        await all_of(feed)
        await sink.until_quotes(50)
        first, pid = feed.session, feed.session_pid
        assert pid is not None
        os.kill(pid, number)
        await until_ready_again(sink)
        assert feed.session != first
        assert not is_running(pid)
        assert figure(feed, "failed_sessions_total", kind="not_ready") == 1
        assert figure(feed, "killed_sessions_total") == (number == signal.SIGSTOP), "the others had ended"
        await all_of(feed)
        await sink.until_quotes(len(sink.quotes) + 50)


async def test_a_session_that_the_front_drops_is_replaced(sink: Any) -> None:
    async with quiet_counter() as running, open_feed(running, sink) as feed:
        await all_of(feed)
        await running.control.send("drop", side="trader", reason=0x1001)
        await sink.until_quotes(len(sink.quotes) + 50)
        assert sink.states == [FeedState.CONNECTING, FeedState.READY], "the trader's front is not needed any more"
        await running.control.send("drop", side="market", reason=0x2003)
        await until_ready_again(sink)
        assert any("error 8195" in reason for reason in sink.reasons)


async def test_a_silent_front_is_left_only_while_the_market_is_open(sink: Any) -> None:
    is_open, asked = False, asyncio.Semaphore(0)

    def expects(*_: object) -> bool:
        """Asked at each look at a silence that is too long."""
        asked.release()
        return is_open

    async with quiet_counter() as running, open_feed(running, sink, STALLED, expects=expects) as feed:
        await all_of(feed)
        await sink.until(lambda: sum(not quote.flags for quote in sink.quotes) >= 60)
        await running.control.fault("no_ticks@market")
        asked = asyncio.Semaphore(0)  # not of shorter silences before
        async with asyncio.timeout(30):
            for _ in range(3):
                await asked.acquire()
        assert sink.states == [FeedState.CONNECTING, FeedState.READY]
        is_open = True
        await until_ready_again(sink)
        assert any("no tick for" in reason for reason in sink.reasons)


async def test_a_session_that_lives_over_a_day_roll_learns_the_new_days_contracts(sink: Any) -> None:
    """At the day's end the trader front has closed its connection: it logs in there again."""
    old, new, traded = (InstrumentId("SHFE", symbol) for symbol in ("rb2512", "rb2612", "rb2605"))
    async with front(begin="2025-12-15T14:58", speed=60.0) as running, open_feed(running, sink) as feed:
        session = feed.session
        listed_before = {one.id for one in await feed.instruments()}
        assert (old in listed_before, new in listed_before) == (True, False)
        assert await feed.subscribe([traded, old]) == {}
        await running.control.send("jump", to="2025-12-15T20:59")
        await sink.until(lambda: sink.states.count(FeedState.READY) == 2)
        assert feed.session == session
        listed_now = {one.id for one in await feed.instruments()}
        assert (old in listed_now, new in listed_now) == (False, True)
        await feed.unsubscribe([old])
        assert await feed.subscribe([new]) == {}
        await sink.until(lambda: any(quote.symbol == new.symbol for quote in sink.quotes))
        assert FeedState.CONNECTING not in sink.states[1:], "nothing was interrupted"


# Ends


@pytest.mark.usefixtures("sessions_of_its_own")
async def test_sessions_under_flow_end_in_order_and_leave_nothing(sink: Any) -> None:
    async with counter(rate=5_000.0) as running:
        before = (len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), children_of(os.getpid()))
        for _ in range(CYCLES):
            async with open_feed(running, sink) as feed:
                await all_of(feed)
                await sink.until_quotes(len(sink.quotes) + 200)
                await feed.close()
                assert feed.session_exit_code == 0
                assert figure(feed, "killed_sessions_total") == 0
        after = (len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), children_of(os.getpid()))
        assert after == before
        assert (await running.control.status())["clients"] == {"market": 0, "trader": 0}
    assert directories_of_sessions() == set()


@pytest.mark.usefixtures("sessions_of_its_own")
async def test_a_session_ends_with_a_service_that_is_killed(sink: Any, tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from ctp_counter import quiet_counter, start_at
from ctpsim.access import read_access
from conftest import RecordingSink
from aegis.marketdata.adapters.ctp import CtpFeed

async def main():
    feed = CtpFeed("test", "test", "sim", start_at(read_access(__import__("pathlib").Path(sys.argv[1]))))
    await feed.open(RecordingSink())
    print(feed.session_pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    async with counter(directory=tmp_path) as running:
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert killed.stdout is not None
        while not (line := await killed.stdout.readline()).strip().isdigit():
            assert line, "it did not come up"
        pid = int(line)
        killed.kill()
        await killed.wait()
        async with asyncio.timeout(30):
            while is_running(pid):  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(0.02)
        left = directories_of_sessions()
        assert left
        async with open_feed(running, sink):
            assert not left & directories_of_sessions(), "the next session sweeps it away"
