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
            for hurt in FAULTS.values():
                await play(pair, hurt)
        compared = await pair.compared()
        assert compared.ticks > 1_000
        assert compared[1:] == (0, 0, 0), pair.log("primary") + pair.log("backup")
        stored = await pair.stored()
        assert stored[1:] == (0, 0, 0)
        assert len(pair.listener.epochs) > ROUNDS * len(FAULTS)
