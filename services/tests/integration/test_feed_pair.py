"""Two feeds behind two fronts: whatever happens to the one that publishes, the other goes on behind its last tick."""

from __future__ import annotations

import os
import shutil

import pytest

from aegis.operations.counter import is_built
from aegis_sdk.testing import nats_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

ROUNDS = int(os.environ.get("AEGIS_FEED_ROUNDS", "1"))


async def test_nothing_is_lost_or_published_twice_whatever_happens_to_a_feed() -> None:
    from aegis.cli.bench.feed import FAULTS, play
    from aegis.cli.bench.feed_pair import FeedPair

    async with nats_server() as server, FeedPair.of(server, rate=1_000.0) as pair:
        for _ in range(ROUNDS):
            for case in FAULTS:
                await play(pair, case)
        compared, stored = await pair.compared(), await pair.stored()
        assert compared.keys() == stored.keys() == FAULTS.keys()
        assert sum(one.ticks for one in compared.values()) > 1_000
        for case in FAULTS:
            for found in (compared[case], stored[case]):
                differs = (found.lost, found.repeated, found.left_out)
                assert differs == (0, 0, 0), f"{case}\n{pair.log('primary')}{pair.log('backup')}"
        assert len(pair.listener.epochs) > ROUNDS * len(FAULTS)


@pytest.mark.skipif("AEGIS_FEED_CLUSTER" not in os.environ, reason="AEGIS_FEED_CLUSTER=1: half a minute")
async def test_no_key_moves_and_nothing_is_lost_where_the_leader_of_the_stream_is_killed_with_its_node() -> None:
    from aegis.cli.bench.cases import FeedCase
    from aegis.cli.bench.feed import bench_feed

    async with nats_server(nodes=3) as server:
        report = await bench_feed(
            server, rounds=ROUNDS, cases=[FeedCase.TICKS_KILLED], rate=1_000.0, stall_s=1.0, say=print
        )
    [case] = report.cases
    figures = {name: figure for name, figure in case.aegis.items() if not name.endswith("ms")}
    assert figures.pop("ticks") > 1_000
    assert figures.pop("stored_ticks") > 1_000
    assert figures == dict.fromkeys(figures, 0.0), report.as_json()
    assert "takeovers" in figures
