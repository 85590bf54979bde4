"""The CTP feed on the unmodified wrappers of vnpy_ctp, against a simulated counter that goes wrong in every way."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ctp_counter import quiet_counter, start_at

from aegis.cli.bench.ctp_parts import children_of
from aegis.contracts.market import InstrumentId
from aegis.ctp.attempts import Patience
from aegis.marketdata.adapters.ctp import CtpFeed, CtpOptions
from aegis.marketdata.adapters.ctp.frames import Start
from aegis.marketdata.adapters.ctp.probe import probe
from aegis.marketdata.adapters.ctp.watched import Limits
from aegis.marketdata.ports import FeedState
from aegis.operations.counter import is_built
from aegis_sdk.errors import AegisError
from ctpsim.market.universe import listed
from ctpsim.testing import RunningFront, front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

QUICK = CtpOptions(
    limits=Limits(answer_s=30.0, silent_s=30.0, stop_s=30.0),  # a busy machine is no fault
    patience=Patience(first_pause_s=0.05, longest_pause_s=0.2, attempts=3),
)
IMPATIENT = replace(QUICK, limits=Limits(answer_s=2.5, silent_s=1.0, stall_s=0.6, stop_s=1.0))
CYCLES = int(os.environ.get("AEGIS_CTP_CYCLES", "6"))


@asynccontextmanager
async def counter(**options: Any) -> AsyncIterator[RunningFront]:
    quiet = {"market": "load", "instruments": 40, "rate": 200.0, "day": "20250102"}
    async with front(**{**quiet, **options}) as running:
        yield running


@asynccontextmanager
async def open_feed(
    running: RunningFront, sink: Any, options: CtpOptions = QUICK, start: Start | None = None, **told: Any
) -> AsyncIterator[CtpFeed]:
    feed = CtpFeed("test", "test", "sim", start or start_at(running.access), options, **told)
    try:
        await feed.open(sink)
        yield feed
    finally:
        await feed.close()


async def all_of(feed: CtpFeed) -> list[InstrumentId]:
    instruments = [one.id for one in await feed.instruments()]
    assert list(await feed.subscribe(instruments)) == []
    return instruments


def said(sink: Any, word: str) -> Callable[[], bool]:
    return lambda: any(word in reason for reason in sink.reasons)


def figure(feed: CtpFeed, name: str, **labels: str) -> float:
    """One of what a scrape shows of the feed's sessions."""
    [found] = (
        one.value
        for each in feed.metrics()
        for one in each.samples
        if one.name == f"aegis_marketdata_ctp_{name}" and one.labels == labels
    )
    return found


async def until_ready_again(sink: Any, times: int = 2) -> None:
    await sink.until(lambda: sink.states.count(FeedState.READY) >= times)


def seen_from_outside(pid: int | None) -> bytes:
    """What others on the machine see of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()


@pytest.fixture
def sessions_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories of sessions that no other test makes."""
    (tmp_path / "sessions").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "sessions"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "sessions"))


def directories_of_sessions() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("aegis-ctp-*"))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Logins


async def test_wrong_credentials_are_tried_once(sink: Any) -> None:
    async with quiet_counter() as running:
        for wrong, code in (({"password": "wrong"}, "error 3"), ({"auth_code": "wrong"}, "error 63")):
            with pytest.raises(AegisError, match=code):
                async with open_feed(running, sink, start=start_at(running.access, **wrong)):
                    pass
    assert sink.states == [FeedState.CONNECTING, FeedState.FAILED] * 2


async def test_a_counter_that_is_not_initialised_yet_is_asked_until_it_is(sink: Any) -> None:
    async with quiet_counter("login_error@trader=7") as running:
        opening = asyncio.create_task(_opened(running, sink))
        await sink.until(lambda: sum("error 7" in reason for reason in sink.reasons) >= 4)
        await running.control.clear()
        feed = await opening
        assert sink.states[-1] is FeedState.READY
        await feed.close()


async def _opened(running: RunningFront, sink: Any, options: CtpOptions = QUICK) -> CtpFeed:
    feed = CtpFeed("test", "test", "sim", start_at(running.access), options)
    await feed.open(sink)
    return feed


async def test_a_counter_that_lists_no_contracts_yet_is_asked_until_it_does(sink: Any) -> None:
    async with quiet_counter("no_contracts") as running:
        opening = asyncio.create_task(_opened(running, sink))
        await sink.until(said(sink, "lists no contract"), timeout=15)
        assert FeedState.READY not in sink.states
        await running.control.clear()
        feed = await opening
        assert len(await feed.instruments()) == 40
        await feed.close()


async def test_another_error_ends_after_a_number_of_attempts(sink: Any) -> None:
    async with quiet_counter("login_error@trader=12345") as running:
        with pytest.raises(AegisError, match="error 12345"):
            async with open_feed(running, sink):
                pass
    attempts = [FeedState.CONNECTING] * QUICK.patience.attempts
    assert sink.states == [*attempts, FeedState.FAILED]


async def test_a_front_that_is_down_is_waited_for(sink: Any) -> None:
    async with quiet_counter() as running:
        await running.control.send("front_down")
        opening = asyncio.create_task(_opened(running, sink, IMPATIENT))
        await sink.until(said(sink, "could not connect to the trader front; no answer"))
        await running.control.send("front_up")
        feed = await opening
        await feed.close()


async def test_a_front_that_closes_what_it_accepts_is_waited_for(sink: Any) -> None:
    async with quiet_counter("accept_and_close") as running:
        opening = asyncio.create_task(_opened(running, sink))
        await sink.until(said(sink, "error 4097"))
        await running.control.clear()
        feed = await opening
        await feed.close()


