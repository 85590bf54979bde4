"""`aegis bench ctp` against a real counter and the real service: what it says is so, and what goes wrong it says."""

import asyncio
import os
import shutil
import signal

import pytest

from aegis.cli.bench.ctp_cycles import IN_ORDER, cycles
from aegis.cli.bench.ctp_parts import children_of
from aegis.cli.bench.ctp_path import QUIET, ctp_path
from aegis.cli.bench.ctp_sums import EXACT
from aegis.cli.bench.figures import Case
from aegis.operations.counter import is_built
from aegis_sdk.testing import nats_server
from ctpsim.testing import RunningFront

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]


async def test_what_is_lost_left_out_or_late_is_told_and_sessions_end_in_order() -> None:
    async with (
        nats_server() as server,
        ctp_path(server, 1, "bench-test", market="load", instruments=100, rate=QUIET) as path,
    ):
        figures = (await path.measured(2_000, 1.0)).figures
        assert figures["sent"] > 1_000
        assert Case("in order", figures, bars=EXACT).beyond() == []

        [session] = children_of(path.service.pid)
        measuring = asyncio.create_task(path.measured(100_000, 1.0))
        await _until_there_are(path.counter, "sent", figures["sent"] + 1_000)
        os.kill(session, signal.SIGSTOP)  # what the counter sends now waits for it, until there is no room
        await _until_there_are(path.counter, "unsent", 1)
        os.kill(session, signal.SIGKILL)
        found = await measuring
        case = Case("a session killed", found.figures, bars={**EXACT, "newest_max_ms": 250})
        assert set(case.as_json()["beyond"]) >= {"lost", "unaccounted", "unsent", "newest_max_ms"}
        assert found.oldest in await path.counter.control.sent()

        await path.counter.control.send("rate", rate=20_000)
        figures, other = await cycles(path.counter, 1)
        assert (Case("cycles", figures, bars=IN_ORDER).beyond(), other) == ([], {})


async def _until_there_are(counter: RunningFront, which: str, count: float) -> None:
    async with asyncio.timeout(30):
        while sum((await counter.control.send("sent"))[which].values()) < count:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.01)
