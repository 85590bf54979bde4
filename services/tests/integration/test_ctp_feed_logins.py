"""How the CTP feed logs in at a simulated counter that refuses, is not ready, or is not there."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from ctp_counter import quiet_counter, start_at
from ctp_feed_stage import QUICK, UNANSWERED, open_feed, opened, said

from aegis.marketdata.adapters.ctp.probe import probe
from aegis.marketdata.ports import FeedState
from aegis.operations.counter import is_built
from aegis_sdk.errors import AegisError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]


def seen_from_outside(pid: int | None) -> bytes:
    """What others on the machine see of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()


async def test_wrong_credentials_are_tried_once(sink: Any) -> None:
    async with quiet_counter() as running:
        for wrong, code in (({"password": "wrong"}, "error 3"), ({"auth_code": "wrong"}, "error 63")):
            with pytest.raises(AegisError, match=code):
                async with open_feed(running, sink, start=start_at(running.access, **wrong)):
                    pass
    assert sink.states == [FeedState.CONNECTING, FeedState.FAILED] * 2


async def test_a_counter_that_is_not_initialised_yet_is_asked_until_it_is(sink: Any) -> None:
    async with quiet_counter("login_error@trader=7") as running:
        opening = asyncio.create_task(opened(running, sink))
        await sink.until(lambda: sum("error 7" in reason for reason in sink.reasons) >= 4)
        await running.control.clear()
        feed = await opening
        assert sink.states[-1] is FeedState.READY
        await feed.close()


async def test_a_counter_that_lists_no_contracts_yet_is_asked_until_it_does(sink: Any) -> None:
    async with quiet_counter("no_contracts") as running:
        opening = asyncio.create_task(opened(running, sink))
        await sink.until(said(sink, "lists no contract"))
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
        opening = asyncio.create_task(opened(running, sink, UNANSWERED))
        await sink.until(said(sink, "could not connect to the trader front; no answer"))
        await running.control.send("front_up")
        feed = await opening
        await feed.close()


async def test_a_front_that_closes_what_it_accepts_is_waited_for(sink: Any) -> None:
    async with quiet_counter("accept_and_close") as running:
        opening = asyncio.create_task(opened(running, sink))
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


async def test_a_login_that_ctp_does_not_take_is_tried_again(sink: Any) -> None:
    async with quiet_counter("answer@trader=-3") as running:
        opening = asyncio.create_task(opened(running, sink))
        await sink.until(said(sink, "CTP does not take the request"))
        await running.control.clear()
        feed = await opening
        await feed.close()