async def test_steps_are_told_in_their_order_and_no_secret_is_visible(sink: Any) -> None:
    steps: list[str] = []
    async with quiet_counter() as running:
        known = await probe(start_at(running.access), QUICK.limits, lambda step: steps.append(step.name))
        assert known == 40
        async with open_feed(running, sink) as feed:
            shown = seen_from_outside(feed.session_pid)
        assert shown
        assert running.user.password.encode() not in shown
        assert running.user.auth_code.encode() not in shown
    trader = ["CONNECT_TRADER", "AUTHENTICATE", "LOGIN_TRADER", "QUERY_INSTRUMENTS"]
    assert [step for step in steps if step in trader] == trader
    assert set(steps) - set(trader) == {"CONNECT_MARKET", "LOGIN_MARKET"}


# Sessions that are lost


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
async def test_a_session_that_dies_or_hangs_is_replaced_by_itself(sink: Any, number: signal.Signals) -> None:
    options = IMPATIENT if number == signal.SIGSTOP else QUICK
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

    async with quiet_counter() as running, open_feed(running, sink, IMPATIENT, expects=expects) as feed:
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


# Records


async def test_instruments_that_are_none_of_ours_are_told_and_the_others_used(sink: Any) -> None:
    async with (
        quiet_counter("unknown_exchange", "broken_text") as running,
        open_feed(running, sink) as feed,
    ):
        instruments = await feed.instruments()
        assert len(instruments) >= 40
        assert [one.name for one in instruments] == [one.symbol for one in instruments], "what is no text is no name"
        await sink.until(lambda: any(reason == "unknown_exchange" for reason, _ in sink.rejections))


async def test_names_are_what_the_counter_says(sink: Any) -> None:
    everything = counter(universe="all", instruments=100_000)
    async with everything as running, open_feed(running, sink, CtpOptions()) as feed:
        names = {one.symbol: one.name for one in await feed.instruments()}
    assert names["rb2505"] == "螺纹钢2505"
    assert names == {one.symbol: one.instrument.name for one in listed("20250102", "all").values()}


async def test_a_price_that_is_missing_is_none(sink: Any) -> None:
    async with (
        counter(market="simulated", instruments=100_000, rate=500.0, faults=("missing_prices",)) as running,
        open_feed(running, sink) as feed,
    ):
        await all_of(feed)
        await sink.until_quotes(200)
    for quote in sink.quotes:
        assert quote.settlement_price is None is quote.pre_close_price
        assert quote.bids == quote.asks == ()


@pytest.mark.parametrize(("millisecond", "part_ns"), [(5, 5_000_000), (50, 50_000_000), (500, 500_000_000)])
async def test_milliseconds_are_what_they_say(sink: Any, millisecond: int, part_ns: int) -> None:
    async with counter(market="simulated", instruments=100_000, rate=None) as running, open_feed(running, sink) as feed:
        one = next(each for each in await feed.instruments() if each.exchange == "SHFE")
        await feed.subscribe([one.id])
        await sink.until_quotes(1)
        latest = sink.quotes[-1]
        at_ns = latest.ts_exchange_ns // 10**9 * 10**9 + 2 * 10**9 + part_ns
        await running.control.send("tick", symbol=one.symbol, ts_exchange_ns=at_ns)
        await sink.until(lambda: any(quote.ts_exchange_ns == at_ns for quote in sink.quotes))


async def test_symbols_that_no_field_holds_are_not_asked_for(sink: Any) -> None:
    """The wrapper copies them unchecked: a long one would end the process."""
    async with quiet_counter() as running, open_feed(running, sink) as feed:
        long = InstrumentId("SHFE", "x" * 400)
        assert list(await feed.subscribe([long])) == [long]
        feed._require_ready()._ask([long.symbol])  # as if it were known
        await all_of(feed)
        await sink.until_quotes(50)
        assert sink.states == [FeedState.CONNECTING, FeedState.READY]


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


async def test_what_ctp_does_not_take_now_is_asked_again_until_all_is_subscribed(sink: Any) -> None:
    """Two requests a second: the query of all contracts comes third, and so does the second subscription."""
    few = counter(instruments=4, limits={"requests_per_s": 2, "query_interval_ms": 0})
    async with asyncio.timeout(30), few as running, open_feed(running, sink) as feed:
        assert sink.states == [FeedState.CONNECTING, FeedState.READY]
        await running.control.fault("answer@market=-2")
        subscribing = asyncio.create_task(all_of(feed))
        await asyncio.sleep(0.2)  # that nothing happens has no event
        assert not subscribing.done()
        await running.control.clear()
        wanted = await subscribing
        await sink.until(lambda: {quote.symbol for quote in sink.quotes} == {one.symbol for one in wanted})


async def test_a_login_that_ctp_does_not_take_is_tried_again(sink: Any) -> None:
    async with quiet_counter("answer@trader=-3") as running:
        opening = asyncio.create_task(_opened(running, sink))
        await sink.until(said(sink, "CTP does not take the request"), timeout=15)
        await running.control.clear()
        feed = await opening
        await feed.close()


async def test_what_the_front_refuses_is_refused_with_its_reason_and_may_be_asked_for_again(sink: Any) -> None:
    async with quiet_counter() as running, open_feed(running, sink) as feed:
        one, other = [each.id for each in await feed.instruments()][:2]
        await running.control.fault("subscribe_error")
        refused = await feed.subscribe([one])
        assert "error 16" in str(refused[one])
        assert ("subscription_refused", one.symbol) in [(why, what.partition(":")[0]) for why, what in sink.rejections]
        await running.control.clear()
        assert await feed.subscribe([one, other]) == {}
        await sink.until(lambda: {quote.symbol for quote in sink.quotes} == {one.symbol, other.symbol})


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
