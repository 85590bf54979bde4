"""The CTP venue at a counter that it loses: what becomes of orders, and how it comes back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from dataclasses import replace
from typing import Any

import pytest
from ctp_counter import trading_at
from ctp_venue_stage import DAY, IMPATIENT, QUICK, cancelling, counter, open_venue, order
from structlog.testing import capture_logs
from venue_sink import RecordingVenueSink

from aegis.operations.counter import is_built
from aegis.trading.adapters.ctp import CtpVenue
from aegis_sdk.errors import AegisError, Unavailable
from ctpsim.testing import RunningFront

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]


async def test_an_order_that_a_disconnection_meets_is_unknown_until_the_counter_speaks_of_it() -> None:
    sink, watcher = RecordingVenueSink(), RecordingVenueSink()
    async with (
        counter() as running,
        open_venue(running, sink) as venue,
        open_venue(running, watcher, known=lambda: ["arrived"]),
    ):
        account = running.user.user_id
        await venue.confirm_settlement(account)
        await venue.submit(order(running, "before", "3081", 10))
        await sink.until(lambda: len(sink.trades) == 1)
        first, told = venue.session, len(sink.reports)

        # It arrives, and its answer is lost with the session's process.
        _deafen(venue)
        sending = asyncio.create_task(venue.submit(order(running, "arrived", "3000", 1)))
        await watcher.until(lambda: bool(watcher.orders("arrived")))
        assert venue.session_pid is not None
        os.kill(venue.session_pid, signal.SIGKILL)
        assert (await sending).outcome == "unknown"
        blind = await venue.submit(order(running, "blind", "3000", 1))
        assert (blind.outcome, blind.reason) == ("not_sent", "not_connected")
        with pytest.raises(Unavailable):
            await venue.orders(account)
        await sink.until(lambda: sink.states == ["ready", "down", "ready"])
        assert sink.statuses("arrived") == [("accepted", 0)]
        assert venue.session != first
        fresh = [one for one in sink.reports if one.session == venue.session]
        assert [one.sequence for one in fresh] == list(range(1, len(fresh) + 1))
        assert len(sink.trades) == 1, "the private stream was heard twice, its trades were told once"
        assert sink.statuses("before") == [("accepted", 0), ("filled", 10)]
        assert sink.reports[told].state == "down"

        # It does not arrive: the front has heard nothing of it.
        await running.control.fault("stall@trader")
        sending = asyncio.create_task(venue.submit(order(running, "lost", "3000", 1)))
        asking = asyncio.create_task(venue.cancel(cancelling(running, "arrived")))
        await asyncio.sleep(0.2)  # that nothing is answered has no event
        await running.control.clear()
        await running.control.send("drop", side="trader", reason=0x2003)
        assert (await sending).outcome == "unknown"
        assert (await asking).outcome == "unknown"
        await sink.until(lambda: sink.states == ["ready", "down", "ready", "down", "ready"])
        assert [one.client_order_id for one in await venue.orders(account)] == ["before", "arrived"]
        assert (await venue.cancel(cancelling(running, "arrived"))).outcome == "accepted"


def _deafen(venue: CtpVenue) -> None:
    """Let the service read no more of what its session's process says."""
    current: Any = venue._current
    current._process.pause()


async def test_a_front_that_does_not_answer_and_a_process_that_hangs_are_left() -> None:
    sink = RecordingVenueSink()
    async with counter() as running, open_venue(running, sink, IMPATIENT) as venue:
        await running.control.fault("stall@trader")
        with pytest.raises(AegisError, match="not answered QryOrder"):
            await venue.look_up(running.user.user_id)
        await running.control.clear()
        await sink.until(lambda: sink.states == ["ready", "down", "ready"])
        await venue.look_up(running.user.user_id)
        assert (await venue.account(running.user.user_id)).pre_balance == 10_000_000
        assert venue.session_pid is not None
        os.kill(venue.session_pid, signal.SIGSTOP)
        await sink.until(lambda: sink.states == ["ready", "down"] * 2 + ["ready"])


async def test_what_the_stream_leaves_out_is_found_by_asking() -> None:
    sink, cold = RecordingVenueSink(), RecordingVenueSink()
    options = replace(QUICK, again_s=0.2)
    async with counter() as running:
        async with open_venue(running, sink) as venue:
            await venue.confirm_settlement(running.user.user_id)
            await running.control.fault("forget_orders@trader")
            await venue.submit(order(running, "waits", "3081", 10))
            await sink.until(lambda: len(sink.trades) == 1)
            told = len(sink.reports)
            await venue.close()
            assert len(sink.reports) == told, "after its end it reports nothing"
        async with open_venue(running, cold, options, known=lambda: ["waits"]) as venue:
            assert cold.statuses("waits") == [("filled", 10)], "when it comes up"
            assert len(cold.trades) == 1
            day: Any = venue._day
            day.begin("")  # as if it had never heard of it
            day.begin(DAY)
            await cold.until(lambda: len(cold.trades) == 2)
            assert cold.statuses("waits") == [("filled", 10)] * 2, "and once in a while"
        await running.control.clear()
        await running.control.fault("query_error@trader=90")
        early = RecordingVenueSink()
        async with asyncio.TaskGroup() as group:
            opening = group.create_task(_once_opened(running, early))
            await early.until(lambda: len(early.trades) == 1)
            assert not early.states, "the stream tells the day before any query is answered"
            assert not opening.done()
            await running.control.clear()


async def _once_opened(running: RunningFront, sink: RecordingVenueSink) -> None:
    async with open_venue(running, sink):
        assert sink.states == ["ready"]


async def test_a_wrong_password_ends_it_and_a_counter_that_is_not_ready_is_waited_for() -> None:
    async with counter(faults=("login_error@trader=7",)) as running:
        wrong = CtpVenue(trading_at(running.access, password="wrong"), QUICK, known=tuple)
        await running.control.clear()
        with pytest.raises(AegisError, match="error 3"):
            await wrong.open(RecordingVenueSink())
        await running.control.fault("login_error@trader=7")
        sink = RecordingVenueSink()
        venue = CtpVenue(trading_at(running.access), QUICK, known=tuple)
        with capture_logs() as logs:
            opening = asyncio.create_task(venue.open(sink))
            while sum("error 7" in one.get("reason", "") for one in logs) < 2:  # noqa: ASYNC110  # a log has no event
                await asyncio.sleep(0.02)
        assert not opening.done()
        assert (await venue.submit(order(running, "early", "3000", 1))).outcome == "not_sent"
        await running.control.clear()
        await opening
        assert sink.states == ["ready"]
        await running.control.fault("login_error@trader=3")
        await running.control.send("drop", side="trader", reason=0x1001)
        await sink.until(lambda: sink.states == ["ready", "down", "closed"])
        await venue.close()
        await running.control.fault("login_error@trader=7")
        given_up = CtpVenue(trading_at(running.access), QUICK, known=tuple)
        opening = asyncio.create_task(given_up.open(sink))
        await asyncio.sleep(0)
        await given_up.close()
        await asyncio.wait({opening}, timeout=30)
        assert opening.cancelled(), "who waits for it does not wait for ever"
